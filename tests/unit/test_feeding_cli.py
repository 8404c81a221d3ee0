"""The commands `preau aaf check` and `preau aaf import`."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, select

import hub.cli
from backends.memory import MemoryDirectory
from backends.sql import SqlDirectory
from hub.audit import AuditEvent
from hub.cli import context
from hub.db import Database
from hub.db.tables import Base
from hub.errors import Refusal
from hub.feeding.cli import aaf
from hub.feeding.flow import import_delivery
from hub.settings import Settings
from tests import aaf_kit as kit


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlDirectory]:
    """The directory that the commands find."""
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    Base.metadata.create_all(database.engine)
    with closing(kit.empty_directory(tmp_path / "db")) as directory, closing(database):
        instance = SimpleNamespace(directory=directory, database=database, settings=Settings(instance_dir=tmp_path))
        monkeypatch.setattr(context, "instance", lambda: instance)
        yield directory
        with database.session() as db:
            imports = db.scalars(select(AuditEvent.action)).all()
        assert set(imports) <= {"directory.imported", "directory.import_refused", "directory.import_held"}


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit status of the whole command."""
    monkeypatch.setattr(sys, "argv", ["preau", *arguments])
    try:
        hub.cli.main()
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


def test_import_prints_the_report(tmp_path: Path, directory: SqlDirectory) -> None:
    """Counts and feed on standard output; options reach the import."""
    folder = kit.usual(tmp_path / "in").write()
    result = CliRunner().invoke(aaf, ["import", str(folder), "--feed", "lyon", "--academy", "10"])
    assert result.exit_code == 0, result.output
    assert "feed lyon of academy 10: published" in result.stdout
    assert directory.health().counts["students"] == 1


@pytest.mark.covers("IM-22")
def test_json_report(tmp_path: Path, directory: SqlDirectory) -> None:
    """`--json` prints only JSON."""
    folder = kit.usual(tmp_path / "in").write()
    for command, published in (("check", False), ("import", True)):
        result = CliRunner().invoke(aaf, [command, str(folder), "--json"])
        report = json.loads(result.stdout)
        assert report["published"] is published
        assert {row["category"] for row in report["counts"]} == {"school", "mef", "staff", "guardian", "student"}


def test_json_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json`, a program reads the refusal too; without, standard output stays empty."""
    for options, expected in (((), None), (("--json",), "no .xml file in the delivery")):
        assert run_main(monkeypatch, "aaf", "check", str(tmp_path), *options) == 1
        out = capsys.readouterr().out
        assert (json.loads(out)["refused"] if out else None) == expected


def test_a_place_that_cannot_be_written_is_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No stack trace."""
    assert run_main(monkeypatch, "aaf", "generate", "/proc/preau", "--students", "3") == 1
    assert "preau: /proc/preau" in capsys.readouterr().err


def test_check_takes_files_and_changes_nothing(tmp_path: Path, directory: SqlDirectory) -> None:
    """Several files may be given."""
    files = [str(path) for path in kit.usual(tmp_path / "in").write().iterdir()]
    result = CliRunner().invoke(aaf, ["check", *files])
    assert result.exit_code == 0
    assert "checked, nothing changed" in result.stdout
    assert directory.health().counts["students"] == 0


def test_exit_status(tmp_path: Path, directory: SqlDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """0 done, 1 refused with one sentence, 2 usage."""
    folder = kit.usual(tmp_path / "in").write()
    assert run_main(monkeypatch, "aaf", "import", str(folder)) == 0
    (folder / "ENT_Delta_20240916_Eleve_0000.xml").write_text(kit.document(kit.student()), encoding="utf-8")
    capsys.readouterr()
    assert run_main(monkeypatch, "aaf", "import", str(folder)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    logged, sentence, reference = said.err.splitlines()
    assert sentence == (
        "preau: ENT_Delta_20240916_Eleve_0000.xml: complete and delta are mixed: say --kind complete or --kind delta; nothing was changed"
    )
    assert json.loads(logged)["reference"] in reference
    assert run_main(monkeypatch, "aaf", "check") == 2
    assert run_main(monkeypatch, "aaf", "check", str(tmp_path / "nowhere")) == 2


def test_another_back_end_cannot_be_fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the `sql` directory takes deliveries; the refusal names the setting."""
    monkeypatch.setattr(context, "instance", lambda: SimpleNamespace(directory=MemoryDirectory()))
    result = CliRunner().invoke(aaf, ["import", str(kit.usual(tmp_path / "in").write())])
    assert isinstance(result.exception, Refusal)
    assert "PREAU_DIRECTORY" in str(result.exception)


def test_busy_or_missing_database_is_a_refusal(tmp_path: Path, directory: SqlDirectory) -> None:
    """A database that another process holds, or without tables, gives a sentence; once free, the import goes through."""
    folder = kit.usual(tmp_path / "in").write()
    file = tmp_path / "db" / "directory.sqlite"
    with closing(SqlDirectory(create_engine(f"sqlite:///{file}", connect_args={"timeout": 0.05}))) as impatient:
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Refusal, match="busy"):
                import_delivery(folder, impatient)
        assert import_delivery(folder, impatient).published
    with closing(SqlDirectory(create_engine(f"sqlite:///{tmp_path / 'other.sqlite'}"))) as bare, pytest.raises(Refusal, match="nothing"):
        import_delivery(folder, bare)
