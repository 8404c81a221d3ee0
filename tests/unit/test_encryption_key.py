"""The key that services encrypt identifiers for: made by `preau init`, published, and missed by nobody who has none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import context, preau
from hub.errors import ConfigurationError
from hub.instance import Instance
from hub.settings import Settings


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    opened = Instance(Settings(instance_dir=tmp_path / "var"))
    monkeypatch.setattr(context, "_instance", opened)
    assert CliRunner().invoke(preau, ["init"]).exit_code == 0
    return opened


def metadata(settings: Settings) -> bytes:
    return Instance(settings).identity_provider.metadata(valid_until=datetime.now(UTC) + timedelta(days=1))


@pytest.mark.covers("LO-15")
def test_init_makes_it_once_and_the_metadata_publish_it(instance: Instance):
    """A second `preau init` keeps it; `preau keys list` names both keys; only the owner may read it."""
    path = instance.settings.keys_dir / "encryption.key"
    before = path.read_bytes()
    assert "created" not in CliRunner().invoke(preau, ["init"]).output
    assert path.read_bytes() == before and path.stat().st_mode & 0o777 == 0o600
    assert metadata(instance.settings).count(b'use="encryption"') == 1
    listed = CliRunner().invoke(preau, ["keys", "list"]).output
    assert [line.split()[:2] for line in listed.splitlines()] == [["signing", "active"], ["encryption", "active"]]


def test_an_instance_of_before_runs_without_it(instance: Instance):
    """Set up by an earlier version: it serves, publishes none, and `preau init` adds it."""
    for suffix in ("key", "crt"):
        (instance.settings.keys_dir / f"encryption.{suffix}").unlink()
    assert Instance(instance.settings).encryption_keys == ()
    assert b'use="encryption"' not in metadata(instance.settings)
    assert "encryption   created" in CliRunner().invoke(preau, ["init"]).output
    assert len(Instance(instance.settings).encryption_keys) == 1


def test_a_key_that_others_can_read_is_refused(instance: Instance):
    """As for the signing key: it stops the start with the name of the file."""
    path = instance.settings.keys_dir / "encryption.key"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"encryption\.key"):
        _ = Instance(instance.settings).encryption_keys
    path.chmod(0o600)
    assert Instance(instance.settings).encryption_keys
