"""Alembic's entry point: the hub's tables and those of the `sql` directory, in one history."""

from alembic import context
from sqlalchemy import Connection

from backends.sql.models import DirectoryBase
from hub.db.engine import create_engine_for
from hub.db.tables import Base

METADATA = [Base.metadata, DirectoryBase.metadata]


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=connection.dialect.name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()


if (given := context.config.attributes.get("connection")) is not None:
    _run(given)
else:
    engine = create_engine_for(context.config.attributes["url"])
    with engine.connect() as opened:
        _run(opened)
    engine.dispose()
