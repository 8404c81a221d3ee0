"""The contract suite on the directory in memory, so that tests built on it mean something."""

from __future__ import annotations

import pytest

from backends.contract import POPULATION, DirectoryContract
from backends.memory import MemoryDirectory


@pytest.fixture
def directory_under_test() -> MemoryDirectory:
    """The fixed population."""
    people = (*POPULATION.students, *POPULATION.guardians, *POPULATION.staff)
    return MemoryDirectory(people, POPULATION.ties, POPULATION.schools)


class TestMemory(DirectoryContract):
    """Every behaviour, in memory."""
