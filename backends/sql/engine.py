"""Engines of the directory: SQLite (WAL) embedded, PostgreSQL in production."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url


def create_directory_engine(url: str) -> Engine:
    """An engine with bounded waits: 5 s for a lock or a connection, 10 s for a statement.

    Raises ``ValueError`` for another database than SQLite or PostgreSQL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": 5.0}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        bounds = {"connect_timeout": 5, "options": "-c statement_timeout=10000 -c lock_timeout=5000"}
        return create_engine(parsed, pool_pre_ping=True, pool_timeout=5, pool_recycle=1800, connect_args=bounds, hide_parameters=True)
    raise ValueError(f"unsupported database: {parsed.get_backend_name()}")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
