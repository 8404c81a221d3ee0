"""Records out of a file: each request becomes one :class:`RawRecord`, read in one pass over its elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lxml import etree

from backends import Degree

from ..errors import Refusal
from .normalise import damaged, tidy
from .records import ATTRIBUTE_MAX, ONLY_PRIMARY, ONLY_SECONDARY, Category, DeliveryKind, Operation, RawRecord, meanings
from .report import Cause, Report
from .safety import Held
from .xml import Source, line_of, requests

_CATEGORIES = {category.value: category for category in Category}
_FAMILIES = {
    Category.STUDENT: "categoriePersonne", Category.GUARDIAN: "categoriePersonne", Category.STAFF: "categoriePersonne",
    Category.SCHOOL: "categorieStructure", Category.MEF: "categorieMef", Category.SUBJECT: "categorieMatiere",
}  # fmt: skip
_OPERATIONS = {operation.value: operation for operation in Operation}
_BODY = {Operation.ADD: "attributes", Operation.MODIFY: "modifications"}
_PERSONS = frozenset({Category.STUDENT, Category.GUARDIAN})


class RecordRefused(Exception):
    """One record is left out and the rest goes on. ``record`` is what could be read of it, None when that is nothing."""

    def __init__(self, cause: Cause, line: int, record: RawRecord | None = None) -> None:
        super().__init__(cause.name)
        self.cause = cause
        self.line = line
        self.record = record


def read(
    source: Source, degree: Degree, kind: DeliveryKind, report: Report, progress: Callable[[int], None]
) -> Iterator[RawRecord | RecordRefused]:
    """The requests of a file in its order; one that cannot be kept comes as the :class:`RecordRefused` that says why.

    Raises Refusal when the whole file must be refused: not well-formed, a delta among completes, a GPEI file, the wrong degree.
    """

    def strange(tag: str, line: int) -> None:
        report.note(Cause.operation_unknown, source.name, line)

    for element in requests(source, progress, strange):
        operation = _OPERATIONS[str(element.tag)]
        if operation is not Operation.ADD and kind is DeliveryKind.COMPLETE:
            raise Refusal(f"{source.name}, line {line_of(element)}: {element.tag} makes this a delta, not a complete; nothing was changed")
        try:
            yield _record(element, operation, source, degree, report)
        except RecordRefused as refused:
            _remember_school(element, refused.record)
            yield refused


def _remember_school(element: etree._Element, record: RawRecord | None) -> None:
    """A pupil who is left out still belongs to a school, whose report must say so, wherever the record was given up."""
    if record is not None and record.category is Category.STUDENT and "structure" not in record.values:
        for attribute in element[-1]:
            if attribute.get("name") == "ENTPersonStructRattach" and len(attribute):
                record.values["structure"] = [(attribute[0].text or "").strip()]


def _record(element: etree._Element, operation: Operation, source: Source, degree: Degree, report: Report) -> RawRecord:
    line = line_of(element)
    try:
        operational, identifier, *rest = element
    except ValueError:
        raise RecordRefused(Cause.record_malformed, line) from None
    if operational.tag != "operationalAttributes" or identifier.tag != "identifier":
        raise RecordRefused(Cause.record_malformed, line)
    if [part.tag for part in rest] != ([_BODY[operation]] if operation in _BODY else []):
        raise RecordRefused(Cause.record_malformed, line)
    category = _category(operational, source, line)
    values: dict[str, list[str]] = {}
    record = RawRecord(category, (identifier[0].text or "").strip() if len(identifier) else "", line, values, operation)
    if not _is_key(record):
        raise RecordRefused(Cause.id_unreadable, line, record)
    attributes = rest[0] if rest else ()
    modifies = operation is Operation.MODIFY
    if modifies and any(attribute.get("operation") != "replace" for attribute in attributes):
        raise RecordRefused(Cause.modification_unknown, line, record)
    known = meanings(category, degree)
    for attribute in attributes:
        meaning = known.get(attribute.get("name", ""))
        if meaning:
            found = _values(attribute, record)
            if (found or modifies) and (meaning not in values or not values[meaning]):
                values[meaning] = found
        elif meaning is None:
            _unknown(attribute.get("name", ""), record, source, degree, report)
    return record


def _unknown(name: str, record: RawRecord, source: Source, degree: Degree, report: Report) -> None:
    """Count an unknown attribute (IM-18). Raises Refusal when it shows that the file is not what its header says."""
    if record.category in _PERSONS and name in (ONLY_PRIMARY if degree is Degree.SECONDARY else ONLY_SECONDARY):
        raise Held(
            f"{source.name}, line {record.line}: attribute {name} does not belong to a {degree.value} file: "
            "held for a human, nothing was changed"
        )
    if name.startswith("GPEI"):
        raise Refusal(f"{source.name}: a GPEI export is not an AAF delivery; nothing was changed")
    report.unknown(record.category, name)


def _category(operational: etree._Element, source: Source, line: int) -> Category:
    try:
        word, family = (operational[0][0].text or "").strip(), operational[0].get("name")
    except IndexError:
        raise RecordRefused(Cause.record_malformed, line) from None
    category = _CATEGORIES.get(word)
    if category is not None and family == _FAMILIES[category]:
        return category
    if word == "InfosEducNat":
        raise Refusal(f"{source.name}: a GPEI export is not an AAF delivery; nothing was changed")
    raise RecordRefused(Cause.category_unknown, line)


def _values(attribute: etree._Element, record: RawRecord) -> list[str]:
    """The values of one attribute, tidied, without the empty ones. Raises RecordRefused."""
    found = []
    for value in (attribute[0],) if len(attribute) == 1 else attribute:  # one value is the usual case, and quicker by its index
        text = value.text
        if not text:
            continue
        if len(text) > ATTRIBUTE_MAX or len(value):
            raise RecordRefused(Cause.record_malformed if len(value) else Cause.value_too_long, record.line, record)
        if not (text.isascii() and text.isprintable()) or "  " in text:
            if damaged(text):
                raise RecordRefused(Cause.character_forbidden, record.line, record)
            text = tidy(text)
        if text := text.strip():
            found.append(text)
    return found


def _is_key(record: RawRecord) -> bool:
    """Ids of people and structures are numbers; those of nomenclatures may hold letters (aaf.md section 3)."""
    text = record.id
    if record.category in (Category.MEF, Category.SUBJECT):
        return 0 < len(text) <= 16 and text.isascii() and text.isalnum()
    return 0 < len(text) <= 10 and text.isascii() and text.isdigit()
