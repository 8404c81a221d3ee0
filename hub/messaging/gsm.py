"""What fits into one text message: the default alphabet of GSM 03.38, 160 septets (functional.md 7.3)."""

from __future__ import annotations

import re
import unicodedata

SEGMENT = 160
"""Septets of one message; a longer one is cut up by the operator and paid several times."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
_INSTEAD = str.maketrans(
    {"’": "'", "‘": "'", "«": '"', "»": '"', "–": "-", "—": "-", "…": "...", "œ": "oe", "Œ": "OE", "\xa0": " ", "\u202f": " "}
)
_LINK = re.compile(r"https?:|www\.|//|\b[\w-]+\.(?!\d)[a-z]{2,}/|\b[a-z0-9-]{2,}\.(?:fr|com|net|org|eu|gouv|example|io)\b", re.IGNORECASE)


def septets(text: str) -> int | None:
    """Length of a text in septets, None when a character is not of the alphabet."""
    if not set(text) <= _BASIC | _EXTENDED:
        return None
    return sum(2 if character in _EXTENDED else 1 for character in text)


def to_gsm(text: str) -> str:
    """The text with its nearest writing in the alphabet: an accent that it lacks goes, a letter of another script too."""
    return "".join(map(_nearest, text.translate(_INSTEAD)))


def _nearest(character: str) -> str:
    if character in _BASIC or character in _EXTENDED:
        return character
    bare = unicodedata.normalize("NFKD", character)
    return "".join(part for part in bare if part in _BASIC)


def has_link(text: str) -> bool:
    """Whether something in it looks like an address of the web: families are told that our messages never hold one (F037)."""
    return _LINK.search(text) is not None
