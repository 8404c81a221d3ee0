"""Pseudonymous identifiers: keyed, stable, and different for each service provider (RQ-65)."""

from __future__ import annotations

import base64
import hmac


class Pseudonyms:
    """Derives identifiers from the instance secret. Losing or changing the secret changes every one of them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _digest(self, algorithm: str, *parts: str) -> hmac.HMAC:
        # The length of each part is bound in, so that no two lists of parts can collide.
        message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hmac.new(self._key, message, algorithm)

    def account_id(self, service_provider: str, account_id: str) -> str:
        """FrEduCtId: 96 lower-case hexadecimal characters, pairwise (saml.md 1.2)."""
        return self._digest("sha384", "FrEduCtId", service_provider, account_id).hexdigest()

    def ine_hash(self, ine: str) -> str:
        """FrEduCtEleveINEHash: 32 lower-case hexadecimal characters.

        The same for every service, whose uniqueness key it is; keyed, because an INE can be enumerated.
        """
        return self._digest("sha256", "FrEduCtEleveINEHash", ine.upper()).hexdigest()[:32]

    def persistent_name_id(self, service_provider: str, account_id: str) -> str:
        """Persistent NameID: 52 lower-case letters and digits, so that no two differ by case only (IIP-IDP21)."""
        digest = self._digest("sha256", "persistent", service_provider, account_id).digest()
        return base64.b32encode(digest).decode().rstrip("=").lower()
