"""The contract suite on every back end that needs no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backends import Degree
from backends.contract import POPULATION, DirectoryContract
from backends.federated import FederatedDirectory, SourceSettings, federate
from backends.memory import MemoryDirectory
from backends.sql import SqlDirectory
from backends.sql.population import load
from backends.watched import Watched
from hub.feeding.directory import open_directory as open_aaf
from tests.aaf_kit import empty_directory
from tests.directory_kit import in_memory, of_academy, write_deliveries


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
        return in_memory(POPULATION)


class TestAaf(DirectoryContract):
    """Deliveries read into memory."""

    @pytest.fixture
    def directory_under_test(self, tmp_path: Path) -> Iterator[SqlDirectory]:
        """The fixed population as two complete exports."""
        with closing(open_aaf(None, deliveries=write_deliveries(tmp_path, POPULATION))) as directory:
            yield directory


class TestFederated(DirectoryContract):
    """One academy from a delivery, the other in memory."""

    @pytest.fixture
    def directory_under_test(self, tmp_path: Path) -> Iterator[FederatedDirectory]:
        """The fixed population, each academy in a back end of its own."""
        sources = [
            SourceSettings(name="lyon", backend="aaf", academies={"10"}),
            SourceSettings(name="aix", backend="memory", academies={"02"}, degrees={Degree.PRIMARY}),
        ]
        aaf = open_aaf(None, deliveries=write_deliveries(tmp_path, of_academy(POPULATION, "10")))
        with closing(federate(sources, {"lyon": aaf, "aix": in_memory(of_academy(POPULATION, "02"))})) as directory:
            yield directory


class TestWatched(DirectoryContract):
    """A directory with an observer answers as the directory itself."""

    @pytest.fixture
    def directory_under_test(self) -> Watched:
        """The fixed population behind an observer."""
        return Watched(in_memory(POPULATION), "memory", lambda *_: None)
