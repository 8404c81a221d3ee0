"""Import of a synthetic complete beside the time that lxml needs only to iterate the same files, in one run.

``python -m tests.bench.bench_import --students 5000``
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lxml import etree

from backends import Degree
from backends.sql.quality import quality
from hub.feeding.flow import import_delivery
from hub.feeding.generate import Plan, generate
from tests.aaf_kit import empty_directory


def main(students: int = 5000, times: int = 3) -> None:
    """Generate, iterate, import, import again, import a delta; print seconds of CPU, ratios and peak memory."""
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as name:
        folder = Path(name)
        summary = generate(folder / "in", Plan(students=students, academies=1, degrees=(Degree.SECONDARY,), delta=0.01))
        (complete,), (delta,) = summary.folders, summary.deltas
        files = sorted(complete.glob("*.xml"))
        size = sum(path.stat().st_size for path in files)
        print(f"{students} pupils, {len(files)} files, {size / 1e6:.1f} MB")
        every = min(_cpu(lambda: iterate(files, None)) for _ in range(times))
        requests = min(_cpu(lambda: iterate(files, "addRequest")) for _ in range(times))
        before = _peak()
        first, again, changes, figures = [], [], [], []
        for turn in range(times):
            with closing(empty_directory(folder / f"db{turn}")) as directory:
                first.append(_cpu(lambda directory=directory: import_delivery(files, directory)))  # type: ignore[misc]
                again.append(_cpu(lambda directory=directory: import_delivery(files, directory)))  # type: ignore[misc]
                changes.append(_cpu(lambda directory=directory: import_delivery(delta, directory)))  # type: ignore[misc]
                figures.append(_cpu(lambda directory=directory: quality(directory, "13")))  # type: ignore[misc]
        print(f"lxml, every element    {every:7.2f} s")
        print(f"lxml, requests only    {requests:7.2f} s")
        rows = (("first import", first), ("same again", again), ("delta of 1 %", changes), ("data quality", figures))
        for label, figure in ((label, min(found)) for label, found in rows):
            print(f"{label:22} {figure:7.2f} s   {figure / every:.2f} x every element, {figure / requests:.2f} x requests only")
        print(f"peak memory {_peak()} MB ({before} MB before the import)")


def iterate(files: list[Path], tag: str | None) -> None:
    """What the bar is measured against: parse, look at each element, clear it."""
    for path in files:
        for _, element in etree.iterparse(path, tag=tag, load_dtd=False, no_network=True, resolve_entities=False):
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _cpu(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=5000)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    main(options.students, options.times)
