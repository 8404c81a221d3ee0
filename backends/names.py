"""Names and mails as keys for comparison, the same in every back end and in the import."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d"})
_BETWEEN_NAMES = re.compile(r"[\s,;]+")
_NOT_WORD = re.compile(r"[\W_]+")


@lru_cache(maxsize=65536)
def name_key(name: str) -> str:
    """A name without case, accents, hyphens, apostrophes and blanks: ``Jean-Émile D'ŒUVRE`` gives ``jeanemiledoeuvre``.

    Two writings of one name have the same key (functional.md 4.2, step A1). Letters of other alphabets are kept.
    """
    folded = unicodedata.normalize("NFKD", name.casefold().translate(_LIGATURES))
    return _NOT_WORD.sub("", "".join(c for c in folded if not unicodedata.combining(c)))


def first_name(given_names: str) -> str:
    """The first of the given names, as the source writes it; ``Jean-Pierre`` is one name."""
    return _BETWEEN_NAMES.split(given_names.strip())[0]


def mail_key(mail: str) -> str:
    """A mail address trimmed and in lower case (aaf.md section 9)."""
    return mail.strip().lower()
