"""The back end of the how-to page works as it is printed: it is cut out of the page and judged by the contract suite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import TypeAdapter

from backends import Directory, loading
from backends.contract import POPULATION, DirectoryContract, Population

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "write-a-back-end.md"
BACK_END, SUITE = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.fixture
def your_package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The first block of the page, as the module that the page names."""
    module = ModuleType("your_package")
    monkeypatch.setitem(sys.modules, "your_package", module)
    exec(compile(BACK_END, str(PAGE), "exec"), module.__dict__)
    return module


class TestPrintedBackEnd(DirectoryContract):
    """Every behaviour of the contract, on what the page prints."""

    @pytest.fixture
    def directory_under_test(self, your_package: ModuleType, tmp_path: Path) -> Iterator[Directory]:
        """The fixture of the page, with its own words."""
        printed: dict[str, object] = {}
        exec(compile(SUITE, str(PAGE), "exec"), printed)
        fixture = printed["directory_under_test"]
        yield from fixture.__wrapped__(tmp_path)  # type: ignore[attr-defined]


def test_the_page_opens_by_its_entry_point(your_package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Entry point and options as printed open it; a wrong option is one sentence."""
    monkeypatch.setattr(loading, "known", lambda: {"json": EntryPoint("json", "your_package:open_directory", loading.GROUP)})
    path = tmp_path / "people.json"
    path.write_bytes(TypeAdapter(Population).dump_json(POPULATION))
    assert loading.open_back_end("json", None, {"path": str(path)}).health().ok
    for options, why in (({}, "missing a required argument: 'path'"), ({"path": str(path), "x": 1}, "unexpected keyword argument 'x'")):
        with pytest.raises(ValueError, match=why):
            loading.open_back_end("json", None, options)
    path.write_text("{}")
    with pytest.raises(ValueError, match="schools: Field required"):
        loading.open_back_end("json", None, {"path": str(path)})


def test_a_third_party_runs_the_suite_on_its_own(tmp_path: Path):
    """The two blocks of the page in a folder elsewhere, and pytest: every behaviour test runs, failures are explained."""
    (tmp_path / "your_package.py").write_text(BACK_END)
    (tmp_path / "test_json.py").write_text(SUITE)
    (tmp_path / "test_broken.py").write_text(SUITE.replace("    yield directory", "    directory._ties = ()\n    yield directory"))

    def outcome(module: str) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", module]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False).stdout

    number = sum(name.startswith("test_") for name in vars(DirectoryContract))
    assert f"{number} passed" in outcome("test_json.py")
    broken = outcome("test_broken.py")
    assert "failed" in broken
    assert "assert () ==" in broken, "the assertion shows both sides"


def test_it_stays_small():
    """About sixty lines, without blank ones."""
    assert len([line for line in BACK_END.splitlines() if line.strip()]) <= 65
