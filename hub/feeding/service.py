"""Imports as an operator knows them: run, remembered with their report, shown again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from backends.sdet.records import DeliveryKind
from backends.sql import SqlDirectory
from backends.sql.quality import quality, school_names

from .. import audit
from ..db import Database
from ..errors import Refusal
from ..settings import Settings
from .flow import Progress, import_delivery
from .models import AafDelivery, AafSchoolReport
from .packing import Limits, label
from .quality import sentences
from .report import Outcome, Report
from .safety import Held, Policy

BATCH = 500


def policy(settings: Settings) -> Policy:
    """What the settings let an import do without a human."""
    limits = Limits(settings.feeding_archive_entries, settings.feeding_archive_gigabytes << 30, settings.feeding_archive_ratio)
    return Policy(settings.feeding_shrink_percent, timedelta(days=settings.feeding_shrink_days), limits)


def run(
    database: Database,
    directory: SqlDirectory,
    rules: Policy,
    paths: Sequence[Path],
    *,
    actor: str,
    feed: str | None = None,
    academy: str | None = None,
    kind: DeliveryKind | None = None,
    exported_on: date | None = None,
    new_feed: bool = False,
    accept_gap: bool = False,
    accept_shrink: bool = False,
    progress: Progress | None = None,
) -> int:
    """Import a delivery and remember what came of it. Returns its number, for :func:`delivery`.

    ``actor`` is who does it, ``cli:<login>`` or ``system``; that a shrink is accepted is written to the audit before anything
    else. Raises Refusal, the reason being remembered too.
    """
    report, name = Report(feed=feed or ""), ", ".join(label(path.name) for path in paths)
    number = _begin(database, name, actor, report, accept_shrink)
    try:
        import_delivery(
            paths, directory, feed=feed, academy=academy, kind=kind, exported_on=exported_on, new_feed=new_feed, accept_gap=accept_gap,
            accept_shrink=accept_shrink, policy=rules, progress=progress, report=report,
        )  # fmt: skip
    except Refusal as refusal:
        report.outcome = Outcome.HELD if isinstance(refusal, Held) else Outcome.REFUSED
        report.message = str(refusal)
        raise
    except BaseException:
        report.outcome = Outcome.INTERRUPTED
        raise
    finally:
        _end(database, directory, number, actor, report)
    return number


def _begin(database: Database, name: str, actor: str, report: Report, accept_shrink: bool) -> int:
    with database.transaction() as db:
        row = AafDelivery(
            started_at=datetime.now(UTC), actor=actor, name=name, feed=report.feed, outcome=Outcome.RUNNING, shrink_accepted=accept_shrink,
            report=report.to_json() | {"outcome": Outcome.RUNNING.value},
        )  # fmt: skip
        db.add(row)
        db.flush()
        if accept_shrink:
            audit.record(db, "directory.shrink_accepted", actor=actor, delivery=row.id, name=name)
        return row.id


def _end(database: Database, directory: SqlDirectory, number: int, actor: str, report: Report) -> None:
    """Remember the outcome. Older tries into the same feed that never ended were cut short: they left nothing behind."""
    written, schools = report.to_json(), []
    if report.published:
        feeds, by_school = quality(directory, report.feed)
        written["quality"] = {degree: asdict(found) for degree, found in sorted(feeds.items())}
        schools = _schools(number, report, school_names(directory, report.feed), {key: asdict(found) for key, found in by_school.items()})
    with database.transaction() as db:
        row = db.get_one(AafDelivery, number)
        row.feed, row.outcome, row.finished_at, row.report = report.feed, report.outcome, datetime.now(UTC), written
        if report.published:
            cut = (AafDelivery.outcome == Outcome.RUNNING, AafDelivery.feed.in_((report.feed, "")), AafDelivery.id < number)
            db.execute(update(AafDelivery).where(*cut).values(outcome=Outcome.INTERRUPTED))
        for start in range(0, len(schools), BATCH):
            db.execute(insert(AafSchoolReport), schools[start : start + BATCH])
        action = "directory.imported" if report.published else f"directory.import_{report.outcome.value}"
        audit.record(db, action, actor=actor, delivery=number, feed=report.feed, kind=report.kind, counts=written["counts"])


def _schools(
    number: int, report: Report, names: dict[tuple[str, str], tuple[str, str]], figures: dict[tuple[str, str], dict[str, int]]
) -> list[dict[str, Any]]:
    """The rows of the schools that have pupils, or of which the delivery says something."""
    rows = []
    for degree, structure in sorted({*report.schools, *figures}):
        uai, name = names.get((degree, structure), ("", ""))
        said = report.school(degree, structure).to_json() | {"quality": figures.get((degree, structure))}
        rows.append({"delivery_id": number, "degree": degree, "structure": structure, "uai": uai, "name": name, "report": said})
    return rows


# Shown again --------------------------------------------------------------------------------------------------------


def deliveries(database: Database, *, feed: str | None = None, limit: int = 50) -> list[AafDelivery]:
    """The last tries, the newest first."""
    query = select(AafDelivery).order_by(AafDelivery.id.desc()).limit(limit)
    with database.session() as db:
        return list(db.scalars(query.where(AafDelivery.feed == feed) if feed else query))


def delivery(database: Database, number: int | None) -> AafDelivery:
    """One try by its number, the last one by default. Raises Refusal."""
    query = select(AafDelivery).order_by(AafDelivery.id.desc()).limit(1)
    with database.session() as db:
        found = db.scalars(query.where(AafDelivery.id == number) if number is not None else query).one_or_none()
    if found is None:
        raise Refusal("no such delivery: see `preau aaf list`")
    return found


def shown(found: AafDelivery) -> dict[str, Any]:
    """A try as plain values, its report included."""
    quality_of = {
        degree: {"figures": figures, "sentences": sentences(figures)} for degree, figures in found.report.get("quality", {}).items()
    }
    return {
        "id": found.id,
        "name": found.name,
        "started_at": found.started_at.isoformat(),
        "finished_at": found.finished_at.isoformat() if found.finished_at else None,
        "actor": found.actor,
        "shrink_accepted": found.shrink_accepted,
        **found.report,
        "feed": found.feed,
        "outcome": found.outcome.value,
        "quality": quality_of,
    }


def schools(database: Database, number: int, *, uai: str | None = None) -> list[dict[str, Any]]:
    """What a delivery says of each school, or of one, as plain values."""
    conditions: list[ColumnElement[bool]] = [AafSchoolReport.delivery_id == number]
    if uai:
        conditions.append(AafSchoolReport.uai == uai.strip().upper())
    query = select(AafSchoolReport).where(*conditions).order_by(AafSchoolReport.uai, AafSchoolReport.degree, AafSchoolReport.structure)
    with database.session() as db:
        rows = db.scalars(query).all()
    return [
        {"uai": row.uai, "name": row.name, "degree": row.degree, "structure": row.structure, **row.report}
        | {"quality": {"figures": figures, "sentences": sentences(figures)} if (figures := row.report["quality"]) else None}
        for row in rows
    ]


def forget(database: Database, *, deliveries_before: datetime, schools_before: datetime) -> int:
    """Erase old reports. Returns how many deliveries went."""
    with database.transaction() as db:
        old = select(AafDelivery.id).where(AafDelivery.started_at < schools_before)
        db.execute(delete(AafSchoolReport).where(AafSchoolReport.delivery_id.in_(old)))
        return int(db.execute(delete(AafDelivery).where(AafDelivery.started_at < deliveries_before)).rowcount)  # type: ignore[attr-defined]
