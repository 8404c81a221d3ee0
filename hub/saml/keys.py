"""Keys of the hub on disk: one private key and its certificate for each use, readable by their owner only."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from .algorithms import key_weakness
from .messages import KeyPair

RSA_BITS = 3072
VALIDITY = timedelta(days=3653)
"""Ten years: certificates only carry the key, nobody checks their dates (checklist 24)."""


class UnusableKey(Exception):
    """A key file is missing, unreadable, too open, or does not fit its certificate. The sentence names the file."""


def generate_key_pair(common_name: str, *, now: datetime | None = None, bits: int = RSA_BITS) -> KeyPair:
    """A fresh RSA key with a self-signed certificate of ten years. ``common_name`` is the host, 64 characters at most."""
    start = now or datetime.now(UTC)
    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(minutes=5))
        .not_valid_after(start + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(
        private_key_pem=key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
    )


def save_key_pair(folder: Path, name: str, pair: KeyPair) -> None:
    """Write ``<name>.key`` (mode 0600) and ``<name>.crt``. Raises FileExistsError rather than replace a key."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path, content, mode in (
        (folder / f"{name}.key", pair.private_key_pem, 0o600),
        (folder / f"{name}.crt", pair.certificate_pem, 0o644),
    ):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)


def load_key_pair(folder: Path, name: str) -> KeyPair:
    """Read and check a pair (FT-15). Raises :class:`UnusableKey` with what is wrong and where."""
    key_path, certificate_path = folder / f"{name}.key", folder / f"{name}.crt"
    try:
        if key_path.stat().st_mode & 0o077:
            raise UnusableKey(f"{key_path}: others can read this private key; run `chmod 600` on it")
        pair = KeyPair(private_key_pem=key_path.read_bytes(), certificate_pem=certificate_path.read_bytes())
    except OSError as exc:
        raise UnusableKey(f"{exc.filename}: {exc.strerror}. Run `preau init` first.") from None
    check_key_pair(pair, key=str(key_path), certificate=str(certificate_path))
    return pair


def check_key_pair(pair: KeyPair, *, key: str = "private key", certificate: str = "certificate") -> None:
    """Raises :class:`UnusableKey` unless both are readable, strong enough and belong together.

    ``key`` and ``certificate`` name them in the sentence.
    """
    try:
        private = serialization.load_pem_private_key(pair.private_key_pem, None)
    except (ValueError, TypeError):
        raise UnusableKey(f"{key}: not a private key in PEM without password") from None
    try:
        public = x509.load_pem_x509_certificate(pair.certificate_pem).public_key()
    except ValueError:
        raise UnusableKey(f"{certificate}: not a certificate in PEM") from None
    weakness = key_weakness(private.public_key())
    if weakness:
        raise UnusableKey(f"{key}: {weakness}")
    if private.public_key() != public:
        raise UnusableKey(f"{certificate}: this certificate does not belong to the private key {key}")
