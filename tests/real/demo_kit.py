"""The demo as a newcomer starts it: real processes on loopback, ended by their pids."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real.kit import answers, free_port


@dataclass(frozen=True)
class Demo:
    """A running demo."""

    hub: str
    sp: str
    folder: Path
    people: dict[str, dict[str, Any]]
    environment: dict[str, str]

    def preau(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run a `preau` command on this instance."""
        done = subprocess.run(
            [sys.executable, "-m", "hub.cli", *arguments], input=stdin, capture_output=True, env=self.environment, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@contextmanager
def running_demo(folder: Path, environment: dict[str, str]) -> Iterator[Demo]:
    """Start `preau demo` on free ports and wait until it answers."""
    hub_port, sp_port = free_port(), free_port()
    log = folder / "demo.log"
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "hub.cli", "demo", "--hub-port", str(hub_port), "--sp-port", str(sp_port), "--instance", str(folder)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        deadline = time.monotonic() + 120
        while not (answers(hub_port) and answers(sp_port)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        people = {row["role"]: row for row in json.loads((folder / "demo" / "people.json").read_text())}
        hub = f"http://localhost:{hub_port}"
        own = environment | {"PREAU_INSTANCE_DIR": str(folder), "PREAU_BASE_URL": hub, "PREAU_PROFILE": "demo"}
        yield Demo(hub, f"http://localhost:{sp_port}", folder, people, own)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
