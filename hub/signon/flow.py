"""The sign-on flow: a service provider asks who this is, and gets a signed answer.

    receive   AuthnRequest -> read and check, which service provider, which rules       may refuse: local page or status
    agree     options of the request that do not depend on the person                   may refuse: SAML status
    decide    one pure question: what is needed before the answer?                      profile, password, page to finish
    resolve   the person, in the directory back ends, as of now                         may refuse: directory unavailable
    release   policy of this service × dialect -> attributes, computed once             pure
    answer    sign, encrypt, write the sign-on record in the same transaction

``docs/explanation/sign-on.md`` tells what each step reads, changes and may refuse; a test holds that table to this page.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backends import Directory

from ..accounts.snapshot import AccountSnapshot
from ..audit import SignOnRecord
from ..db import Database
from ..login.next_step import Denial, Deny, Ready, SignedIn, Step, Wish, next_step
from ..login.sessions import StoredSession
from ..ops.logs import get_logger
from ..registry.models import ServiceState
from ..registry.service import RegisteredService, Registry
from ..release.identifiers import Pseudonyms
from ..release.policy import Occasion, Release, Subject, release
from ..saml import names
from ..saml.messages import Answer, MessageRefused, NameID, OutgoingResponse, ProtocolError, ReceivedMessage
from ..saml.requests import check_request
from ..saml.responses import IdentityProvider
from ..settings import Settings
from . import service
from .service import SignOn
from .subject import resolve
from .terms import agree

log = get_logger("signon")

_WRITE_RECORD = insert(SignOnRecord)


@dataclass(frozen=True)
class Parts:
    """What the flow works with; opened once for each process."""

    settings: Settings
    database: Database
    directory: Directory
    registry: Registry
    identity_provider: IdentityProvider
    pseudonyms: Pseudonyms

    @property
    def sso_url(self) -> str:
        """The single sign-on address, the same for both bindings."""
        return f"{self.settings.base_url}/saml/sso"


def receive(
    parts: Parts, db: Session, received: ReceivedMessage, registered: RegisteredService, *, reference: str, now: datetime
) -> SignOn:
    """Judge a request by the rules of its service, and note it.

    Raises MessageRefused (local page) or ProtocolError (status to the service).
    """
    request = check_request(
        received,
        registered.rules,
        destination=parts.sso_url,
        now=now,
        skew=parts.settings.clock_skew,
        lifetime=parts.settings.request_lifetime,
        strict_relay_state=parts.settings.relay_state_strict,
    )
    service.refuse_replay(db, request, now=now, remember_for=parts.settings.request_lifetime + 3 * parts.settings.clock_skew)
    agree(request, idp_entity_id=parts.settings.idp_entity_id, default_name_id_format=registered.name_id_format)
    log.info("signon.received", service_provider=request.issuer, binding=received.binding.rsplit("-", 1)[-1], signed=request.signed)
    return service.start(request, received.relay_state, reference=reference, now=now, lifetime=parts.settings.signon_lifetime)


def find_service(parts: Parts, db: Session, entity_id: str) -> RegisteredService:
    """The service provider, if it may be answered. Raises MessageRefused."""
    registered = parts.registry.find(db, entity_id)
    if registered is None:
        raise MessageRefused("unknown_issuer", repr(entity_id[:200]))
    if registered.state is not ServiceState.APPROVED:
        raise MessageRefused("service_disabled", repr(entity_id[:200]))
    return registered


def decide(signon: SignOn, registered: RegisteredService, person: SignedIn | None) -> Step:
    """What this sign-on needs next."""
    request = signon.request
    wish = Wish(registered.profiles, request.force_authn, request.is_passive, signon.challenged_at)
    return next_step(wish, person)


def answer(
    parts: Parts,
    db: Session,
    signon: SignOn,
    registered: RegisteredService,
    account: AccountSnapshot,
    session: StoredSession,
    *,
    now: datetime,
) -> OutgoingResponse | Deny:
    """The signed answer for a person who is ready, recorded in the caller's transaction."""
    subject = resolve(account, parts.directory)
    if subject is None:
        return Deny(Denial.CLOSED)
    if subject.missing:
        log.warning("signon.partial", missing=", ".join(subject.missing))
    if not subject.is_student and not _reachable(subject, registered):
        return Deny(Denial.NO_STUDENT)
    assert session.authn_instant is not None
    assert session.authn_context is not None
    logout_url = f"{parts.settings.base_url}/logout?token={session.logout_token}"
    released = release(registered.policy, subject, Occasion(session.authn_instant, logout_url), parts.pseudonyms)
    outgoing = parts.identity_provider.respond(
        signon.request,
        registered.rules,
        Answer(
            name_id=_name_id(parts, signon, registered, account),
            attributes=released.attributes,
            authn_instant=session.authn_instant,
            authn_context=session.authn_context,
            session_index=session.session_index,
            session_not_on_or_after=session.expires_at,
        ),
        now=now,
        lifetime=parts.settings.assertion_lifetime,
        relay_state=signon.relay_state,
    )
    _record(db, signon, account, session, released, outgoing, now)
    return outgoing


def _reachable(subject: Subject, registered: RegisteredService) -> bool:
    """A guardian who is only in charge of pupils reaches a service only when it is open to persons in charge (O13)."""
    return registered.policy.open_to_in_charge or not subject.children or bool(subject.legal_records)


def _name_id(parts: Parts, signon: SignOn, registered: RegisteredService, account: AccountSnapshot) -> NameID:
    idp = parts.settings.idp_entity_id
    format_ = agree(signon.request, idp_entity_id=idp, default_name_id_format=registered.name_id_format)
    if format_ == names.NAMEID_PERSISTENT:
        value = parts.pseudonyms.persistent_name_id(registered.entity_id, account.id)
    else:
        value = "_" + secrets.token_hex(20)
    return NameID(value, format_, idp, registered.entity_id)


def _record(
    db: Session,
    signon: SignOn,
    account: AccountSnapshot,
    session: StoredSession,
    released: Release,
    outgoing: OutgoingResponse,
    now: datetime,
) -> None:
    db.connection().execute(
        _WRITE_RECORD,
        {
            "at": now,
            "account_id": account.id,
            "service_provider": signon.request.issuer,
            "request_id": signon.request.id,
            "assertion_id": outgoing.assertion_id,
            "session_index": session.session_index,
            "attributes": [decision.friendly_name for decision in released.decisions if decision.values],
            "encrypted": outgoing.encrypted,
            "reference": signon.reference,
        },
    )
    log.info("signon.answered", service_provider=signon.request.issuer, assertion=outgoing.assertion_id, encrypted=outgoing.encrypted)


def refusal(parts: Parts, registered: RegisteredService, signon: SignOn, second: str, message: str) -> OutgoingResponse:
    """An answer that says no, for a sign-on whose return address is trusted."""
    error = ProtocolError(names.STATUS_RESPONDER, second, message, request_id=signon.request.id, acs=signon.request.acs)
    return parts.identity_provider.refuse(error, registered.rules, now=datetime.now(UTC), relay_state=signon.relay_state)


__all__ = ["Parts", "Ready", "answer", "decide", "find_service", "receive", "refusal"]
