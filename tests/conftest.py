"""What every test shares: no network beyond loopback, checked catalogue ids."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.covers import Recorder, catalogue, ids_of


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(), "preau-recorder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = catalogue()
    for item in items:
        wrong = [id_ for id_ in ids_of(item) if id_ not in known]
        if wrong:
            raise pytest.UsageError(f"{item.nodeid}: no such catalogue id: {', '.join(wrong)}")


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = address[0]
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """A test that reaches beyond this machine fails."""
    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if not _is_loopback(address):
            raise RuntimeError(f"a test tried to reach {address!r}")
        real_connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", connect)
    yield
    patch.undo()
