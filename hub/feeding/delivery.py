"""A delivery on disk: which files, of which degree, academy and date, in which order (aaf.md 1.5, 1.6, 2)."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from backends import Degree

from ..errors import Refusal
from .records import Category, Generation
from .report import Cause, Report
from .rights import header_generation
from .xml import Source, inspect, label

_NAME = re.compile(r"(?P<stem>.*?)_(?P<date>\d*)_?(?P<category>[A-Za-z]+)_(?P<number>\d{4})\.xml", re.IGNORECASE)
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz")


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


def open_delivery(path: Path | Sequence[Path], report: Report, exported_on: date | None = None) -> Delivery:
    """Look at every file and put them in order; ``exported_on`` dates what does not say its day.

    Raises Refusal for what is no complete AAF export, or is more than one.
    """
    paths = _paths([path] if isinstance(path, Path) else path, report)
    sources = _distinct([inspect(found) for found in paths], report)
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
    days = {degree: _date(degree, files, named, exported_on) for degree in Degree if any(file.degree is degree for file in files)}
    gaps = _gaps([source.name for source in sources])
    for gap in gaps:
        report.note(Cause.sequence_gap, gap)
    return Delivery(tuple(files), _academy(sources), days, gaps)


def _paths(given: Iterable[Path], report: Report) -> list[Path]:
    """The XML files, folders searched, by name. An archive, a delta, a GPEI or GAR file is refused by its name.

    Links and special files are never read; hidden files are those of other programs.
    """
    found = [path for top in given for path in _inside(top)]
    plain = [path for path in found if path.is_file() and not path.is_symlink() and not path.name.startswith(".")]
    for path in plain:
        if path.suffix.lower() in _ARCHIVES:
            raise Refusal(f"{label(path)}: archive: not accepted yet by this version; unpack it and give the folder")
    files = [path for path in plain if path.suffix.lower() == ".xml"]
    for path in found:
        if path not in files:
            report.note(Cause.file_ignored, label(path))
    if not files:
        raise Refusal("no .xml file in the delivery")
    for path in files:
        _refuse_by_name(path)
    return files


def _refuse_by_name(path: Path) -> None:
    """Neighbouring formats and deltas, told by a word of the name."""
    words = re.split(r"[^A-Z]+", path.name.upper())
    for other in ("GPEI", "GAR"):
        if other in words:
            raise Refusal(f"{label(path)}: a {other} export is not an AAF delivery; nothing was changed")
    if "DELTA" in words:
        raise Refusal(f"{label(path)}: delta: not accepted yet by this version")


def _inside(top: Path) -> list[Path]:
    if top.is_dir():
        walk = [(Path(folder), folders, names) for folder, folders, names in os.walk(top, onerror=_unreadable)]
        links = [folder / name for folder, folders, _ in walk for name in folders if (folder / name).is_symlink()]
        return sorted([*links, *(folder / name for folder, _, names in walk for name in names)])
    if not top.exists():
        raise Refusal(f"{top}: no such file or folder")
    return [top]


def _unreadable(error: OSError) -> None:
    raise Refusal(f"{label(Path(str(error.filename)))}: cannot be read ({error.strerror}): nothing was changed") from None


def _distinct(sources: list[Source], report: Report) -> list[Source]:
    """Each content once. Only files of one size are compared."""
    by_size: defaultdict[int, list[Source]] = defaultdict(list)
    for source in sources:
        by_size[source.size].append(source)
    kept = []
    for same in by_size.values():
        seen: set[bytes] = set()
        for source in same:
            digest = _digest(source.path) if len(same) > 1 else b""
            if digest in seen:
                report.note(Cause.file_twice, source.name)
            else:
                kept.append(source)
            seen.add(digest)
    return kept


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


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


def _date(degree: Degree, files: list[File], named: dict[str, date], operator: date | None) -> date | None:
    """The day of the export: what headers and names say (aaf.md 1.5), else the operator.

    Raises Refusal when they do not agree, because two exports in one delivery bring back rights that were withdrawn, and for a day
    that has not come: every later export would be older.
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
    return day
