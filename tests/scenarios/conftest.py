"""A small hub of one family for each scenario."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import create_app
from hub.instance import Instance, create_signing_key
from tests.accounts_kit import make_instance, quick_settings, small_directory
from tests.family_kit import House


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signing key made once: it plays no part here."""
    settings = quick_settings(tmp_path_factory.mktemp("keys"))
    create_signing_key(settings)
    return settings.keys_dir


@pytest.fixture
def house(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    directory = small_directory()
    shutil.copytree(keys, tmp_path / "keys")
    instance = make_instance(tmp_path, directory)
    monkeypatch.setattr(Instance, "directory", directory)
    app = create_app(instance.settings)
    yield House(app, app.extensions["preau"])
    app.extensions["preau"].close()
    instance.close()
