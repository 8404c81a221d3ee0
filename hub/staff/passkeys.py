"""Passkeys as second factor (WebAuthn level 2). A challenge serves once: the caller keeps it in the session and takes it out to check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor

from .. import audit
from ..ops.logs import get_logger
from ..settings import Settings
from .models import Agent, Passkey

log = get_logger("staff")

LONGEST_ANSWER = 8192
"""Characters of what a browser sends back."""
MOST_KEYS = 10
"""Passkeys of one agent."""
_MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What the browser is asked, as JSON, and the challenge to keep until it answers."""

    options: str
    challenge: str


def _rp_id(settings: Settings) -> str:
    return urlsplit(settings.base_url).hostname or "localhost"


def _known(agent: Agent) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential_id)) for key in agent.passkeys]


def ask_for_a_new_one(settings: Settings, agent: Agent) -> Ceremony:
    """Begin to add a passkey."""
    options = generate_registration_options(
        rp_id=_rp_id(settings),
        rp_name=settings.product_name,
        user_name=agent.login,
        user_id=agent.id.encode(),
        user_display_name=agent.name,
        exclude_credentials=_known(agent),
    )
    return Ceremony(options_to_json(options), bytes_to_base64url(options.challenge))


def keep(db: Session, settings: Settings, agent: Agent, name: str, answer: str, challenge: str, *, now: datetime) -> bool:
    """Keep the passkey that the browser made for ``challenge``. False when the answer does not fit it or there are too many."""
    if len(answer) > LONGEST_ANSWER or len(agent.passkeys) >= MOST_KEYS:
        return False
    try:
        made = verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=_rp_id(settings),
            expected_origin=settings.base_url,
        )
    except _MALFORMED as exc:
        log.info("staff.passkey_refused", agent=agent.id, error=type(exc).__name__)
        return False
    id_ = bytes_to_base64url(made.credential_id)
    if db.get(Passkey, id_) is not None:
        return False
    agent.passkeys.append(
        Passkey(credential_id=id_, public_key=made.credential_public_key, sign_count=made.sign_count, name=name[:60], created_at=now)
    )
    audit.record(db, "agent.passkey_added", actor=agent.actor)
    return True


def ask(settings: Settings, agent: Agent) -> Ceremony | None:
    """Begin a second factor by passkey, None for an agent who has none."""
    if not agent.passkeys:
        return None
    options = generate_authentication_options(rp_id=_rp_id(settings), allow_credentials=_known(agent))
    return Ceremony(options_to_json(options), bytes_to_base64url(options.challenge))


def check(db: Session, settings: Settings, agent: Agent, answer: str, challenge: str) -> bool:
    """Whether the answer to ``challenge`` is signed by a passkey of this agent; its counter moves on."""
    if len(answer) > LONGEST_ANSWER:
        return False
    try:
        credential = parse_authentication_credential_json(answer)
        used = db.scalar(select(Passkey).where(Passkey.agent_id == agent.id, Passkey.credential_id == credential.id))
        if used is None:
            return False
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=_rp_id(settings),
            expected_origin=settings.base_url,
            credential_public_key=used.public_key,
            credential_current_sign_count=used.sign_count,
        )
    except _MALFORMED as exc:
        log.info("staff.passkey_refused", agent=agent.id, error=type(exc).__name__)
        return False
    mine = Passkey.credential_id == used.credential_id
    db.execute(update(Passkey).where(mine).values(sign_count=verified.new_sign_count))
    return True


def forget(db: Session, agent: Agent, credential_id: str) -> bool:
    """Remove one of the agent's passkeys. False when it is not his."""
    found = next((key for key in agent.passkeys if key.credential_id == credential_id), None)
    if found is None:
        return False
    agent.passkeys.remove(found)
    audit.record(db, "agent.passkey_removed", actor=agent.actor)
    return True
