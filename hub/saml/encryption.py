"""Encrypted assertions and identifiers (XML Encryption 1.1), with cryptography: no pointer is followed, no plaintext is parsed but by us.

The three rules without exception (security.md section 2): nothing is decrypted outside of a verified message; an
element with a pointer to data or keys is refused first; keys come from the caller, never from the message.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from . import xml
from .algorithms import AES256_CBC, AES256_GCM, DIGEST_SHA1, DIGEST_SHA256, RSA_OAEP_MGF1P, SHA1, BlockCipher, block_cipher
from .crypto import PrivateKey, Verified, trusted_key
from .messages import MessageRefused
from .names import NS_ASSERTION, NS_DSIG, NS_XENC

MAX_ENCRYPTED_KEYS = 8

_ASSERTION = f"{{{NS_ASSERTION}}}Assertion"
_ENCRYPTED_ASSERTION = f"{{{NS_ASSERTION}}}EncryptedAssertion"
_NAME_ID = f"{{{NS_ASSERTION}}}NameID"
_ENCRYPTED_ID = f"{{{NS_ASSERTION}}}EncryptedID"
_ENCRYPTED_DATA = f"{{{NS_XENC}}}EncryptedData"
_ENCRYPTED_KEY = f"{{{NS_XENC}}}EncryptedKey"
_METHOD = f"{{{NS_XENC}}}EncryptionMethod"
_CIPHER_DATA = f"{{{NS_XENC}}}CipherData"
_CIPHER_VALUE = f"{{{NS_XENC}}}CipherValue"
_KEY_INFO = f"{{{NS_DSIG}}}KeyInfo"
_DIGEST_METHOD = f"{{{NS_DSIG}}}DigestMethod"
_POINTERS = frozenset(("CipherReference", "RetrievalMethod", "KeyInfoReference", "AgreementMethod"))
_TYPE_ELEMENT = f"{NS_XENC}Element"
_IV_SIZE = {True: 12, False: 16}
"""Bytes of the initialisation vector, by whether the cipher is authenticated."""
_OAEP_DIGESTS: dict[str, hashes.HashAlgorithm] = {DIGEST_SHA1: SHA1, DIGEST_SHA256: hashes.SHA256()}


# Encrypting ---------------------------------------------------------------------------------------------------------


def encryption_key(certificates: Sequence[str]) -> rsa.RSAPublicKey | None:
    """The first key that can be used: RSA, strong enough, whatever the dates of its certificate (RQ-84)."""
    for certificate in certificates:
        key = trusted_key(certificate)
        if key is not None and isinstance(key.public, rsa.RSAPublicKey):
            return key.public
    return None


def encrypt_assertion(assertion: bytes, key: rsa.RSAPublicKey, *, cbc: bool = False) -> etree._Element:
    """An EncryptedAssertion of the serialised Assertion, which declares every namespace that it uses.

    AES-256-GCM under a fresh key and vector, the key under rsa-oaep-mgf1p; ``cbc`` is the waiver of one service.
    """
    session_key = os.urandom(32)
    if cbc:
        uri, content = AES256_CBC, _encrypt_cbc(session_key, assertion)
    else:
        vector = os.urandom(_IV_SIZE[True])
        uri, content = AES256_GCM, vector + AESGCM(session_key).encrypt(vector, assertion, None)
    wrapped = key.encrypt(session_key, _oaep(SHA1))
    return etree.fromstring(
        f'<saml:EncryptedAssertion xmlns:saml="{NS_ASSERTION}"><xenc:EncryptedData xmlns:xenc="{NS_XENC}"'
        f' Type="{_TYPE_ELEMENT}"><xenc:EncryptionMethod Algorithm="{uri}"/><ds:KeyInfo xmlns:ds="{NS_DSIG}">'
        f'<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{RSA_OAEP_MGF1P}"/>{_cipher_data(wrapped)}'
        f"</xenc:EncryptedKey></ds:KeyInfo>{_cipher_data(content)}</xenc:EncryptedData></saml:EncryptedAssertion>"
    )


def _cipher_data(value: bytes) -> str:
    text = base64.b64encode(value).decode("ascii")
    return f"<xenc:CipherData><xenc:CipherValue>{text}</xenc:CipherValue></xenc:CipherData>"


def _oaep(digest: hashes.HashAlgorithm) -> padding.OAEP:
    """rsa-oaep-mgf1p: the mask is always made with SHA-1, whatever the digest."""
    return padding.OAEP(mgf=padding.MGF1(SHA1), algorithm=digest, label=None)


def _encrypt_cbc(session_key: bytes, plaintext: bytes) -> bytes:
    vector = os.urandom(_IV_SIZE[False])
    padder = block_padding.ANSIX923(128).padder()
    encryptor = Cipher(algorithms.AES(session_key), modes.CBC(vector)).encryptor()
    return vector + encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


# Decrypting ---------------------------------------------------------------------------------------------------------


def decrypt_assertion(response: Verified, keys: Sequence[PrivateKey], *, allow_cbc: bool = False) -> etree._Element:
    """The Assertion of a verified Response that holds exactly one, encrypted; its own signature is not verified here.

    All ``keys`` are tried (RS-50). Whatever goes wrong with the ciphertext gives one and the same error (RS-47).

    Raises :class:`MessageRefused` (``malformed_message``): RS-45 to RS-52.
    """
    return _decrypted(_only(response.element, _ENCRYPTED_ASSERTION, _ASSERTION), _ASSERTION, keys, allow_cbc=allow_cbc)


def decrypt_name_id(request: Verified, keys: Sequence[PrivateKey], *, allow_cbc: bool = False) -> etree._Element:
    """The NameID of a verified LogoutRequest that holds exactly one, encrypted (LO-15). The same rules hold.

    Raises :class:`MessageRefused` (``malformed_message``).
    """
    return _decrypted(_only(request.element, _ENCRYPTED_ID, _NAME_ID), _NAME_ID, keys, allow_cbc=allow_cbc)


def _decrypted(encrypted: etree._Element, wanted: str, keys: Sequence[PrivateKey], *, allow_cbc: bool) -> etree._Element:
    _refuse_pointers(encrypted)
    data = [child for child in encrypted if child.tag == _ENCRYPTED_DATA]
    if len(data) != 1 or any(child.tag not in (_ENCRYPTED_DATA, _ENCRYPTED_KEY) for child in encrypted):
        raise _refused(f"an {etree.QName(encrypted).localname} holds one EncryptedData")
    if data[0].get("Type", _TYPE_ELEMENT) != _TYPE_ELEMENT:
        raise _refused("encrypted content is not an element")
    method = data[0].find(_METHOD)
    cipher = block_cipher(method.get("Algorithm") if method is not None else None, allow_cbc=allow_cbc)
    if cipher is None:
        raise _refused("content cipher not accepted")
    session_key = _session_key(_encrypted_keys(encrypted, data[0]), keys, cipher)
    plaintext = _decrypt(cipher, session_key, _cipher_value(data[0]))
    element = xml.parse(plaintext)
    if element.tag != wanted:
        raise _refused(f"the encrypted element is no {etree.QName(wanted).localname}")
    return element


def _refused(detail: str) -> MessageRefused:
    return MessageRefused("malformed_message", detail)


def _only(message: etree._Element, encrypted: str, plain: str) -> etree._Element:
    """The encrypted element, which must be alone: beside another one, readers would not agree on which one counts."""
    found = [child for child in message if child.tag in (encrypted, plain)]
    if len(found) != 1 or found[0].tag != encrypted:
        raise _refused(f"not exactly one {etree.QName(encrypted).localname}")
    return found[0]


def _refuse_pointers(encrypted: etree._Element) -> None:
    for element in encrypted.iter():
        if etree.QName(element).localname in _POINTERS:
            raise _refused(f"{etree.QName(element).localname} in an encrypted element")


def _encrypted_keys(encrypted: etree._Element, data: etree._Element) -> list[tuple[bytes, hashes.HashAlgorithm]]:
    """The wrapped keys beside the data or in its KeyInfo, each with the digest of its transport."""
    elements = [*encrypted.findall(_ENCRYPTED_KEY), *data.findall(f"{_KEY_INFO}/{_ENCRYPTED_KEY}")]
    if not 0 < len(elements) <= MAX_ENCRYPTED_KEYS:
        raise _refused("no EncryptedKey, or too many")
    return [(_cipher_value(element), _oaep_digest(element.find(_METHOD))) for element in elements]


def _oaep_digest(method: etree._Element | None) -> hashes.HashAlgorithm:
    """The digest of the one accepted transport, SHA-1 when it names none; it has no other option."""
    if method is not None and method.get("Algorithm") == RSA_OAEP_MGF1P and len(method) <= 1:
        uri = DIGEST_SHA1 if len(method) == 0 else method[0].get("Algorithm", "")
        if uri in _OAEP_DIGESTS and all(child.tag == _DIGEST_METHOD for child in method):
            return _OAEP_DIGESTS[uri]
    raise _refused("key transport not accepted")


def _session_key(wrapped_keys: Sequence[tuple[bytes, hashes.HashAlgorithm]], keys: Sequence[PrivateKey], cipher: BlockCipher) -> bytes:
    """The session key, or a random one: a wrong key must fail where and as a wrong ciphertext fails."""
    found = os.urandom(cipher.key_size)
    for wrapped, digest in wrapped_keys:
        for key in keys:
            if not isinstance(key.private, rsa.RSAPrivateKey):
                continue
            try:
                candidate = key.private.decrypt(wrapped, _oaep(digest))
            except ValueError:
                continue
            if len(candidate) == cipher.key_size:
                found = candidate
    return found


def _cipher_value(element: etree._Element) -> bytes:
    values = element.findall(f"{_CIPHER_DATA}/{_CIPHER_VALUE}")
    if len(values) != 1 or len(values[0]):
        raise _refused("not exactly one CipherValue")
    try:
        return base64.b64decode("".join((values[0].text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise _refused("cannot be decrypted") from None


def _decrypt(cipher: BlockCipher, session_key: bytes, value: bytes) -> bytes:
    size = _IV_SIZE[cipher.authenticated]
    vector, content = value[:size], value[size:]
    try:
        if cipher.authenticated:
            return AESGCM(session_key).decrypt(vector, content, None)
        decryptor = Cipher(algorithms.AES(session_key), modes.CBC(vector)).decryptor()
        padded = decryptor.update(content) + decryptor.finalize()
        # XML Encryption only defines the last byte of the padding.
        if not 1 <= padded[-1] <= 16:
            raise _refused("cannot be decrypted")
        return padded[: -padded[-1]]
    except (InvalidTag, ValueError, IndexError):
        raise _refused("cannot be decrypted") from None
