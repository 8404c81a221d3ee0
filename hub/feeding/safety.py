"""When a delivery is held for a human: emptied categories, shrinks, mass deletions (aaf.md section 12, rule 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from backends.sdet.records import DeliveryKind
from backends.sql.rows import Change

from ..errors import Refusal
from .packing import Limits

COUNTED = ("student", "guardian")
"""Categories whose heads are counted."""


class Held(Refusal):
    """The delivery may be right; a human must say so. Nothing was changed."""


class Busy(Refusal):
    """The directory does not answer, or another delivery is on its way into the feed: the same delivery may pass later."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an import accepts without a human."""

    shrink_percent: int = 10
    """Share of the pupils, or of the guardians, of a feed and degree that may go."""
    shrink_window: timedelta = timedelta(days=7)
    """The shrink is measured against the most there were in that time, so that small ones do not add up unseen."""
    limits: Limits = field(default_factory=Limits)


def doubts(kind: DeliveryKind, changes: Iterable[Change], degrees: set[str], most: Callable[[Change], int], percent: int) -> list[str]:
    """Why a human must look before these changes are published; one sentence each, none when all is well.

    ``degrees`` are those of the delivery, ``most`` tells the most heads that the window has seen. A delta is measured by what
    it deletes, too: as many additions do not make a mass deletion harmless.
    """
    found = []
    for change in (change for change in changes if change.degree in degrees):
        what = f"{change.category} {change.degree}"
        if kind is DeliveryKind.COMPLETE and change.published and not change.delivered:
            found.append(f"no record of {what} ({change.published} published)")
        if change.category not in COUNTED:
            continue
        before = max(change.published, most(change))
        after = change.published + change.created - change.ended
        if _beyond(before - after, before, percent):
            found.append(f"{what}: {after} left of {before}")
        elif kind is DeliveryKind.DELTA and _beyond(change.ended, before, percent):
            found.append(f"{what}: {change.ended} of {before} deleted")
    return found


def _beyond(lost: int, before: int, percent: int) -> bool:
    return lost > 0 and lost * 100 > before * percent
