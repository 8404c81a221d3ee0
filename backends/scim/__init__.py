"""The ``scim`` back end: a SCIM 2.0 server over HTTP, read only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, validate_call

from .client import ScimClient
from .directory import ScimDirectory

__all__ = ["ScimClient", "ScimDirectory", "open_directory"]


@validate_call
def open_directory(
    settings: Any,
    *,
    url: Annotated[str, Field(description="Base address of the server, https (or http on this machine).")],
    token_file: Annotated[Path, Field(description="File with the bearer token; it may be replaced while the hub runs.")],
    ca_file: Annotated[
        Path | None, Field(description="Certificates that the server's is checked with. Empty: those of the system.")
    ] = None,
    limit: Annotated[float, Field(gt=0, le=10, description="Seconds that a call may take, retries and pages included.")] = 3.0,
    page: Annotated[int, Field(ge=1, le=1000, description="Resources asked for at a time.")] = 200,
) -> ScimDirectory:
    """The directory at that address. Nothing is asked yet. Raises ValueError for an address that may not be used."""
    return ScimDirectory(ScimClient(url, token_file, ca_file=ca_file, limit=limit, page=page))
