"""Which numbers a delivery has already given, in a few megabytes for millions of them."""

from __future__ import annotations

from collections import defaultdict

from backends import Degree
from backends.sdet.records import Category

_BITS = 8


class IdSets:
    """The ids seen by category and degree: numbers are bits of 256-bit blocks, ids with letters (nomenclatures) are kept as text.

    A million numbers in a row take a megabyte, a million far apart 200 of them.
    """

    def __init__(self) -> None:
        self._blocks: defaultdict[tuple[Degree, Category], dict[int, int]] = defaultdict(dict)
        self._texts: set[tuple[Degree, Category, str]] = set()

    def add(self, degree: Degree, category: Category, id_: str) -> bool:
        """Remember an id. False when it was known: ``007`` and ``7`` are two ids."""
        if not id_.isdigit() or id_[0] == "0" or len(id_) > 10:
            key = (degree, category, id_)
            known = key in self._texts
            self._texts.add(key)
            return not known
        number = int(id_)
        block, bit = number >> _BITS, 1 << (number & ((1 << _BITS) - 1))
        blocks = self._blocks[degree, category]
        seen = blocks.get(block, 0)
        blocks[block] = seen | bit
        return not seen & bit
