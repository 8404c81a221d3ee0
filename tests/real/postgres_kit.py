"""A PostgreSQL server of its own on loopback, started by the test and ended by its pid."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from tests.real.kit import free_port, require_real


@dataclass(frozen=True)
class PostgreSQL:
    """A running server. Each call of ``database`` gives a new, empty database."""

    port: int

    _numbers = count(1)

    def database(self) -> str:
        """SQLAlchemy address of a new database."""
        name = f"test{next(self._numbers)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._address(name)

    def _address(self, name: str) -> str:
        return f"postgresql://preau@127.0.0.1:{self.port}/{name}"


def _binaries() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else require_real("PostgreSQL", "initdb").parent


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Create a cluster in a temporary folder and run it. The server refuses to run as root: then it runs as `postgres`."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    identity: dict[str, int] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        identity = {"user": user.pw_uid, "group": user.pw_gid}
    port = free_port()
    server = None
    try:
        initdb = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "preau", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **identity)  # type: ignore[call-overload]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        with open(folder / "server.log", "wb") as log:
            command = [str(binaries / "postgres"), "-D", str(folder / "data"), *options]
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **identity)  # type: ignore[call-overload]
        running = PostgreSQL(port)
        _wait(running, folder)
        yield running
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # ends at once, clients or not
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: PostgreSQL, folder: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(server._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise RuntimeError((folder / "server.log").read_text()) from None
            time.sleep(0.2)
        else:
            return
