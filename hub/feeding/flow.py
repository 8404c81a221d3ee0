"""Feeding: an academy delivers its nightly export and the directory publishes it. One page, read from top to bottom.

``import_delivery`` is the list of DESIGN section 1. Deltas, archives and shrink thresholds have their place in it and are
refused by name until they come: a delta in ``open_delivery`` and ``stage``, a threshold in ``hold``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from backends import Degree, Directory, Features, Refused, Unavailable
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.feed import Feeding
from backends.sql.models import DirectoryBase
from backends.sql.rows import Change, DeliveryRow

from ..errors import Refusal
from . import rows
from .academies import academy_code
from .delivery import Delivery, File, open_delivery
from .idset import IdSets
from .reader import RecordRefused, read
from .records import Category, RawRecord
from .report import Cause, Place, Report
from .rights import contradicts, ties
from .rows import Built, Unusable

Progress = Callable[[int, int], None]
"""Called with the bytes read and the bytes to read."""


def feedable(directory: Directory) -> SqlDirectory:
    """The directory, or the one among its sources, into which deliveries may be published. Raises Refusal."""
    if isinstance(directory, SqlDirectory) and Features.FEEDING in directory.features:
        return directory
    for source in directory.sources().values():
        try:
            return feedable(source)
        except Refusal:
            continue
    raise Refusal("only the `sql` directory can be fed: see PREAU_DIRECTORY")


def import_delivery(
    path: Path | Sequence[Path],
    directory: SqlDirectory,
    *,
    feed: str | None = None,
    academy: str | None = None,
    exported_on: date | None = None,
    new_feed: bool = False,
    accept_gap: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Publish a complete export: a folder, a file or several files.

    ``academy`` is the code of the academy, read from the headers by default; ``feed`` names the feed, the academy's code
    by default; ``exported_on`` dates files that do not say their day; ``new_feed`` accepts a second feed of an academy,
    ``accept_gap`` a sequence of files with a number missing.

    Raises Refusal, nothing changed, when the delivery is hostile, broken, or must be seen by a human.
    """
    report = Report()
    delivery = open_delivery(path, report, exported_on)
    check_sequence(delivery, accept_gap=accept_gap)
    report.academy = which_academy(delivery, academy)
    report.feed = which_feed(feed, report.academy)
    try:
        with directory.feeding(report.feed, report.academy) as feeding:
            check_feed(feeding, new_feed=new_feed)
            check_dates(delivery, feeding)
            stage(delivery, feeding, report, progress)
            cross_check(delivery, feeding, report)
            changes = feeding.publish(_remembered(delivery), partial(hold, delivery, feeding, new_feed))
    except Unavailable as exc:
        raise Refusal(f"the directory does not answer or is busy ({exc}): nothing was changed, try again later") from exc
    except Refused as exc:
        raise Refusal(f"{exc}; nothing was changed") from exc
    _count(changes, report)
    report.published = True
    return report


def check(path: Path | Sequence[Path], *, academy: str | None = None, progress: Progress | None = None) -> Report:
    """What an import into an empty directory would say; the real directory is neither read nor written. Raises Refusal."""
    report = Report()
    delivery = open_delivery(path, report)
    report.academy = which_academy(delivery, academy) if academy or delivery.academy else ""
    with tempfile.TemporaryDirectory(prefix="preau-check-") as folder:
        directory = SqlDirectory(create_directory_engine(f"sqlite:///{folder}/directory.sqlite"))
        try:
            DirectoryBase.metadata.create_all(directory.engine)
            with directory.feeding("check", report.academy) as feeding:
                stage(delivery, feeding, report, progress)
                cross_check(delivery, feeding, report)
        finally:
            directory.close()
    return report


# The steps, in order ----------------------------------------------------------------------------------------------------


def which_academy(delivery: Delivery, said: str | None) -> str:
    """The two-digit code: what the operator says and what the headers say must agree (IM-05)."""
    code = academy_code(said) if said else delivery.academy
    if said and code is None:
        raise Refusal(f"{said!r} is no academy code")
    if code is None:
        raise Refusal("the files do not say their academy: give it with --academy")
    if delivery.academy and delivery.academy != code:
        raise Refusal(f"the files come from academy {delivery.academy}, not {code}: nothing was changed")
    return code


def check_sequence(delivery: Delivery, *, accept_gap: bool) -> None:
    """A complete with a file missing would end everybody of that file."""
    if delivery.gaps and not accept_gap:
        raise Refusal(
            f"held for a human, nothing was changed: a number is missing in the files {delivery.gaps[0]}_*; "
            "if the delivery is whole all the same, say --accept-gap"
        )


def which_feed(said: str | None, academy: str) -> str:
    """The name of the feed, by default the code of the academy."""
    name = said or academy
    if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum() and len(name) <= 32):
        raise Refusal(f"{name!r} is no feed name: letters, digits, - and _, 32 at most")
    return name


def check_feed(feeding: Feeding, *, new_feed: bool) -> None:
    """A feed belongs to one academy for ever; a second feed of an academy would double its people, so it is asked for by name."""
    owner = feeding.published_academy()
    if owner is not None and owner != feeding.academy:
        raise Refusal(f"feed {feeding.feed!r} belongs to academy {owner}, not {feeding.academy}: nothing was changed")
    others = feeding.feeds_of_academy()
    if owner is None and others and not new_feed:
        raise Refusal(
            f"academy {feeding.academy} is fed as {others[0]!r}; under the name {feeding.feed!r} everybody of this delivery would be there "
            "twice. Nothing was changed; if it is really another feed, say --new-feed"
        )


def check_dates(delivery: Delivery, feeding: Feeding) -> None:
    """A complete older than the published one, or of an unknown day, would bring back rights that were withdrawn."""
    for degree, exported_on in delivery.dates.items():
        last = feeding.delivered(degree.value)
        if last is None or last.exported_on is None:
            continue
        if exported_on is None:
            raise Refusal(
                f"{degree.value}: the files do not say their day, and an export of {last.exported_on} is published: give it with --date; "
                "nothing was changed"
            )
        if exported_on < last.exported_on:
            raise Refusal(f"{degree.value}: this export of {exported_on} is older than the published one of {last.exported_on}")


def stage(delivery: Delivery, feeding: Feeding, report: Report, progress: Progress | None) -> None:
    """Stream every record, normalise it, put it aside. Memory does not grow with the delivery."""
    seen, done = IdSets(), 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        if progress:
            progress(min(done, delivery.size), delivery.size)

    for number, file in enumerate(delivery.files):
        raw: RawRecord | RecordRefused | None = None
        for raw in read(file.source, file.degree, report, advance):
            if isinstance(raw, RecordRefused):
                refuse(raw.cause, raw.line, raw.record, file, feeding, report)
                for category, id_ in raw.keys:
                    feeding.keep(category.table, file.degree.value, id_)
            else:
                stage_record(raw, file, number, seen, feeding, report)
        if raw is None:
            report.note(Cause.file_empty, file.source.name)
    if not report.counts:
        raise Refusal("the delivery holds no record: nothing was changed")
    feeding.complete()


def stage_record(raw: RawRecord, file: File, number: int, seen: IdSets, feeding: Feeding, report: Report) -> None:
    """Normalise one record and stage it; of several usable ones with one key, the first.

    Raises Refusal when its relation codes contradict the header.
    """
    try:
        built = build(raw, file.degree, feeding.academy)
    except Unusable as unusable:
        refuse(unusable.cause, raw.line, raw, file, feeding, report)
        return
    if built.ties and contradicts(file.generation, built.ties):
        raise Refusal(
            f"{file.source.name}, line {raw.line}: relation codes of another generation than the header announces "
            f"({file.generation.value if file.generation else ''}): held for a human, nothing was changed"
        )
    if not seen.add(file.degree, raw.category, raw.id):
        if built.row is not None:
            feeding.repeat(built.row, built.parts, file=number, line=raw.line)
        refuse(Cause.record_duplicate, raw.line, raw, file, feeding, report)
        return
    counts = report.count(file.degree.value, raw.category.table)
    counts.read += 1
    for cause in built.anomalies:
        report.note(cause, file.source.name, raw.line, raw.category.value, raw.id)
    if built.row is None:
        counts.skipped += 1
    else:
        feeding.add(built.row, built.parts, file=number, line=raw.line)


def build(raw: RawRecord, degree: Degree, academy: str) -> Built:
    """The rows of a record, by its category."""
    match raw.category:
        case Category.STUDENT:
            return rows.student(raw, degree)
        case Category.GUARDIAN:
            return rows.guardian(raw, degree)
        case Category.STAFF:
            return rows.staff(raw, degree)
        case Category.SCHOOL:
            return rows.school(raw, degree, academy)
        case Category.MEF:
            return rows.mef(raw, degree)
        case Category.SUBJECT:
            return Built(None)


def refuse(cause: Cause, line: int, record: RawRecord | None, file: File, feeding: Feeding, report: Report) -> None:
    """Leave one record out with its line; what is published under its key stays, but no right that it no longer states."""
    if record is None:
        report.count(file.degree.value, "other").read += 1
        report.count(file.degree.value, "other").refused += 1
        report.note(cause, file.source.name, line)
        return
    counts = report.count(file.degree.value, record.category.table)
    counts.read += 1
    counts.refused += 1
    report.note(cause, file.source.name, line, record.category.value, record.id[:32] if record.id.isprintable() else "")
    if cause is Cause.id_unreadable:
        return
    feeding.keep(record.category.table, file.degree.value, record.id)
    if record.category is Category.STUDENT and "relatives" not in record.damaged:
        links = ties(file.degree, record.all("relatives")).links
        feeding.keep_rights(file.degree.value, record.id, {link.guardian: link.capacity.value for link in links if link.capacity})


def cross_check(delivery: Delivery, feeding: Feeding, report: Report) -> None:
    """What only the whole delivery shows: foreign schools, absent relatives, one INE for two.

    Raises Refusal when two files contradict each other: nobody knows which one is today's.
    """
    for first, second in feeding.contradictions():
        one, two = (delivery.files[origin.file].source.name for origin in (first, second))
        raise Refusal(
            f"{first.category} {first.id} says one thing in {one}, line {first.line}, and another in {two}, line {second.line}: "
            "two exports in one delivery? Nothing was changed"
        )
    claimed = feeding.claim_schools()
    refused = feeding.refuse_foreign_students()
    for degree, number in refused.by_degree.items():
        report.count(degree, "student").refused += number
    named = {category.table: category.value for category in Category}
    for name, found in (("school_of_other_feed", claimed), ("school_of_other_academy", refused), *feeding.findings()):
        places = [Place(delivery.files[o.file].source.name, o.line, named[o.category], o.id) for o in found.first]
        report.note_all(Cause[name], found.total, places)


def hold(delivery: Delivery, feeding: Feeding, new_feed: bool, changes: Sequence[Change]) -> None:
    """The last look, alone with the feed: an emptied category never means that everybody left (IM-09, IM-13).

    Owner and date are looked at again, because another import may have been published meanwhile.
    """
    check_feed(feeding, new_feed=new_feed)
    check_dates(delivery, feeding)
    degrees = {file.degree.value for file in delivery.files}
    emptied = [c for c in changes if c.degree in degrees and c.published and not c.delivered]
    if emptied:
        names = ", ".join(f"{c.category} {c.degree} ({c.published} published)" for c in emptied)
        raise Refusal(f"held for a human, nothing was changed: the delivery has no record of {names}")


def _remembered(delivery: Delivery) -> list[DeliveryRow]:
    return [DeliveryRow(degree.value, day, *delivery.versions(degree)) for degree, day in delivery.dates.items()]


def _count(changes: Sequence[Change], report: Report) -> None:
    for change in changes:
        if change.delivered or change.ended:
            counts = report.count(change.degree, change.category)
            counts.created, counts.changed, counts.ended, counts.unchanged = change.created, change.changed, change.ended, change.unchanged
