"""Passwords: how they are kept, which ones are accepted, and the provisional ones that schools hand out.

Rules: functional.md section 8 and O26 (length, guessability and a blocklist; no composition rule, no rotation).
"""

from __future__ import annotations

import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from backends.names import name_key

from ..settings import Settings
from .common_passwords import COMMON
from .messages import message
from .models import AccountKind

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 signs without look-alikes (no 0 and O, no 1 and I): 12 of them are 60 bits."""

_SECRET_MEMORY_KIB = 1024
_ZXCVBN_LENGTH = 72
_SHORTEST_WORD = 3


class Passwords:
    """Keeps and checks passwords with argon2id, with the costs that the settings give."""

    def __init__(self, settings: Settings) -> None:
        self._max = settings.password_max
        self._hasher = PasswordHasher(settings.argon2_time_cost, settings.argon2_memory_kib, parallelism=1)
        # A provisional secret is random: 2^60 guesses of a millisecond are out of reach, so one pass over 1 MiB is enough,
        # and a document for 2,000 people takes seconds. What people choose themselves gets the full cost.
        self._secret_hasher = PasswordHasher(1, _SECRET_MEMORY_KIB, parallelism=1)
        self._nobody = _hash_of_nothing(self._hasher)
        self._no_secret = _hash_of_nothing(self._secret_hasher)

    def hash(self, password: str) -> str:
        """Hash a password that a person chose. Raises ValueError when it is longer than the limit."""
        if self._too_long(password):
            raise ValueError("password too long")
        return self._hasher.hash(_normalised(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one behind ``stored``. The work is the same when there is none (AC-01)."""
        too_long = self._too_long(password)
        right = _matches(self._hasher, stored or self._nobody, "" if too_long else _normalised(password))
        if stored is not None and not right and self.needs_rehash(stored):
            # A hash from the days of lower costs: a wrong guess of it takes as long as one of nobody's.
            _matches(self._hasher, self._nobody, "")
        return right and stored is not None and not too_long

    def needs_rehash(self, stored: str) -> bool:
        """Whether ``stored`` was made with other costs than those of today (AC-40)."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    def hash_secret(self, secret: str) -> str:
        """Hash a provisional secret made by :func:`new_secret`."""
        return self._secret_hasher.hash(secret)

    def verify_secret(self, stored: str | None, typed: str) -> bool:
        """Whether ``typed`` is that secret; lower case, blanks and hyphens are forgiven. Same work when there is none."""
        candidate = "" if self._too_long(typed) else typed.upper().replace(" ", "").replace("-", "")
        return _matches(self._secret_hasher, stored or self._no_secret, candidate) and stored is not None

    def _too_long(self, password: str) -> bool:
        # Before normalisation, so that a megabyte costs nothing: NFC never makes a text more than four times shorter.
        return len(password) > 4 * self._max or len(_normalised(password)) > self._max


def new_secret(length: int) -> str:
    """A fresh provisional secret of that many signs, from the system's random source."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Owner:
    """What is known of the person who chooses, and must not be used as a password."""

    kind: AccountKind | None
    """None: an agent."""
    identifier: str = ""
    names: tuple[str, ...] = ()
    birth_dates: tuple[date, ...] = ()
    schools: tuple[str, ...] = field(default=())


def problems(password: str, confirmation: str, owner: Owner, settings: Settings) -> list[str]:
    """Why the choice is refused, as the sentences of M32; empty when it is accepted. One reason at a time is enough to act on,
    but a wrong confirmation is said beside it."""
    shortest = shortest_password(owner.kind, settings)
    score = settings.password_score_student if owner.kind is AccountKind.STUDENT else settings.password_score_guardian
    password, confirmation = password[: 4 * settings.password_max], confirmation[: 4 * settings.password_max]
    normalised = _normalised(password)
    found = []
    if len(normalised) < shortest:
        found.append(message("M32-short", n=shortest))
    elif len(normalised) > settings.password_max:
        found.append(message("M32-long", n=settings.password_max))
    elif len(without_personal_words(normalised, owner)) < shortest and uses_personal_words(normalised, owner):
        found.append(message("M32-personal"))
    elif is_common(normalised):
        found.append(message("M32-common"))
    elif guessability(normalised, owner) < score:
        found.append(message("M32-easy"))
    if normalised != _normalised(confirmation):
        found.append(message("M32-different"))
    return found


def shortest_password(kind: AccountKind | None, settings: Settings) -> int:
    """Fewest characters of a password of that profile, None being an agent."""
    if kind is None:
        return settings.password_min_staff
    return settings.password_min_student if kind is AccountKind.STUDENT else settings.password_min_guardian


def is_common(password: str) -> bool:
    """Whether it is a very common word, alone or followed by digits: ``Motdepasse2024!``."""
    word = folded(password)
    return word in COMMON or word.rstrip("0123456789") in COMMON or word.lstrip("0123456789") in COMMON


def uses_personal_words(password: str, owner: Owner) -> bool:
    """Whether the person's own words are in it."""
    return without_personal_words(password, owner) != folded(password)


def without_personal_words(password: str, owner: Owner) -> str:
    """What is left, folded, once the person's own words are taken out: a long sentence may hold a name, a name alone is no password."""
    rest = folded(password)
    for word in sorted(_personal_words(owner), key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest


def guessability(password: str, owner: Owner) -> int:
    """zxcvbn's score, 0 to 4; French common words and the person's own words count as known to the attacker."""
    known = sorted(COMMON | _personal_words(owner))
    return int(zxcvbn(password[:_ZXCVBN_LENGTH], user_inputs=known)["score"])


def folded(text: str) -> str:
    """Lower case, without accents, letters and digits only."""
    return name_key(text)


def _personal_words(owner: Owner) -> frozenset[str]:
    words = {folded(owner.identifier), *_parts((*owner.names, *owner.schools))}
    for day in owner.birth_dates:
        words.update(day.strftime(form) for form in ("%d%m%Y", "%Y%m%d", "%d%m%y", "%d%m", "%Y"))
    return frozenset(word for word in words if len(word) >= _SHORTEST_WORD)


def _parts(texts: Iterable[str]) -> set[str]:
    return {folded(part) for text in texts for part in (text, *text.replace("-", " ").replace("'", " ").split())}


def _normalised(password: str) -> str:
    """NFC, so that one accent typed on two keyboards is one password; nothing else is touched, blanks included (AC-37)."""
    return unicodedata.normalize("NFC", password)


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """A well-formed hash that no password has, at the full cost for whoever checks against it."""
    salt, digest = (b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"


def _matches(hasher: PasswordHasher, stored: str, candidate: str) -> bool:
    try:
        return hasher.verify(stored, candidate)
    except (VerificationError, InvalidHashError):
        return False
