"""Records out of a file: each request becomes one :class:`RawRecord`, read in one pass over its elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lxml import etree

from backends import Degree

from ..errors import Refusal
from .normalise import damaged, tidy
from .records import ATTRIBUTE_MAX, ONLY_PRIMARY, ONLY_SECONDARY, Category, RawRecord, meanings
from .report import Cause, Report
from .xml import Source, line_of, requests

_CATEGORIES = {category.value: category for category in Category}
_FAMILIES = {
    Category.STUDENT: "categoriePersonne", Category.GUARDIAN: "categoriePersonne", Category.STAFF: "categoriePersonne",
    Category.SCHOOL: "categorieStructure", Category.MEF: "categorieMef", Category.SUBJECT: "categorieMatiere",
}  # fmt: skip
_PERSONS = frozenset({Category.STUDENT, Category.GUARDIAN})


class RecordRefused(Exception):
    """One record is left out and the rest goes on. ``record`` is what could be read of it, None when that is nothing."""

    def __init__(self, cause: Cause, line: int, record: RawRecord | None = None) -> None:
        super().__init__(cause.name)
        self.cause = cause
        self.line = line
        self.record = record


def read(source: Source, degree: Degree, report: Report, progress: Callable[[int], None]) -> Iterator[RawRecord | RecordRefused]:
    """The records of a file in its order; one that cannot be kept comes as the :class:`RecordRefused` that says why.

    Raises Refusal when the whole file must be refused: not well-formed, a delta, a GPEI file, the wrong degree.
    """

    def strange(tag: str, line: int) -> None:
        report.note(Cause.operation_unknown, source.name, line)

    for element in requests(source, progress, strange):
        if element.tag != "addRequest":
            raise Refusal(f"{source.name}, line {line_of(element)}: {element.tag} makes this a delta: not accepted yet by this version")
        try:
            yield _record(element, source, degree, report)
        except RecordRefused as refused:
            yield refused


def _record(element: etree._Element, source: Source, degree: Degree, report: Report) -> RawRecord:
    line = line_of(element)
    parts = {part.tag: part for part in element}
    if len(element) != 3 or parts.keys() != {"operationalAttributes", "identifier", "attributes"}:
        raise RecordRefused(Cause.record_malformed, line)
    category = _category(parts["operationalAttributes"], source, line)
    record = RawRecord(category, (parts["identifier"].findtext("id") or "").strip(), line, {})
    if not _is_key(record):
        raise RecordRefused(Cause.id_unreadable, line, record)
    known = meanings(category, degree)
    for attribute in parts["attributes"]:
        name = attribute.get("name", "")
        meaning = known.get(name)
        if meaning:
            values = _values(attribute, record)
            if values:
                record.values.setdefault(meaning, values)
        elif meaning is None:
            if category in _PERSONS and name in (ONLY_PRIMARY if degree is Degree.SECONDARY else ONLY_SECONDARY):
                raise Refusal(f"{source.name}, line {line}: attribute {name} does not belong to a {degree.value} file: held for a human")
            if name.startswith("GPEI"):
                raise Refusal(f"{source.name}: a GPEI export is not an AAF delivery; nothing was changed")
            report.unknown(category, name)
    return record


def _category(operational: etree._Element, source: Source, line: int) -> Category:
    attribute = operational.find("attr")
    word = (attribute.findtext("value") or "").strip() if attribute is not None else ""
    if word == "InfosEducNat":
        raise Refusal(f"{source.name}: a GPEI export is not an AAF delivery; nothing was changed")
    category = _CATEGORIES.get(word)
    if category is None or attribute is None or attribute.get("name") != _FAMILIES[category]:
        raise RecordRefused(Cause.category_unknown, line)
    return category


def _values(attribute: etree._Element, record: RawRecord) -> list[str]:
    """The values of one attribute, tidied, without the empty ones. Raises RecordRefused."""
    found = []
    for value in attribute:
        text = value.text
        if not text:
            continue
        if not (text.isascii() and text.isprintable()):
            if damaged(text):
                raise RecordRefused(Cause.character_forbidden, record.line, record)
            text = tidy(text)
        elif text[0] == " " or text[-1] == " " or "  " in text:
            text = tidy(text)
        if len(value) or len(text) > ATTRIBUTE_MAX:
            raise RecordRefused(Cause.value_too_long if len(text) > ATTRIBUTE_MAX else Cause.record_malformed, record.line, record)
        if text:
            found.append(text)
    return found


def _is_key(record: RawRecord) -> bool:
    """Ids of people and structures are numbers; those of nomenclatures may hold letters (aaf.md section 3)."""
    text = record.id
    if record.category in (Category.MEF, Category.SUBJECT):
        return 0 < len(text) <= 16 and text.isascii() and text.isalnum()
    return 0 < len(text) <= 10 and text.isascii() and text.isdigit()
