"""Schema versions, with Alembic. The scripts travel with the package, so no alembic.ini is needed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from .engine import create_engine_for


def _config(url: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Bring the database at ``url`` to this version."""
    command.upgrade(_config(url), "head")


def is_current(urls: Iterable[str]) -> bool:
    """Whether all these databases are at this version."""
    head = head_revision()
    return all(current_revision(url) == head for url in urls)


def head_revision() -> str | None:
    """The version that this code expects."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current_revision(url: str) -> str | None:
    """The version that the database has; None when it has none, or when there is no database yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).exists():
        return None
    engine = create_engine_for(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
