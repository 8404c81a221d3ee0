"""Where a try comes from, and how much may come from there.

A school shares one address: what succeeds never counts against it, shared networks may do ten times as much, and a browser that
is known for an account is never held up by what others do (AC-04 to AC-06).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from sqlalchemy.orm import Session

from ..instance import Instance
from ..settings import Settings
from .service import Blocked, Rate, key_of, spend

SHARED = 10
"""How many times as much may come from a network that many people share."""
MOST_KNOWN = 8
"""Accounts that one browser is known for: a family, or the last ones of a computer in a library."""
IPV6_HOUSEHOLD = 64
"""Bits of an IPv6 address that one household or school has; it chooses the others as it likes."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """The network address of a request, and the accounts that its browser is known for (of its cookie, not judged yet)."""

    address: str = ""
    known: tuple[str, ...] = ()


def network_of(address: str) -> str:
    """What is counted together: an IPv4 address, the /64 of an IPv6 address, or everybody without any."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ip_network((found, IPV6_HOUSEHOLD), strict=False))


def times_as_much(settings: Settings, address: str) -> int:
    """How many people's worth of tries may come from there."""
    try:
        found = ip_address(address)
    except ValueError:
        return 1
    return SHARED if any(found in ip_network(network) for network in settings.shared_networks) else 1


def take_request(db: Session, instance: Instance, visitor: Visitor, *, now: datetime) -> Blocked | None:
    """Count one enrolment or recovery asked from that network; Blocked when there were too many in an hour."""
    most = instance.settings.address_requests * times_as_much(instance.settings, visitor.address)
    counted = spend(db, key_of(instance, "request-from", network_of(visitor.address)), Rate(most, timedelta(hours=1)), now=now)
    return counted if isinstance(counted, Blocked) else None


def mark(instance: Instance, account_id: str, password_hash: str | None, *, now: datetime) -> str:
    """What the cookie of a browser keeps of an account that signed in there: a date and a keyed hash, nothing readable.

    Another password makes it worthless.
    """
    day = f"{int(now.timestamp()) // 86400}"
    return f"{day}.{_hash(instance, account_id, password_hash, day)}"


def known_mark(instance: Instance, visitor: Visitor, account_id: str, password_hash: str | None, *, now: datetime) -> str | None:
    """The browser's mark for that account, None when it has none, or one that is too old."""
    oldest = int(now.timestamp()) // 86400 - instance.settings.known_browser_days
    for found in visitor.known[:MOST_KNOWN]:
        day, _, value = found.partition(".")
        expected = _hash(instance, account_id, password_hash, day)
        if (
            day.isascii()
            and day.isdigit()
            and len(day) < 8
            and int(day) >= oldest
            and hmac.compare_digest(value.encode(), expected.encode())
        ):
            return found
    return None


def _hash(instance: Instance, account_id: str, password_hash: str | None, day: str) -> str:
    return instance.keyed_hash("known-browser", account_id, password_hash or "", day)[:32]
