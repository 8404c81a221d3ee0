"""The same refusals when Python drops every assert statement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ATTACKS = ["test_requests.py", "test_signatures.py", "test_encryption.py", "test_metadata_import.py"]


def test_no_check_rests_on_an_assert() -> None:
    """The attacks on messages and metadata run again under ``python -O``."""
    command = [sys.executable, "-O", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-W", "ignore::pytest.PytestConfigWarning", "-k", "not breaks and not break_the", *(str(HERE / name) for name in ATTACKS)]
    done = subprocess.run(command, cwd=HERE.parent.parent, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout and " failed" not in done.stdout
