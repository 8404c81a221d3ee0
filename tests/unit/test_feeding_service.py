"""Deliveries as an operator knows them: remembered, reported for each school, taken from a drop folder."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from sqlalchemy import select

from backends.sql import SqlDirectory
from hub.audit import AuditEvent
from hub.cli import context
from hub.db import Database
from hub.db.tables import Base
from hub.errors import Refusal
from hub.feeding import inbox, service
from hub.feeding.cli import aaf
from hub.feeding.models import AafDelivery
from hub.feeding.report import Outcome
from hub.feeding.safety import Held, Policy
from hub.jobs.worker import register
from hub.settings import Settings
from tests import aaf_kit as kit


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """An empty directory."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        yield directory


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The hub's own tables."""
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


def run(database: Database, directory: SqlDirectory, path: Path, **more: Any) -> dict[str, Any]:
    """Import as an operator, and the report that is kept."""
    number = service.run(database, directory, Policy(), [path], actor="cli:anne", **more)
    return service.shown(service.delivery(database, number))


def events(database: Database) -> list[tuple[str, str]]:
    """What the audit says: action and actor."""
    with database.session() as db:
        return [(event.action, event.actor) for event in db.scalars(select(AuditEvent).order_by(AuditEvent.id))]


# Remembered ----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("F020")
def test_published_delivery_is_remembered_with_its_report(tmp_path: Path, database: Database, directory: SqlDirectory) -> None:
    """Feed, kind, date, counts and who did it, until somebody asks."""
    report = run(database, directory, kit.school_of(tmp_path / "complete", 3))
    assert (report["outcome"], report["kind"], report["feed"], report["dates"]) == ("published", "complete", "10", {"2D": "2024-09-16"})
    assert (report["actor"], report["name"], report["shrink_accepted"]) == ("cli:anne", "complete", False)
    assert {row["category"]: row["created"] for row in report["counts"]}["student"] == 3
    assert events(database) == [("directory.imported", "cli:anne")]


@pytest.mark.covers("IM-09")
def test_held_delivery_keeps_its_reasons_and_the_answer_names_a_human(tmp_path: Path, database: Database, directory: SqlDirectory) -> None:
    """The report of what was held is kept; who accepts a shrink is in the audit before anything is published."""
    run(database, directory, kit.school_of(tmp_path / "a", 10))
    small = kit.school_of(tmp_path / "b", 5)
    with pytest.raises(Held):
        run(database, directory, small)
    held = service.shown(service.delivery(database, None))
    assert held["outcome"] == "held"
    assert "student 2D: 5 left of 10" in held["message"]
    assert run(database, directory, small, accept_shrink=True)["shrink_accepted"] is True
    assert events(database)[1:] == [
        ("directory.import_held", "cli:anne"),
        ("directory.shrink_accepted", "cli:anne"),
        ("directory.imported", "cli:anne"),
    ]


def test_refused_and_interrupted_deliveries_are_remembered(
    tmp_path: Path, database: Database, directory: SqlDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken file, a crash, a try that was killed: each shows in the list, and the next import goes through."""
    broken = tmp_path / "ENT_Complet_20240916_Eleve_0000.xml"
    broken.write_text("<html/>")
    with pytest.raises(Refusal):
        run(database, directory, broken)
    folder = kit.usual(tmp_path / "in").write()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(service, "import_delivery", interrupt)
        run(database, directory, folder)
    with database.transaction() as db:
        killed = AafDelivery(
            started_at=datetime.now(UTC), actor="system", name="x", feed="", outcome=Outcome.RUNNING, shrink_accepted=False, report={}
        )
        db.add(killed)
    run(database, directory, folder)
    outcomes = [row.outcome for row in service.deliveries(database)]
    assert outcomes == [Outcome.PUBLISHED, Outcome.INTERRUPTED, Outcome.INTERRUPTED, Outcome.REFUSED]
    assert [row.outcome for row in service.deliveries(database, feed="10")] == [Outcome.PUBLISHED]


def interrupt(*_: Any, **__: Any) -> None:
    """What a person at a keyboard does."""
    raise KeyboardInterrupt


def test_old_reports_are_forgotten(tmp_path: Path, database: Database, directory: SqlDirectory) -> None:
    """Those of schools first, those of deliveries later."""
    number = int(run(database, directory, kit.usual(tmp_path / "in").write())["id"])
    later = datetime.now(UTC) + timedelta(days=1)
    assert service.forget(database, deliveries_before=later - timedelta(days=2), schools_before=later) == 0
    assert service.schools(database, number) == []
    assert service.forget(database, deliveries_before=later, schools_before=later) == 1
    with pytest.raises(Refusal, match="no such delivery"):
        service.delivery(database, number)


# For each school -----------------------------------------------------------------------------------------------------


@pytest.fixture
def two_schools(tmp_path: Path) -> Path:
    """A school whose data allow little, and one where all is well."""
    usual = kit.usual(tmp_path / "two")
    usual.records["EtabEducNat"].append(kit.school("1001", "0690002C"))
    elsewhere = {"ENTPersonStructRattach": "1001", "ENTEleveClasses": "1001$6B"}
    usual.records["Eleve"] = [
        kit.student("501", relatives=["601$10$1$1$0$1", "602$20$0$1$0$0"]),
        kit.student("502", relatives=["602$20$0$1$0$0", "603$10$1$1$0$1"], ENTEleveINE=""),
        kit.student("503", relatives=["604$10$1$1$0$1"], ENTPersonDateNaissance="31/02/2013"),
        kit.student("504", relatives=["605$10$0$0$1$0"], sn="SECRET\ufffdNAME"),
        kit.student("505", relatives=["606$10$1$1$0$1", "602$20$0$1$0$0"], **elsewhere),
    ]
    usual.records["PersRelEleve"] = [
        kit.guardian("601"), kit.guardian("602", mobile="", mail=""), kit.guardian("603"), kit.guardian("604"),
        kit.guardian("605", mobile=""), kit.guardian("606"),
    ]  # fmt: skip
    return usual.write()


@pytest.mark.covers("F023", "F024", "F025", "F026", "F027", "F028", "IM-22")
def test_each_school_learns_who_cannot_activate_and_why(database: Database, directory: SqlDirectory, two_schools: Path) -> None:
    """For each of the three paths of activation: how many guardians can, and what the others lack. Contacts without right do not count."""
    report = run(database, directory, two_schools)
    first, second = service.schools(database, report["id"])
    figures = first["quality"]["figures"]
    assert (first["uai"], first["name"], figures["students"]) == ("0690001B", "COLLEGE DES TILLEULS", 3)
    assert (figures["guardians"], figures["by_sms"], figures["by_franceconnect"], figures["by_letter"]) == (4, 1, 1, 2)
    assert (figures["without_mobile"], figures["without_pupil_with_ine"], figures["without_birth_date"]) == (1, 1, 1)
    assert first["quality"]["sentences"] == [
        "1 pupil has no INE: no account for them, nor for guardians who have no other pupil",
        "1 pupil has no birth date: it cannot be asked as a proof",
        "1 guardian cannot activate by SMS nor by FranceConnect: no mobile number",
        "1 guardian cannot activate at all: no pupil with an INE",
        "1 guardian cannot activate at all: no birth date of a pupil with an INE",
        "1 guardian has no mail address: it will be asked at activation",
        "of 4 guardians, 1 can activate by SMS, 1 by FranceConnect, 2 with the school's letter",
    ]
    assert second["quality"]["figures"]["by_sms"] == 1
    whole = report["quality"]["2D"]["figures"]
    assert (whole["guardians"], whole["without_mobile"], whole["students"]) == (5, 1, 4)


@pytest.mark.covers("IM-22")
def test_each_school_finds_its_refused_lines_and_no_secret(database: Database, directory: SqlDirectory, two_schools: Path) -> None:
    """Causes with file and line for the pupils of that school only; no name, date, phone or INE anywhere."""
    report = run(database, directory, two_schools)
    first, second = service.schools(database, report["id"])
    causes = {row["cause"]: row for row in first["causes"]}
    assert set(causes) == {"character_forbidden", "ine_missing", "birth_date_unreadable"}
    assert causes["character_forbidden"]["places"][0]["id"] == "504"
    assert causes["character_forbidden"]["places"][0]["line"] > 1
    assert (first["counts"]["read"], first["counts"]["created"], first["counts"]["refused"]) == (4, 3, 1)
    assert second["causes"] == []
    written = json.dumps([report, first, second])
    for secret in ("SECRET", "MARTIN", "31/02/2013", "exemple.fr", "39980001", "000000501AB"):
        assert secret not in written


def test_counts_of_each_school_follow_its_pupils(tmp_path: Path, database: Database, directory: SqlDirectory, two_schools: Path) -> None:
    """Changed, arrived and left, in a delta too."""
    run(database, directory, two_schools)
    elsewhere = {"ENTPersonStructRattach": "1001", "ENTEleveClasses": "1001$6B"}
    changes = [kit.modify("Eleve", "501", mail="x@exemple.fr"), kit.delete("Eleve", "502"), kit.student("700", **elsewhere)]
    report = run(database, directory, kit.delta(tmp_path / "d", *changes), accept_shrink=True)
    first, second = service.schools(database, report["id"])
    assert {name: first["counts"][name] for name in ("created", "changed", "ended")} == {"created": 0, "changed": 1, "ended": 1}
    assert {name: second["counts"][name] for name in ("created", "changed", "ended")} == {"created": 1, "changed": 0, "ended": 0}


# Commands ------------------------------------------------------------------------------------------------------------


def test_commands_list_and_show(
    tmp_path: Path, database: Database, directory: SqlDirectory, two_schools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, JSON and a table; of one school, of each; what is unknown is refused."""
    instance = SimpleNamespace(directory=directory, database=database, settings=Settings(instance_dir=tmp_path))
    monkeypatch.setattr(context, "instance", lambda: instance)
    invoke = CliRunner().invoke
    assert invoke(aaf, ["import", str(two_schools)]).exit_code == 0
    listed = json.loads(invoke(aaf, ["list", "--json"]).stdout)
    assert [(row["feed"], row["kind"], row["outcome"]) for row in listed] == [("10", "complete", "published")]
    assert "published" in invoke(aaf, ["list"]).stdout
    text = invoke(aaf, ["report"]).stdout
    assert "Data quality 2D:" in text
    assert "1 guardian cannot activate by SMS nor by FranceConnect: no mobile number" in text
    school = invoke(aaf, ["report", "1", "--school", "0690001b"]).stdout
    assert school.startswith("0690001B COLLEGE DES TILLEULS (2D)")
    assert "0690002C" not in school
    assert len(json.loads(invoke(aaf, ["report", "--schools", "--json"]).stdout)["schools"]) == 2
    rows = list(csv.DictReader(io.StringIO(invoke(aaf, ["report", "--schools", "--csv"]).stdout), delimiter=";"))
    assert {"delivery", "school"} == {row["scope"] for row in rows}
    assert [row["count"] for row in rows if row["uai"] == "0690001B" and row["what"] == "without_mobile"] == ["1"]
    assert isinstance(invoke(aaf, ["report", "--school", "0000000A"]).exception, Refusal)
    assert isinstance(invoke(aaf, ["report", "99"]).exception, Refusal)
    assert isinstance(invoke(aaf, ["inbox"]).exception, Refusal)


@pytest.mark.covers("IM-15", "IM-22")
def test_table_holds_no_formula(tmp_path: Path, database: Database, directory: SqlDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose name would be a formula in a spreadsheet is written as text."""
    folder = kit.usual(tmp_path / "in").write()
    path = folder / "=cmd_Complet_20240916_Eleve_0001.xml"
    path.write_text(kit.document(kit.student("502", ENTEleveINE="")), encoding="utf-8")
    report = run(database, directory, folder)
    from hub.feeding.show import as_csv

    assert ";'=cmd_" in as_csv(report)
    assert ";=cmd_" not in as_csv(report)


# The drop folder -----------------------------------------------------------------------------------------------------


NOW = datetime.now(UTC) + timedelta(hours=1)
"""An hour after the files of these tests were written: they have settled."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A drop folder for feed 10."""
    (tmp_path / "inbox" / "10").mkdir(parents=True)
    return Settings(instance_dir=tmp_path, feeding_inbox=tmp_path / "inbox")


def drop(settings: Settings, folder: Path, name: str, *, checksum: str = "") -> Path:
    """A zip of the folder's files in the drop folder, with a checksum of that kind beside it."""
    import zipfile

    assert settings.feeding_inbox is not None
    target = settings.feeding_inbox / "10" / name
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    if checksum:
        digest = hashlib.new(checksum, target.read_bytes()).hexdigest()
        target.with_name(f"{name}.{checksum}").write_text(f"{digest}  {name}\n")
    return target


def sweep(database: Database, directory: SqlDirectory, settings: Settings, now: datetime = NOW) -> int:
    """One look at the drop folder."""
    return inbox.sweep(database, directory, settings, now=now)


def content(settings: Settings, place: str) -> set[str]:
    """Names in ``done`` or ``held``."""
    assert settings.feeding_inbox is not None
    folder = settings.feeding_inbox / "10" / place
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_settled_files_are_taken_in_the_order_of_their_dates(
    tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings
) -> None:
    """A complete and two deltas, dropped in disorder: published in order, moved to done with their reports."""
    drop(settings, kit.delta(tmp_path / "b", kit.delete("Eleve", "501"), day=18), "ENT2D_Delta_20240918.zip")
    drop(settings, kit.delta(tmp_path / "a", kit.student("700"), day=17), "ENT2D_Delta_20240917.zip")
    drop(settings, kit.school_of(tmp_path / "c", 20), "ENT2D_Complet_20240916.zip")
    assert sweep(database, directory, settings, now=datetime.now(UTC)) == 0
    assert sweep(database, directory, settings) == 3
    assert directory.health().counts["students"] == 20
    assert [row.outcome for row in service.deliveries(database)] == [Outcome.PUBLISHED] * 3
    assert {row.actor for row in service.deliveries(database)} == {"system"}
    name = "ENT2D_Delta_20240918.zip"
    assert {name, f"{name}.report.json", f"{name}.report.txt"} <= content(settings, "done")
    assert sweep(database, directory, settings) == 0


@pytest.mark.covers("IM-21")
@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_checksum_is_verified(tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings, kind: str) -> None:
    """A right checksum takes the file at once; a wrong one waits for the end of the upload, then is held: nothing changed."""
    path = drop(settings, kit.usual(tmp_path / "a").write(), "ENT2D_Complet_20240916.zip", checksum=kind)
    right = path.read_bytes()
    path.write_bytes(right[:-10])
    assert sweep(database, directory, settings, now=datetime.now(UTC)) == 0
    assert sweep(database, directory, settings) == 1
    assert directory.health().counts["students"] == 0
    assert f"{path.name}.{kind}" in content(settings, "held")
    path.write_bytes(right)
    path.with_name(f"{path.name}.{kind}").write_text(hashlib.new(kind, right).hexdigest())
    assert sweep(database, directory, settings, now=datetime.now(UTC)) == 1
    assert directory.health().counts["students"] == 1


@pytest.mark.covers("IM-21")
def test_unsigned_file_is_refused_when_checksums_are_required(
    tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings
) -> None:
    """Without .sha256, or with an .md5 only: held. With it: published."""
    strict = settings.model_copy(update={"feeding_inbox_checksum": True})
    folder = kit.usual(tmp_path / "a").write()
    drop(settings, folder, "ENT2D_Complet_20240916.zip")
    assert sweep(database, directory, strict) == 1
    drop(settings, folder, "ENT2D_Complet_20240916b.zip", checksum="md5")
    assert sweep(database, directory, strict) == 1
    assert directory.health().counts["students"] == 0
    drop(settings, folder, "ENT2D_Complet_20240916c.zip", checksum="sha256")
    assert sweep(database, directory, strict) == 1
    assert directory.health().counts["students"] == 1


@pytest.mark.covers("IM-21")
def test_folder_that_anyone_may_write_and_links_are_not_trusted(
    tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings
) -> None:
    """Nothing is taken from a folder open to all, through a link, or from a feed that is a link; closed again, it is."""
    path = drop(settings, kit.usual(tmp_path / "a").write(), "ENT2D_Complet_20240916.zip")
    path.parent.chmod(0o777)
    assert sweep(database, directory, settings) == 0
    path.parent.chmod(0o750)
    outside = tmp_path / path.name
    path.rename(outside)
    path.symlink_to(outside)
    assert sweep(database, directory, settings) == 0
    (path.parent.parent / "11").symlink_to(tmp_path)
    assert sweep(database, directory, settings) == 0
    path.unlink()
    outside.rename(path)
    assert sweep(database, directory, settings) == 1


@pytest.mark.covers("IM-05", "IM-21")
def test_delivery_of_another_academy_in_a_feeds_folder_is_held(
    tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings
) -> None:
    """The folder of feed 10 takes what academy 10 says of itself, and nothing else."""
    usual = kit.usual(tmp_path / "a")
    usual.head = kit.header(academy="02")
    path = drop(settings, usual.write(), "ENT2D_Complet_20240916.zip")
    assert sweep(database, directory, settings) == 1
    report = json.loads((path.parent / "held" / f"{path.name}.report.json").read_text())
    assert (report["outcome"], "academy 02, not 10" in report["message"]) == ("refused", True)


@pytest.mark.covers("IM-11")
def test_held_delivery_stops_the_deltas_after_it(tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings) -> None:
    """What it says would be lost. A human's import of it, or a complete, frees those that wait."""
    drop(settings, kit.school_of(tmp_path / "c", 20), "ENT2D_Complet_20240916.zip")
    mass = kit.delta(tmp_path / "a", *(kit.delete("Eleve", str(n)) for n in range(501, 511)), day=17)
    drop(settings, mass, "ENT2D_Delta_20240917.zip")
    later = drop(settings, kit.delta(tmp_path / "b", kit.student("700"), day=18), "ENT2D_Delta_20240918.zip")
    assert sweep(database, directory, settings) == 2
    assert "ENT2D_Delta_20240917.zip" in content(settings, "held")
    assert later.exists()
    assert sweep(database, directory, settings) == 0
    service.run(database, directory, Policy(), [later.parent / "held" / "ENT2D_Delta_20240917.zip"], actor="cli:anne", accept_shrink=True)
    assert sweep(database, directory, settings) == 1
    assert directory.health().counts["students"] == 11


def test_one_worker_at_a_time_in_a_folder(tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings) -> None:
    """While another worker has the folder, or the feed, nothing is taken and nothing is held."""
    path = drop(settings, kit.usual(tmp_path / "a").write(), "ENT2D_Complet_20240916.zip")
    with open(path.parent / ".lock", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert sweep(database, directory, settings) == 0
    with directory.feeding("10", "10"):
        assert sweep(database, directory, settings) == 0
    assert path.exists()
    assert sweep(database, directory, settings) == 1


def test_published_files_are_erased_after_a_week(tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings) -> None:
    """What is held stays until a human has looked."""
    drop(settings, kit.usual(tmp_path / "a").write(), "ENT2D_Complet_20240916.zip")
    broken = kit.delta(tmp_path / "b", "<broken", day=17)
    drop(settings, broken, "ENT2D_Delta_20240917.zip")
    assert sweep(database, directory, settings) == 2
    assert inbox.forget(settings, now=datetime.now(UTC) + timedelta(days=6)) == 0
    assert inbox.forget(settings, now=datetime.now(UTC) + timedelta(days=8)) == 3
    assert content(settings, "done") == set()
    assert "ENT2D_Delta_20240917.zip" in content(settings, "held")


def test_worker_looks_at_the_drop_folder(tmp_path: Path, database: Database, directory: SqlDirectory, settings: Settings) -> None:
    """The worker's job takes what is ready."""
    drop(settings, kit.usual(tmp_path / "a").write(), "ENT2D_Complet_20240916.zip", checksum="sha256")
    instance: Any = SimpleNamespace(directory=directory, database=database, settings=settings)
    queue = register(instance)
    (task,) = [task for task in queue._registry.periodic_tasks if type(task).__name__ == "inbox"]
    task.execute()
    assert directory.health().counts["students"] == 1
    with time_machine.travel(datetime.now(UTC) + timedelta(days=400)):
        (task,) = [task for task in queue._registry.periodic_tasks if type(task).__name__ == "forget-deliveries"]
        task.execute()
    assert service.deliveries(database) == []
    assert os.listdir(settings.feeding_inbox / "10" / "done") == []  # type: ignore[operator]
