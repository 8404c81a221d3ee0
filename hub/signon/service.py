"""Keeping a sign-on while the person signs in, and finding it again."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, text, update
from sqlalchemy.orm import Session

from ..db import Moment
from ..saml.logout import LogoutRequest
from ..saml.messages import (
    AuthnRequest,
    Endpoint,
    MessageRefused,
    NameIDPolicy,
    RequestedAuthnContext,
    Scoping,
)
from .models import PendingSignOn

_NOTE_REQUEST = text(
    "INSERT INTO seen_request (key, expires_at) VALUES (:key, :expires_at) ON CONFLICT DO NOTHING RETURNING key"
).bindparams(bindparam("expires_at", type_=Moment))
"""One statement that returns the key if it was new, and nothing otherwise: safe among any number of workers."""


@dataclass(frozen=True, slots=True)
class SignOn:
    """One sign-on on its way, from the checked request to the answer."""

    id: str
    request: AuthnRequest
    relay_state: str | None
    name_id_format: str
    """Format that was agreed to."""
    reference: str
    """Correlation id of the first request; the whole sign-on is logged and shown under it."""
    created_at: datetime
    expires_at: datetime
    browser: str | None = None
    """Session index of the browser that it belongs to."""
    challenged_at: datetime | None = None


def start(
    request: AuthnRequest, relay_state: str | None, name_id_format: str, *, reference: str, now: datetime, lifetime: timedelta
) -> SignOn:
    """A fresh sign-on, not kept anywhere yet."""
    return SignOn(secrets.token_hex(16), request, relay_state, name_id_format, reference, now, now + lifetime)


def refuse_replay(db: Session, request: AuthnRequest | LogoutRequest, *, now: datetime, remember_for: timedelta) -> None:
    """Note the request id; raises MessageRefused when it was noted already, by any worker (RQ-29)."""
    key = hashlib.sha256(f"{request.issuer}\n{request.id}".encode()).hexdigest()
    if db.connection().execute(_NOTE_REQUEST, {"key": key, "expires_at": now + remember_for}).first() is None:
        raise MessageRefused("replayed_message")


def keep(db: Session, signon: SignOn) -> None:
    """Write the sign-on down, because the person has something to do first."""
    db.add(
        PendingSignOn(
            id=signon.id,
            service_provider=signon.request.issuer,
            request_id=signon.request.id,
            request=_to_json(signon.request),
            relay_state=signon.relay_state,
            name_id_format=signon.name_id_format,
            browser=signon.browser,
            challenged_at=signon.challenged_at,
            reference=signon.reference,
            created_at=signon.created_at,
            expires_at=signon.expires_at,
        )
    )


def load(db: Session, id_: str, *, browser: str | None, now: datetime) -> SignOn | None:
    """The sign-on of that id for this browser; None when it is unknown, expired, answered or another browser's.

    A sign-on that no browser has continued yet becomes the one of ``browser`` (RQ-74).
    """
    row = db.get(PendingSignOn, id_) if is_id(id_) else None
    if row is None or row.answered_at is not None or row.expires_at <= now:
        return None
    if row.browser is None and browser is not None:
        db.execute(update(PendingSignOn).where(PendingSignOn.id == id_, PendingSignOn.browser.is_(None)).values(browser=browser))
        db.refresh(row)
    if row.browser != browser or browser is None:
        return None
    return SignOn(
        id=row.id,
        request=_from_json(row.request),
        relay_state=row.relay_state,
        name_id_format=row.name_id_format,
        reference=row.reference,
        created_at=row.created_at,
        expires_at=row.expires_at,
        browser=row.browser,
        challenged_at=row.challenged_at,
    )


def is_id(text: str) -> bool:
    """Whether this can be the id of a sign-on at all; nothing else reaches the database."""
    return len(text) == 32 and text.isascii() and text.isalnum()


def challenge(db: Session, signon: SignOn, *, now: datetime) -> None:
    """Note that a fresh authentication is asked from now on; a later call keeps the first moment (RQ-52)."""
    if signon.challenged_at is None:
        db.execute(update(PendingSignOn).where(PendingSignOn.id == signon.id).values(challenged_at=now))


def hand_over(db: Session, id_: str, *, before: str, after: str) -> None:
    """Follow the browser to its new session when another person signed in there."""
    if before != after:
        db.execute(update(PendingSignOn).where(PendingSignOn.id == id_, PendingSignOn.browser == before).values(browser=after))


def close(db: Session, id_: str, *, now: datetime) -> bool:
    """Mark the sign-on as answered. False when another request has just done so."""
    done = db.execute(update(PendingSignOn).where(PendingSignOn.id == id_, PendingSignOn.answered_at.is_(None)).values(answered_at=now))
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _to_json(request: AuthnRequest) -> dict[str, Any]:
    data = dataclasses.asdict(request)
    data["issue_instant"] = request.issue_instant.astimezone(UTC).isoformat()
    return data


def _from_json(data: dict[str, Any]) -> AuthnRequest:
    context, scoping = data["requested_authn_context"], data["scoping"]
    parts: dict[str, Any] = {
        "issue_instant": datetime.fromisoformat(data["issue_instant"]),
        "acs": Endpoint(**data["acs"]),
        "name_id_policy": NameIDPolicy(**data["name_id_policy"]) if data["name_id_policy"] else None,
        "requested_authn_context": (
            RequestedAuthnContext(context["comparison"], tuple(context["class_refs"]), context["has_declarations"]) if context else None
        ),
        "scoping": Scoping(scoping["proxy_count"], tuple(scoping["idp_list"]), tuple(scoping["requester_ids"])) if scoping else None,
    }
    return AuthnRequest(**{**data, **parts})
