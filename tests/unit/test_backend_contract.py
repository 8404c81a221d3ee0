"""The contract suite on every back end that needs no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backends.contract import POPULATION, DirectoryContract
from backends.memory import MemoryDirectory
from backends.sql import SqlDirectory
from backends.sql.population import load
from tests.aaf_kit import empty_directory


class TestSqlite(DirectoryContract):
    """The SQL directory on SQLite."""

    @pytest.fixture
    def directory_under_test(self, tmp_path: Path) -> Iterator[SqlDirectory]:
        """The fixed population in an embedded database."""
        with closing(empty_directory(tmp_path)) as directory:
            load(directory, POPULATION)
            yield directory


class TestMemory(DirectoryContract):
    """The directory in memory."""

    @pytest.fixture
    def directory_under_test(self) -> MemoryDirectory:
        """The fixed population as it is."""
        people = (*POPULATION.students, *POPULATION.guardians, *POPULATION.staff)
        return MemoryDirectory(people, POPULATION.ties, POPULATION.schools)
