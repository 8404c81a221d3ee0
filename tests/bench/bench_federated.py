"""What `federated` adds to a back end: profiles resolved through it over `sql`, beside `sql` itself on the same people, in one run.

A profile is what each sign-on asks: a pupil's records by INE; a guardian's record and rights. `python -m tests.bench.bench_federated`
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import cycle
from pathlib import Path

from sqlalchemy import make_url

from backends import Directory, Guardian, Kind, Person, Student, iterate
from backends.federated import SourceSettings, federate
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.models import DirectoryBase
from hub.feeding.flow import import_delivery
from hub.feeding.generate import Plan, generate
from tests.real.postgres_kit import postgresql

BAR = 1.3
ROUND = 50


def resolve(directory: Directory, person: Person) -> None:
    """What the sign-on of that person asks."""
    if isinstance(person, Student):
        assert directory.students_by_ine(person.ine or "")
    else:
        directory.person(person.ref)
        directory.ties_of(person.ref)


def _turns(directory: Directory, people: list[Person]) -> Callable[[], object]:
    turn = cycle(people)
    return lambda: resolve(directory, next(turn))


def rounds(works: list[Callable[[], object]], times: int) -> list[tuple[float, float]]:
    """Median CPU and wall time of one call of each, in microseconds; the works take turns, so that a busy machine hurts all alike."""
    cpu: list[list[float]] = [[] for _ in works]
    wall: list[list[float]] = [[] for _ in works]
    for _ in range(times // ROUND):
        for n, work in enumerate(works):
            begin, start = time.process_time(), time.perf_counter()
            for _ in range(ROUND):
                work()
            cpu[n].append((time.process_time() - begin) * 1e6 / ROUND)
            wall[n].append((time.perf_counter() - start) * 1e6 / ROUND)
    return [(statistics.median(c), statistics.median(w)) for c, w in zip(cpu, wall, strict=True)]


def _people(directory: SqlDirectory) -> dict[str, list[Person]]:
    with directory.engine.connect() as connection:
        table = DirectoryBase.metadata.tables["directory_school"]
        uais = sorted({row.uai for row in connection.execute(table.select()) if row.uai})
    pupils = [p for uai in uais for p in iterate(directory, uai, Kind.STUDENT) if isinstance(p, Student) and p.ine]
    guardians = [p for uai in uais for p in iterate(directory, uai, Kind.GUARDIAN) if isinstance(p, Guardian)]
    return {"pupil": pupils[:500], "guardian": guardians[:500]}  # type: ignore[dict-item]


@contextmanager
def _federated(url: str, *academies: str) -> Iterator[Directory]:
    """One source for each academy, all on that database; without academies one for everybody."""
    sources = [SourceSettings(name=f"a{code}", backend="sql", academies={code}) for code in academies]
    sources = sources or [SourceSettings(name="all", backend="sql")]
    directories = {source.name: SqlDirectory(create_directory_engine(url)) for source in sources}
    with closing(federate(sources, directories)) as directory:
        yield directory


def _measure(url: str, folders: list[Path], times: int) -> None:
    with closing(SqlDirectory(create_directory_engine(url))) as sql:
        DirectoryBase.metadata.create_all(sql.engine)
        for folder in folders:
            import_delivery(folder, sql)
        people = _people(sql)
        with _federated(url) as one, _federated(url, "10", "13") as two:
            for kind, members in people.items():
                works = [_turns(directory, members) for directory in (sql, one, two)]
                rounds(works, ROUND * 4)  # warm
                (cpu, wall), *others = rounds(works, times)
                print(f"  {kind:9} sql                     {wall:7.0f} µs, {cpu:6.0f} µs of CPU")
                for name, (other_cpu, other_wall) in zip(("federated, one source", "federated, two sources"), others, strict=True):
                    verdict = "" if name.endswith("two sources") else f" (bar {BAR})"
                    print(
                        f"  {kind:9} {name:23} {other_wall:7.0f} µs, {other_cpu:6.0f} µs of CPU   "
                        f"ratio {other_cpu / cpu:4.2f} of the CPU{verdict}, {other_wall / wall:4.2f} of the time"
                    )


def main(students: int, times: int) -> None:
    """Print one table for each database."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folders = generate(folder / "delivery", Plan(students=students, academies=2, seed=7)).folders
        print(f"A profile through `federated` over `sql`, {students} pupils of two academies")
        print(" SQLite")
        _measure(f"sqlite:///{folder / 'directory.sqlite'}", folders, times)
        with postgresql() as server:
            print(" PostgreSQL")
            _measure(make_url(server.database()).render_as_string(hide_password=False), folders, times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--times", type=int, default=2000, help="profiles of each kind")
    arguments = parser.parse_args()
    main(arguments.students, arguments.times)
