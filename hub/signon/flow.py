"""The sign-on flow: a service provider asks who this is, and gets a signed answer.

``begin`` takes the request in, ``advance`` brings the sign-on as far as it goes: each is a list of named steps, in order.

    begin     find_service   which service provider, which rules              may refuse: local page
              receive        read, check, agree to its options, note its id   may refuse: local page or SAML status
    advance   decide         one pure question: what is needed before?        ask for something, or stop
              resolve        the person in the directory, as of now           may refuse: directory unavailable
              release_to     policy of this service × dialect -> attributes   pure
              respond        sign and encrypt
              record         the sign-on record and who hears of the logout, in the same transaction

``docs/explanation/sign-on.md`` tells what each step reads, changes and may refuse; a test holds that table to this page.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backends import Directory

from ..audit import SignOnRecord
from ..db import Database
from ..login.next_step import AskPassword, AskProfile, Denial, Deny, Finish, Ready, Step, Wish, next_step
from ..login.person import Present
from ..logout.participants import remember
from ..ops.logs import get_logger
from ..ops.metrics import SIGNONS
from ..registry.service import RegisteredService, Registry
from ..release.identifiers import Pseudonyms
from ..release.policy import Occasion, Release, Subject, release
from ..saml import names
from ..saml.messages import Answer, NameID, OutgoingResponse, ProtocolError, ReceivedMessage
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


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that was accepted, with the service that sent it."""

    signon: SignOn
    registered: RegisteredService


@dataclass(frozen=True, slots=True)
class Post:
    """Send this Response to the service: the assertion, or a SAML status."""

    outgoing: OutgoingResponse
    service_name: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The person has something to do first; the sign-on waits."""

    step: AskProfile | AskPassword | Finish


@dataclass(frozen=True, slots=True)
class Stop:
    """Show a page that says why. ``back`` leads back to the service with a SAML status, where that helps."""

    why: Denial
    back: Post | None = None


def begin(parts: Parts, db: Session, received: ReceivedMessage, *, reference: str, now: datetime) -> Begun | Post:
    """Take a request in. Raises MessageRefused when nothing may be sent back (security.md, decision 2)."""
    registered = find_service(parts, db, received.issuer)
    try:
        signon = receive(parts, db, received, registered, reference=reference, now=now)
    except ProtocolError as error:
        return say_no(parts, registered, error, received.relay_state, now=now)
    return Begun(signon, registered)


def advance(parts: Parts, db: Session, begun: Begun, person: Present | None, *, now: datetime) -> Post | Ask | Stop:
    """Bring the sign-on as far as it goes with the person who is there. Raises the directory's Unavailable."""
    signon, registered = begun.signon, begun.registered
    step = decide(signon, registered, person)
    if isinstance(step, Deny):
        return stop(parts, begun, step.why, now=now)
    if not isinstance(step, Ready):
        return Ask(step)
    assert person is not None  # nobody is ready before somebody is there
    subject = resolve(person.account, parts.directory)
    if subject is None or not is_reachable(subject, registered):
        why = Denial.NO_STUDENT if subject else Denial.CLOSED
        return stop(parts, begun, Denial.NO_PASSIVE if signon.request.is_passive else why, now=now)
    if subject.missing:
        log.warning("signon.partial", missing=", ".join(subject.missing))
    released = release_to(parts, registered, subject, person)
    try:
        outgoing = respond(parts, signon, registered, person, released, now=now)
    except ProtocolError as error:
        return say_no(parts, registered, error, signon.relay_state, now=now)
    record(db, signon, person, released, outgoing, now=now)
    return Post(outgoing, registered.name)


# The steps, in order --------------------------------------------------------------------------------------------------


def find_service(parts: Parts, db: Session, entity_id: str) -> RegisteredService:
    """The service provider, if it may be answered. Raises MessageRefused."""
    return parts.registry.answerable(db, entity_id)


def receive(
    parts: Parts, db: Session, received: ReceivedMessage, registered: RegisteredService, *, reference: str, now: datetime
) -> SignOn:
    """Judge a request by the rules of its service, agree to its options, and note its id.

    Raises MessageRefused (local page) or ProtocolError (status to the service).
    """
    settings = parts.settings
    request = check_request(
        received,
        registered.rules,
        destination=parts.sso_url,
        now=now,
        skew=settings.clock_skew,
        lifetime=settings.request_lifetime,
        strict_relay_state=settings.relay_state_strict,
    )
    service.refuse_replay(db, request, now=now, remember_for=settings.request_lifetime + 3 * settings.clock_skew)
    format_ = agree(request, idp_entity_id=settings.idp_entity_id, default_name_id_format=registered.name_id_format)
    log.info("signon.received", service_provider=request.issuer, binding=received.binding.rsplit("-", 1)[-1], signed=request.signed)
    return service.start(request, received.relay_state, format_, reference=reference, now=now, lifetime=settings.signon_lifetime)


def decide(signon: SignOn, registered: RegisteredService, person: Present | None) -> Step:
    """What this sign-on needs next."""
    request = signon.request
    wish = Wish(registered.profiles, request.force_authn, request.is_passive, signon.challenged_at)
    return next_step(wish, person.facts if person else None)


def is_reachable(subject: Subject, registered: RegisteredService) -> bool:
    """Whether the service takes this person: somebody who is, or last was, only in charge of pupils needs it to be open to that (O13).

    A legal guardian whose children have left is let in, and told as a guardian without pupil (saml.md 1.4).
    """
    if subject.is_student or registered.policy.open_to_in_charge:
        return True
    return bool(subject.legal_records) if subject.children else subject.was_legal


def release_to(parts: Parts, registered: RegisteredService, subject: Subject, person: Present) -> Release:
    """The attributes that this service may know of this person, today."""
    assert person.session.authn_instant is not None
    logout_url = f"{parts.settings.base_url}/logout?token={person.session.logout_token}"
    return release(registered.policy, subject, Occasion(person.session.authn_instant, logout_url), parts.pseudonyms)


def respond(
    parts: Parts, signon: SignOn, registered: RegisteredService, person: Present, released: Release, *, now: datetime
) -> OutgoingResponse:
    """The signed and encrypted Response. Raises ProtocolError when the service has no usable encryption key."""
    session = person.session
    assert session.authn_instant is not None
    assert session.authn_context is not None
    answer = Answer(
        name_id=_name_id(parts, signon, registered, person.account.id),
        attributes=released.attributes,
        authn_instant=session.authn_instant,
        authn_context=session.authn_context,
        session_index=session.session_index,
        session_not_on_or_after=session.expires_at,
    )
    lifetime, relay_state = parts.settings.assertion_lifetime, signon.relay_state
    return parts.identity_provider.respond(signon.request, registered.rules, answer, now=now, lifetime=lifetime, relay_state=relay_state)


def _name_id(parts: Parts, signon: SignOn, registered: RegisteredService, account_id: str) -> NameID:
    if signon.name_id_format == names.NAMEID_PERSISTENT:
        value = parts.pseudonyms.persistent_name_id(registered.entity_id, account_id)
    else:
        value = "_" + secrets.token_hex(20)
    return NameID(value, signon.name_id_format, parts.settings.idp_entity_id, registered.entity_id)


def record(db: Session, signon: SignOn, person: Present, released: Release, outgoing: OutgoingResponse, *, now: datetime) -> None:
    """Write who was asserted to whom, with the names of the attributes and none of their values, and whom a logout must tell."""
    assert outgoing.name_id is not None  # it is a Response that asserts
    db.connection().execute(
        _WRITE_RECORD,
        {
            "at": now,
            "account_id": person.account.id,
            "service_provider": signon.request.issuer,
            "request_id": signon.request.id,
            "assertion_id": outgoing.assertion_id,
            "session_index": person.session.session_index,
            "attributes": [decision.friendly_name for decision in released.decisions if decision.values],
            "encrypted": outgoing.encrypted,
            "reference": signon.reference,
        },
    )
    remember(db, person.session.session_index, outgoing.name_id, signon.request.issuer, now=now, expires_at=person.session.expires_at)
    SIGNONS.labels("answered").inc()
    log.info("signon.answered", service_provider=signon.request.issuer, assertion=outgoing.assertion_id, encrypted=outgoing.encrypted)


# When the answer is no ------------------------------------------------------------------------------------------------

_STATUS = {
    Denial.NO_PASSIVE: (names.STATUS_NO_PASSIVE, "nobody is signed in"),
    Denial.WRONG_PROFILE: (names.STATUS_REQUEST_DENIED, "the profile of the person is not accepted"),
}
"""What a service is told of a denial; of the others it learns nothing."""


def stop(parts: Parts, begun: Begun, why: Denial, *, now: datetime) -> Post | Stop:
    """A passive request is answered at once; everybody else sees a page."""
    signon, registered = begun.signon, begun.registered
    log.info("signon.denied", service_provider=signon.request.issuer, why=why.value)
    if why not in _STATUS:
        SIGNONS.labels(why.value).inc()
        return Stop(why)
    second, message = _STATUS[why]
    error = ProtocolError(names.STATUS_RESPONDER, second, message, request_id=signon.request.id, acs=signon.request.acs)
    back = say_no(parts, registered, error, signon.relay_state, now=now)
    return back if why is Denial.NO_PASSIVE else Stop(why, back)


def say_no(parts: Parts, registered: RegisteredService, error: ProtocolError, relay_state: str | None, *, now: datetime) -> Post:
    """Answer a trusted address with a SAML status."""
    SIGNONS.labels((error.second or error.status).rpartition(":")[2]).inc()
    log.warning("signon.refused", service_provider=registered.entity_id, status=error.second or error.status, why=error.message)
    outgoing = parts.identity_provider.refuse(error, registered.rules, now=now, relay_state=relay_state)
    return Post(outgoing, registered.name)
