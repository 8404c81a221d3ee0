"""What the tests on real servers share: finding programs, ports of loopback."""

from __future__ import annotations

import os
import shutil
import socket
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


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens on that port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
