"""The registry of service providers: adding, approving, disabling, and the read that every sign-on makes."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from attribute_maps import dialects

from .. import audit
from ..errors import Refusal
from ..release.policy import ReleasePolicy
from ..saml import names
from ..saml.messages import Endpoint, EntityDescriptor, EntityID, MessageRefused, RequestedAttribute, ServiceProviderRules
from ..saml.metadata import MetadataRefused, read_entity_descriptor
from .models import ServiceProvider, ServiceState

PROFILES = ("student", "guardian")

FRESH_FOR = 2.0
"""Seconds for which a worker trusts what it has read of a service provider."""


@dataclass(frozen=True, slots=True)
class RegisteredService:
    """A service provider as a sign-on needs it."""

    name: str
    state: ServiceState
    profiles: frozenset[str]
    name_id_format: str
    rules: ServiceProviderRules
    policy: ReleasePolicy

    @property
    def entity_id(self) -> EntityID:
        """Its entity identifier."""
        return self.rules.descriptor.entity_id


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator decides when a service provider is added; the metadata decides the rest."""

    dialect: str = "educonnect"
    profiles: tuple[str, ...] = PROFILES
    attributes: tuple[str, ...] | None = None
    open_to_in_charge: bool = False
    name_id_format: str = names.NAMEID_TRANSIENT
    requests_signed: bool = False
    sign_response: bool = True
    sign_assertion: bool = True
    accept_rsa_sha1: bool = False
    legacy_acs_pair: bool = False
    encryption_waived: bool = False
    allow_cbc: bool = False


class Registry:
    """Reads service providers, keeping each parsed row for a moment.

    A change is seen within :data:`FRESH_FOR` on every worker, and 5,000 registered services cost a sign-on no more than five.
    """

    def __init__(self) -> None:
        self._parsed: dict[str, tuple[float, int, RegisteredService]] = {}

    def find(self, db: Session, entity_id: str) -> RegisteredService | None:
        """The service provider of that entity identifier, whatever its state; None when it is not registered."""
        now = time.monotonic()
        cached = self._parsed.get(entity_id)
        if cached and now - cached[0] < FRESH_FOR:
            return cached[2]
        version = db.execute(select(ServiceProvider.version).where(ServiceProvider.entity_id == entity_id)).scalar()
        if version is None:
            self._parsed.pop(entity_id, None)
            return None
        if cached and cached[1] == version:
            service = cached[2]
        else:
            service = registered(db.get_one(ServiceProvider, entity_id, populate_existing=True))
        self._parsed[entity_id] = (now, version, service)
        return service

    def answerable(self, db: Session, entity_id: str) -> RegisteredService:
        """The service provider, if it may be answered.

        Raises MessageRefused (``unknown_issuer``, ``service_disabled``).
        """
        service = self.find(db, entity_id)
        if service is None:
            raise MessageRefused("unknown_issuer", repr(entity_id[:200]))
        if service.state is not ServiceState.APPROVED:
            raise MessageRefused("service_disabled", repr(entity_id[:200]))
        return service


def registered(row: ServiceProvider) -> RegisteredService:
    """The domain view of a row."""
    descriptor = _descriptor_from(row.descriptor)
    rules = ServiceProviderRules(
        descriptor=descriptor,
        requests_signed=row.requests_signed or descriptor.authn_requests_signed,
        accept_rsa_sha1=row.accept_rsa_sha1,
        legacy_acs_pair=row.legacy_acs_pair,
        sign_response=row.sign_response,
        sign_assertion=row.sign_assertion or descriptor.want_assertions_signed,
        encryption_waived=row.encryption_waived,
        allow_cbc=row.allow_cbc,
    )
    policy = ReleasePolicy(
        service_provider=row.entity_id,
        dialect=row.dialect,
        granted=None if row.attributes is None else frozenset(row.attributes),
        open_to_in_charge=row.open_to_in_charge,
    )
    return RegisteredService(row.name, row.state, frozenset(row.profiles), row.name_id_format, rules, policy)


def add(
    db: Session, xml: bytes, choices: Choices, *, actor: str, approve: bool = False, allow_insecure_loopback: bool = False
) -> ServiceProvider:
    """Register a service provider from its metadata. Raises Refusal with a sentence when it may not be.

    An entity identifier that is already registered is never replaced silently (MD-07, MD-16).
    """
    try:
        descriptor = read_entity_descriptor(xml, allow_insecure_loopback=allow_insecure_loopback)
    except MetadataRefused as exc:
        raise Refusal(f"these metadata are refused: {exc}") from None
    _check_choices(choices, descriptor)
    if _clash(db, descriptor.entity_id):
        raise Refusal(f"{descriptor.entity_id}: a service provider of that name is registered already")
    row = ServiceProvider(
        entity_id=descriptor.entity_id,
        name=(descriptor.display_name or descriptor.entity_id)[:255],
        state=ServiceState.PENDING,
        metadata_xml=xml.decode("utf-8", "replace"),
        descriptor=dataclasses.asdict(descriptor),
        dialect=choices.dialect,
        profiles=sorted(choices.profiles),
        open_to_in_charge=choices.open_to_in_charge,
        attributes=None if choices.attributes is None else sorted(choices.attributes),
        name_id_format=choices.name_id_format,
        requests_signed=choices.requests_signed,
        sign_response=choices.sign_response,
        sign_assertion=choices.sign_assertion,
        accept_rsa_sha1=choices.accept_rsa_sha1,
        legacy_acs_pair=choices.legacy_acs_pair,
        encryption_waived=choices.encryption_waived,
        allow_cbc=choices.allow_cbc,
        added_at=datetime.now(UTC),
        version=1,
    )
    db.add(row)
    audit.record(db, "service_provider.added", actor=actor, entity_id=row.entity_id, dialect=row.dialect, waivers=waivers(row))
    if approve:
        set_state(db, row, ServiceState.APPROVED, actor=actor)
    return row


def waivers(row: ServiceProvider) -> list[str]:
    """What departs from the rule for this service provider (security.md, decisions 3 and 4)."""
    found = [name for name in ("accept_rsa_sha1", "legacy_acs_pair", "encryption_waived", "allow_cbc") if getattr(row, name)]
    return found if row.sign_response and row.sign_assertion else [*found, "single_signature"]


def _check_choices(choices: Choices, descriptor: EntityDescriptor) -> None:
    known = dialects()
    if choices.dialect not in known:
        raise Refusal(f"no dialect named {choices.dialect!r} (known: {', '.join(sorted(known))})")
    unknown = set(choices.attributes or ()) - set(known[choices.dialect].names())
    if unknown:
        raise Refusal(f"dialect {choices.dialect} has no attribute {', '.join(sorted(unknown))}")
    if not choices.profiles or set(choices.profiles) - set(PROFILES):
        raise Refusal(f"profiles are {' and '.join(PROFILES)}")
    if not choices.sign_response and not choices.sign_assertion:
        raise Refusal("the Response or the Assertion must be signed")
    if not descriptor.encryption_certificates and not choices.encryption_waived:
        raise Refusal("the metadata have no encryption key; add one, or waive encryption with --waive-encryption")


def _clash(db: Session, entity_id: str) -> bool:
    """Whether the name, or one that differs by case or a trailing slash only, is taken."""
    wanted = entity_id.rstrip("/").casefold()
    return any(other.rstrip("/").casefold() == wanted for other in db.scalars(select(ServiceProvider.entity_id)))


def set_state(db: Session, row: ServiceProvider, state: ServiceState, *, actor: str) -> None:
    """Approve or disable a service provider; effective at the next request on every worker."""
    before = row.state
    row.state = state
    row.version += 1
    if state is ServiceState.APPROVED:
        row.approved_at = datetime.now(UTC)
    audit.record(db, f"service_provider.{state.value}", actor=actor, entity_id=row.entity_id, before=before.value)


def get(db: Session, entity_id: str) -> ServiceProvider:
    """The row of that entity identifier. Raises Refusal when there is none."""
    row = db.get(ServiceProvider, entity_id)
    if row is None:
        raise Refusal(f"{entity_id}: no such service provider; `preau sp list` names them")
    return row


def _descriptor_from(data: dict[str, Any]) -> EntityDescriptor:
    """Rebuild the descriptor from its JSON form."""
    parts: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    for key in ("acs", "slo"):
        parts[key] = tuple(Endpoint(**item) for item in data[key])
    parts["requested_attributes"] = tuple(RequestedAttribute(**item) for item in data["requested_attributes"])
    return EntityDescriptor(**parts)
