"""Beginning a logout, keeping it while the browser goes from service to service, and finding it again.

However it begins (a service, the person's button, the address with a token), the hub's session is gone in the same
transaction; what follows only tells the services.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from .. import audit
from ..db import Database
from ..login.models import BrowserSession
from ..registry.models import ServiceState
from ..registry.service import RegisteredService, Registry
from ..saml.logout import LogoutProtocol, OutgoingLogout, endpoint_for
from ..saml.messages import Endpoint, MessageID, NameID, ReceivedMessage
from ..saml.names import STATUS_PARTIAL_LOGOUT
from ..settings import Settings
from ..signon.service import refuse_replay
from . import machine
from .machine import Logout, Output, Participant, Told
from .models import PendingLogout
from .participants import sessions_meant, take

LIFETIME = timedelta(hours=1)
"""How long a logout is kept for its browser."""
_TRIES = 5
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Parts:
    """What logouts work with; opened once for each process."""

    settings: Settings
    database: Database
    registry: Registry
    protocol: LogoutProtocol


@dataclass(frozen=True, slots=True)
class Requester:
    """The service that waits for an answer."""

    service_provider: str
    request_id: str
    relay_state: str | None
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Ongoing:
    """One logout: the state of the machine and what surrounds it."""

    id: str
    logout: Logout
    requester: Requester | None
    reference: str
    """Correlation id of the request that began it."""
    ended: frozenset[str] = frozenset()
    """Token hashes of the sessions that its beginning ended."""
    version: int = 0
    """0: not kept anywhere yet."""


# Beginning ----------------------------------------------------------------------------------------------------------


def begin_for_service(
    parts: Parts, db: Session, received: ReceivedMessage, registered: RegisteredService, *, reference: str, now: datetime
) -> Ongoing:
    """A service asks by a LogoutRequest. Raises MessageRefused (local page) or LogoutRefused (status to the service)."""
    settings = parts.settings
    request = parts.protocol.read_request(
        received,
        registered.rules,
        now=now,
        skew=settings.clock_skew,
        lifetime=settings.request_lifetime,
        strict_relay_state=settings.relay_state_strict,
    )
    refuse_replay(db, request, now=now, remember_for=settings.request_lifetime + 3 * settings.clock_skew)
    indexes = sessions_meant(db, request)
    endpoint = endpoint_for(registered.rules.descriptor, prefer=received.binding)
    requester = None
    if endpoint is not None and not request.asynchronous:
        requester = Requester(request.issuer, request.id, received.relay_state, endpoint)
    return _begin(parts, db, indexes, by=request.issuer, asker=request.issuer, requester=requester, reference=reference, now=now)


def begin_for_browser(parts: Parts, db: Session, session_index: str, *, reference: str, now: datetime) -> Ongoing:
    """The person pressed the button."""
    return _begin(parts, db, [session_index], by="person", reference=reference, now=now)


def begin_by_token(parts: Parts, db: Session, token: str, *, reference: str, now: datetime) -> Ongoing | None:
    """Somebody opened the address with the logout token of a living session; None when there is no such session."""
    of_token = select(BrowserSession.session_index).where(BrowserSession.logout_token == token, BrowserSession.account_id.is_not(None))
    session_index = db.scalar(of_token)
    if session_index is None:
        return None
    return _begin(parts, db, [session_index], by="logout token", reference=reference, now=now)


def _begin(
    parts: Parts,
    db: Session,
    session_indexes: Sequence[str],
    *,
    by: str,
    reference: str,
    now: datetime,
    asker: str | None = None,
    requester: Requester | None = None,
) -> Ongoing:
    ended = _end_sessions(db, session_indexes, by=by)
    participants = tuple(_reachable(parts, db, participant) for participant in take(db, session_indexes, without=asker, now=now))
    logout = Logout(participants, answer_expected=requester is not None)
    return Ongoing(secrets.token_hex(16), logout, requester, reference, ended)


def _end_sessions(db: Session, session_indexes: Sequence[str], *, by: str) -> frozenset[str]:
    gone = delete(BrowserSession).where(BrowserSession.session_index.in_(session_indexes))
    rows = db.execute(gone.returning(BrowserSession.token_hash, BrowserSession.account_id)).all()
    for row in rows:
        audit.record(db, "session.ended", actor=f"account:{row.account_id}", account_id=row.account_id, by=by)
    return frozenset(row.token_hash for row in rows)


def _reachable(parts: Parts, db: Session, participant: Participant) -> Participant:
    """Only an approved service that publishes an address for logouts can be told."""
    return participant if _endpoint(parts, db, participant) else replace(participant, state=Told.UNTOLD)


def _endpoint(parts: Parts, db: Session, participant: Participant) -> Endpoint | None:
    service = parts.registry.find(db, participant.service_provider)
    if service is None or service.state is not ServiceState.APPROVED:
        return None
    return endpoint_for(service.rules.descriptor)


# Going on -----------------------------------------------------------------------------------------------------------


def advance(parts: Parts, db: Session, ongoing: Ongoing, *, now: datetime) -> tuple[Ongoing, Output]:
    """What to do now. A request's ID begins with that of its logout, so that the answer finds it."""

    def step(logout: Logout) -> tuple[Logout, Output]:
        return machine.advance(logout, now=now, wait=parts.settings.logout_wait, new_id=lambda: f"_{ongoing.id}{secrets.token_hex(8)}")

    return _change(db, ongoing, step)


def answer(db: Session, service_provider: str, request_id: str, *, success: bool, now: datetime) -> bool:
    """A service's answer, verified. False when nobody asked that service that, or it has answered already (LO-11)."""
    ongoing = load(db, request_id[1:33], now=now)
    if ongoing is None:
        return False

    def step(logout: Logout) -> tuple[Logout, bool]:
        after = machine.answered(logout, service_provider, request_id, success=success)
        return after, after != logout

    return _change(db, ongoing, step)[1]


def skip(db: Session, ongoing: Ongoing, index: int) -> Ongoing:
    """The person goes on without that service."""
    return _change(db, ongoing, lambda logout: (machine.skipped(logout, index), None))[0]


def stop(db: Session, ongoing: Ongoing) -> Ongoing:
    """The person wants no more services told."""
    return _change(db, ongoing, lambda logout: (machine.stopped(logout), None))[0]


def message_for(parts: Parts, db: Session, participant: Participant, *, now: datetime) -> OutgoingLogout | None:
    """The LogoutRequest that the browser carries to a participant; None when it has just become unreachable."""
    endpoint = _endpoint(parts, db, participant)
    if endpoint is None or participant.request_id is None:
        return None
    return parts.protocol.request(
        endpoint,
        NameID(participant.name_id, participant.name_id_format, participant.name_qualifier, participant.sp_name_qualifier),
        participant.session_indexes,
        id_=MessageID(participant.request_id),
        now=now,
        lifetime=parts.settings.request_lifetime,
    )


def reply(parts: Parts, ongoing: Ongoing, *, now: datetime) -> OutgoingLogout | None:
    """The LogoutResponse to the service that waits for one: Success, and PartialLogout unless all have left (LO-07)."""
    requester = ongoing.requester
    if requester is None:
        return None
    return parts.protocol.respond(
        requester.endpoint,
        MessageID(requester.request_id),
        now=now,
        relay_state=requester.relay_state,
        second=None if ongoing.logout.complete else STATUS_PARTIAL_LOGOUT,
    )


# Keeping ------------------------------------------------------------------------------------------------------------


def keep(db: Session, ongoing: Ongoing, *, now: datetime) -> None:
    """Write a fresh logout down, because services are to be told."""
    requester = dataclasses.asdict(ongoing.requester) if ongoing.requester else None
    db.add(
        PendingLogout(
            id=ongoing.id,
            requester=requester,
            participants=_to_json(ongoing.logout),
            version=1,
            reference=ongoing.reference,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )


def claim(db: Session, id_: str, *, browser: str) -> None:
    """Make a logout that no browser has continued yet the one of ``browser``."""
    db.execute(update(PendingLogout).where(PendingLogout.id == id_, PendingLogout.browser.is_(None)).values(browser=browser))


def is_unclaimed(db: Session, id_: str, *, now: datetime) -> bool:
    """Whether the logout of that id waits for its browser."""
    waits = select(PendingLogout.id).where(PendingLogout.id == id_, PendingLogout.browser.is_(None), PendingLogout.expires_at > now)
    return db.scalar(waits) is not None


def of_browser(db: Session, browser: str, *, now: datetime) -> Ongoing | None:
    """The latest logout of this browser."""
    latest = select(PendingLogout.id).where(PendingLogout.browser == browser).order_by(PendingLogout.created_at.desc()).limit(1)
    id_ = db.scalar(latest)
    return None if id_ is None else load(db, id_, now=now)


def load(db: Session, id_: str, *, now: datetime) -> Ongoing | None:
    """The logout of that id; None when it is unknown or over."""
    row = db.get(PendingLogout, id_, populate_existing=True)
    if row is None or row.expires_at <= now:
        return None
    requester = Requester(**{**row.requester, "endpoint": Endpoint(**row.requester["endpoint"])}) if row.requester else None
    logout = Logout(tuple(_participant(data) for data in row.participants), answer_expected=requester is not None)
    return Ongoing(row.id, logout, requester, row.reference, version=row.version)


def _change(db: Session, ongoing: Ongoing, step: Callable[[Logout], tuple[Logout, _Result]]) -> tuple[Ongoing, _Result]:
    """Take a step of the machine and write it; when another worker was quicker, take the step from where that one left it."""
    for _ in range(_TRIES):
        logout, result = step(ongoing.logout)
        if logout == ongoing.logout:
            return ongoing, result
        after = replace(ongoing, logout=logout, version=ongoing.version + 1 if ongoing.version else 0)
        if not ongoing.version or _save(db, after):
            return after, result
        fresh = load(db, ongoing.id, now=datetime.now(UTC))
        ongoing = fresh or replace(ongoing, version=0)
    raise RuntimeError(f"logout {ongoing.id} changes too often")


def _save(db: Session, after: Ongoing) -> bool:
    mine = (PendingLogout.id == after.id) & (PendingLogout.version == after.version - 1)
    done = db.execute(
        update(PendingLogout)
        .where(mine)
        .values(participants=_to_json(after.logout), version=after.version)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _to_json(logout: Logout) -> list[dict[str, Any]]:
    return [
        {**dataclasses.asdict(p), "asked_at": p.asked_at.isoformat() if p.asked_at else None, "session_indexes": list(p.session_indexes)}
        for p in logout.participants
    ]


def _participant(data: dict[str, Any]) -> Participant:
    return Participant(
        **{
            **data,
            "state": Told(data["state"]),
            "asked_at": datetime.fromisoformat(data["asked_at"]) if data["asked_at"] else None,
            "session_indexes": tuple(data["session_indexes"]),
        }
    )
