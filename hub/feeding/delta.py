"""A delta applied on what is published, request after request (aaf.md section 2).

A record that a request adds or modifies is staged whole, as a complete would have said it: what the modification does not
list comes from what is published, or from an earlier request of the same delta.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice

from backends.sdet.causes import Cause
from backends.sdet.records import Category, Operation, RawRecord
from backends.sql.feed import Feeding

from .delivery import File
from .idset import IdSets
from .reader import RecordRefused
from .report import Report

CHUNK = 500
"""Requests for which the published records are looked up at once."""

_NO_PERSON = frozenset({Category.SCHOOL, Category.MEF, Category.SUBJECT})

Stage = Callable[[RawRecord], None]
Refuse = Callable[[RecordRefused], None]


def apply(
    requests: Iterable[RawRecord | RecordRefused], file: File, feeding: Feeding, seen: IdSets, report: Report, stage: Stage, refuse: Refuse
) -> Iterator[None]:
    """Carry out the requests of a file in their order; ``stage`` takes a whole record, ``refuse`` one that is left out.

    ``seen`` remembers which records an earlier request of the delta was about. Yields after each request.
    """
    pending = iter(requests)
    while chunk := list(islice(pending, CHUNK)):
        published = _published(chunk, file, feeding)
        for request in chunk:
            if isinstance(request, RecordRefused):
                refuse(request)
            else:
                _apply(request, published, file, feeding, seen, report, stage, refuse)
            yield


def _published(chunk: list[RawRecord | RecordRefused], file: File, feeding: Feeding) -> dict[tuple[Category, str], str]:
    """What was said of the published records that the chunk is about."""
    records = sorted((r for r in chunk if isinstance(r, RawRecord) and r.category is not Category.SUBJECT), key=lambda r: r.category.rank)
    found: dict[tuple[Category, str], str] = {}
    for category, group in groupby(records, key=lambda r: r.category):
        sources = feeding.sources(category.table, file.degree.value, {record.id for record in group})
        found |= {(category, id_): source for id_, source in sources.items()}
    return found


def _apply(
    raw: RawRecord, published: dict[tuple[Category, str], str], file: File, feeding: Feeding, seen: IdSets, report: Report, stage: Stage,
    refuse: Refuse,
) -> None:  # fmt: skip
    def note(cause: Cause) -> None:
        if raw.category is Category.STAFF:
            return  # most agents are not kept: an unknown one is no surprise
        report.note(cause, file.source.name, raw.line, raw.category.value, raw.id)

    if raw.category is Category.SUBJECT:
        stage(raw)
        return
    known = published.get((raw.category, raw.id))
    if not seen.add(file.degree, raw.category, raw.id):
        staged, removed = feeding.take_back(raw.category.table, file.degree.value, raw.id)
        known = staged if staged is not None else None if removed else known
    if raw.operation is Operation.DELETE:
        counts = report.count(file.degree.value, raw.category.table)
        counts.read += 1
        if raw.category in _NO_PERSON:
            note(Cause.delete_structure)
            return
        if known is None:
            note(Cause.delete_unknown)
        feeding.remove(raw.category.table, file.degree.value, raw.id)
    elif raw.operation is Operation.MODIFY and known is not None:
        if not known:
            refuse(RecordRefused(Cause.source_unknown, raw.line, raw))
            return
        stage(raw.applied(known))
    else:
        if raw.operation is Operation.MODIFY:
            note(Cause.modify_unknown)
        elif known is not None and raw.category not in _NO_PERSON:
            note(Cause.add_known)
        stage(raw.applied(""))
