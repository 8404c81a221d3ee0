"""AAF files, written by hand as they come: one record in memory at a time, split after a number of records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html.entities import codepoint2name
from io import TextIOWrapper
from pathlib import Path

from backends import Degree
from backends.sdet.records import Category, Generation

from .drafts import Attributes, Draft

RECORDS_PER_FILE = 3300
"""Seen in one large delivery (aaf.md 1.5)."""
DOCTYPE = '<!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd">\n'
FILE_WORD = {Category.SUBJECT: "MatiereEducNat"}
"""The word in the file name, where it is not the category's own."""
FAMILIES = {
    Category.STUDENT: "categoriePersonne", Category.GUARDIAN: "categoriePersonne", Category.STAFF: "categoriePersonne",
    Category.SCHOOL: "categorieStructure", Category.MEF: "categorieMef", Category.SUBJECT: "categorieMatiere",
}  # fmt: skip

_SPECIAL = re.compile(r"[&<>\"']")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


def escape(text: str) -> str:
    """Text as XML content."""
    return _SPECIAL.sub(lambda found: _ENTITIES[found[0]], text) if _SPECIAL.search(text) else text


@dataclass(frozen=True, slots=True)
class Style:
    """How the files of one category are written; the defaults are those of real exports."""

    header: bool = True
    doctype: bool = True
    declared: str | None = "UTF-8"
    """Encoding named at the top; None: no declaration."""
    written: str = "ascii"
    """Encoding of the bytes; a letter that it lacks becomes a numeric reference."""
    first: int = RECORDS_PER_FILE
    """Records in the first file."""
    day: str | None = None
    """Date in the file names when it is not the delivery's."""
    step: int = 1
    """Distance between file numbers."""


def header(code: str, degree: Degree, generation: Generation, day: date) -> str:
    """The comments at the head of a file; old exports only name their versions (aaf.md 1.3)."""
    sdet = "Annexe 4bis" if degree is Degree.SECONDARY else "Annexe 1"
    if generation is Generation.OLD:
        return f'<!-- versionAF="AAF-VE1803" -->\n<!-- versionSDET="{sdet} version 6.0" -->\n'
    return (
        f'<!-- versionAF="AAF-VE2407" -->\n<!-- versionSDET="{sdet} version 6.4" -->\n<!-- codeAcademieExport="{code}" -->\n'
        f'<!-- degre="{degree.value}" -->\n<!-- dateGenerationExport="{day:%d/%m/%Y}" -->\n'
    )


def request(draft: Draft, operation: str = "addRequest") -> str:
    """A record as XML, with its numeric or named characters still plain."""
    return (
        f'<{operation}>\n<operationalAttributes><attr name="{FAMILIES[draft.category]}"><value>{draft.category.value}</value></attr>'
        f"</operationalAttributes>\n<identifier><id>{escape(draft.id)}</id></identifier>\n"
        f"{_body(draft.attributes, operation)}</{operation}>\n"
    )


def _body(attributes: Attributes, operation: str) -> str:
    if operation == "deleteRequest":
        return ""
    outer, start, end = ("attributes", '<attr name="', "</attr>\n")
    if operation == "modifyRequest":
        outer, start, end = ("modifications", '<modification operation="replace" name="', "</modification>\n")
    lines = [f'{start}{name}">{_values(values)}{end}' for name, values in attributes.items()]
    return f"<{outer}>\n{''.join(lines)}</{outer}>\n"


def _values(values: Sequence[str]) -> str:
    if len(values) == 1:
        return f"<value>{escape(values[0])}</value>" if values[0] else "<value/>"
    return "".join([f"<value>{escape(value)}</value>" for value in values])


def named_entities(xml: str) -> str:
    """The same XML with HTML named entities for the letters that have one."""
    return "".join(f"&{codepoint2name[ord(c)]};" if ord(c) > 127 and ord(c) in codepoint2name else c for c in xml)


def escaped_twice(xml: str) -> str:
    """The same XML with references to letters escaped once too often."""
    return "".join(f"&amp;#{ord(c)};" if ord(c) > 127 else c for c in xml)


class CategoryFiles:
    """The files of one category in one delivery. Close it, or use it as a context."""

    def __init__(self, name: Callable[[int], Path], head: str, style: Style) -> None:
        self._name = name
        self._head = head
        self._style = style
        self._file: TextIOWrapper | None = None
        self._left = 0
        self.paths: list[Path] = []

    def write(self, xml: str) -> None:
        """Add one record."""
        if not self._left:
            self._next()
        assert self._file is not None
        self._file.write(xml)
        self._left -= 1

    def append(self, xml: str) -> None:
        """Add a record to the last file, however many it holds."""
        if self._file is None:
            self._next()
        assert self._file is not None
        self._file.write(xml)

    def next_path(self) -> Path:
        """Path of the file that would come next."""
        return self._name(len(self.paths) * self._style.step)

    def whole(self, requests: Iterable[str] = ()) -> bytes:
        """A complete file that holds those records."""
        text = self._opening() + "".join(requests) + "</ficAlimMENESR>\n"
        return text.encode(self._style.written, "xmlcharrefreplace")

    def _opening(self) -> str:
        style = self._style
        declaration = f'<?xml version="1.0" encoding="{style.declared}"?>\n' if style.declared else '<?xml version="1.0"?>\n'
        return f"{declaration}{DOCTYPE if style.doctype else ''}<ficAlimMENESR>\n{self._head if style.header else ''}"

    def _next(self) -> None:
        self.close()
        path = self.next_path()
        self.paths.append(path)
        self._file = path.open("w", encoding=self._style.written, errors="xmlcharrefreplace", newline="\n")
        self._file.write(self._opening())
        self._left = self._style.first if len(self.paths) == 1 else RECORDS_PER_FILE

    def close(self) -> None:
        """End the open file, if any."""
        if self._file is not None:
            self._file.write("</ficAlimMENESR>\n")
            self._file.close()
            self._file = None


class Delivery:
    """One folder: the export of an academy for a degree. ``word`` is ``Complet`` or ``Delta``."""

    def __init__(
        self,
        folder: Path,
        code: str,
        degree: Degree,
        generation: Generation,
        day: date,
        styles: dict[Category, Style],
        word: str = "Complet",
    ) -> None:
        self.folder = folder
        self.word = word
        self.code = code
        self.degree = degree
        self.generation = generation
        self.day = day
        self.head = header(code, degree, generation, day)
        self.prefix = ("ENT2DVA" if degree is Degree.SECONDARY else "ENT1D") if generation is Generation.NEW else "ENT_TS_SERVICES"
        self.files = {category: self._files(category, styles.get(category, Style())) for category in Category}
        folder.mkdir(parents=True, exist_ok=True)

    def _files(self, category: Category, style: Style) -> CategoryFiles:
        day = style.day or f"{self.day:%Y%m%d}"
        return CategoryFiles(lambda number: self.path(category, number, day=day), self.head, style)

    def path(self, category: Category, number: int, *, kind: str = "", prefix: str = "", day: str = "") -> Path:
        """Path of a file of the delivery; ``kind`` is ``Complet`` or ``Delta``, ``day`` as YYYYMMDD."""
        word = FILE_WORD.get(category, category.value)
        return self.folder / f"{prefix or self.prefix}_{kind or self.word}_{day or f'{self.day:%Y%m%d}'}_{word}_{number:04d}.xml"

    def close(self) -> None:
        """End every file."""
        for files in self.files.values():
            files.close()
