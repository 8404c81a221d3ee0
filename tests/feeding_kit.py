"""Imports in processes of their own, killed or at once, for the tests on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from backends import Degree
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.models import DirectoryBase
from hub.feeding.flow import import_delivery
from hub.feeding.generate import Plan, generate
from hub.feeding.safety import Busy

IMPORT = """
import sys
from pathlib import Path
from backends.sql import SqlDirectory, create_directory_engine
from hub.feeding.flow import import_delivery
directory = SqlDirectory(create_directory_engine(sys.argv[1]))
print("go", flush=True)
import_delivery(Path(sys.argv[2]), directory)
"""


def attempt(url: str, path: str, feed: str | None) -> str:
    """Import, and what came of it."""
    with closing(SqlDirectory(create_directory_engine(url))) as directory:
        try:
            import_delivery(Path(path), directory, feed=feed, new_feed=feed is not None)
        except Busy as busy:
            return "busy" if "another delivery is on its way" in str(busy) else str(busy)
    return "published"


def kill_at(url: str, path: Path, delay: float | None) -> tuple[int, float]:
    """Import in a process of its own, killed after ``delay`` seconds. Returns its status and how long it ran."""
    command = [sys.executable, "-c", IMPORT, url, str(path)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        begin = time.monotonic()
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
        status = process.wait()
    return status, time.monotonic() - begin


def living(directory: SqlDirectory) -> dict[str, list[str]]:
    """What is published, table by table: the records that have left and the head counts bear the moment of each try."""
    found = {}
    with directory.engine.connect() as connection:
        for table in DirectoryBase.metadata.sorted_tables:
            query = table.select()
            if "ended_at" in table.c:
                query = query.where(table.c.ended_at.is_(None))
            if table.name != "directory_headcount":
                found[table.name] = sorted(map(repr, connection.execute(query)))
    return found


def killed_at_random_points(url: str, directory: SqlDirectory, folder: Path, points: int) -> None:
    """Kill the import of a delta, which adds, changes and ends, at that many random moments.

    Each time the directory is the old one or the new one, and the import that follows completes.
    """
    summary = generate(folder, Plan(students=60, academies=1, degrees=(Degree.SECONDARY,), delta=0.3))
    complete, delta = summary.folders[0], summary.deltas[0]
    import_delivery(complete, directory)
    old = living(directory)
    status, whole = kill_at(url, delta, None)
    new = living(directory)
    assert status == 0
    assert new != old
    rng, killed = random.Random(9), 0
    for _ in range(5 * points):
        _go_back(directory, complete)
        assert living(directory) == old
        status, ran = kill_at(url, delta, rng.uniform(0, whole))
        assert living(directory) in ((old, new) if status else (new,))
        _wait_and_import(delta, directory)
        assert living(directory) == new
        if status:
            killed += 1
        else:
            whole = ran  # the machine is less busy than it was
        if killed == points:
            return
    raise AssertionError(f"only {killed} of {points} imports were killed in time")


def _go_back(directory: SqlDirectory, complete: Path) -> None:
    """The state before the delta, as if nothing had been delivered since."""
    with directory.engine.begin() as connection:
        for table in ("delivery", "headcount"):
            connection.exec_driver_sql(f"DELETE FROM directory_{table}")
    import_delivery(complete, directory, accept_shrink=True)


def _wait_and_import(delta: Path, directory: SqlDirectory) -> None:
    """A server needs a moment to see that its client is dead."""
    deadline = time.monotonic() + 20
    while True:
        try:
            assert import_delivery(delta, directory).published
        except Busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
