"""Single logout messages (SAML core 3.7): LogoutRequests and LogoutResponses, both read and made.

As for sign-on, a message is received first, with the issuer that it claims; the metadata of that issuer then judge it.
Here a signature is always needed: an unsigned logout would let anybody sign anybody out (LO-02, SDP-IDP26).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from . import crypto, xml
from .bindings import (
    RELAY_STATE_LIMIT,
    RELAY_STATE_STRICT_LIMIT,
    decode_post,
    decode_redirect,
    encode_post,
    encode_redirect,
    raw_parameters,
)
from .crypto import Verified
from .encryption import decrypt_name_id
from .instants import format_instant, parse_instant
from .messages import (
    Endpoint,
    EntityDescriptor,
    EntityID,
    KeyPair,
    MessageID,
    MessageRefused,
    NameID,
    ReceivedMessage,
    ServiceProviderRules,
)
from .names import (
    BINDING_POST,
    BINDING_REDIRECT,
    LOGOUT_BY_USER,
    NAMEID_UNSPECIFIED,
    NS_ASSERTION,
    NS_ASYNC_LOGOUT,
    NS_PROTOCOL,
    STATUS_PARTIAL_LOGOUT,
    STATUS_REQUEST_DENIED,
    STATUS_REQUEST_UNSUPPORTED,
    STATUS_REQUESTER,
    STATUS_SUCCESS,
    STATUS_UNKNOWN_PRINCIPAL,
    STATUS_VERSION_MISMATCH,
)
from .requests import LIFETIME, SKEW, authentic, claimed_issuer, message_id

MAX_SESSION_INDEXES = 50
MAX_NAME = 1024
"""Characters of an identifier, a qualifier or a session index."""

_NAMESPACES = {"samlp": NS_PROTOCOL, "saml": NS_ASSERTION}
_REQUEST, _RESPONSE = f"{{{NS_PROTOCOL}}}LogoutRequest", f"{{{NS_PROTOCOL}}}LogoutResponse"
_NAME_ID, _ENCRYPTED_ID, _BASE_ID = (f"{{{NS_ASSERTION}}}{name}" for name in ("NameID", "EncryptedID", "BaseID"))
_EXTENSIONS, _STATUS, _STATUS_CODE = (f"{{{NS_PROTOCOL}}}{name}" for name in ("Extensions", "Status", "StatusCode"))
_SESSION_INDEX = f"{{{NS_PROTOCOL}}}SessionIndex"
_ASYNCHRONOUS = f"{{{NS_ASYNC_LOGOUT}}}Asynchronous"


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A service asks to end the session of a person; every check that needs only the message and the metadata has passed."""

    id: MessageID
    issuer: EntityID
    name_id: NameID
    session_indexes: tuple[str, ...] = ()
    """Empty: all the sessions of that identifier (Prof 4.4.3.2)."""
    asynchronous: bool = False
    """The service wants no answer (IIP-IDP17)."""


@dataclass(frozen=True, slots=True)
class LogoutResponse:
    """A service says how the logout went there."""

    issuer: EntityID
    in_response_to: MessageID
    success: bool
    """Success, and complete: a PartialLogout is none."""


@dataclass(frozen=True, slots=True)
class OutgoingLogout:
    """A message ready to leave. By Redirect, ``address`` is everything; by POST, it is where the form with ``fields`` goes."""

    binding: str
    address: str
    fields: tuple[tuple[str, str], ...] = ()


class LogoutRefused(Exception):
    """The request comes from its service for sure, and is answered with a SAML status (security.md, decision 2)."""

    def __init__(self, status: str, second: str | None, message: str, *, request_id: MessageID) -> None:
        super().__init__(message)
        self.status = status
        self.second = second
        self.message = message
        self.request_id = request_id


def receive_redirect(raw_query: str) -> tuple[ReceivedMessage, bool]:
    """The message of a raw query string, and whether it is a request. Raises :class:`MessageRefused`."""
    is_request = "SAMLRequest" in raw_parameters(raw_query)
    decoded = decode_redirect(raw_query, "SAMLRequest" if is_request else "SAMLResponse")
    return _received(decoded.xml, is_request, BINDING_REDIRECT, raw_query, decoded.relay_state), is_request


def receive_post(form: Iterable[tuple[str, str]], raw_query: str = "") -> tuple[ReceivedMessage, bool]:
    """The message of a form (pairs, doubles included), and whether it is a request. Raises :class:`MessageRefused`."""
    pairs = list(form)
    is_request = any(name == "SAMLRequest" for name, _ in pairs)
    decoded = decode_post(pairs, raw_query, "SAMLRequest" if is_request else "SAMLResponse")
    return _received(decoded.xml, is_request, BINDING_POST, None, decoded.relay_state), is_request


def _received(data: bytes, is_request: bool, binding: str, raw_query: str | None, relay_state: str | None) -> ReceivedMessage:
    root = xml.parse(data)
    if root.tag != (_REQUEST if is_request else _RESPONSE):
        raise _malformed("not a message of single logout")
    return ReceivedMessage(claimed_issuer(root), message_id(root), data, binding, raw_query, relay_state)


def _malformed(detail: str) -> MessageRefused:
    return MessageRefused("malformed_message", detail)


def endpoint_for(descriptor: EntityDescriptor, *, prefer: str | None = None) -> Endpoint | None:
    """Where a service hears of logouts: by the binding of ``prefer`` if it can, else by Redirect, else by POST."""
    for binding in (prefer, BINDING_REDIRECT, BINDING_POST):
        for endpoint in descriptor.slo:
            if endpoint.binding == binding and binding in (BINDING_REDIRECT, BINDING_POST):
                return endpoint
    return None


def same_name_id(given: NameID, named: NameID) -> bool:
    """Strong match (SAML core 3.3.4, SDP-SP29): value, format and both qualifiers are those that were given."""
    return given == named


class LogoutProtocol:
    """The hub's side of single logout: one name, one address, a key that signs, keys that decrypt. Safe to share between threads.

    ``address`` is the hub's own single logout address, the same for both bindings.
    """

    def __init__(self, entity_id: str, address: str, key: KeyPair, decryption_keys: Sequence[KeyPair] = ()) -> None:
        self.entity_id = entity_id
        self._address = address
        self._key = crypto.private_key(key)
        self._decryption_keys = tuple(crypto.private_key(pair) for pair in decryption_keys)

    # Reading ----------------------------------------------------------------------------------------------------------

    def read_request(
        self,
        received: ReceivedMessage,
        rules: ServiceProviderRules,
        *,
        now: datetime,
        skew: timedelta = SKEW,
        lifetime: timedelta = LIFETIME,
        strict_relay_state: bool = False,
    ) -> LogoutRequest:
        """The request, once everything that the message and the metadata can tell is found right.

        Qualifiers that the service left out are those that SAML core 8.3.7 implies: the hub's name and the service's.
        Raises :class:`MessageRefused` (nothing is sent back) and :class:`LogoutRefused` (LO-02, LO-06, LO-12, LO-15).
        """
        root = _signed_root(received, rules)
        request_id = message_id(root)

        def refuse(message: str, status: str = STATUS_REQUESTER, second: str | None = None) -> LogoutRefused:
            return LogoutRefused(status, second, message, request_id=request_id)

        if root.get("Version") != "2.0":
            raise refuse("Version other than 2.0", STATUS_VERSION_MISMATCH)
        fault = self._wrong_envelope(root, now=now, skew=skew, lifetime=lifetime)
        if fault:
            raise refuse(fault)
        limit = RELAY_STATE_STRICT_LIMIT if strict_relay_state else RELAY_STATE_LIMIT
        if len((received.relay_state or "").encode()) > limit:
            raise refuse(f"RelayState above {limit} bytes")
        if any(child.tag == _BASE_ID for child in root):
            raise refuse("a BaseID is not supported", second=STATUS_REQUEST_UNSUPPORTED)
        indexes = tuple(_short(xml.text(element)) for element in root.iterfind(_SESSION_INDEX))
        if len(indexes) > MAX_SESSION_INDEXES:
            raise refuse("too many SessionIndex")
        return LogoutRequest(
            id=request_id,
            issuer=rules.descriptor.entity_id,
            name_id=self._name_id(root, rules),
            session_indexes=indexes,
            asynchronous=any(element.find(_ASYNCHRONOUS) is not None for element in root.iterfind(_EXTENSIONS)),
        )

    def read_response(
        self,
        received: ReceivedMessage,
        rules: ServiceProviderRules,
        *,
        now: datetime,
        skew: timedelta = SKEW,
        lifetime: timedelta = LIFETIME,
    ) -> LogoutResponse:
        """The answer of a service; whether it was asked is for the caller to say. Raises :class:`MessageRefused` (LO-11)."""
        root = _signed_root(received, rules)
        fault = self._wrong_envelope(root, now=now, skew=skew, lifetime=lifetime)
        in_response_to = root.get("InResponseTo", "")
        if root.get("Version") != "2.0" or fault or not crypto.is_message_id(in_response_to):
            raise _malformed(fault or "Version other than 2.0, or no InResponseTo")
        codes = root.findall(f"{_STATUS}/{_STATUS_CODE}")
        if len(codes) != 1:
            raise _malformed("not exactly one status")
        partial = any(code.get("Value") == STATUS_PARTIAL_LOGOUT for code in codes[0].iterfind(_STATUS_CODE))
        return LogoutResponse(
            issuer=rules.descriptor.entity_id,
            in_response_to=MessageID(in_response_to),
            success=codes[0].get("Value") == STATUS_SUCCESS and not partial,
        )

    def _wrong_envelope(self, root: etree._Element, *, now: datetime, skew: timedelta, lifetime: timedelta) -> str | None:
        """What is wrong with the address and the dates of a signed message, None when nothing is (LO-06)."""
        if root.get("Destination") != self._address:
            return "Destination is missing or another address"
        issued = parse_instant(root.get("IssueInstant", ""))
        if issued is None or issued > now + skew:
            return "IssueInstant is not a date, or lies in the future"
        if issued < now - lifetime - skew:
            return "IssueInstant is too old"
        limit = root.get("NotOnOrAfter")
        if limit is not None:
            end = parse_instant(limit)
            if end is None or end + skew <= now:
                return "NotOnOrAfter is past or not a date"
        return None

    def _name_id(self, root: etree._Element, rules: ServiceProviderRules) -> NameID:
        """The one identifier, in clear or encrypted; it is only decrypted because the message is signed."""
        found = [child for child in root if child.tag in (_NAME_ID, _ENCRYPTED_ID)]
        if len(found) != 1:
            raise _malformed(f"{len(found)} identifiers")
        element = found[0]
        if element.tag == _ENCRYPTED_ID:
            element = decrypt_name_id(Verified(root), self._decryption_keys, allow_cbc=rules.allow_cbc)
        return NameID(
            value=_short(xml.text(element)),
            format=_short(element.get("Format", NAMEID_UNSPECIFIED)),
            name_qualifier=_short(element.get("NameQualifier", self.entity_id)),
            sp_name_qualifier=_short(element.get("SPNameQualifier", rules.descriptor.entity_id)),
        )

    # Making -----------------------------------------------------------------------------------------------------------

    def request(
        self, endpoint: Endpoint, name_id: NameID, session_indexes: Sequence[str], *, id_: MessageID, now: datetime, lifetime: timedelta
    ) -> OutgoingLogout:
        """The signed LogoutRequest for a service, under an ID that the caller keeps."""
        root = self._message(_REQUEST, endpoint.location, now, id_, NotOnOrAfter=format_instant(now + lifetime), Reason=LOGOUT_BY_USER)
        element = etree.SubElement(
            root,
            _NAME_ID,
            {"Format": name_id.format, "NameQualifier": name_id.name_qualifier, "SPNameQualifier": name_id.sp_name_qualifier},
        )
        element.text = xml.clean(name_id.value)
        for index in session_indexes:
            etree.SubElement(root, _SESSION_INDEX).text = index
        return self._leaving(root, endpoint.binding, endpoint.location, "SAMLRequest", None)

    def respond(
        self,
        endpoint: Endpoint,
        in_response_to: MessageID,
        *,
        now: datetime,
        relay_state: str | None,
        status: str = STATUS_SUCCESS,
        second: str | None = None,
        message: str | None = None,
    ) -> OutgoingLogout:
        """The signed LogoutResponse to a service's request, at its ``ResponseLocation`` where it has one (LO-01)."""
        address = endpoint.response_location or endpoint.location
        root = self._message(_RESPONSE, address, now, MessageID("_" + secrets.token_hex(20)), InResponseTo=in_response_to)
        element = etree.SubElement(root, _STATUS)
        code = etree.SubElement(element, _STATUS_CODE, Value=status)
        if second:
            etree.SubElement(code, _STATUS_CODE, Value=second)
        if message:
            etree.SubElement(element, f"{{{NS_PROTOCOL}}}StatusMessage").text = xml.clean(message)
        return self._leaving(root, endpoint.binding, address, "SAMLResponse", relay_state)

    def refuse(self, endpoint: Endpoint, error: LogoutRefused, *, now: datetime, relay_state: str | None) -> OutgoingLogout:
        """The signed LogoutResponse that says no."""
        return self.respond(
            endpoint,
            error.request_id,
            now=now,
            relay_state=relay_state,
            status=error.status,
            second=error.second,
            message=error.message,
        )

    def _message(self, tag: str, destination: str, now: datetime, id_: MessageID, **attributes: str) -> etree._Element:
        own = {"ID": id_, "Version": "2.0", "IssueInstant": format_instant(now), "Destination": destination}
        root = etree.Element(tag, {**own, **attributes}, _NAMESPACES)
        etree.SubElement(root, f"{{{NS_ASSERTION}}}Issuer").text = self.entity_id
        return root

    def _leaving(self, root: etree._Element, binding: str, address: str, parameter: str, relay_state: str | None) -> OutgoingLogout:
        if binding == BINDING_REDIRECT:
            url = encode_redirect(address, xml.to_bytes(root), relay_state=relay_state, key=self._key, parameter=parameter)
            return OutgoingLogout(binding, url)
        crypto.sign(root, self._key)
        fields = [(parameter, encode_post(xml.to_bytes(root)))]
        if relay_state is not None:
            fields.append(("RelayState", relay_state))
        return OutgoingLogout(binding, address, tuple(fields))


def unknown_principal(request: LogoutRequest) -> LogoutRefused:
    """The identifier was never given to that service, or not like that (LO-03, LO-04)."""
    return LogoutRefused(STATUS_REQUESTER, STATUS_UNKNOWN_PRINCIPAL, "no session bears this identifier", request_id=request.id)


def unknown_session(request: LogoutRequest) -> LogoutRefused:
    """The identifier is right and no session index is (LO-05)."""
    return LogoutRefused(STATUS_REQUESTER, STATUS_REQUEST_DENIED, "no session bears this index", request_id=request.id)


def _signed_root(received: ReceivedMessage, rules: ServiceProviderRules) -> etree._Element:
    root, signed = authentic(received, rules)
    if not signed:
        raise MessageRefused("signature_required")
    return root


def _short(value: str) -> str:
    if len(value) > MAX_NAME:
        raise _malformed("an identifier is too long")
    return value
