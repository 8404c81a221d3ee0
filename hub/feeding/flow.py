"""Feeding: an academy delivers its nightly export and the directory publishes it. One page, read from top to bottom.

``import_delivery`` is the list of DESIGN section 1, for a complete and for a delta.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from backends import Degree, Directory, Features, Refused, Unavailable
from backends.sdet import rows
from backends.sdet.academies import academy_code
from backends.sdet.causes import Cause
from backends.sdet.records import Category, DeliveryKind, Operation, RawRecord
from backends.sdet.rights import contradicts, ties
from backends.sdet.rows import Built, Unusable
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.feed import Feeding
from backends.sql.models import DirectoryBase
from backends.sql.rows import Change, DeliveryRow

from ..errors import Refusal
from . import delta
from .delivery import Delivery, File, open_delivery
from .idset import IdSets
from .reader import RecordRefused, read
from .report import Outcome, Place, Report
from .safety import Busy, Held, Policy, doubts

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
    kind: DeliveryKind | None = None,
    exported_on: date | None = None,
    new_feed: bool = False,
    accept_gap: bool = False,
    accept_shrink: bool = False,
    policy: Policy | None = None,
    progress: Progress | None = None,
    report: Report | None = None,
) -> Report:
    """Publish an export: a folder, an archive, a file or several of them.

    ``academy`` is the code of the academy, read from the headers by default; ``feed`` names the feed, the academy's code
    by default; ``kind`` is needed when no name says it; ``exported_on`` dates files that do not say their day; ``new_feed`` accepts
    a second feed of an academy, ``accept_gap`` a sequence of files with a number missing, ``accept_shrink`` what :func:`hold` holds.
    ``report`` is filled as far as the import goes. Raises Refusal, nothing changed, when the delivery is hostile, broken, out of
    order, or must be seen by a human.
    """
    report, policy = report or Report(), policy or Policy()
    try:
        with open_delivery(path, report, kind=kind, exported_on=exported_on, limits=policy.limits) as delivery:
            check_sequence(delivery, accept_gap=accept_gap)
            report.academy = which_academy(delivery, academy)
            report.feed = which_feed(feed, report.academy)
            with directory.feeding(report.feed, report.academy, delta=delivery.kind is DeliveryKind.DELTA) as feeding:
                check_feed(feeding, new_feed=new_feed)
                check_dates(delivery, feeding, report)
                stage(delivery, feeding, report, progress)
                cross_check(delivery, feeding, report)
                count_schools(feeding, report)
                changes = feeding.publish(_remembered(delivery, feeding), partial(hold, delivery, feeding, policy, accept_shrink))
    except Unavailable as exc:
        raise Busy(f"the directory does not answer or is busy ({exc}): nothing was changed, try again later") from exc
    except Refused as exc:
        raise Refusal(f"{exc}; nothing was changed") from exc
    _count(changes, report)
    report.outcome = Outcome.PUBLISHED
    return report


def check(
    path: Path | Sequence[Path],
    *,
    academy: str | None = None,
    kind: DeliveryKind | None = None,
    policy: Policy | None = None,
    progress: Progress | None = None,
) -> Report:
    """What an import into an empty directory would say; the real directory is neither read nor written. Raises Refusal."""
    report = Report()
    with (
        open_delivery(path, report, kind=kind, limits=(policy or Policy()).limits) as delivery,
        tempfile.TemporaryDirectory(prefix="preau-check-") as folder,
    ):
        report.academy = which_academy(delivery, academy) if academy or delivery.academy else ""
        directory = SqlDirectory(create_directory_engine(f"sqlite:///{folder}/directory.sqlite"))
        try:
            DirectoryBase.metadata.create_all(directory.engine)
            with directory.feeding("check", report.academy, delta=delivery.kind is DeliveryKind.DELTA) as feeding:
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
    """A complete with a file missing would end everybody of that file, and what a file of a delta says would be lost."""
    if delivery.gaps and not accept_gap:
        raise Held(
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


def check_dates(delivery: Delivery, feeding: Feeding, report: Report) -> None:
    """Time only goes forward: an export that is older, or of an unknown day, would bring back rights that were withdrawn."""
    for degree, exported_on in delivery.dates.items():
        last = feeding.delivered(degree.value)
        if last is None and delivery.kind is DeliveryKind.DELTA:
            raise Refusal(f"{degree.value}: a delta needs a published complete: feed {feeding.feed!r} has none yet")
        if last is None or last.exported_on is None:
            continue
        if exported_on is None:
            raise Refusal(
                f"{degree.value}: the files do not say their day, and an export of {last.exported_on} is published: give it with --date; "
                "nothing was changed"
            )
        if exported_on < last.exported_on:
            raise Refusal(
                f"{degree.value}: out of order: received the export of {exported_on}, expected one of {last.exported_on} or later: "
                "an older one is not published over a newer one"
            )
        if delivery.kind is DeliveryKind.DELTA and (exported_on - last.exported_on).days > 1:
            report.note(Cause.delta_gap, f"{last.exported_on} .. {exported_on}")


def stage(delivery: Delivery, feeding: Feeding, report: Report, progress: Progress | None) -> None:
    """Stream every record, normalise it, put it aside. Memory does not grow with the delivery."""
    seen, done = IdSets(), 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        if progress:
            progress(min(done, delivery.size), delivery.size)

    for number, file in enumerate(delivery.files):
        stage_whole = partial(stage_record, file=file, number=number, seen=seen, feeding=feeding, report=report)
        leave_out = partial(_leave_out, file=file, feeding=feeding, report=report)
        requests = read(file.source, file.degree, delivery.kind, report, advance)
        empty = True
        if delivery.kind is DeliveryKind.DELTA:
            for _ in delta.apply(requests, file, feeding, seen, report, stage_whole, leave_out):
                empty = False
        else:
            for raw in requests:
                empty = False
                if isinstance(raw, RecordRefused):
                    leave_out(raw)
                else:
                    stage_whole(raw)
        if empty:
            report.note(Cause.file_empty, file.source.name)
    if delivery.kind is DeliveryKind.COMPLETE and not report.counts:
        raise Refusal("the delivery holds no record: nothing was changed")
    feeding.complete()


def stage_record(raw: RawRecord, file: File, number: int, seen: IdSets, feeding: Feeding, report: Report) -> None:
    """Normalise one whole record and stage it; of several usable ones with one key in a complete, the first.

    Raises Held when its relation codes contradict the header.
    """
    try:
        built = build(raw, file.degree, feeding.academy)
    except Unusable as unusable:
        refuse(unusable.cause, raw.line, raw, file, feeding, report)
        return
    if built.ties and contradicts(file.generation, built.ties):
        raise Held(
            f"{file.source.name}, line {raw.line}: relation codes of another generation than the header announces "
            f"({file.generation.value if file.generation else ''}): held for a human, nothing was changed"
        )
    if not feeding.delta and not seen.add(file.degree, raw.category, raw.id):
        if built.row is not None:
            feeding.repeat(built.row, built.parts, file=number, line=raw.line)
        refuse(Cause.record_duplicate, raw.line, raw, file, feeding, report)
        return
    counts = report.count(file.degree.value, raw.category.table)
    counts.read += 1
    for cause in built.anomalies:
        report.note(cause, file.source.name, raw.line, raw.category.value, raw.id, _school(raw, file))
    if built.row is not None:
        feeding.add(built.row, built.parts, file=number, line=raw.line)
        return
    counts.skipped += 1
    if feeding.delta and raw.category is Category.STAFF:
        feeding.remove(raw.category.table, file.degree.value, raw.id)  # is no head or teacher any more


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
    id_ = record.id[:32] if record.id.isprintable() else ""
    school = _school(record, file)
    report.note(cause, file.source.name, line, record.category.value, id_, school)
    if school:
        own = report.school(*school).counts
        own.read += 1
        own.refused += 1
    if cause is Cause.id_unreadable:
        return
    feeding.keep(record.category.table, file.degree.value, record.id)
    if record.category is Category.STUDENT and _states_rights(record):
        links = ties(file.degree, record.all("relatives")).links
        feeding.keep_rights(file.degree.value, record.id, {link.guardian: link.capacity.value for link in links if link.capacity})


def _states_rights(record: RawRecord) -> bool:
    """Whether the relatives of a damaged record could be read: a modification that does not list them says nothing of them."""
    return "relatives" not in record.damaged and (record.operation is Operation.ADD or "relatives" in record.values)


def _leave_out(refused: RecordRefused, file: File, feeding: Feeding, report: Report) -> None:
    refuse(refused.cause, refused.line, refused.record, file, feeding, report)
    for category, id_ in refused.keys:
        feeding.keep(category.table, file.degree.value, id_)


def _school(raw: RawRecord, file: File) -> tuple[str, str] | None:
    """Degree and structure of a pupil, under which the report of the school finds the case."""
    if raw.category is not Category.STUDENT:
        return None
    structure = raw.one("structure")
    return (file.degree.value, structure) if structure.isdigit() and len(structure) <= 10 else None


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


def count_schools(feeding: Feeding, report: Report) -> None:
    """What changes for the pupils of each school, for its own report."""
    for change in feeding.school_changes():
        counts = report.school(change.degree, change.structure).counts
        counts.read += change.created + change.changed + change.unchanged
        counts.created += change.created
        counts.changed += change.changed
        counts.unchanged += change.unchanged
        counts.ended += change.ended


def hold(delivery: Delivery, feeding: Feeding, policy: Policy, accept_shrink: bool, changes: Sequence[Change]) -> bool:
    """The last look: an emptied category, a shrink or a mass deletion needs a human (IM-09, IM-10, IM-13).

    Returns whether a human accepted one: heads are counted anew from here. A category without record stays as it is even then.
    """
    since = datetime.now(UTC).date() - policy.shrink_window
    degrees = {file.degree.value for file in delivery.files}
    found = doubts(
        delivery.kind, changes, degrees, lambda c: feeding.most_heads(c.degree, c.category, since), policy.shrink_percent
    )  # fmt: skip
    if found and not accept_shrink:
        raise Held(f"held for a human, nothing was changed: {'; '.join(found)}")
    return bool(found)


def _remembered(delivery: Delivery, feeding: Feeding) -> list[DeliveryRow]:
    """What to remember of the delivery; a file without date or header leaves what is known."""
    rows = []
    for degree, day in delivery.dates.items():
        last = feeding.delivered(degree.value)
        versions = delivery.versions(degree)
        if last and not any(versions):
            versions = (last.version_af, last.version_sdet)
        rows.append(DeliveryRow(degree.value, day or (last.exported_on if last else None), *versions))
    return rows


def _count(changes: Sequence[Change], report: Report) -> None:
    for change in changes:
        if change.delivered or change.ended:
            counts = report.count(change.degree, change.category)
            counts.created, counts.changed, counts.ended, counts.unchanged = change.created, change.changed, change.ended, change.unchanged
