"""What every test shares: no network beyond loopback, checked catalogue ids."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.covers import Recorder, catalogue, ids_of

if TYPE_CHECKING:
    from tests.hub_kit import Hub


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


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """A test that sets up logging leaves none of it to the next."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def hub_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's instance, made once."""
    from tests.hub_kit import prepared_instance

    folder = tmp_path_factory.mktemp("hub")
    prepared_instance(folder)
    return folder


@pytest.fixture
def hub(hub_template: Path, tmp_path: Path) -> Iterator[Hub]:
    """A hub of its own for this test."""
    from tests.hub_kit import open_hub

    opened = open_hub(hub_template, tmp_path / "hub")
    yield opened
    opened.instance.close()
