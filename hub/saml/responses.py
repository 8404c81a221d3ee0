"""What the hub answers as identity provider: Responses, and its own entity descriptor.

The tree is built once with lxml and signed in place: pysaml2's objects would cost half a signature more, for nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from lxml import etree

from . import crypto
from .bindings import encode_post
from .descriptor import IdPDescription, build_descriptor
from .encryption import encrypt_assertion, encryption_key
from .instants import format_instant
from .messages import (
    Answer,
    Attribute,
    AuthnRequest,
    EntityID,
    KeyPair,
    MessageID,
    NameID,
    OutgoingResponse,
    ProtocolError,
    ServiceProviderRules,
)
from .names import (
    CONFIRMATION_BEARER,
    NS_ASSERTION,
    NS_PROTOCOL,
    NS_XS,
    NS_XSI,
    STATUS_RESPONDER,
    STATUS_SUCCESS,
)
from .xml import clean, to_bytes

BACKDATED = timedelta(seconds=60)
"""NotBefore lies that far in the past: some services have no tolerance for clocks (saml.md 2.3)."""

_ASSERTION_NAMESPACES = {"saml": NS_ASSERTION, "xs": NS_XS, "xsi": NS_XSI}
_RESPONSE_NAMESPACES = {"samlp": NS_PROTOCOL, "saml": NS_ASSERTION}
_XS_STRING: dict[str, str | None] = {f"{{{NS_XSI}}}type": "xs:string"}


class IdentityProvider:
    """The hub as identity provider: one name, one address, one signing key. Safe to share between threads.

    ``base_url`` has no trailing slash. The other values only appear in the metadata.
    """

    def __init__(
        self,
        entity_id: str,
        base_url: str,
        key: KeyPair,
        *,
        product_name: str = "Préau",
        organization_url: str = "",
        technical_contact: str = "support@preau.example",
        published_certificates: Iterable[bytes] = (),
        encryption_certificates: Iterable[bytes] = (),
    ) -> None:
        self.entity_id = EntityID(entity_id)
        self._key = crypto.private_key(key)
        self._description = IdPDescription(
            entity_id=entity_id,
            base_url=base_url,
            product_name=product_name,
            organization_url=organization_url or base_url,
            technical_contact=technical_contact,
            certificates=(self._key.certificate, *(_base64_der(pem) for pem in published_certificates)),
            encryption_certificates=tuple(_base64_der(pem) for pem in encryption_certificates),
        )

    def respond(
        self,
        request: AuthnRequest,
        rules: ServiceProviderRules,
        answer: Answer,
        *,
        now: datetime,
        lifetime: timedelta,
        relay_state: str | None,
    ) -> OutgoingResponse:
        """The Response that says who it is: the assertion signed, then encrypted, then the Response signed.

        Encrypted whenever the metadata has a usable key. Raises :class:`ProtocolError` when it has none and encryption
        was not waived: nothing leaves in clear by accident (decision 3, RQ-84).
        """
        key = encryption_key(rules.descriptor.encryption_certificates)
        if key is None and not rules.encryption_waived:
            message = "the metadata has no usable encryption key"
            raise ProtocolError(STATUS_RESPONDER, None, message, request_id=request.id, acs=request.acs)
        response = self._response(request.id, request.acs.location, now, STATUS_SUCCESS)
        assertion = self._assertion(request, answer, now=now, not_on_or_after=now + lifetime)
        assertion_id = MessageID(assertion.get("ID", ""))
        if rules.sign_assertion:
            crypto.sign(assertion, self._key)
        response.append(encrypt_assertion(to_bytes(assertion), key, cbc=rules.allow_cbc) if key else assertion)
        if rules.sign_response or not rules.sign_assertion:
            crypto.sign(response, self._key)
        outgoing = _outgoing(response, request.acs.location, relay_state, assertion_id=assertion_id, encrypted=key is not None)
        return replace(outgoing, name_id=answer.name_id)

    def refuse(self, error: ProtocolError, rules: ServiceProviderRules, *, now: datetime, relay_state: str | None) -> OutgoingResponse:
        """The Response that says no: a status, no assertion, always signed.

        ``rules`` are those of the service provider; the address of ``error`` must be one of its endpoints, otherwise
        ValueError: an error never travels to an address outside of the metadata.
        """
        if error.acs not in rules.descriptor.acs:
            raise ValueError("the address of the error is not one of the service provider")
        response = self._response(error.request_id, error.acs.location, now, error.status, error.second, error.message)
        crypto.sign(response, self._key)
        return _outgoing(response, error.acs.location, relay_state, assertion_id=None, encrypted=False)

    def metadata(self, *, valid_until: datetime) -> bytes:
        """Our signed entity descriptor, with exactly one role: identity provider (SDP-IDP33, MD-18)."""
        root = build_descriptor(self._description, valid_until=valid_until, descriptor_id=_new_id())
        crypto.sign(root, self._key)
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + to_bytes(root)

    def _response(
        self,
        in_response_to: MessageID,
        destination: str,
        now: datetime,
        status: str,
        second: str | None = None,
        message: str | None = None,
    ) -> etree._Element:
        attributes = {
            "ID": _new_id(),
            "Version": "2.0",
            "IssueInstant": format_instant(now),
            "Destination": destination,
            "InResponseTo": in_response_to,
        }
        response = etree.Element(f"{{{NS_PROTOCOL}}}Response", attributes, _RESPONSE_NAMESPACES)
        _saml(response, "Issuer", self.entity_id)
        status_element = _samlp(response, "Status")
        code = _samlp(status_element, "StatusCode", Value=status)
        if second:
            _samlp(code, "StatusCode", Value=second)
        if message:
            _samlp(status_element, "StatusMessage", message)
        return response

    def _assertion(self, request: AuthnRequest, answer: Answer, *, now: datetime, not_on_or_after: datetime) -> etree._Element:
        limit = format_instant(not_on_or_after)
        attributes = {"ID": _new_id(), "Version": "2.0", "IssueInstant": format_instant(now)}
        assertion = etree.Element(f"{{{NS_ASSERTION}}}Assertion", attributes, _ASSERTION_NAMESPACES)
        _saml(assertion, "Issuer", self.entity_id)
        subject = _saml(assertion, "Subject")
        _name_id(subject, answer.name_id)
        confirmation = _saml(subject, "SubjectConfirmation", Method=CONFIRMATION_BEARER)
        _saml(
            confirmation,
            "SubjectConfirmationData",
            NotOnOrAfter=limit,
            Recipient=request.acs.location,
            InResponseTo=request.id,
        )
        conditions = _saml(assertion, "Conditions", NotBefore=format_instant(now - BACKDATED), NotOnOrAfter=limit)
        _saml(_saml(conditions, "AudienceRestriction"), "Audience", request.issuer)
        _authn_statement(assertion, answer)
        _attribute_statement(assertion, answer.attributes)
        return assertion


def _new_id() -> str:
    """160 random bits; never begins with a digit, as an xs:ID must not."""
    return "_" + secrets.token_hex(20)


@lru_cache(maxsize=32)
def _base64_der(certificate_pem: bytes) -> str:
    return "".join(line for line in certificate_pem.decode("ascii").split("\n") if "-----" not in line).replace("\r", "")


def _element(parent: etree._Element, tag: str, text: str | None, attributes: dict[str, str | None]) -> etree._Element:
    """A child with clean text; an attribute that is None is left out."""
    element = etree.SubElement(parent, tag, _present(attributes))
    if text is not None:
        element.text = clean(text)
    return element


def _present(attributes: dict[str, str | None]) -> dict[str, str]:
    return {name: clean(value) for name, value in attributes.items() if value is not None}


def _saml(parent: etree._Element, name: str, text: str | None = None, **attributes: str | None) -> etree._Element:
    return _element(parent, f"{{{NS_ASSERTION}}}{name}", text, attributes)


def _samlp(parent: etree._Element, name: str, text: str | None = None, **attributes: str | None) -> etree._Element:
    return _element(parent, f"{{{NS_PROTOCOL}}}{name}", text, attributes)


def _name_id(subject: etree._Element, name_id: NameID) -> None:
    _saml(
        subject,
        "NameID",
        name_id.value,
        Format=name_id.format,
        NameQualifier=name_id.name_qualifier,
        SPNameQualifier=name_id.sp_name_qualifier,
    )


def _authn_statement(assertion: etree._Element, answer: Answer) -> None:
    end = answer.session_not_on_or_after
    statement = _saml(
        assertion,
        "AuthnStatement",
        AuthnInstant=format_instant(answer.authn_instant),
        SessionIndex=answer.session_index,
        SessionNotOnOrAfter=None if end is None else format_instant(end),
    )
    _saml(_saml(statement, "AuthnContext"), "AuthnContextClassRef", answer.authn_context)


def _attribute_statement(assertion: etree._Element, attributes: tuple[Attribute, ...]) -> None:
    if not attributes:
        return
    statement = _saml(assertion, "AttributeStatement")
    for attribute in attributes:
        element = _saml(
            statement,
            "Attribute",
            Name=attribute.name,
            NameFormat=attribute.name_format,
            FriendlyName=attribute.friendly_name,
        )
        for value in attribute.values:
            _saml(element, "AttributeValue", value, **_XS_STRING)


def _outgoing(
    response: etree._Element,
    destination: str,
    relay_state: str | None,
    *,
    assertion_id: MessageID | None,
    encrypted: bool,
) -> OutgoingResponse:
    return OutgoingResponse(
        id=MessageID(response.get("ID", "")),
        assertion_id=assertion_id,
        destination=destination,
        saml_response=encode_post(to_bytes(response)),
        relay_state=relay_state,
        encrypted=encrypted,
    )
