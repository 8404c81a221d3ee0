"""The migrations give exactly the tables that the code expects."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from backends.sql.models import DirectoryBase
from hub.db import create_engine_for
from hub.db.migrate import current_revision, head_revision, upgrade
from hub.db.tables import Base


def test_migrating_an_empty_database_gives_the_declared_tables(tmp_path: Path):
    """From nothing to this version: no table, column or index is missing or left over."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    assert current_revision(url) is None
    upgrade(url)
    assert current_revision(url) == head_revision()
    engine = create_engine_for(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), [Base.metadata, DirectoryBase.metadata])
    engine.dispose()
    assert differences == []


def test_migrating_twice_changes_nothing(tmp_path: Path):
    """`preau init` may be run again at any time."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    upgrade(url)
    assert current_revision(url) == head_revision()
