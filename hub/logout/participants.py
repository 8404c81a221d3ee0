"""Which services a session has reached: noted at each sign-on, read at a logout."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.orm import Session

from ..db import Moment
from ..saml.logout import LogoutRequest, same_name_id, unknown_principal, unknown_session
from ..saml.messages import NameID
from .machine import Participant
from .models import SessionParticipant

_REMEMBER = text(
    "INSERT INTO session_participant"
    " (session_index, service_provider, name_id, name_id_format, name_qualifier, sp_name_qualifier, at, expires_at)"
    " VALUES (:session_index, :service_provider, :name_id, :name_id_format, :name_qualifier, :sp_name_qualifier, :at, :expires_at)"
    " ON CONFLICT (session_index, service_provider, name_id) DO UPDATE SET at = excluded.at, left_at = NULL"
).bindparams(bindparam("at", type_=Moment), bindparam("expires_at", type_=Moment))
"""One statement, also when the same persistent identifier is given again: a sign-on costs one insert more, and no read."""


def remember(db: Session, session_index: str, name_id: NameID, service_provider: str, *, now: datetime, expires_at: datetime) -> None:
    """Note, in the caller's transaction, that the service knows the person of that session under ``name_id``.

    ``expires_at`` is the end of the session at the latest.
    """
    db.connection().execute(
        _REMEMBER,
        {
            "session_index": session_index,
            "service_provider": service_provider,
            "name_id": name_id.value,
            "name_id_format": name_id.format,
            "name_qualifier": name_id.name_qualifier,
            "sp_name_qualifier": name_id.sp_name_qualifier,
            "at": now,
            "expires_at": expires_at,
        },
    )


def sessions_meant(db: Session, request: LogoutRequest) -> tuple[str, ...]:
    """Indexes of the sessions that a service may end with this request, living or over already.

    The identifier must be one that this very service was given, in full; indexes that it does not know of are passed
    over as long as one is right. Raises LogoutRefused when nothing is (LO-03, LO-04, LO-05).
    """
    given = select(SessionParticipant).where(
        SessionParticipant.service_provider == request.issuer, SessionParticipant.name_id == request.name_id.value
    )
    indexes = {row.session_index for row in db.scalars(given) if same_name_id(_name_id(row), request.name_id)}
    if not indexes:
        raise unknown_principal(request)
    if request.session_indexes:
        indexes.intersection_update(request.session_indexes)
        if not indexes:
            raise unknown_session(request)
    return tuple(sorted(indexes))


def take(db: Session, session_indexes: Sequence[str], *, without: str | None, now: datetime) -> list[Participant]:
    """The services to tell that these sessions end, in the order of their last sign-on; each is handed out once.

    A service that has given one session several identifiers in turn is told the last one: with each sign-on it has
    replaced the one before. ``without`` is the service that asked, which knows already.
    """
    concerned = SessionParticipant.session_index.in_(session_indexes) & SessionParticipant.left_at.is_(None)
    last: dict[tuple[str, str], SessionParticipant] = {}
    for row in db.scalars(select(SessionParticipant).where(concerned).order_by(SessionParticipant.at)):
        last[row.service_provider, row.session_index] = row
    db.execute(update(SessionParticipant).where(concerned).values(left_at=now))
    told: dict[tuple[str, NameID], list[str]] = {}
    for row in sorted(last.values(), key=lambda row: row.at):
        if row.service_provider != without:
            told.setdefault((row.service_provider, _name_id(row)), []).append(row.session_index)
    return [
        Participant(service_provider, name.value, name.format, name.name_qualifier, name.sp_name_qualifier, tuple(indexes))
        for (service_provider, name), indexes in told.items()
    ]


def _name_id(row: SessionParticipant) -> NameID:
    return NameID(row.name_id, row.name_id_format, row.name_qualifier, row.sp_name_qualifier)
