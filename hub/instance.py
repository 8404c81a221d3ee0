"""One running instance: its settings and what is opened from them, shared by pages, commands and jobs."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from backends import Directory
from backends.federated import FederatedDirectory
from backends.loading import open_back_end
from backends.watched import Observer, Watched

from .db import Database
from .errors import ConfigurationError
from .saml.keys import UnusableKey, generate_key_pair, load_key_pair, save_key_pair
from .saml.logout import LogoutProtocol
from .saml.messages import KeyPair
from .saml.responses import IdentityProvider
from .settings import Settings


class Instance:
    """Opens each part on first use, so that a command that only reads settings starts nothing else."""

    def __init__(self, settings: Settings, *, observe: Observer | None = None) -> None:
        """``observe`` is told of every call of the directory; see :data:`backends.watched.Observer`."""
        self.settings = settings
        self._observe = observe

    @cached_property
    def database(self) -> Database:
        """The hub's own tables."""
        return Database(self.settings.database)

    @cached_property
    def directory(self) -> Directory:
        """The directory back end that the settings name. Raises ConfigurationError when it cannot be opened as they say."""
        name = self.settings.directory
        try:
            directory = open_back_end(name, self.settings, self.settings.directory_options)
        except ValueError as exc:
            raise ConfigurationError(f"PREAU_DIRECTORY: {exc}") from None
        if self._observe is None:
            return directory
        if isinstance(directory, FederatedDirectory):
            return directory.observed_by(self._observe)
        return Watched(directory, name, self._observe)

    @cached_property
    def secret(self) -> bytes:
        """The instance secret, at least 32 bytes. Raises ConfigurationError when the file is missing or weak."""
        path = self.settings.secret_file
        try:
            value = path.read_bytes().strip()
        except OSError as exc:
            raise ConfigurationError(f"{path}: {exc.strerror}. Run `preau init` first.") from None
        if len(value) < 32 or len(set(value)) < 8:
            raise ConfigurationError(f"{path}: the secret is too weak; it needs 32 random bytes or more")
        return value

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose only; knowing one tells nothing of the others."""
        return hmac.new(self.secret, f"preau:{purpose}".encode(), hashlib.sha256).digest()

    def keyed_hash(self, purpose: str, *parts: str) -> str:
        """In hexadecimal: what may be compared or counted for that purpose, and read or guessed by nobody who lacks the secret."""
        return hmac.new(self.derive(purpose), "\n".join(parts).encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    @cached_property
    def signing_key(self) -> KeyPair:
        """The key that signs assertions. Raises ConfigurationError when it is missing or not its certificate's (FT-15)."""
        try:
            return load_key_pair(self.settings.keys_dir, "signing")
        except UnusableKey as exc:
            raise ConfigurationError(str(exc)) from None

    @cached_property
    def encryption_keys(self) -> tuple[KeyPair, ...]:
        """What services encrypt identifiers for: the published pair ``encryption``, then former ones (``encryption-*``).

        Empty as long as `preau init` has made none. Raises ConfigurationError when a file is there and cannot be used.
        """
        folder = self.settings.keys_dir
        found = sorted((path.stem for path in folder.glob("encryption*.key")), key=lambda name: (name != "encryption", name))
        try:
            return tuple(load_key_pair(folder, name) for name in found)
        except UnusableKey as exc:
            raise ConfigurationError(str(exc)) from None

    @cached_property
    def logout_protocol(self) -> LogoutProtocol:
        """The messages of single logout."""
        return LogoutProtocol(self.settings.idp_entity_id, f"{self.settings.base_url}/saml/slo", self.signing_key, self.encryption_keys)

    @cached_property
    def identity_provider(self) -> IdentityProvider:
        """The protocol wrapper, with the signing key."""
        settings = self.settings
        return IdentityProvider(
            settings.idp_entity_id,
            settings.base_url,
            self.signing_key,
            product_name=settings.product_name,
            organization_url=settings.organization_url,
            technical_contact=settings.technical_contact,
            encryption_certificates=[pair.certificate_pem for pair in self.encryption_keys[:1]],
        )

    def close(self) -> None:
        """Release what was opened."""
        if "directory" in self.__dict__:
            self.directory.close()
        if "database" in self.__dict__:
            self.database.close()


def create_secret(path: Path) -> bool:
    """Write a fresh secret, readable by its owner only. Returns False when one exists already."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    return True


def create_signing_key(settings: Settings) -> bool:
    """Write a fresh signing key with its certificate. Returns False when there is one already."""
    return _create_key(settings, "signing")


def create_encryption_key(settings: Settings) -> bool:
    """Write a fresh key for what services encrypt for the hub. Returns False when there is one already."""
    return _create_key(settings, "encryption")


def _create_key(settings: Settings, name: str) -> bool:
    try:
        save_key_pair(settings.keys_dir, name, generate_key_pair(urlsplit(settings.base_url).hostname or "preau"))
    except FileExistsError:
        return False
    return True
