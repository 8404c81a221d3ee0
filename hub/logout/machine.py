"""Single logout as a state machine, pure: what is known of each service of the session, what happens, what to do next.

The hub's own session is over before the machine starts: whatever a service does or does not do, nobody stays signed in
here. What is left is to tell each service through the browser, one after the other, and to say truly how it went.

``docs/explanation/single-logout.md`` prints the tables below; a test holds it to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Told(StrEnum):
    """How far the logout has come at one service."""

    PENDING = "pending"
    """To be told."""
    ASKED = "asked"
    """The browser carries a LogoutRequest there."""
    LEFT = "left"
    """It answered that the person is signed out."""
    REFUSED = "refused"
    """It answered something else."""
    SILENT = "silent"
    """It did not answer in time, or the person went on without it. A late answer still counts."""
    UNTOLD = "untold"
    """It has no address for logouts, is closed, or the person stopped before its turn."""


class Event(StrEnum):
    """What happens to one service."""

    ASK = "ask"
    SUCCESS = "success"
    FAILURE = "failure"
    TIME_OVER = "time over"
    SKIP = "skip"
    STOP = "stop"


TRANSITIONS: dict[tuple[Told, Event], Told] = {
    (Told.PENDING, Event.ASK): Told.ASKED,
    (Told.PENDING, Event.STOP): Told.UNTOLD,
    (Told.ASKED, Event.SUCCESS): Told.LEFT,
    (Told.ASKED, Event.FAILURE): Told.REFUSED,
    (Told.ASKED, Event.TIME_OVER): Told.SILENT,
    (Told.ASKED, Event.SKIP): Told.SILENT,
    (Told.ASKED, Event.STOP): Told.SILENT,
    (Told.SILENT, Event.SUCCESS): Told.LEFT,
    (Told.SILENT, Event.FAILURE): Told.REFUSED,
}
"""Every change there is; any other event changes nothing."""


class Ending(StrEnum):
    """What the person and the service that asked see at the end."""

    ANSWER = "answer"
    """The browser goes straight back with Success."""
    SHOW_THEN_ANSWER = "show, then answer"
    """A page says which services may still be open; its button carries Success with PartialLogout back."""
    SHOW = "show"
    """A page says how it went; nobody waits for an answer."""


ENDINGS: dict[tuple[bool, bool], Ending] = {
    (True, True): Ending.ANSWER,
    (True, False): Ending.SHOW_THEN_ANSWER,
    (False, True): Ending.SHOW,
    (False, False): Ending.SHOW,
}
"""By whether a service waits for an answer, and whether every service has signed the person out."""


@dataclass(frozen=True, slots=True)
class Participant:
    """One service of the session. The machine reads and changes the last three only."""

    service_provider: str
    name_id: str
    name_id_format: str
    name_qualifier: str
    sp_name_qualifier: str
    session_indexes: tuple[str, ...]
    state: Told = Told.PENDING
    request_id: str | None = None
    """ID of the LogoutRequest that it was sent."""
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Logout:
    """One logout on its way."""

    participants: tuple[Participant, ...]
    answer_expected: bool = False
    """Whether the service that asked waits for a LogoutResponse."""

    @property
    def complete(self) -> bool:
        """Whether every service has signed the person out."""
        return all(participant.state is Told.LEFT for participant in self.participants)


@dataclass(frozen=True, slots=True)
class Send:
    """Send the browser to that participant with a fresh LogoutRequest."""

    index: int


@dataclass(frozen=True, slots=True)
class Wait:
    """That participant was asked and has until then to answer."""

    index: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Finish:
    """Nobody is left to tell."""

    ending: Ending


Output = Send | Wait | Finish


def happen(participant: Participant, event: Event) -> Participant:
    """The participant after the event."""
    state = TRANSITIONS.get((participant.state, event), participant.state)
    return participant if state is participant.state else replace(participant, state=state)


def advance(logout: Logout, *, now: datetime, wait: timedelta, new_id: Callable[[], str]) -> tuple[Logout, Output]:
    """What to do now that the browser is here. At most one participant is asked at a time; each has ``wait`` to answer."""
    for index, participant in enumerate(logout.participants):
        if participant.state is Told.ASKED:
            assert participant.asked_at is not None
            until = participant.asked_at + wait
            if now < until:
                return logout, Wait(index, until)
            logout = _with(logout, index, happen(participant, Event.TIME_OVER))
    for index, participant in enumerate(logout.participants):
        if participant.state is Told.PENDING:
            asked = replace(happen(participant, Event.ASK), request_id=new_id(), asked_at=now)
            return _with(logout, index, asked), Send(index)
    return logout, Finish(ENDINGS[logout.answer_expected, logout.complete])


def answered(logout: Logout, service_provider: str, request_id: str, *, success: bool) -> Logout:
    """A service has answered. The logout is unchanged when nobody asked it that, or when it has answered before (LO-11)."""
    event = Event.SUCCESS if success else Event.FAILURE
    for index, participant in enumerate(logout.participants):
        if participant.request_id == request_id and participant.service_provider == service_provider:
            return _with(logout, index, happen(participant, event))
    return logout


def skipped(logout: Logout, index: int) -> Logout:
    """The person goes on without the answer of that participant. Unchanged when it is not its turn."""
    if not 0 <= index < len(logout.participants):
        return logout
    return _with(logout, index, happen(logout.participants[index], Event.SKIP))


def stopped(logout: Logout) -> Logout:
    """The person wants no more services told (SDP-IDP23)."""
    return replace(logout, participants=tuple(happen(participant, Event.STOP) for participant in logout.participants))


def _with(logout: Logout, index: int, participant: Participant) -> Logout:
    before, after = logout.participants[:index], logout.participants[index + 1 :]
    return replace(logout, participants=(*before, participant, *after))
