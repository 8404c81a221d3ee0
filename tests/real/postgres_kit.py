"""A real PostgreSQL on loopback, in a folder that goes with the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.conftest import require_real


def _program(name: str) -> Path:
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return require_real("PostgreSQL", *(str(path) for path in newest[-1:]), name)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Address of an empty database of a server that runs until the end of the block. Skips where there is no PostgreSQL."""
    initdb, server = _program("initdb"), _program("postgres")
    # The server refuses to run as root: it gets the account that its package made.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="preau-postgres-"))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "preau", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
        check=True,
        user=user,
        capture_output=True,
        cwd=folder,
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [server, "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, user=user, stdout=log, stderr=log, cwd=folder) as process:
        try:
            _wait(port, process)
            yield f"postgresql://preau@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(f"postgresql://preau@127.0.0.1:{port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("PostgreSQL did not start")
