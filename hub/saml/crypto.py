"""Signatures: of XML elements with xmlsec, of query strings with cryptography. In process, without files.

Whatever a message says of its own signature is compared with a closed shape **before** xmlsec sees it: xmlsec would
open a file, follow a pointer or run a transform that a message asks for (security.md section 3).
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote_plus

import xmlsec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from lxml import etree

from .algorithms import (
    DIGEST_SHA256,
    ENVELOPED_SIGNATURE,
    EXCLUSIVE_C14N,
    KeyKind,
    PublicKey,
    SignatureAlgorithm,
    default_signature,
    digest_size,
    key_weakness,
    signature_algorithm,
)
from .messages import KeyPair, MessageRefused
from .names import NS_ASSERTION, NS_DSIG, NS_METADATA, NS_PROTOCOL

MAX_PREFIXES = 16
"""Prefixes that a canonicalisation may list: honest messages list two or three."""

_SIGNATURE = f"{{{NS_DSIG}}}Signature"
_ISSUER = f"{{{NS_ASSERTION}}}Issuer"
_OWN_NAMESPACES = frozenset((NS_ASSERTION, NS_PROTOCOL, NS_METADATA))
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,255}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class PrivateKey:
    """A private key ready for use. Never changed once made, so that every thread may share it (FT-16)."""

    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    algorithm: SignatureAlgorithm
    certificate: str
    """Base64 DER without white space."""
    xmlsec_key: xmlsec.Key


@dataclass(frozen=True, slots=True, eq=False)
class TrustedKey:
    """The public key of a certificate of the metadata."""

    public: PublicKey
    kind: KeyKind
    xmlsec_key: xmlsec.Key


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What a signature covers, and nothing else: a copy that leads to no element outside (XSW)."""

    element: etree._Element


def is_message_id(value: str) -> bool:
    """Whether a message may bear that ID: an ASCII name of at most 256 characters (RQ-46)."""
    return _ID.fullmatch(value) is not None


@lru_cache(maxsize=32)
def private_key(pair: KeyPair) -> PrivateKey:
    """The pair made ready, once. Raises ValueError or TypeError when it is not an RSA or EC key with its certificate."""
    private = serialization.load_pem_private_key(pair.private_key_pem, None)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("neither RSA nor elliptic curve")
    certificate = x509.load_pem_x509_certificate(pair.certificate_pem)
    return PrivateKey(
        private=private,
        algorithm=default_signature("rsa" if isinstance(private, rsa.RSAPrivateKey) else "ec"),
        certificate=base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode(),
        xmlsec_key=xmlsec.Key.from_memory(pair.private_key_pem, xmlsec.constants.KeyDataFormatPem),
    )


@lru_cache(maxsize=8192)
def trusted_key(certificate: str) -> TrustedKey | None:
    """The key of a base64 DER certificate, whatever its dates (MD-14); None when unreadable or too weak (RS-26)."""
    try:
        public = x509.load_der_x509_certificate(base64.b64decode(certificate)).public_key()
    except Exception:  # noqa: BLE001 - cryptography raises many types on damaged certificates, all mean "not a key"
        return None
    if key_weakness(public) or not isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return None
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    kind: KeyKind = "rsa" if isinstance(public, rsa.RSAPublicKey) else "ec"
    return TrustedKey(public, kind, xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem))


def _usable(certificates: Sequence[str], kind: KeyKind) -> list[TrustedKey]:
    return [key for key in map(trusted_key, certificates) if key is not None and key.kind == kind]


# XML signatures -----------------------------------------------------------------------------------------------------


def sign(element: etree._Element, key: PrivateKey) -> None:
    """Sign a root element that bears an ID, in place: its Signature comes right after its Issuer, or first.

    Exclusive canonicalisation, SHA-256, and the signature method of the key (security.md, decision 4). The element
    must be a document of its own, so that nothing around it counts. SignedInfo is written in its canonical form, which
    spares xmlsec's copy of the key and a third of the time; :func:`verify` and the tests judge it with xmlsec.
    """
    # Where the element has a prefix for the namespace, lxml would change ours to it, after the signature.
    prefix = next((prefix for prefix, uri in element.nsmap.items() if uri == NS_DSIG), "ds")
    ds, xmlns = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")
    digest = hashlib.sha256(etree.tostring(element, method="c14n", exclusive=True)).digest()
    signed_info = (
        f'<{ds}SignedInfo {xmlns}="{NS_DSIG}">'
        f'<{ds}CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></{ds}CanonicalizationMethod>'
        f'<{ds}SignatureMethod Algorithm="{key.algorithm.uri}"></{ds}SignatureMethod>'
        f'<{ds}Reference URI="#{element.get("ID")}"><{ds}Transforms>'
        f'<{ds}Transform Algorithm="{ENVELOPED_SIGNATURE}"></{ds}Transform>'
        f'<{ds}Transform Algorithm="{EXCLUSIVE_C14N}"></{ds}Transform></{ds}Transforms>'
        f'<{ds}DigestMethod Algorithm="{DIGEST_SHA256}"></{ds}DigestMethod>'
        f"<{ds}DigestValue>{_to_base64(digest)}</{ds}DigestValue></{ds}Reference></{ds}SignedInfo>"
    )
    value = _to_base64(_xml_signature_value(signed_info.encode(), key))
    signature = etree.fromstring(
        f'<{ds}Signature {xmlns}="{NS_DSIG}">{signed_info}<{ds}SignatureValue>{value}</{ds}SignatureValue>'
        f"<{ds}KeyInfo><{ds}X509Data><{ds}X509Certificate>{key.certificate}</{ds}X509Certificate></{ds}X509Data>"
        f"</{ds}KeyInfo></{ds}Signature>"
    )
    element.insert(1 if len(element) and element[0].tag == _ISSUER else 0, signature)


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _sign_octets(octets: bytes, key: PrivateKey) -> bytes:
    """The signature of the octets; of an elliptic curve in DER."""
    if isinstance(key.private, rsa.RSAPrivateKey):
        return key.private.sign(octets, padding.PKCS1v15(), key.algorithm.hash)
    return key.private.sign(octets, ec.ECDSA(key.algorithm.hash))


def _xml_signature_value(octets: bytes, key: PrivateKey) -> bytes:
    """The same as XML Signature writes it: for an elliptic curve both numbers side by side (RFC 4050)."""
    value = _sign_octets(octets, key)
    if isinstance(key.private, rsa.RSAPrivateKey):
        return value
    r, s = decode_dss_signature(value)
    size = (key.private.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def is_signed(element: etree._Element) -> bool:
    """Whether the element has a Signature of its own, a direct child; nothing is said of its worth."""
    return element.find(_SIGNATURE) is not None


def verify(element: etree._Element, certificates: Sequence[str], *, accept_sha1: bool = False) -> Verified:
    """Check the enveloped signature of the element with one of the certificates; read only what is returned.

    ``certificates`` are base64 DER, from metadata and never from the message (RQ-28). ``accept_sha1`` is the waiver
    for the requests of one service. Raises :class:`MessageRefused` (``bad_signature``): RS-01 to RS-26.
    """
    signature, algorithm = _closed_signature(element, accept_sha1=accept_sha1)
    _check_unique_ids(element.getroottree().getroot())
    for key in _usable(certificates, algorithm.kind):
        context = xmlsec.SignatureContext()
        context.key = key.xmlsec_key
        try:
            context.register_id(element, "ID")
            context.verify(signature)
        except xmlsec.Error:
            continue
        covered = copy.deepcopy(element)
        covered.tail = None
        return Verified(covered)
    raise _bad("no trusted key verifies it")


def _bad(detail: str) -> MessageRefused:
    return MessageRefused("bad_signature", detail)


def _children(element: etree._Element, *names: str) -> list[etree._Element]:
    """The children, which must be exactly these of XML Signature, in that order."""
    children = list(element)
    if [child.tag for child in children] != [f"{{{NS_DSIG}}}{name}" for name in names]:
        raise _bad(f"unexpected content of {etree.QName(element).localname}")
    return children


def _exclusive_c14n(element: etree._Element) -> None:
    """The canonicalisation is exclusive, without comments; it may list prefixes and nothing else."""
    inclusive = f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces"
    if element.get("Algorithm") != EXCLUSIVE_C14N or any(child.tag != inclusive or len(child) for child in element):
        raise _bad("canonicalisation other than exclusive C14N")
    if sum(len(child.get("PrefixList", "").split()) for child in element) > MAX_PREFIXES:
        raise _bad(f"more than {MAX_PREFIXES} prefixes to canonicalise")


def _closed_signature(element: etree._Element, *, accept_sha1: bool) -> tuple[etree._Element, SignatureAlgorithm]:
    """The one Signature of the element, once its shape and its algorithms are those of the closed list."""
    signatures = element.findall(_SIGNATURE)
    if len(signatures) != 1:
        raise _bad(f"{len(signatures)} signatures")
    signature = signatures[0]
    parts = ["SignedInfo", "SignatureValue"]
    if len(signature) == 3:
        parts.append("KeyInfo")
    signed_info = _children(signature, *parts)[0]
    canonicalisation, method, reference = _children(signed_info, "CanonicalizationMethod", "SignatureMethod", "Reference")
    _exclusive_c14n(canonicalisation)
    algorithm = signature_algorithm(method.get("Algorithm"), accept_sha1=accept_sha1)
    if algorithm is None or len(method):
        raise _bad(f"signature method {method.get('Algorithm', '')[:100]!r}")
    _check_reference(reference, element, accept_sha1=accept_sha1)
    return signature, algorithm


def _check_reference(reference: etree._Element, element: etree._Element, *, accept_sha1: bool) -> None:
    identifier = element.get("ID", "")
    if not is_message_id(identifier) or reference.get("URI") != f"#{identifier}":
        raise _bad("the reference does not name the element that holds the signature")
    transforms, digest_method, digest_value = _children(reference, "Transforms", "DigestMethod", "DigestValue")
    enveloped, canonicalisation = _children(transforms, "Transform", "Transform")
    if enveloped.get("Algorithm") != ENVELOPED_SIGNATURE or len(enveloped):
        raise _bad("transforms other than enveloped signature and exclusive C14N")
    _exclusive_c14n(canonicalisation)
    size = digest_size(digest_method.get("Algorithm"), accept_sha1=accept_sha1)
    if size is None or len(digest_method):
        raise _bad(f"digest method {digest_method.get('Algorithm', '')[:100]!r}")
    if len(digest_value) or len(_base64(digest_value.text or "") or b"") != size:
        raise _bad("digest value")


def _check_unique_ids(root: etree._Element) -> None:
    """No two elements may share an identifier, in whatever spelling, and ours are spelled ``ID`` (RS-25)."""
    seen: set[str] = set()
    for node in root.iter():
        own = etree.QName(node).namespace in _OWN_NAMESPACES
        for name, value in node.attrib.items():
            local = etree.QName(name).localname
            if local.lower() != "id":
                continue
            if value in seen or local != name or (own and name != "ID"):
                raise _bad("ambiguous identifiers")
            seen.add(str(value))


def _base64(text: str) -> bytes | None:
    """Strict base64, line feeds and indentation apart; None when it is not."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


# Signatures of query strings ----------------------------------------------------------------------------------------


def sign_query(query: str, key: PrivateKey) -> str:
    """The query string (message, then RelayState if any) with SigAlg and Signature (SAML bindings 3.4.4.1)."""
    signed = f"{query}&SigAlg={quote(key.algorithm.uri, safe='')}"
    return f"{signed}&Signature={quote(_to_base64(_sign_octets(signed.encode('ascii'), key)), safe='')}"


def verify_query(parameters: Mapping[str, str], certificates: Sequence[str], *, accept_sha1: bool = False) -> None:
    """Check the signature of the Redirect binding over the text that travelled, not over decoded values (RQ-17, RQ-18).

    ``parameters`` are those of :func:`hub.saml.bindings.raw_parameters`. Raises :class:`MessageRefused`
    (``bad_signature``).
    """
    algorithm = signature_algorithm(unquote_plus(parameters.get("SigAlg", "")), accept_sha1=accept_sha1)
    if algorithm is None:
        raise _bad(f"SigAlg {parameters.get('SigAlg', '')[:100]!r}")
    value = _base64(unquote_plus(parameters.get("Signature", "")))
    if not value:
        raise _bad("Signature is not base64")
    order = ("SAMLRequest", "SAMLResponse", "RelayState", "SigAlg")
    octets = "&".join(f"{name}={parameters[name]}" for name in order if name in parameters).encode("ascii")
    for key in _usable(certificates, algorithm.kind):
        if _verifies(key.public, value, octets, algorithm.hash):
            return
    raise _bad("no trusted key verifies the query string")


def _verifies(key: PublicKey, value: bytes, octets: bytes, digest: hashes.HashAlgorithm) -> bool:
    """Whether the key verifies the octets. Services write elliptic-curve values in DER or both numbers side by side."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, octets, padding.PKCS1v15(), digest)
            return True
        size = (key.key_size + 7) // 8
        if len(value) == 2 * size:
            numbers = int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big")
            with suppress(InvalidSignature):
                key.verify(encode_dss_signature(*numbers), octets, ec.ECDSA(digest))
                return True
        key.verify(value, octets, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True
