"""Our own types for what goes in and out of the protocol package. All are immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

EntityID = NewType("EntityID", str)
MessageID = NewType("MessageID", str)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a service provider, byte for byte as its metadata wrote it."""

    binding: str
    location: str
    index: int | None = None
    is_default: bool | None = None
    response_location: str | None = None


@dataclass(frozen=True, slots=True)
class RequestedAttribute:
    """An attribute that the metadata asks for; asking is not being allowed."""

    name: str
    name_format: str
    friendly_name: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class EntityDescriptor:
    """What the hub keeps of a service provider's metadata. Certificates are base64 DER without white space."""

    entity_id: EntityID
    acs: tuple[Endpoint, ...]
    slo: tuple[Endpoint, ...] = ()
    signing_certificates: tuple[str, ...] = ()
    encryption_certificates: tuple[str, ...] = ()
    authn_requests_signed: bool = False
    want_assertions_signed: bool = False
    name_id_formats: tuple[str, ...] = ()
    requested_attributes: tuple[RequestedAttribute, ...] = ()
    display_name: str | None = None
    warnings: tuple[str, ...] = ()
    """What was accepted with a remark, e.g. an expired certificate (MD-14)."""


@dataclass(frozen=True, slots=True)
class ServiceProviderRules:
    """The per-SP switches of the registry that the protocol obeys (security.md, decisions 3 and 4)."""

    descriptor: EntityDescriptor
    requests_signed: bool = False
    """An unsigned request is refused. True as soon as the metadata says so, or the registry."""
    accept_rsa_sha1: bool = False
    legacy_acs_pair: bool = False
    """Accept an ACS URL together with an index when both name the same endpoint (RQ-08)."""
    sign_response: bool = True
    sign_assertion: bool = True
    encryption_waived: bool = False
    """Registered without an encryption key, by explicit decision."""
    allow_cbc: bool = False


@dataclass(frozen=True, slots=True)
class NameIDPolicy:
    """SAML core 3.4.1.1. None stands for an absent attribute."""

    format: str | None = None
    sp_name_qualifier: str | None = None
    allow_create: bool = False


@dataclass(frozen=True, slots=True)
class RequestedAuthnContext:
    """SAML core 3.3.2.2.1. ``comparison`` is exact, minimum, maximum or better."""

    comparison: str = "exact"
    class_refs: tuple[str, ...] = ()
    has_declarations: bool = False


@dataclass(frozen=True, slots=True)
class Scoping:
    """SAML core 3.4.1.2."""

    proxy_count: int | None = None
    idp_list: tuple[str, ...] = ()
    requester_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A request that passed every check that needs only the message and the metadata (SAML core 3.4.1).

    ``acs`` is already resolved to an endpoint of the metadata: nothing later needs, or may use, the address that the
    message named.
    """

    id: MessageID
    issuer: EntityID
    issue_instant: datetime
    acs: Endpoint
    signed: bool
    destination: str | None = None
    force_authn: bool = False
    is_passive: bool = False
    name_id_policy: NameIDPolicy | None = None
    requested_authn_context: RequestedAuthnContext | None = None
    has_subject: bool = False
    scoping: Scoping | None = None
    attribute_consuming_service_index: int | None = None
    provider_name: str | None = None


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A decoded message before anybody trusts it: the issuer says which rules will judge it."""

    issuer: EntityID
    id: MessageID
    xml: bytes
    binding: str
    raw_query: str | None = None
    """The raw query string of the Redirect binding, over which its signature is verified."""
    relay_state: str | None = None


@dataclass(frozen=True, slots=True)
class NameID:
    """SAML core 2.2.3."""

    value: str
    format: str
    name_qualifier: str
    sp_name_qualifier: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an assertion; never without a value (saml.md 1.1)."""

    name: str
    name_format: str
    values: tuple[str, ...]
    friendly_name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sign-on asserts: everything that a Response needs beyond the request and the keys."""

    name_id: NameID
    attributes: tuple[Attribute, ...]
    authn_instant: datetime
    authn_context: str
    session_index: str
    session_not_on_or_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutgoingResponse:
    """A Response ready for the auto-post form: base64 text, its address and what the audit keeps."""

    id: MessageID
    assertion_id: MessageID | None
    destination: str
    saml_response: str
    relay_state: str | None
    encrypted: bool = False
    name_id: NameID | None = None
    """The identifier that the assertion gives; None when there is none."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key with its certificate, both PEM."""

    private_key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)


class MessageRefused(Exception):
    """Nothing may be sent back: unknown issuer, unverifiable address, bad signature, unreadable message.

    The hub shows a local page with a reference number (security.md, decision 2). ``code`` names the cause in the error
    catalogue (``unknown_issuer``, ``bad_signature``…); ``detail`` is for the log and holds no attacker text beyond
    what :func:`repr` escapes.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class ProtocolError(Exception):
    """The request is answered with a SAML status at an ACS of the metadata (security.md, decision 2).

    ``status`` and ``second`` are status code URIs (SAML core 3.2.2.2); ``request_id`` and ``acs`` say where the answer
    goes.
    """

    def __init__(self, status: str, second: str | None, message: str, *, request_id: MessageID, acs: Endpoint) -> None:
        super().__init__(message)
        self.status = status
        self.second = second
        self.message = message
        self.request_id = request_id
        self.acs = acs
