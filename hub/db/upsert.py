"""Inserts that settle races in one statement, alike on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .base import Base


def insert_for(db: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of this database's dialect, with ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return postgresql.insert(table) if db.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def insert_if_absent(db: Session, table: type[Base], **values: Any) -> bool:
    """Insert the row; False when its key exists, also when another transaction is just adding it (PostgreSQL waits for it)."""
    # What was inserted is asked back: the row count of an INSERT is not known with every driver.
    key = inspect(table).primary_key[0]
    return db.execute(insert_for(db, table).values(**values).on_conflict_do_nothing().returning(key)).first() is not None
