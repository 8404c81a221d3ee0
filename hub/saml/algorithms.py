"""The closed list of algorithms (security.md, decision 4). What is not here does not exist for the hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

KeyKind = Literal["rsa", "ec"]
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
RSA_SHA512 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
ECDSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
ECDSA_SHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"

DIGEST_SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
DIGEST_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
DIGEST_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
DIGEST_SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"

ENVELOPED_SIGNATURE = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

AES128_GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
AES256_GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
AES128_CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
AES256_CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
RSA_OAEP_MGF1P = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"

MIN_RSA_BITS = 2048
MIN_EC_BITS = 256
MIN_RSA_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """A signature method: the kind of key that it needs and its hash."""

    uri: str
    kind: KeyKind
    hash: hashes.HashAlgorithm


@dataclass(frozen=True, slots=True)
class BlockCipher:
    """A cipher of content; ``key_size`` in bytes."""

    uri: str
    key_size: int
    authenticated: bool


_SIGNATURES = {
    algorithm.uri: algorithm
    for algorithm in (
        SignatureAlgorithm(RSA_SHA256, "rsa", hashes.SHA256()),
        SignatureAlgorithm(RSA_SHA384, "rsa", hashes.SHA384()),
        SignatureAlgorithm(RSA_SHA512, "rsa", hashes.SHA512()),
        SignatureAlgorithm(ECDSA_SHA256, "ec", hashes.SHA256()),
        SignatureAlgorithm(ECDSA_SHA384, "ec", hashes.SHA384()),
        SignatureAlgorithm(ECDSA_SHA512, "ec", hashes.SHA512()),
    )
}
SHA1 = hashes.SHA1()  # noqa: S303 - for the waiver on requests, and inside OAEP where it guards nothing
_RSA_SHA1 = SignatureAlgorithm(RSA_SHA1, "rsa", SHA1)

_CIPHERS = {
    cipher.uri: cipher
    for cipher in (
        BlockCipher(AES128_GCM, 16, authenticated=True),
        BlockCipher(AES256_GCM, 32, authenticated=True),
        BlockCipher(AES128_CBC, 16, authenticated=False),
        BlockCipher(AES256_CBC, 32, authenticated=False),
    )
}

CIPHER_URIS = frozenset(_CIPHERS)
"""Every content cipher, those of the CBC waiver included."""

SIGNATURE_URIS = tuple(_SIGNATURES)
"""Every signature method that needs no waiver."""

DIGEST_SIZES = {DIGEST_SHA256: 32, DIGEST_SHA384: 48, DIGEST_SHA512: 64}
"""Bytes of each accepted digest."""


def signature_algorithm(uri: str | None, *, accept_sha1: bool = False) -> SignatureAlgorithm | None:
    """The signature method of that URI, or None when it is not accepted. ``accept_sha1`` is the waiver for requests."""
    if accept_sha1 and uri == RSA_SHA1:
        return _RSA_SHA1
    return _SIGNATURES.get(uri or "")


def digest_size(uri: str | None, *, accept_sha1: bool = False) -> int | None:
    """Bytes of the digest of that URI, or None when it is not accepted."""
    if accept_sha1 and uri == DIGEST_SHA1:
        return 20
    return DIGEST_SIZES.get(uri or "")


def block_cipher(uri: str | None, *, allow_cbc: bool = False) -> BlockCipher | None:
    """The content cipher of that URI, or None when it is not accepted. ``allow_cbc`` is a waiver."""
    cipher = _CIPHERS.get(uri or "")
    return cipher if cipher and (cipher.authenticated or allow_cbc) else None


def default_signature(kind: KeyKind) -> SignatureAlgorithm:
    """What the hub signs with."""
    return _SIGNATURES[RSA_SHA256 if kind == "rsa" else ECDSA_SHA256]


def key_weakness(key: object) -> str | None:
    """Why a public key is refused, as the end of a sentence, or None (MD-13, SDP-MD06)."""
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            return f"RSA of {key.key_size} bits, at least {MIN_RSA_BITS} are needed"
        if key.public_numbers().e < MIN_RSA_EXPONENT:
            return f"RSA with the exponent {key.public_numbers().e}, at least {MIN_RSA_EXPONENT} is needed"
        return None
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.key_size < MIN_EC_BITS:
            return f"elliptic curve of {key.key_size} bits, at least {MIN_EC_BITS} are needed"
        return None
    return "neither RSA nor elliptic curve"
