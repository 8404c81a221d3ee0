"""The same refusals when Python drops every assert statement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ATTACKS = ["test_requests.py", "test_signatures.py", "test_encryption.py", "test_metadata_import.py"]


def test_no_check_rests_on_an_assert() -> None:
    """The attacks on messages and metadata run again under ``python -O``."""
    _run_optimised("not breaks and not break_the", *ATTACKS)


def test_no_check_of_a_logout_rests_on_an_assert() -> None:
    """Nor who may end which session."""
    _run_optimised("signed or another_one or altered or session_index or serves_once or out_of_time or pointer", "test_logout.py")


def _run_optimised(selection: str, *names: str) -> None:
    command = [sys.executable, "-O", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-W", "ignore::pytest.PytestConfigWarning", "-k", selection, *(str(HERE / name) for name in names)]
    done = subprocess.run(command, cwd=HERE.parent.parent, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout and " failed" not in done.stdout
