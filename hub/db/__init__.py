"""The database: engine, sessions, migrations."""

from .base import Base, Moment, enum_column, new_id
from .engine import Database, create_engine_for

__all__ = ["Base", "Database", "Moment", "create_engine_for", "enum_column", "new_id"]
