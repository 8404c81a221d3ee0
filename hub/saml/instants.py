"""Dates on the wire (SAML core 1.3.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,40}))?(?:Z|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)


def parse_instant(text: str) -> datetime | None:
    """The date in UTC, or None when it is not one.

    Kind to what services send: without zone it is UTC, an offset is converted, digits beyond the microsecond are
    dropped, a leap second counts as the second before (RQ-32).
    """
    match = _INSTANT.fullmatch(text.strip(" \t\r\n"))
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    if second > 60 or int(offset_hours or 0) > 14 or int(offset_minutes or 0) > 59:
        return None
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59), int((fraction or "0")[:6].ljust(6, "0")), UTC)
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        return None


def format_instant(moment: datetime) -> str:
    """A date as the hub writes it: UTC, whole seconds. ``moment`` carries a zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
