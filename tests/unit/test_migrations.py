"""The migrations give exactly the tables that the code expects."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from backends.sql.models import DirectoryBase
from hub.db import create_engine_for
from hub.db.migrate import _config, current_revision, head_revision, upgrade
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


def test_people_published_before_deltas_stay_published(tmp_path: Path):
    """Rows of the first version keep what they say; nobody knows what was said of them, so that is empty."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    command.upgrade(_config(url), "0001")
    engine = create_engine_for(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO directory_mef (feed, degree, id, label, level, digest) VALUES ('10', '2D', '1', '6EME', '2111', 7)"
        )
    upgrade(url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT label, digest, source FROM directory_mef").one() == ("6EME", 7, "")
    engine.dispose()
