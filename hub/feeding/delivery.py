"""A delivery on disk: which files, of which kind, degree, academy and date, in which order (aaf.md 1.5, 1.6, 2)."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from backends import Degree
from backends.sdet.causes import Cause
from backends.sdet.records import Category, DeliveryKind, Generation
from backends.sdet.rights import header_generation

from ..errors import Refusal
from .packing import Entry, Limits, unpack
from .report import Report
from .xml import CHUNK, Source, inspect

_NAME = re.compile(r"(?P<stem>.*?)_(?P<date>\d*)_?(?P<category>[A-Za-z]+)_(?P<number>\d{4})\.xml", re.IGNORECASE)
_KINDS = {"COMPLET": DeliveryKind.COMPLETE, "DELTA": DeliveryKind.DELTA}


@dataclass(frozen=True, slots=True)
class File:
    """A file of the delivery with the degree that its records have."""

    source: Source
    degree: Degree
    generation: Generation | None
    """Table of relation codes that its header announces."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The files in the order of import."""

    files: tuple[File, ...]
    kind: DeliveryKind
    academy: str | None
    """Two-digit code said by the headers."""
    dates: dict[Degree, date | None]
    """Date of the export for each degree."""
    gaps: tuple[str, ...] = ()
    """Numbered files of which one in the sequence is missing: beginnings of their names."""

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(file.source.size for file in self.files)

    def versions(self, degree: Degree) -> tuple[str, str]:
        """versionAF and versionSDET of that degree, empty when no header says them."""
        headers = [file.source.header for file in self.files if file.degree is degree and file.source.header.present]
        return (headers[0].version_af, headers[0].version_sdet) if headers else ("", "")


@contextmanager
def open_delivery(
    path: Path | Sequence[Path],
    report: Report,
    *,
    kind: DeliveryKind | None = None,
    exported_on: date | None = None,
    limits: Limits | None = None,
) -> Iterator[Delivery]:
    """Look at every file and put them in order; the files can be read until the context is left.

    ``kind`` is what the operator says: needed when no name says it, or when names say both. ``exported_on`` dates what does not
    say its day. Raises Refusal for what is no AAF export, hostile, or more than one export.
    """
    with unpack([path] if isinstance(path, Path) else path, limits or Limits()) as entries:
        yield _delivery(_xml_files(entries, report), kind, exported_on, report)


def _delivery(entries: list[Entry], said: DeliveryKind | None, exported_on: date | None, report: Report) -> Delivery:
    for entry in entries:
        _refuse_look_alikes(entry)
    kind = _kind(entries, said)
    sources = _distinct([inspect(entry) for entry in entries], report)
    for source in sources:
        for cause in source.anomalies:
            report.note(cause, source.name)
    named = _check_names([source.name for source in sources], report)
    degrees = {source.degree for source in sources if source.degree}
    if len(degrees) > 1:
        report.note(Cause.degrees_mixed, sources[0].name)
    files = [_file(source, degrees, sources) for source in sources]
    _refuse_namesakes(files)
    files.sort(key=lambda file: (file.source.category.rank if file.source.category else len(Category), file.source.name))
    report.files = [file.source.name for file in files]
    days = {degree: _date(degree, files, named, kind, exported_on) for degree in Degree if any(file.degree is degree for file in files)}
    report.kind, report.dates = kind.value, {degree.value: day for degree, day in days.items()}
    gaps = _gaps([source.name for source in sources])
    for gap in gaps:
        report.note(Cause.sequence_gap, gap)
    return Delivery(tuple(files), kind, _academy(sources), days, gaps)


def _xml_files(entries: list[Entry], report: Report) -> list[Entry]:
    files = [entry for entry in entries if entry.open and entry.path.lower().endswith(".xml")]
    for entry in entries:
        if entry not in files:
            report.note(Cause.file_ignored, entry.name)
    if not files:
        raise Refusal("no .xml file in the delivery")
    return files


def _words(text: str) -> list[str]:
    return re.split(r"[^A-Z]+", text.upper())


def _refuse_look_alikes(entry: Entry) -> None:
    """Neighbouring formats, told by a word of the name (aaf.md section 6)."""
    for other in ("GPEI", "GAR"):
        if other in _words(entry.name):
            raise Refusal(f"{entry.name}: a {other} export is not an AAF delivery; nothing was changed")


def _kind(entries: list[Entry], said: DeliveryKind | None) -> DeliveryKind:
    """What the names of the files say, else those of the archive or folder, else the operator (aaf.md 1.5)."""

    def told(names: Iterable[str]) -> set[DeliveryKind]:
        return {_KINDS[word] for name in names for word in _words(name) if word in _KINDS}

    found = told(entry.name for entry in entries) or told(entry.path for entry in entries)
    if len(found) == 1:
        (only,) = found
        if said and said is not only:
            raise Refusal(f"the names of the files say {only.value}, not {said.value}: nothing was changed")
        return only
    if said is None:
        why = "complete and delta are mixed" if found else "no name says whether this is a complete or a delta"
        named = next((entry.name for entry in entries if told([entry.name]) == {DeliveryKind.DELTA}), entries[0].name)
        raise Refusal(f"{named}: {why}: say --kind complete or --kind delta; nothing was changed")
    return said


def _distinct(sources: list[Source], report: Report) -> list[Source]:
    """Each content once. Only files of one size are compared."""
    by_size: defaultdict[int, list[Source]] = defaultdict(list)
    for source in sources:
        by_size[source.size].append(source)
    kept = []
    for same in by_size.values():
        seen: set[bytes] = set()
        for source in same:
            digest = _digest(source) if len(same) > 1 else b""
            if digest in seen:
                report.note(Cause.file_twice, source.name)
            else:
                kept.append(source)
            seen.add(digest)
    return kept


def _digest(source: Source) -> bytes:
    digest = hashlib.sha256()
    with source.entry.stream() as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()


def _file(source: Source, degrees: set[Degree], sources: list[Source]) -> File:
    degree = source.degree or (next(iter(degrees)) if len(degrees) == 1 else None)
    if degree is None and source.category is None:
        degree = Degree.SECONDARY  # no record in sight; should there be one, this degree grants the least
    if degree is None:
        raise Refusal(f"{source.name}: neither its header nor its records say whether it is first or second degree")
    headers = [source.header, *(other.header for other in sources if other.degree is degree)]
    generations = (header_generation(header) for header in headers)
    return File(source, degree, next((generation for generation in generations if generation), None))


def _academy(sources: list[Source]) -> str | None:
    academies = sorted({source.header.academy for source in sources if source.header.academy})
    if len(academies) > 1:
        raise Refusal(f"files of several academies ({', '.join(academies)}): import the folder of each one by itself")
    return academies[0] if academies else None


def _refuse_namesakes(files: list[File]) -> None:
    """One name twice in one degree, with other content: two exports, or two academies, in one folder. Raises Refusal."""
    for (_, name), number in Counter((file.degree, file.source.name) for file in files).items():
        if number > 1:
            raise Refusal(f"{name}: {number} files with that name and different content in one delivery; nothing was changed")


def _check_names(names: Iterable[str], report: Report) -> dict[str, date]:
    """Well-formed dates of the names, by name; malformed ones are reported (case 21)."""
    dates: dict[str, date] = {}
    for name in names:
        parts = _NAME.fullmatch(name)
        if parts and parts["date"]:
            try:
                dates[name] = date.fromisoformat(parts["date"]) if len(parts["date"]) == 8 else _no_date()
            except ValueError:
                report.note(Cause.file_date_malformed, name)
    return dates


def _gaps(names: Iterable[str]) -> tuple[str, ...]:
    """Sequences of numbered files in which a number is missing (case 24)."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for name in names:
        if parts := _NAME.fullmatch(name):
            numbers[f"{parts['stem']}_{parts['date']}_{parts['category']}"].add(int(parts["number"]))
    return tuple(sequence for sequence, found in numbers.items() if len(found) <= max(found) - min(found))


def _no_date() -> date:
    raise ValueError("eight digits expected")


def _date(degree: Degree, files: list[File], named: dict[str, date], kind: DeliveryKind, operator: date | None) -> date | None:
    """The day of the export: what headers and names say (aaf.md 1.5), else the operator.

    Raises Refusal when they do not agree, because two exports in one delivery bring back rights that were withdrawn; for a day
    that has not come, because every later export would be older; for a delta without a day, because it cannot be put in order.
    """
    mine = [file.source for file in files if file.degree is degree]
    names = {named[source.name] for source in mine if source.name in named}
    headers = {source.header.exported_on for source in mine if source.header.exported_on}
    undated = {named[source.name] for source in mine if source.header.exported_on is None and source.name in named}
    days = headers | undated
    if operator and days <= {operator}:
        days = {operator}
    elif operator or len(days) > 1 or len(names) > 1:
        told = ", ".join(map(str, sorted(days | names))) + (f"; --date says {operator}" if operator else "")
        raise Refusal(f"{degree.value}: several days in one delivery ({told}): import one export at a time; nothing was changed")
    day = next(iter(days), None)
    if day and day > datetime.now(UTC).date() + timedelta(days=1):
        raise Refusal(f"{degree.value}: an export dated in the future ({day}); nothing was changed")
    if day is None and kind is DeliveryKind.DELTA:
        raise Refusal(f"{degree.value}: a delta without a date cannot be put in order: give it with --date; nothing was changed")
    return day
