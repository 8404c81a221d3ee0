"""AuthnRequests: received, then judged against the metadata of their service provider.

Two steps, because only the issuer that a message claims tells which rules judge it. ``receive_*`` trusts nothing and
gives that claim; :func:`check_request` does the rest: every check that needs only the message and the metadata
(RQ-03 to RQ-50). What may be answered at a trusted address raises :class:`ProtocolError`, the rest
:class:`MessageRefused` (security.md, decision 2).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NoReturn

from lxml import etree
from saml2 import create_class_from_element_tree, samlp

from . import crypto, xml
from .acs import resolve_acs
from .bindings import (
    RELAY_STATE_LIMIT,
    RELAY_STATE_STRICT_LIMIT,
    Decoded,
    decode_post,
    decode_redirect,
    raw_parameters,
)
from .instants import parse_instant
from .messages import (
    AuthnRequest,
    Endpoint,
    EntityID,
    MessageID,
    MessageRefused,
    NameIDPolicy,
    ProtocolError,
    ReceivedMessage,
    RequestedAuthnContext,
    Scoping,
    ServiceProviderRules,
)
from .names import (
    BINDING_POST,
    BINDING_REDIRECT,
    NS_ASSERTION,
    NS_PROTOCOL,
    STATUS_REQUESTER,
    STATUS_UNSUPPORTED_BINDING,
    STATUS_VERSION_MISMATCH,
)

SKEW = timedelta(minutes=3)
LIFETIME = timedelta(minutes=5)
MAX_ENTITY_ID = 1024
MAX_LISTED = 50
"""Entries of a Scoping or RequestedAuthnContext list."""
_MAX_TEXT = 1024

_AUTHN_REQUEST = f"{{{NS_PROTOCOL}}}AuthnRequest"
_ISSUER = f"{{{NS_ASSERTION}}}Issuer"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_COMPARISONS = frozenset(("exact", "minimum", "maximum", "better"))
_ONCE = frozenset(
    f"{{{namespace}}}{name}"
    for namespace, name in (
        (NS_PROTOCOL, "Extensions"),
        (NS_ASSERTION, "Subject"),
        (NS_PROTOCOL, "NameIDPolicy"),
        (NS_ASSERTION, "Conditions"),
        (NS_PROTOCOL, "RequestedAuthnContext"),
        (NS_PROTOCOL, "Scoping"),
    )
)


def receive_redirect(raw_query: str) -> ReceivedMessage:
    """The request of a raw query string, with the issuer and the ID that it claims. Raises :class:`MessageRefused`."""
    return _received(decode_redirect(raw_query), BINDING_REDIRECT, raw_query)


def receive_post(form: Iterable[tuple[str, str]], raw_query: str = "") -> ReceivedMessage:
    """The request of a form (pairs, in order, doubles included) and of the query string of its address.

    Raises :class:`MessageRefused`.
    """
    return _received(decode_post(form, raw_query), BINDING_POST, None)


def _received(decoded: Decoded, binding: str, raw_query: str | None) -> ReceivedMessage:
    root = xml.parse(decoded.xml)
    if root.tag != _AUTHN_REQUEST:
        raise _malformed("not an AuthnRequest")
    return ReceivedMessage(claimed_issuer(root), message_id(root), decoded.xml, binding, raw_query, decoded.relay_state)


def _malformed(detail: str) -> MessageRefused:
    return MessageRefused("malformed_message", detail)


def claimed_issuer(root: etree._Element) -> EntityID:
    """The one Issuer of a message, believed by nobody yet. Raises :class:`MessageRefused`."""
    issuers = root.findall(_ISSUER)
    value = xml.text(issuers[0]) if len(issuers) == 1 else ""
    if not 0 < len(value) <= MAX_ENTITY_ID:
        raise _malformed("no Issuer, several, or too long")
    return EntityID(value)


def message_id(root: etree._Element) -> MessageID:
    """The ID of a message. Raises :class:`MessageRefused`."""
    value = root.get("ID", "")
    if not crypto.is_message_id(value):
        raise _malformed(f"ID {value[:80]!r}")
    return MessageID(value)


def check_request(
    received: ReceivedMessage,
    rules: ServiceProviderRules,
    *,
    destination: str,
    now: datetime,
    skew: timedelta = SKEW,
    lifetime: timedelta = LIFETIME,
    strict_relay_state: bool = False,
) -> AuthnRequest:
    """The request, once every check that needs only the message and the metadata has passed.

    ``rules`` are those of ``received.issuer``; ``destination`` is our address for the binding that was used;
    ``strict_relay_state`` lowers the limit of RelayState from 2,000 to 80 bytes (decision 6).

    Raises :class:`MessageRefused` (``unknown_issuer``, ``bad_signature``, ``signature_required``, ``unknown_acs``,
    ``malformed_message``) and :class:`ProtocolError`.
    """
    root, signed = authentic(received, rules)
    message = create_class_from_element_tree(samlp.AuthnRequest, root)
    acs = resolve_acs(
        rules,
        url=message.assertion_consumer_service_url,
        index=message.assertion_consumer_service_index,
    )
    reader = _Reader(message_id(root), acs)
    issue_instant = _check_envelope(reader, message, destination, signed=signed, now=now, skew=skew, lifetime=lifetime)
    limit = RELAY_STATE_STRICT_LIMIT if strict_relay_state else RELAY_STATE_LIMIT
    if len((received.relay_state or "").encode()) > limit:
        reader.refuse(f"RelayState above {limit} bytes")
    reader.once(root)
    return AuthnRequest(
        id=reader.request_id,
        issuer=rules.descriptor.entity_id,
        issue_instant=issue_instant,
        acs=acs,
        signed=signed,
        destination=message.destination,
        force_authn=reader.boolean(message.force_authn),
        is_passive=reader.boolean(message.is_passive),
        name_id_policy=reader.name_id_policy(message.name_id_policy),
        requested_authn_context=reader.authn_context(message.requested_authn_context),
        has_subject=message.subject is not None,
        scoping=reader.scoping(message.scoping),
        attribute_consuming_service_index=reader.short(message.attribute_consuming_service_index),
        provider_name=reader.text(message.provider_name),
    )


def authentic(received: ReceivedMessage, rules: ServiceProviderRules) -> tuple[etree._Element, bool]:
    """The root that may be read, and whether a signature vouches for it (RQ-10 to RQ-16, RQ-25 to RQ-28).

    A signature that is there must verify, even where none is asked for. In the Redirect binding only the query string
    counts: a signature inside the message proves nothing.
    """
    descriptor = rules.descriptor
    root = xml.parse(received.xml)
    if received.issuer != descriptor.entity_id or claimed_issuer(root) != descriptor.entity_id:
        raise MessageRefused("unknown_issuer", repr(received.issuer[:200]))
    certificates, accept_sha1 = descriptor.signing_certificates, rules.accept_rsa_sha1
    if received.raw_query is not None:
        parameters = raw_parameters(received.raw_query)
        signed = "Signature" in parameters
        if signed:
            crypto.verify_query(parameters, certificates, accept_sha1=accept_sha1)
    else:
        signed = crypto.is_signed(root)
        if signed:
            root = crypto.verify(root, certificates, accept_sha1=accept_sha1).element
    if not signed and (rules.requests_signed or descriptor.authn_requests_signed):
        raise MessageRefused("signature_required")
    return root, signed


def _check_envelope(
    reader: _Reader,
    message: samlp.AuthnRequest,
    destination: str,
    *,
    signed: bool,
    now: datetime,
    skew: timedelta,
    lifetime: timedelta,
) -> datetime:
    """Version, binding of the answer, destination, date. Returns the date of issue."""
    if message.version != "2.0":
        reader.refuse("Version other than 2.0", status=STATUS_VERSION_MISMATCH)
    if message.protocol_binding not in (None, BINDING_POST):
        reader.refuse("answers travel by HTTP-POST only", second=STATUS_UNSUPPORTED_BINDING)
    if message.destination is None:
        if signed:
            reader.refuse("a signed request names its Destination")
    elif message.destination != destination:
        reader.refuse("Destination is another address")
    issue_instant = parse_instant(message.issue_instant or "")
    if issue_instant is None:
        reader.refuse("IssueInstant is not a date")
    if issue_instant > now + skew:
        reader.refuse("IssueInstant lies in the future")
    if issue_instant < now - lifetime - skew:
        reader.refuse("IssueInstant is too old")
    return issue_instant


class _Reader:
    """Reads the options of one request; whatever is wrong is answered to its service provider."""

    def __init__(self, request_id: MessageID, acs: Endpoint) -> None:
        self.request_id = request_id
        self.acs = acs

    def refuse(self, message: str, *, status: str = STATUS_REQUESTER, second: str | None = None) -> NoReturn:
        raise ProtocolError(status, second, message, request_id=self.request_id, acs=self.acs)

    def once(self, root: etree._Element) -> None:
        """No option comes twice: readers would not agree on which one counts."""
        tags = [child.tag for child in root if child.tag in _ONCE]
        if len(tags) != len(set(tags)):
            self.refuse("an element comes twice")

    def boolean(self, value: str | None) -> bool:
        if value is None:
            return False
        if value.strip() not in _BOOLEANS:
            self.refuse("a boolean is neither true nor false")
        return _BOOLEANS[value.strip()]

    def number(self, value: str | None, maximum: int) -> int | None:
        if value is None:
            return None
        digits = value.strip()
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 9 and int(digits) <= maximum):
            self.refuse("a number is not one, or is too large")
        return int(digits)

    def short(self, value: str | None) -> int | None:
        """An xs:unsignedShort."""
        return self.number(value, 65_535)

    def text(self, value: str | None) -> str | None:
        if value is not None and len(value) > _MAX_TEXT:
            self.refuse("a text is too long")
        return value or None

    def texts(self, values: Iterable[str | None]) -> tuple[str, ...]:
        found = tuple(text for text in ((self.text(value) or "").strip() for value in values) if text)
        if len(found) > MAX_LISTED:
            self.refuse("a list is too long")
        return found

    def name_id_policy(self, policy: samlp.NameIDPolicy | None) -> NameIDPolicy | None:
        if policy is None:
            return None
        return NameIDPolicy(self.text(policy.format), self.text(policy.sp_name_qualifier), self.boolean(policy.allow_create))

    def authn_context(self, context: samlp.RequestedAuthnContext | None) -> RequestedAuthnContext | None:
        if context is None:
            return None
        comparison = context.comparison or "exact"
        if comparison not in _COMPARISONS:
            self.refuse("unknown Comparison")
        classes = self.texts(item.text for item in context.authn_context_class_ref)
        declarations = bool(context.authn_context_decl_ref)
        if not classes and not declarations:
            self.refuse("RequestedAuthnContext names nothing")
        return RequestedAuthnContext(comparison, classes, declarations)

    def scoping(self, scoping: samlp.Scoping | None) -> Scoping | None:
        if scoping is None:
            return None
        entries = scoping.idp_list.idp_entry if scoping.idp_list is not None else []
        return Scoping(
            self.number(scoping.proxy_count, 999_999_999),
            self.texts(entry.provider_id for entry in entries),
            self.texts(item.text for item in scoping.requester_id),
        )
