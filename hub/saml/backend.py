"""The crypto back end of pysaml2: what its SecurityContext signs, verifies, encrypts and decrypts goes through us.

In process: no sub-process, no temporary file. The algorithms that a caller or a template names are ignored: they are
those of :mod:`hub.saml.algorithms`.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from saml2 import SamlBase
from saml2.sigver import ASSERT_XPATH, CryptoBackend, DecryptError, EncryptError, SignatureError, pre_encrypt_assertion

from . import crypto, xml
from .encryption import decrypt_assertion, encrypt_assertion, encryption_key
from .messages import KeyPair, MessageRefused
from .names import NS_ASSERTION, NS_DSIG, NS_XENC

Certificates = Callable[[str], Sequence[str]]
"""From an entity identifier to its signing certificates (base64 DER), none when it is not known."""

_ENCRYPTED_ASSERTION = f"{{{NS_ASSERTION}}}EncryptedAssertion"
_ENCRYPTED_DATA = f"{{{NS_XENC}}}EncryptedData"


class PreauCryptoBackend(CryptoBackend):
    """A back end for one entity.

    ``key`` signs, ``decryption_keys`` decrypt: the key files that pysaml2 names are never opened. ``certificates`` says
    whose Responses may be decrypted; nothing is decrypted unless the signature of the Response verifies with them.
    """

    def __init__(
        self,
        key: KeyPair,
        *,
        decryption_keys: Sequence[KeyPair] = (),
        certificates: Certificates = lambda issuer: (),
    ) -> None:
        self._key = crypto.private_key(key)
        self._decryption_keys = tuple(crypto.private_key(pair) for pair in decryption_keys)
        self._certificates = certificates

    @property
    def version(self) -> str:
        """Of this back end; pysaml2 only compares it with versions of xmlsec1."""
        return "1.0.0"

    def sign_statement(
        self, statement: SamlBase | str | bytes, node_name: str, key_file: str | None = None, node_id: str | None = None
    ) -> str:
        """The document with the named element signed, its signature template replaced by a full signature.

        ``node_name`` is ``namespace:Name``. Raises SignatureError when the element is not there, once.
        """
        root = _parse(statement, SignatureError)
        element = _find(root, node_name, node_id)
        for template in element.findall(f"{{{NS_DSIG}}}Signature"):
            element.remove(template)
        alone = xml.parse(xml.to_bytes(element))
        crypto.sign(alone, self._key)
        return _replaced(root, element, alone)

    def validate_signature(self, signedtext: str | bytes, cert_file: str, cert_type: str, node_name: str, node_id: str | None) -> bool:
        """True when the named element carries a signature of that certificate; raises SignatureError otherwise."""
        element = _find(_parse(signedtext, SignatureError), node_name, node_id)
        try:
            crypto.verify(element, [_certificate_of_file(cert_file)])
        except MessageRefused as exc:
            raise SignatureError(exc.detail) from None
        return True

    def encrypt(self, text: str | bytes, recv_key: str, template: object, session_key_type: str, xpath: str = "") -> bytes:
        """The document with one element (the root without ``xpath``) replaced by its encrypted form."""
        return self._encrypted(text, recv_key, xpath or "/*").encode()

    def encrypt_assertion(
        self,
        statement: SamlBase | str | bytes,
        enc_key: str,
        template: object,
        key_type: str = "",
        node_xpath: str | None = None,
        node_id: str | None = None,
    ) -> str:
        """The Response with its Assertion encrypted for the certificate of the file ``enc_key``."""
        if isinstance(statement, SamlBase):
            statement = pre_encrypt_assertion(statement)
        return self._encrypted(statement, enc_key, node_xpath or ASSERT_XPATH)

    def _encrypted(self, document: SamlBase | str | bytes, certificate_file: str, xpath: str) -> str:
        key = encryption_key([_certificate_of_file(certificate_file)])
        if key is None:
            raise EncryptError("the certificate holds no usable RSA key")
        root = _parse(document, EncryptError)
        found = root.xpath(xpath)
        if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], etree._Element):
            raise EncryptError("not exactly one element to encrypt")
        data = encrypt_assertion(xml.to_bytes(found[0]), key)[0]
        return _replaced(root, found[0], data)

    def decrypt(self, enctext: str | bytes, key_file: str | None = None) -> str:
        """The signed Response with its assertion in clear, by the three rules of :mod:`hub.saml.encryption`."""
        root = _parse(enctext, DecryptError)
        issuer = root.findtext(f"{{{NS_ASSERTION}}}Issuer", "").strip()
        try:
            response = crypto.verify(root, self._certificates(issuer))
            assertion = decrypt_assertion(response, self._decryption_keys)
        except MessageRefused as exc:
            raise DecryptError(exc.detail) from None
        holder = root.find(_ENCRYPTED_ASSERTION)
        data = None if holder is None else holder.find(_ENCRYPTED_DATA)
        if data is None:
            raise DecryptError("nothing to decrypt")
        return _replaced(root, data, assertion)


def _parse(document: SamlBase | str | bytes, error: type[Exception]) -> etree._Element:
    text = document if isinstance(document, bytes) else str(document).encode()
    try:
        return xml.parse(text)
    except MessageRefused as exc:
        raise error(exc.detail) from None


def _find(root: etree._Element, node_name: str, node_id: str | None) -> etree._Element:
    namespace, _, name = node_name.rpartition(":")
    found = [node for node in root.iter(f"{{{namespace}}}{name}") if node_id in (None, "", node.get("ID"))]
    if len(found) != 1:
        raise SignatureError(f"{len(found)} elements to sign or verify")
    return found[0]


def _replaced(root: etree._Element, old: etree._Element, new: etree._Element) -> str:
    """The document with ``new`` where ``old`` stood.

    Put together as text: lxml would rename the prefixes of a signed element to those of its new surroundings.
    """
    parent = old.getparent()
    if parent is None:
        return xml.to_bytes(new).decode()
    place = etree.Element(f"place{secrets.token_hex(16)}")
    place.tail = old.tail
    parent.replace(old, place)
    return xml.to_bytes(root).decode().replace(f"<{place.tag}/>", xml.to_bytes(new).decode())


def _certificate_of_file(path: str) -> str:
    return _certificate_of_pem(Path(path).read_bytes())


@lru_cache(maxsize=256)
def _certificate_of_pem(pem: bytes) -> str:
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode("ascii")
