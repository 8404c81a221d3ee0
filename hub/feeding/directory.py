"""The ``aaf`` back end: deliveries read straight from disk into memory, for previews, tests and small schools.

It is the `sql` directory over a SQLite database that only exists in memory, filled by the same import: what a delivery means
is decided in one place (``docs/decisions/the-aaf-directory-is-the-import-in-memory.md``). Nothing is written to disk.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, validate_call
from sqlalchemy import QueuePool, create_engine

from backends import Features, Health
from backends.sql import SqlDirectory
from backends.sql.models import DirectoryBase

from ..errors import ConfigurationError, Refusal
from .flow import import_delivery


class AafDirectory(SqlDirectory):
    """What the deliveries said when they were read. It is not fed: opening it again reads them again."""

    def __init__(self) -> None:
        # A name that begins with / is shared by all connections of this process; the database lives as long as one of them.
        address = f"file:/preau-{secrets.token_hex(8)}?vfs=memdb"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(address, uri=True, timeout=5.0, check_same_thread=False)

        self._kept = connect()
        super().__init__(create_engine("sqlite://", creator=connect, poolclass=QueuePool))
        self.features = Features.LOCAL
        DirectoryBase.metadata.create_all(self.engine)

    def health(self) -> Health:
        health = super().health()
        return Health(health.ok, "aaf", health.counts)

    def close(self) -> None:
        super().close()
        self._kept.close()


def read_deliveries(deliveries: Sequence[Path], *, academy: str | None = None, feed: str | None = None) -> AafDirectory:
    """A directory of these deliveries, each a folder or a file. Raises Refusal, as the import does."""
    directory = AafDirectory()
    try:
        for path in deliveries:
            import_delivery(path, directory, feed=feed, academy=academy)
    except BaseException:
        directory.close()
        raise
    return directory


@validate_call
def open_directory(
    settings: Any,
    *,
    deliveries: Annotated[list[Path], Field(min_length=1, description="Folders or files of complete exports, one for each degree.")],
    academy: Annotated[str | None, Field(description="Code of the academy, when the files do not say it.")] = None,
    feed: Annotated[str | None, Field(description="Name of the feed, when it is not the code of the academy.")] = None,
) -> AafDirectory:
    """Read the deliveries. Raises ConfigurationError with the reason when one is refused."""
    try:
        return read_deliveries(deliveries, academy=academy, feed=feed)
    except Refusal as exc:
        raise ConfigurationError(f"aaf directory: {exc}") from None
