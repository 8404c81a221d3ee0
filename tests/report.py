"""`make report`: every catalogue id and feature with its tests and their last outcome.

Exits 1 when an id named in REQUIRED has no passing test. Ids without a test are listed as open.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections import defaultdict

import pytest

from tests.covers import OUTCOMES, catalogue, ids_of

REQUIRED = frozenset(
    [f"RQ-{n:02d}" for n in (1, 2, 3, 4, 5, 10, 11, 12, 13, 15, 16, 26, 33, 36, 39, 40, 41, 43, 49, 80, 81, 83)]
    + [f"LO-{n:02d}" for n in range(1, 21) if n != 10]
    + [f"AC-{n:02d}" for n in (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 23, 24, 28, 29, 32, 37, 40)]
    + [f"AD-{n:02d}" for n in (1, 2, 3, 5, 7, 8)]
    + [f"IM-{n:02d}" for n in (1, 3, 7, 15, 19)]
)
"""What is claimed as done; grows with each capability."""


class Collector:
    """Pytest plug-in that notes which test covers which id."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for id_ in ids_of(item):
                self.tests[id_].append(item.nodeid)


def verdict(tests: list[str], outcomes: dict[str, str]) -> str:
    """``open`` without test, else the worst of the last outcomes."""
    if not tests:
        return "open"
    found = {outcomes.get(test, "not run") for test in tests}
    return next(v for v in ("failed", "not run", "skipped", "passed") if v in found)


def main() -> int:
    """Print the table; returns the exit code."""
    collector = Collector()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(["--collect-only", "-q", "tests"], plugins=[collector])
    if code != 0:
        print(f"{said.getvalue()}\nthe tests cannot be collected (pytest exit {code})", file=sys.stderr)
        return 1
    outcomes: dict[str, str] = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}
    counts: dict[str, int] = defaultdict(int)
    missing = []
    for id_, rank in catalogue().items():
        tests = collector.tests[id_]
        result = verdict(tests, outcomes)
        counts[result] += 1
        if id_ in REQUIRED and result != "passed":
            missing.append(f"{id_} ({result})")
        shown = f"{len(tests)} test{'s' * (len(tests) > 1)}: {tests[0]}" if tests else ""
        print(f"{id_:6} {rank:4} {result:8} {shown}")
    print("\n" + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    if missing:
        print("claimed but not shown: " + ", ".join(missing), file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
