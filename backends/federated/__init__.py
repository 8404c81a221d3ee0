"""The ``federated`` back end: several directories by academy, behind bounded waits and circuit breakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, validate_call

from .. import Degree, Directory
from ..loading import open_back_end
from .breaker import Breaker, Circuit
from .directory import FederatedDirectory
from .lane import Lane
from .source import Scope, Source

__all__ = ["Breaker", "Circuit", "FederatedDirectory", "SourceSettings", "federate", "open_directory"]


class SourceSettings(BaseModel):
    """One source of a federated directory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="Name in logs, metrics and health: letters, digits, `-`, `_`.")
    backend: str = Field(description="Name of its back end, an entry point of `preau.backends`.")
    academies: frozenset[Annotated[str, Field(pattern=r"^[0-9]{2}$")]] = Field(
        frozenset(), description="Two-digit codes of the academies that it speaks for. Empty: all that no other source names."
    )
    feeds: frozenset[str] = Field(frozenset(), description="Names of their feeds, where they are not the codes.")
    degrees: frozenset[Degree] = Field(frozenset(Degree), description="`1D`, `2D` or both.")
    limit: float = Field(2.0, gt=0, le=10, description="Seconds that a call may take.")
    width: int = Field(8, ge=1, le=64, description="Calls at once in one process.")
    failures: int = Field(3, ge=1, le=100, description="Failures in a row after which the source is left alone for a while.")
    pause: float = Field(10.0, gt=0, le=600, description="How long, in seconds. One call then tries it.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of its back end, as in the tables of this page.")


@validate_call
def open_directory(
    settings: Any,
    *,
    sources: Annotated[list[SourceSettings], Field(min_length=1, description="The sources, in order of precedence: see below.")],
) -> FederatedDirectory:
    """Open every source and put them together. Raises ValueError for a source that cannot be opened as it is described."""
    opened: dict[str, Directory] = {}
    try:
        for one in sources:
            if one.backend == "federated":
                raise ValueError(f"source {one.name!r}: a federated directory holds no other one")
            opened[one.name] = open_back_end(one.backend, settings, one.options)
        return federate(sources, opened)
    except BaseException:
        for directory in opened.values():
            directory.close()
        raise


def federate(settings: Sequence[SourceSettings], directories: Mapping[str, Directory]) -> FederatedDirectory:
    """A federated directory over opened ones, by the name of their source. Raises ValueError when the sources contradict each other."""
    names = [one.name for one in settings]
    if len(set(names)) < len(names):
        raise ValueError("two sources of one name")
    if sum(not one.academies for one in settings) > 1:
        raise ValueError("only one source may leave out its academies")
    if any(one.feeds and not one.academies for one in settings):
        raise ValueError("a source that names its feeds must name its academies")
    return FederatedDirectory([_source(one, settings, directories[one.name]) for one in settings])


def _source(one: SourceSettings, everyone: Sequence[SourceSettings], directory: Directory) -> Source:
    others = frozenset(code for other in everyone if other is not one for code in other.academies | other.feeds)
    scope = Scope(one.academies, one.feeds or one.academies, one.degrees, others)
    return Source(one.name, directory, scope, one.limit, Lane(f"source-{one.name}", one.width), Breaker(one.failures, one.pause))
