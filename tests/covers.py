"""Ties tests to the catalogue: checks the ids of `covers` marks and keeps the last outcome of each test for the report."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

CATALOGUE = Path(__file__).parent / "catalogue.tsv"
OUTCOMES = Path(__file__).parent.parent / "build" / "outcomes.json"


def catalogue() -> dict[str, str]:
    """Every id with its priority (catalogue) or visibility (features), in the order of the spec."""
    lines = CATALOGUE.read_text().splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def ids_of(item: pytest.Item) -> list[str]:
    """The ids that a test says it covers."""
    return [id_ for mark in item.iter_markers("covers") for id_ in mark.args]


class Recorder:
    """Pytest plug-in that writes down how each test ended."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[item.nodeid] = report.outcome
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not session.config.option.collectonly and self.outcomes:
            OUTCOMES.parent.mkdir(exist_ok=True)
            OUTCOMES.write_text(json.dumps(self.outcomes, indent=0, sort_keys=True))
