"""The processes of the demo: begun together, ended together, and the last line says how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.real.demo_kit import running_demo

pytestmark = pytest.mark.real


def demo_pid(folder: Path) -> int:
    return int((folder / "demo.pid").read_text())


def child(pid: int, word: str) -> int:
    """The child of that process whose command has that word."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(one) for one in children if word.encode() in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0"))


def wait_for(text: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_the_demo_says_how_it_ended(tmp_path: Path) -> None:
    """A second one in the same folder is refused, a killed worker is named, and Ctrl-C is one line."""
    log = tmp_path / "demo.log"
    with running_demo(tmp_path, dict(os.environ)) as demo:
        wait_for("Ready.", log)
        pid = demo_pid(tmp_path)
        second = subprocess.run(
            [sys.executable, "-m", "hub.cli", "demo", "--hub-port", "1024", "--sp-port", "1025", "--instance", str(tmp_path)],
            capture_output=True,
            text=True,
            env=demo.environment,
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        assert f"a demo already runs in this folder (pid {pid})" in second.stderr
        os.kill(child(pid, "worker"), signal.SIGKILL)
        wait_for("the worker was killed (signal 9)", log)
    with running_demo(tmp_path, dict(os.environ)):
        wait_for("Ready.", log)
        os.kill(demo_pid(tmp_path), signal.SIGINT)
        wait_for("Stopped.", log)
    after = log.read_text().split("Ready. Ctrl-C ends everything.\n")[-1]
    assert after == "Stopped.\n"
