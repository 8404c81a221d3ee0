"""What the sign-in needs next: the one decision of the front door, pure.

Views carry the answer out and decide nothing. The order of the rules is the order of the questions a concierge asks: who
are you, is your account open, is this door for you, is something left to finish.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Denial(StrEnum):
    """Why nobody gets in; each is a code of the error catalogue but ``NO_PASSIVE``, answered to the service."""

    NO_PASSIVE = "no_passive"
    SUSPENDED = "account_suspended"
    CLOSED = "account_closed"
    NO_STUDENT = "no_student"
    WRONG_PROFILE = "profile_refused"


@dataclass(frozen=True, slots=True)
class AskProfile:
    """Show the choice of profile."""


@dataclass(frozen=True, slots=True)
class AskPassword:
    """Show the password form of that profile."""

    profile: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Send the person to that page first: activation, new children, forced password change."""

    endpoint: str


@dataclass(frozen=True, slots=True)
class Deny:
    """Stop here."""

    why: Denial


@dataclass(frozen=True, slots=True)
class Ready:
    """The person may be asserted."""


Step = AskProfile | AskPassword | Finish | Deny | Ready


@dataclass(frozen=True, slots=True)
class Wish:
    """What the service asked of the sign-in itself."""

    profiles: frozenset[str] = frozenset(("student", "guardian"))
    force_authn: bool = False
    is_passive: bool = False
    challenged_at: datetime | None = None
    """When the fresh authentication was asked; only one that is later counts (RQ-51, RQ-52)."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who this browser's session says is there."""

    profile: str
    authn_instant: datetime
    suspended: bool = False
    closed: bool = False
    unfinished: str | None = None
    """Endpoint of the page to finish first, None when there is nothing."""


def next_step(wish: Wish, person: SignedIn | None) -> Step:
    """Decide. ``person`` is None when nobody is signed in. A passive request is never answered by a page (RQ-55, RQ-57)."""
    step = _next_step(wish, person)
    return step if isinstance(step, Ready) or not wish.is_passive else Deny(Denial.NO_PASSIVE)


def _next_step(wish: Wish, person: SignedIn | None) -> Step:
    if person is None or _must_prove_again(wish, person):
        return _ask(wish)
    if person.suspended:
        return Deny(Denial.SUSPENDED)
    if person.closed:
        return Deny(Denial.CLOSED)
    if person.profile not in wish.profiles:
        return Deny(Denial.WRONG_PROFILE)
    if person.unfinished:
        return Finish(person.unfinished)
    return Ready()


def _must_prove_again(wish: Wish, person: SignedIn) -> bool:
    return wish.force_authn and (wish.challenged_at is None or person.authn_instant <= wish.challenged_at)


def _ask(wish: Wish) -> Step:
    """A service that takes one profile only spares the choice."""
    return AskPassword(next(iter(wish.profiles))) if len(wish.profiles) == 1 else AskProfile()
