"""Deltas, thresholds and broken imports on a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backends import Degree
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.quality import quality
from hub.db.migrate import upgrade
from hub.feeding.flow import import_delivery
from hub.feeding.generate import Plan, generate
from hub.feeding.safety import Held
from tests import aaf_kit as kit
from tests.feeding_kit import attempt, killed_at_random_points, living
from tests.real.postgres_kit import PostgreSQL, postgresql

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """One server for this module."""
    with postgresql() as running:
        yield running


@pytest.fixture
def url(server: PostgreSQL) -> str:
    """A database of this version."""
    address = server.database()
    upgrade(address)
    return address


@pytest.fixture
def directory(url: str) -> Iterator[SqlDirectory]:
    """The directory of that database."""
    with closing(SqlDirectory(create_directory_engine(url))) as directory:
        yield directory


@pytest.mark.covers("IM-11", "IM-12")
def test_deltas_give_the_same_directory_as_on_sqlite(tmp_path: Path, directory: SqlDirectory):
    """A complete and its delta, packed, on both databases: the same rows, the same figures; a replay changes nothing."""
    plan = Plan(students=300, academies=1, degrees=(Degree.SECONDARY,), delta=0.2, quirks=("all",), packing="tgz")
    complete, delta = generate(tmp_path / "in", plan).archives
    found = []
    with closing(kit.empty_directory(tmp_path / "db")) as embedded:
        for each in (directory, embedded):
            reports = [import_delivery(path, each, accept_shrink=True).to_json() for path in (complete, delta)]
            before = kit.dump(each)
            assert import_delivery(delta, each).changes == 0
            assert kit.dump(each) == before
            rows = living(each)
            found.append((reports, {name: list(lines) for name, lines in rows.items()}, quality(each, "13")))
    assert found[0] == found[1]
    assert found[0][0][1]["counts"]


@pytest.mark.covers("IM-09", "IM-10")
def test_shrinks_are_held(tmp_path: Path, directory: SqlDirectory):
    """Small shrinks add up, mass deletions are seen, a human's word counts."""
    import_delivery(kit.school_of(tmp_path / "a", 20), directory)
    import_delivery(kit.school_of(tmp_path / "b", 18, day=17), directory)
    with pytest.raises(Held, match="17 left of 20"):
        import_delivery(kit.school_of(tmp_path / "c", 17, day=18), directory)
    with pytest.raises(Held, match="left of 20"):
        import_delivery(kit.delta(tmp_path / "d", *(kit.delete("Eleve", str(n)) for n in range(501, 510)), day=18), directory)
    assert import_delivery(tmp_path / "c", directory, accept_shrink=True).published


@pytest.mark.covers("FT-09")
def test_killed_at_random_points_leaves_old_or_new(tmp_path: Path, url: str, directory: SqlDirectory):
    """Processes killed at random moments: the server keeps the old state or has the new one."""
    killed_at_random_points(url, directory, tmp_path / "in", 8)


@pytest.mark.covers("FT-10")
def test_second_import_into_a_feed_is_refused_while_one_runs(tmp_path: Path, url: str, directory: SqlDirectory):
    """The claim is the server's: it holds against any process, for that feed only, until it is given back."""
    folder = kit.usual(tmp_path / "in").write()
    with multiprocessing.get_context("spawn").Pool(1) as pool, directory.feeding("10", "10"):
        assert pool.apply(attempt, (url, str(folder), None)) == "busy"
        assert pool.apply(attempt, (url, str(folder), "other")) == "published"
    assert attempt(url, str(folder), None) == "published"
