"""Records out of a file: each request becomes one :class:`RawRecord`, read in one pass over its elements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lxml import etree

from backends import Degree
from backends.sdet.causes import Cause
from backends.sdet.normalise import damaged, tidy
from backends.sdet.records import ATTRIBUTE_MAX, ONLY_PRIMARY, ONLY_SECONDARY, Category, DeliveryKind, Operation, RawRecord, meanings

from ..errors import Refusal
from .report import Report
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
    """One record is left out and the rest goes on. ``record`` is what could be read of it, None when that is nothing.

    ``keys`` are the records that it may have been about: what is published of them stays.
    """

    def __init__(self, cause: Cause, line: int, record: RawRecord | None = None, keys: Sequence[tuple[Category, str]] = ()) -> None:
        super().__init__(cause.name)
        self.cause = cause
        self.line = line
        self.record = record
        self.keys = keys


class _Damaged(Exception):
    """A value that cannot be used, with the cause."""


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
            yield refused


def _record(element: etree._Element, operation: Operation, source: Source, degree: Degree, report: Report) -> RawRecord:
    line = line_of(element)
    try:
        operational, identifier, *rest = element
    except ValueError:
        raise RecordRefused(Cause.record_malformed, line, keys=_keys(element)) from None
    if operational.tag != "operationalAttributes" or identifier.tag != "identifier":
        raise RecordRefused(Cause.record_malformed, line, keys=_keys(element))
    if [part.tag for part in rest] != ([_BODY[operation]] if operation in _BODY else []):
        raise RecordRefused(Cause.record_malformed, line, keys=_keys(element))
    category = _category(element, source, line)
    record = RawRecord(category, (identifier[0].text or "").strip() if len(identifier) else "", line, {}, operation)
    if not _is_key(category, record.id):
        raise RecordRefused(Cause.id_unreadable, line, record)
    attributes = rest[0] if rest else ()
    if operation is Operation.MODIFY and any(attribute.get("operation") != "replace" for attribute in attributes):
        raise RecordRefused(Cause.modification_unknown, line, record)
    _read_attributes(attributes, record, source, degree, report)
    return record


def _read_attributes(attributes: Iterable[etree._Element], record: RawRecord, source: Source, degree: Degree, report: Report) -> None:
    """Fill the values of a record; raises RecordRefused in the end, when some could not be used."""
    values, modifies = record.values, record.operation is Operation.MODIFY
    known = meanings(record.category, degree)
    damage: Cause | None = None
    for attribute in attributes:
        meaning = known.get(attribute.get("name", ""))
        if meaning:
            try:
                found = _values(attribute)
            except _Damaged as damaged_value:
                damage = damage or damaged_value.args[0]
                record.damaged.add(meaning)
                continue
            if meaning not in values or not values[meaning]:
                if found or modifies:
                    values[meaning] = found
            elif found and _is_written_twice(attribute.get("name", ""), attributes):
                report.note(Cause.attribute_twice, source.name, record.line, record.category.value, record.id)
                values[meaning] += found
        elif meaning is None:
            _unknown(attribute.get("name", ""), record, source, degree, report)
    if damage:
        raise RecordRefused(damage, record.line, record)


def _is_written_twice(name: str, attributes: Iterable[etree._Element]) -> bool:
    return sum(attribute.get("name") == name for attribute in attributes) > 1


def _keys(request: etree._Element) -> list[tuple[Category, str]]:
    """Which records a malformed request may be about: its number, in its category or else in all of that family."""
    id_ = (request.findtext("identifier/id") or "").strip()
    word = (request.findtext("operationalAttributes/attr/value") or "").strip()
    attribute = request.find("operationalAttributes/attr")
    family = attribute.get("name") if attribute is not None else None
    categories = [_CATEGORIES[word]] if word in _CATEGORIES else [c for c, its in _FAMILIES.items() if its == family]
    return [(category, id_) for category in categories if _is_key(category, id_)]


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


def _category(request: etree._Element, source: Source, line: int) -> Category:
    operational = request[0]
    try:
        word, family = (operational[0][0].text or "").strip(), operational[0].get("name")
    except IndexError:
        raise RecordRefused(Cause.record_malformed, line, keys=_keys(request)) from None
    category = _CATEGORIES.get(word)
    if category is not None and family == _FAMILIES[category]:
        return category
    if word == "InfosEducNat":
        raise Refusal(f"{source.name}: a GPEI export is not an AAF delivery; nothing was changed")
    raise RecordRefused(Cause.category_unknown, line, keys=_keys(request))


def _values(attribute: etree._Element) -> list[str]:
    """The values of one attribute, tidied, without the empty ones. Raises _Damaged."""
    found = []
    for value in (attribute[0],) if len(attribute) == 1 else attribute:  # one value is the usual case, and quicker by its index
        text = value.text
        if not text:
            continue
        if len(text) > ATTRIBUTE_MAX or len(value):
            raise _Damaged(Cause.record_malformed if len(value) else Cause.value_too_long)
        if not (text.isascii() and text.isprintable()) or "  " in text:
            if damaged(text):
                raise _Damaged(Cause.character_forbidden)
            text = tidy(text)
        if text := text.strip():
            found.append(text)
    return found


def _is_key(category: Category, text: str) -> bool:
    """Ids of people and structures are numbers; those of nomenclatures may hold letters (aaf.md section 3)."""
    if category in (Category.MEF, Category.SUBJECT):
        return 0 < len(text) <= 16 and text.isascii() and text.isalnum()
    return 0 < len(text) <= 10 and text.isascii() and text.isdigit()
