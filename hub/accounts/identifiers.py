"""Identifiers ``p.nomXX``: initial, dot, name, and a number for homonyms (functional.md section 8, O06, O27).

Each one ever given stays in ``ReservedIdentifier``, so that none is given twice, even after a purge.
"""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy.orm import Session

from backends.names import name_key

from ..db.upsert import insert_if_absent
from .models import ReservedIdentifier

NAME_LENGTH = 20
_NOT_A_TO_Z = re.compile(r"[^a-z]+")
_WITHOUT_LATIN_LETTER = "x"


def base_identifier(given_name: str, family_name: str) -> str:
    """The identifier without number: ``Émile``, ``D'Œuvre-Noël`` gives ``e.doeuvrenoel``.

    A name without any letter of the Latin alphabet counts as ``x``: everybody gets an identifier that can be typed.
    """
    initial = _letters(given_name)[:1] or _WITHOUT_LATIN_LETTER
    name = _letters(family_name)[:NAME_LENGTH] or _WITHOUT_LATIN_LETTER
    return f"{initial}.{name}"


def canonical(typed: str) -> str:
    """What somebody typed, as identifiers are stored: trimmed and in lower case."""
    return typed.strip().lower()


def reserve(db: Session, given_name: str, family_name: str, *, now: datetime) -> str:
    """Reserve the first free identifier of that name, in the caller's transaction: ``l.martin``, ``l.martin2``, ``l.martin3``…

    Two transactions never get the same one. Numbers follow each other, so the first free one is found in a few probes even
    among thousands of homonyms.
    """
    base = base_identifier(given_name, family_name)
    number = _first_free(db, base)
    while not insert_if_absent(db, ReservedIdentifier, identifier=_numbered(base, number), reserved_at=now):
        number += 1
    return _numbered(base, number)


def _first_free(db: Session, base: str) -> int:
    """Gallop, then halve: O(log n) look-ups by key."""
    taken, free = 0, 1
    while _taken(db, base, free):
        taken, free = free, free * 2
    while free - taken > 1:
        middle = (taken + free) // 2
        if _taken(db, base, middle):
            taken = middle
        else:
            free = middle
    return free


def _taken(db: Session, base: str, number: int) -> bool:
    return db.get(ReservedIdentifier, _numbered(base, number)) is not None


def _numbered(base: str, number: int) -> str:
    return base if number == 1 else f"{base}{number}"


def _letters(name: str) -> str:
    return _NOT_A_TO_Z.sub("", name_key(name))
