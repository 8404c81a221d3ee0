"""Reading the metadata of a service provider, once, at import: what the hub keeps is checked here and trusted later."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from . import xml
from .algorithms import AES256_GCM, CIPHER_URIS, key_weakness
from .instants import parse_instant
from .messages import Endpoint, EntityDescriptor, EntityID, MessageRefused, RequestedAttribute
from .names import ATTRNAME_URI, BINDING_POST, NS_DSIG, NS_METADATA, NS_PROTOCOL

MAX_METADATA = 1024 * 1024
MAX_ENTITY_ID = 1024
LONG_ENTITY_ID = 256
MAX_CERTIFICATES = 10
MAX_ENDPOINTS = 100
MAX_NAME = 255

_NS = {"md": NS_METADATA, "ds": NS_DSIG, "mdui": "urn:oasis:names:tc:SAML:metadata:ui"}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_VISIBLE_ASCII = re.compile(r"[!-~]+", re.ASCII)
_NOT_IN_URL = re.compile(r"""["<>\\^`{|}]""")
_DIRECTION_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class MetadataRefused(Exception):
    """The metadata cannot be imported; the sentence says why."""


def read_entity_descriptor(document: bytes, *, allow_insecure_loopback: bool = False, now: datetime | None = None) -> EntityDescriptor:
    """The service provider of a document whose root is an EntityDescriptor.

    Its addresses are https without user name nor odd characters; ``allow_insecure_loopback`` also lets http pass for
    the machine itself, in demos (MD-08). Its keys are strong; the dates and signatures of its certificates only give
    ``warnings`` (MD-13, MD-14). A key without use serves both (MD-15). What the service claims of its own rights
    (entity attributes) is not read (MD-17).

    Raises :class:`MetadataRefused`.
    """
    root = _parse(document)
    role = _sp_role(root)
    _check_dates(root, role, now=now or datetime.now(UTC))
    warnings: list[str] = []
    entity_id = _entity_id(root, warnings)
    acs = tuple(_endpoints(role, "AssertionConsumerService", allow_insecure_loopback=allow_insecure_loopback))
    slo = tuple(_endpoints(role, "SingleLogoutService", allow_insecure_loopback=allow_insecure_loopback))
    _check_acs(acs, warnings)
    signing, encryption = _certificates(role, warnings, now=now or datetime.now(UTC))
    requests_signed = _boolean(role, "AuthnRequestsSigned") or False
    if requests_signed and not signing:
        raise MetadataRefused("requests are said to be signed, but no signing certificate is given")
    return EntityDescriptor(
        entity_id=entity_id,
        acs=acs,
        slo=slo,
        signing_certificates=signing,
        encryption_certificates=encryption,
        authn_requests_signed=requests_signed,
        want_assertions_signed=_boolean(role, "WantAssertionsSigned") or False,
        name_id_formats=tuple(filter(None, map(_text, role.iterfind("md:NameIDFormat", _NS)))),
        requested_attributes=_requested_attributes(role),
        display_name=_display_name(root, role),
        warnings=tuple(warnings),
    )


def _parse(document: bytes) -> etree._Element:
    try:
        root = xml.parse(document, max_bytes=MAX_METADATA, max_elements=10_000)
    except MessageRefused as exc:
        raise MetadataRefused(f"the document cannot be read: {exc.detail}") from None
    if root.tag != f"{{{NS_METADATA}}}EntityDescriptor":
        raise MetadataRefused("the root is not an EntityDescriptor: give the metadata of one service provider")
    return root


def _sp_role(root: etree._Element) -> etree._Element:
    roles = [role for role in root.iterfind("md:SPSSODescriptor", _NS) if NS_PROTOCOL in role.get("protocolSupportEnumeration", "").split()]
    if len(roles) != 1:
        raise MetadataRefused(f"one SPSSODescriptor for SAML 2.0 is needed, {len(roles)} found")
    return roles[0]


def _check_dates(*elements: etree._Element, now: datetime) -> None:
    for element in elements:
        text = element.get("validUntil")
        if text is None:
            continue
        limit = parse_instant(text)
        if limit is None or limit <= now:
            raise MetadataRefused(f"validUntil {text[:40]!r} is past or not a date")


def _entity_id(root: etree._Element, warnings: list[str]) -> EntityID:
    """Any visible name, never dereferenced: services are called by URL, URN or plain word (saml.md 2.1, MD-21)."""
    value = root.get("entityID", "")
    if not 0 < len(value) <= MAX_ENTITY_ID:
        raise MetadataRefused(f"entityID must have 1 to {MAX_ENTITY_ID} characters")
    if not value.isprintable() or any(character.isspace() for character in value):
        raise MetadataRefused("entityID holds spaces or invisible characters")
    if len(value) > LONG_ENTITY_ID:
        warnings.append(f"entityID is longer than {LONG_ENTITY_ID} characters")
    if ":" not in value:
        warnings.append("entityID is not an absolute URI")
    return EntityID(value)


# Endpoints ----------------------------------------------------------------------------------------------------------


def _endpoints(role: etree._Element, name: str, *, allow_insecure_loopback: bool) -> Iterator[Endpoint]:
    elements = role.findall(f"md:{name}", _NS)
    if len(elements) > MAX_ENDPOINTS:
        raise MetadataRefused(f"more than {MAX_ENDPOINTS} {name}")
    for element in elements:
        location, response_location = element.get("Location", ""), element.get("ResponseLocation")
        for address in (location, response_location):
            if address is not None:
                _check_address(name, address, allow_insecure_loopback=allow_insecure_loopback)
        yield Endpoint(
            binding=element.get("Binding", ""),
            location=location,
            index=_index(element),
            is_default=_boolean(element, "isDefault"),
            response_location=response_location,
        )


def _check_address(name: str, address: str, *, allow_insecure_loopback: bool) -> None:
    """Refuse what is not plainly an https address (MD-08): people's data will be sent there."""

    def refused(reason: str) -> MetadataRefused:
        return MetadataRefused(f"{name} {address[:200]!r}: {reason}")

    if not _VISIBLE_ASCII.fullmatch(address) or _NOT_IN_URL.search(address):
        raise refused("spaces, control or non-ASCII characters")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise refused("not an address") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise refused("not an absolute https address")
    if "@" in parts.netloc:
        raise refused("a user name in the address")
    if "#" in address:
        raise refused("a fragment in the address")
    if parts.scheme == "http" and not (allow_insecure_loopback and parts.hostname in _LOOPBACK):
        raise refused("https is needed")


def _index(element: etree._Element) -> int | None:
    text = element.get("index")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,5}", text.strip(), re.ASCII) or int(text) > 65_535:
        raise MetadataRefused(f"index {text[:20]!r} is not a number below 65536")
    return int(text)


def _check_acs(acs: tuple[Endpoint, ...], warnings: list[str]) -> None:
    posts = [endpoint for endpoint in acs if endpoint.binding == BINDING_POST]
    if not posts:
        raise MetadataRefused("no AssertionConsumerService with the HTTP-POST binding")
    indexes = [endpoint.index for endpoint in posts if endpoint.index is not None]
    if len(indexes) != len(set(indexes)):
        warnings.append("several AssertionConsumerService share an index: the first one counts")
    if sum(endpoint.is_default is True for endpoint in posts) > 1:
        warnings.append("several AssertionConsumerService are marked default: the first one counts")


# Keys ---------------------------------------------------------------------------------------------------------------


def _certificates(role: etree._Element, warnings: list[str], *, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Signing and encryption certificates, in the order of the document, each once."""
    found: dict[str, list[str]] = {"signing": [], "encryption": []}
    for descriptor in role.iterfind("md:KeyDescriptor", _NS):
        use = descriptor.get("use")
        if use is not None and use not in found:
            raise MetadataRefused(f"a key for an unknown use: {use[:40]!r}")
        certificates = [_text(item) for item in descriptor.iterfind("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _NS)]
        if not certificates:
            warnings.append("a key without certificate is ignored")
        for text in certificates:
            certificate, encrypts = _certificate(text, warnings, now=now)
            for name in (use,) if use else tuple(found):
                if name == "encryption" and not encrypts:
                    warnings.append("an elliptic-curve key cannot encrypt: it is used for signatures only")
                elif certificate not in found[name]:
                    found[name].append(certificate)
        listed = {method.get("Algorithm") for method in descriptor.iterfind("md:EncryptionMethod", _NS)}
        if use != "signing" and listed.intersection(CIPHER_URIS) and AES256_GCM not in listed:
            warnings.append("the encryption key is not announced for AES-256-GCM: the service may need the CBC waiver")
    if any(len(certificates) > MAX_CERTIFICATES for certificates in found.values()):
        raise MetadataRefused(f"more than {MAX_CERTIFICATES} certificates for one use")
    return tuple(found["signing"]), tuple(found["encryption"])


def _certificate(text: str, warnings: list[str], *, now: datetime) -> tuple[str, bool]:
    """The certificate as base64 DER without white space, once its key is found strong enough, and whether it can encrypt."""
    try:
        der = base64.b64decode("".join(text.split()), validate=True)
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        name = certificate.subject.rfc4514_string()[:100]
    except (binascii.Error, ValueError, TypeError):
        raise MetadataRefused("a certificate cannot be read") from None
    except Exception as exc:  # noqa: BLE001 - unsupported keys and curves have types of their own in cryptography
        raise MetadataRefused(f"a certificate holds a key that is not supported: {type(exc).__name__}") from None
    weakness = key_weakness(key)
    if weakness:
        raise MetadataRefused(f"the key of the certificate {name!r} is too weak: {weakness}")
    warnings.extend(f"certificate {name!r}: {remark}" for remark in _remarks(certificate, now))
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode("ascii"), isinstance(key, rsa.RSAPublicKey)


def _remarks(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    """What would trouble a browser and does not trouble us: only the key counts."""
    if certificate.not_valid_after_utc < now:
        yield "expired"
    if certificate.not_valid_before_utc > now:
        yield "not valid yet"
    if isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        yield f"signed with {certificate.signature_hash_algorithm.name}"
    if certificate.issuer == certificate.subject:
        yield "self-signed"


# The rest -----------------------------------------------------------------------------------------------------------


def _boolean(element: etree._Element, name: str) -> bool | None:
    text = element.get(name)
    if text is None:
        return None
    if text.strip() not in _BOOLEANS:
        raise MetadataRefused(f"{name} {text[:20]!r} is neither true nor false")
    return _BOOLEANS[text.strip()]


def _text(element: etree._Element) -> str:
    try:
        return xml.text(element)
    except MessageRefused as exc:
        raise MetadataRefused(exc.detail) from None


def _requested_attributes(role: etree._Element) -> tuple[RequestedAttribute, ...]:
    """Those of the default AttributeConsumingService, else of the first."""
    services = role.findall("md:AttributeConsumingService", _NS)
    if not services:
        return ()
    service = next((s for s in services if _boolean(s, "isDefault")), services[0])
    return tuple(
        RequestedAttribute(
            name=item.get("Name", ""),
            name_format=item.get("NameFormat", ATTRNAME_URI),
            friendly_name=item.get("FriendlyName"),
            required=_boolean(item, "isRequired") or False,
        )
        for item in service.iterfind("md:RequestedAttribute", _NS)
        if item.get("Name")
    )


def _display_name(root: etree._Element, role: etree._Element) -> str | None:
    """The name that people see: French if there is one, then English, then the first; from the most to the least precise place.

    Marks that reverse the direction of the text are dropped: a name must not disguise itself (RQ-71).
    """
    places = (
        role.iterfind("md:Extensions/mdui:UIInfo/mdui:DisplayName", _NS),
        role.iterfind("md:AttributeConsumingService/md:ServiceName", _NS),
        root.iterfind("md:Organization/md:OrganizationDisplayName", _NS),
    )
    for place in places:
        names = {(item.get(_LANG) or "").lower()[:2]: _text(item) for item in reversed(list(place))}
        for name in (names.get("fr"), names.get("en"), *reversed(names.values())):
            visible = " ".join(_DIRECTION_MARKS.sub("", name or "").split())
            if visible:
                return visible[:MAX_NAME]
    return None
