"""One source of a federated directory: whom it speaks for, its lane and its circuit breaker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from .. import Degree, Directory, Features, NotFound, Person, Ref, Refused, School, Unavailable
from ..watched import Observer, outcome_of
from .breaker import Breaker
from .lane import Job, Lane

T = TypeVar("T")
V_co = TypeVar("V_co", covariant=True)


@dataclass(frozen=True)
class Scope:
    """The academies that a source speaks for. Records of others are dropped, whoever sends them (IM-05)."""

    academies: frozenset[str] = frozenset()
    """Two-digit codes; empty: every academy that no other source names."""
    feeds: frozenset[str] = frozenset()
    """Names of the feeds; those of the academies, where they are named otherwise."""
    degrees: frozenset[Degree] = frozenset(Degree)
    others: frozenset[str] = frozenset()
    """Feeds and academies that other sources name; only looked at when ``academies`` is empty."""

    def holds(self, ref: Ref) -> bool:
        """Whether a record of that reference is this source's to tell."""
        named = ref.feed in self.feeds if self.academies else ref.feed not in self.others
        return named and ref.degree in self.degrees

    def tells(self, person: Person) -> bool:
        """Whether this record is this source's to tell, by its reference and its academy."""
        return self.holds(person.ref) and self._of(person.academy)

    def owns(self, school: School) -> bool:
        """Whether the school is of an academy of this source, and not a neighbour's that it also lists."""
        return self._of(school.academy) and school.degree in self.degrees

    def _of(self, academy: str) -> bool:
        return academy in self.academies if self.academies else academy not in self.others


@dataclass
class Source:
    """A directory with what keeps its failures to itself."""

    name: str
    directory: Directory
    scope: Scope
    limit: float
    """Seconds that a call may take, as the callers wait for it."""
    lane: Lane
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class Reply(Generic[V_co]):
    """What one source said: a value, or the error in its place."""

    source: Source
    value: V_co | None = None
    error: Exception | None = None

    @property
    def silent(self) -> bool:
        """Whether the source did not say what it knows: it was late, sick, paused, or declined."""
        return self.error is not None and not isinstance(self.error, NotFound)

    @property
    def found(self) -> V_co:
        """The value; raises what the source raised."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


def _nobody(_source: str, _call: str, _outcome: str, _seconds: float) -> None:
    """The observer of a directory that nobody watches."""


@dataclass
class Desk:
    """Asks sources, side by side, and waits for none beyond its limit."""

    observe: Observer = field(default=_nobody)

    def ask(self, sources: Sequence[Source], call: str, work: Callable[[Directory], T]) -> Iterator[Reply[T]]:
        """One reply for each source, in the order in which they come. ``call`` names the call for the observer.

        The sources over a network work at once, and the wait for them as a whole is that of the longest limit; local ones are
        asked in this thread meanwhile. The caller may stop listening.
        """
        begun = time.monotonic()
        replies: SimpleQueue[Reply[T]] = SimpleQueue()
        jobs: dict[str, tuple[Source, Job]] = {}
        local: list[Source] = []
        for source in sources:
            if Features.LOCAL in source.directory.features:
                local.append(source)
            elif source.breaker.admits():
                jobs[source.name] = (source, source.lane.start(_task(source, work, replies)))
            else:
                yield self._told(Reply(source, error=Unavailable(f"{source.name}: paused")), call, "paused", begun)
        for source in local:
            reply = _asked(source, work)
            yield self._told(reply, call, outcome_of(reply.error), begun)
        while jobs:
            until = begun + max(source.limit for source, _ in jobs.values())
            try:
                reply = replies.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                break
            del jobs[reply.source.name]
            yield self._told(reply, call, outcome_of(reply.error), begun)
        for source, job in jobs.values():
            job.dropped = True
            source.breaker.failed()
            yield self._told(Reply(source, error=Unavailable(f"{source.name}: no answer in {source.limit:g} s")), call, "late", begun)

    def _told(self, reply: Reply[T], call: str, outcome: str, begun: float) -> Reply[T]:
        self.observe(reply.source.name, call, outcome, time.monotonic() - begun)
        return reply


def _task(source: Source, work: Callable[[Directory], T], replies: SimpleQueue[Reply[T]]) -> Callable[[Job], None]:
    """The work as a thread of the lane does it. Once it was given up as late it says nothing more, good or bad."""

    def run(job: Job) -> None:
        reply = _asked(source, work)
        if job.dropped:
            return
        if isinstance(reply.error, Unavailable):
            source.breaker.failed()
        else:
            source.breaker.succeeded()
        replies.put(reply)

    return run


def _asked(source: Source, work: Callable[[Directory], T]) -> Reply[T]:
    try:
        return Reply(source, work(source.directory))
    except (NotFound, Refused, Unavailable) as exc:
        return Reply(source, error=exc)
    except Exception as exc:  # noqa: BLE001 - a source with a fault of its own is a sick source, no more
        return Reply(source, error=_broken(source, exc))


def _broken(source: Source, exc: Exception) -> Exception:
    error = Unavailable(f"{source.name}: {type(exc).__name__}")
    error.__cause__ = exc
    return error


__all__ = ["Desk", "Reply", "Scope", "Source"]
