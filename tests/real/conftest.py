"""Real servers: found, started on loopback by the test itself, or skipped loudly."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.real.browser_kit import browser
from tests.real.demo_kit import Demo, running_demo

__all__ = ["browser", "demo"]  # one browser and one demo for all the modules of this folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`preau demo` with nothing mocked, on ports of its own, in a folder of its own."""
    with running_demo(tmp_path_factory.mktemp("demo"), dict(os.environ)) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A closing line counts what was skipped."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "tests/real/" in r.nodeid]
    if skipped:
        terminalreporter.write_line(f"REAL SERVERS SKIPPED: {len(skipped)} test(s) did not run on a real part.", red=True, bold=True)
