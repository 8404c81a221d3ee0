"""Real servers: found, started on loopback by the test itself, or skipped loudly."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require_real(name: str, *candidates: str) -> Path:
    """Path of the first program found. Missing: the test is skipped, or fails when PREAU_REQUIRE_REAL is 1."""
    for candidate in candidates:
        if found := shutil.which(candidate):
            return Path(found)
    why = f"{name} is not installed ({', '.join(candidates)})"
    if os.environ.get("PREAU_REQUIRE_REAL") == "1":
        pytest.fail(why)
    pytest.skip(why)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A closing line counts what was skipped."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "tests/real/" in r.nodeid]
    if skipped:
        terminalreporter.write_line(f"REAL SERVERS SKIPPED: {len(skipped)} test(s) did not run on a real part.", red=True, bold=True)
