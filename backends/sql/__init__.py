"""The ``sql`` back end: the default directory, fed by the AAF import, on SQLite or PostgreSQL."""

from __future__ import annotations

from typing import Protocol

from .directory import SqlDirectory
from .engine import create_directory_engine

__all__ = ["SqlDirectory", "create_directory_engine", "open_directory"]


class _Settings(Protocol):
    @property
    def directory_database(self) -> str: ...


def open_directory(settings: _Settings) -> SqlDirectory:
    """The directory at ``settings.directory_database``, a SQLAlchemy address. Raises ValueError for another database."""
    return SqlDirectory(create_directory_engine(settings.directory_database))
