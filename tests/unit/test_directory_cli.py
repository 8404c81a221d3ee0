"""`preau directory find|show|health`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hub.cli
from backends import Unavailable
from backends.contract import ANNE, COLLEGE, LEA, LEA_1D, NO_INE, NOE, POPULATION
from backends.federated import SourceSettings, federate
from backends.memory import MemoryDirectory
from hub.cli import context, preau
from hub.instance import Instance
from tests.accounts_kit import make_instance
from tests.directory_kit import in_memory, of_academy


class Sick(MemoryDirectory):
    """A source that does not answer."""

    def person(self, *_: object) -> None:  # type: ignore[override]
        raise Unavailable("stopped")

    students_by_ine = school = health = person  # type: ignore[assignment]


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """An instance over two academies."""
    instance = make_instance(tmp_path)
    use(instance, in_memory(of_academy(POPULATION, "02")))
    monkeypatch.setattr(context, "_instance", instance)
    yield instance
    instance.close()


def use(instance: Instance, aix: MemoryDirectory) -> None:
    """Make academy 02 come from there."""
    sources = [SourceSettings(name="lyon", backend="x", academies={"10"}), SourceSettings(name="aix", backend="x", academies={"02"})]
    instance.__dict__["directory"] = federate(sources, {"lyon": in_memory(of_academy(POPULATION, "10")), "aix": aix})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(preau, ["directory", *arguments])


def refs(result: Result) -> list[str]:
    return [row["ref"] for row in json.loads(result.stdout)["found"]]


def test_people_are_found(instance: Instance):
    """By INE, by name with a channel, by school and class."""
    assert refs(run("find", "--ine", "123456789AB", "--json")) == [str(LEA_1D.ref), str(LEA.ref)]
    assert str(ANNE.ref) in run("find", "--name", "d'été", "anne-lise", "--mail", "anne@exemple.fr").stdout
    assert refs(run("find", "--school", COLLEGE.uai, "--json")) == [str(ref) for ref in (NO_INE.ref, LEA.ref, NOE.ref)]
    assert refs(run("find", "--school", COLLEGE.uai, "--division", "5B", "--kind", "guardian", "--json")) == ["10/2D/guardian/601"]


def test_nobody_found_is_exit_1_and_a_wrong_question_exit_2(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    """As everywhere: 0 done, 1 refused with a reason, 2 usage."""

    def status(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["preau", "directory", *arguments])
        monkeypatch.setattr(hub.cli, "close_instance", lambda: None)
        try:
            hub.cli.main()
        except SystemExit as exc:
            return int(exc.code or 0)
        return 0

    assert status("find", "--ine", "123456789AB") == 0
    assert status("find", "--ine", "000000000ZZ") == 1
    assert status("show", "10/2D/student/999") == 1
    for wrong in (("find",), ("find", "--ine", "1", "--school", "2"), ("find", "--name", "A", "B"), ("show", "a/b/c/d")):
        assert status(*wrong) == 2
    assert status("health") == 0
    use(instance, Sick())
    assert status("health") == 1
    assert status("show", str(LEA_1D.ref)) == 1


def test_a_record_is_shown_with_its_ties(instance: Instance):
    """A pupil with guardians, a guardian with pupils, a school."""
    shown = json.loads(run("show", str(LEA.ref), "--json").stdout)
    assert (shown["ine"], shown["birth_date"]) == ("123456789AB", "2013-05-17")
    assert {(tie["guardian"], tie["capacity"]) for tie in shown["ties"]} == {
        ("10/2D/guardian/501", "LEGAL"), ("10/2D/guardian/601", "IN_CHARGE"),
    }  # fmt: skip
    assert {tie["student"] for tie in json.loads(run("show", str(ANNE.ref), "--json").stdout)["ties"]} == {str(LEA.ref), str(NO_INE.ref)}
    assert json.loads(run("show", COLLEGE.uai, "--json").stdout)["name"] == COLLEGE.name
    assert "TILLEULS" in run("show", COLLEGE.uai).stdout


def test_what_is_missing_is_said(instance: Instance):
    """A partial list names the source on standard error, or in JSON; a source that holds the answer alone is a refusal."""
    use(instance, Sick())
    partial = run("find", "--ine", "123456789AB", "--json")
    assert refs(partial) == [str(LEA.ref)]
    assert json.loads(partial.stdout)["missing"] == ["aix"]
    assert "no answer from aix" in run("find", "--ine", "123456789AB").stderr
    refused = run("show", str(LEA_1D.ref)).exception
    assert isinstance(refused, Unavailable)
    assert "aix" in str(refused)


def test_health_by_source(instance: Instance):
    """One line each; `--json` for machines."""
    assert run("health").stdout.count("answers") == 2
    use(instance, Sick())
    result = run("health", "--json")
    assert result.exit_code == 1
    health = json.loads(result.stdout)
    assert health["ok"] is True
    assert {name: one["ok"] for name, one in health["sources"].items()} == {"lyon": True, "aix": False}
    assert "DOES NOT ANSWER" in run("health").stdout
