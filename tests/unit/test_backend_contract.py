"""The contract suite on the SQL directory, SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.contract import POPULATION, DirectoryContract
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.models import DirectoryBase
from backends.sql.population import load


@pytest.fixture
def directory_under_test(tmp_path: Path) -> Iterator[SqlDirectory]:
    """The fixed population in an embedded database."""
    directory = SqlDirectory(create_directory_engine(f"sqlite:///{tmp_path / 'directory.sqlite'}"))
    DirectoryBase.metadata.create_all(directory.engine)
    load(directory, POPULATION)
    yield directory
    directory.close()


class TestSqlite(DirectoryContract):
    """Every behaviour, on SQLite."""
