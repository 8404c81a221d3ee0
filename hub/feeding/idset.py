"""Which numbers a delivery has already given, in a few megabytes for millions of them."""

from __future__ import annotations

from backends import Degree

from .records import Category

_BITS = 1 << 16


class IdSets:
    """The ids seen by category and degree. Numbers are bits of blocks; ids with letters (nomenclatures) are kept as text."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[Degree, Category, int], bytearray] = {}
        self._texts: set[tuple[Degree, Category, str]] = set()

    def add(self, degree: Degree, category: Category, id_: str) -> bool:
        """Remember an id. False when it was known: ``007`` and ``7`` are two ids."""
        if not id_.isdigit() or id_[0] == "0" or len(id_) > 10:
            key = (degree, category, id_)
            known = key in self._texts
            self._texts.add(key)
            return not known
        block, bit = divmod(int(id_), _BITS)
        bits = self._blocks.get((degree, category, block))
        if bits is None:
            bits = self._blocks[degree, category, block] = bytearray(_BITS // 8)
        mask = 1 << (bit & 7)
        if bits[bit >> 3] & mask:
            return False
        bits[bit >> 3] |= mask
        return True
