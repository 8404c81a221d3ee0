"""Opening the directory that the settings name, with its options."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from backends import Directory, Features, Kind, Unavailable, loading
from backends.contract import COLLEGE, LEA, POPULATION
from backends.federated import FederatedDirectory
from backends.sql import SqlDirectory
from backends.watched import Watched
from hub.errors import ConfigurationError, Refusal
from hub.feeding.directory import AafDirectory, read_deliveries
from hub.feeding.flow import feedable
from hub.instance import Instance
from hub.settings import Settings, load_settings
from tests.directory_kit import in_memory, write_deliveries


def settings(folder: Path, **values: Any) -> Settings:
    """Settings of an instance in that folder."""
    return Settings(**{"instance_dir": folder, **values})


def test_the_default_is_sql(tmp_path: Path):
    """Without a word the hub reads what the import feeds."""
    assert isinstance(Instance(settings(tmp_path)).directory, SqlDirectory)


def test_options_come_from_the_file_or_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A table in preau.toml, JSON in a variable, the variable first."""
    path = tmp_path / "preau.toml"
    path.write_text(
        'directory = "federated"\n[[directory_options.sources]]\nname = "lyon"\nbackend = "sql"\nacademies = ["10"]\nlimit = 1.5\n'
    )
    monkeypatch.setenv("PREAU_CONFIG", str(path))
    monkeypatch.setenv("PREAU_INSTANCE_DIR", str(tmp_path))
    directory = Instance(load_settings()).directory
    assert isinstance(directory, FederatedDirectory)
    assert list(directory.sources()) == ["lyon"]
    monkeypatch.setenv("PREAU_DIRECTORY_OPTIONS", '{"sources": [{"name": "aix", "backend": "sql"}]}')
    assert list(Instance(load_settings()).directory.sources()) == ["aix"]


def test_settings_with_options_are_still_compared_and_hashed(tmp_path: Path):
    """They key caches: equal ones are one, others are apart."""
    first, same = (settings(tmp_path, directory_options={"a": [1]}) for _ in range(2))
    other = settings(tmp_path, directory_options={"a": [2]})
    assert {first: "x"}[same] == "x"
    assert other not in {first: "x"}


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("nothing", {}, r"no back end named 'nothing' \(known: aaf, federated"),
        ("sql", {"url": "x"}, "unexpected keyword argument 'url'"),
        ("scim", {"url": "https://scim.example.fr"}, "missing a required argument: 'token_file'"),
        ("scim", {"url": "http://scim.example.fr", "token_file": "t"}, "use https"),
        ("scim", {"url": "https://a.fr", "token_file": "t", "limit": "secret-7"}, "limit: Input should be a valid number"),
        ("federated", {"sources": []}, "sources: List should have at least 1 item"),
        ("federated", {"sources": [{"name": "a", "backend": "scim", "options": {}}]}, "back end 'scim': option missing"),
        ("aaf", {"deliveries": ["/no/such/folder"]}, "no such file or folder"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path, name: str, options: dict[str, Any], why: str):
    """It says which back end and what to change, and repeats no value that may be secret."""
    with pytest.raises(ConfigurationError, match=why) as refused:
        _ = Instance(settings(tmp_path, directory=name, directory_options=options)).directory
    assert "secret-7" not in str(refused.value)


def test_what_is_no_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An entry point that returns anything else."""
    monkeypatch.setattr(loading, "known", lambda: {"odd": EntryPoint("odd", "builtins:repr", loading.GROUP)})
    with pytest.raises(ConfigurationError, match="is not a directory back end"):
        _ = Instance(settings(tmp_path, directory="odd")).directory


def test_sources_that_were_opened_are_closed_when_another_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing is left behind by a start that failed."""
    closed: list[AafDirectory] = []
    close = AafDirectory.close

    def note(directory: AafDirectory) -> None:
        closed.append(directory)
        close(directory)

    monkeypatch.setattr(AafDirectory, "close", note)
    deliveries = [str(path) for path in write_deliveries(tmp_path, POPULATION)]
    sources = [
        {"name": "good", "backend": "aaf", "academies": ["10"], "options": {"deliveries": deliveries}},
        {"name": "bad", "backend": "nothing"},
    ]
    with pytest.raises(ConfigurationError, match="nothing"):
        _ = Instance(settings(tmp_path, directory="federated", directory_options={"sources": sources})).directory
    assert len(closed) == 1


# What is fed ----------------------------------------------------------------------------------------------------------


def test_the_import_finds_the_directory_that_is_fed(tmp_path: Path):
    """The `sql` one by itself, behind an observer, or among several sources; no other one."""
    sql = Instance(settings(tmp_path)).directory
    assert feedable(sql) is sql
    assert feedable(Watched(sql, "sql", lambda *_: None)) is sql
    mixed = Instance(settings(tmp_path, directory="federated", directory_options={"sources": [{"name": "rest", "backend": "sql"}]}))
    assert isinstance(feedable(mixed.directory), SqlDirectory)
    aaf = read_deliveries(write_deliveries(tmp_path / "in", POPULATION))
    assert Features.LOCAL in sql.features & aaf.features
    for other in (in_memory(POPULATION), aaf):
        assert Features.FEEDING not in other.features
        with pytest.raises(Refusal, match="only the `sql` directory"):
            feedable(other)
    aaf.close()


# The delivery in memory -----------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-05")
def test_a_delivery_that_the_import_refuses_is_no_directory(tmp_path: Path):
    """The same refusals, in the same words: another academy than the one said."""
    folders = write_deliveries(tmp_path, POPULATION)
    with pytest.raises(Refusal, match="the files come from academy"):
        read_deliveries(folders, academy="13")


def test_deliveries_in_memory_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Children's data is not copied to the disk, and two directories know nothing of each other."""
    folders = write_deliveries(tmp_path / "in", POPULATION)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    whole, half = read_deliveries(folders), read_deliveries(folders[:1])
    assert sorted(tmp_path.rglob("*")) == before
    assert whole.person(LEA.ref) == LEA
    assert whole.health().counts["students"] == len(POPULATION.students)
    assert half.health().counts["students"] == 2
    whole.close()
    assert half.health().ok
    half.close()


def test_a_closed_directory_in_memory_is_empty_not_stale(tmp_path: Path):
    """Nothing of what it held can be read any more."""
    directory = read_deliveries(write_deliveries(tmp_path, POPULATION))
    assert directory.members(COLLEGE.uai, Kind.STUDENT).items
    directory.close()
    with pytest.raises(Unavailable):
        directory.members(COLLEGE.uai, Kind.STUDENT)


def test_a_plain_directory_has_no_sources():
    """What stands on nothing says so."""
    directory: Directory = in_memory(POPULATION)
    assert directory.sources() == {}
