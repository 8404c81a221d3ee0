"""Engines and sessions, the same for SQLite (WAL) and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, sessionmaker

from backends.sql import create_directory_engine


def create_engine_for(url: str) -> Engine:
    """An engine with bounded waits (FT-02), as the directory's, whose foreign keys are checked on SQLite too."""
    engine = create_directory_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _check_foreign_keys)
    return engine


def _check_foreign_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON").close()


class Database:
    """One engine and its session factory."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine_for(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def session(self) -> Session:
        """A new session; the caller commits and closes it."""
        return self._sessions()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session committed at the end of the block, rolled back on any error."""
        with self._sessions() as session, session.begin():
            yield session

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()
