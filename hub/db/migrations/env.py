"""Alembic's entry point: the hub's tables and those of the `sql` directory, in one history."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from backends.sql.models import DirectoryBase
from hub.db.base import Moment
from hub.db.engine import create_engine_for
from hub.db.tables import Base

METADATA = [Base.metadata, DirectoryBase.metadata]


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Scripts name plain column types, so that an old one still runs when our classes have moved."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.DateTime()"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String(length={item.length})"
    return False


engine = create_engine_for(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_item=_render,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
