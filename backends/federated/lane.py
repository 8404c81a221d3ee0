"""A lane: a few threads that work for one source only, so that a source that hangs holds up no other.

The threads are daemons: one that is stuck in a source does not keep the process from ending, as those of
``concurrent.futures`` would.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread


class Job:
    """A piece of work; ``work`` gets the job and catches its own exceptions.

    Nobody waits any more for a job that is ``dropped``: one that has not begun never begins.
    """

    __slots__ = ("dropped", "work")

    def __init__(self, work: Callable[[Job], None]) -> None:
        self.work = work
        self.dropped = False


class Lane:
    """At most ``width`` threads, started when they are needed. Work beyond that waits for its turn."""

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self._width = width
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = Lock()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def start(self, work: Callable[[Job], None]) -> Job:
        """Have ``work`` done by a thread of the lane."""
        job = Job(work)
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif self._threads < self._width and not self._closed:
                self._threads += 1
                Thread(target=self._serve, name=f"{self._name}-{self._threads}", daemon=True).start()
            self._jobs.put(job)
        return job

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.dropped:
                job.work(job)
            with self._lock:
                if self._jobs.empty():
                    self._idle += 1

    def close(self) -> None:
        """Let the threads end after what they are doing. Safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in range(self._threads):
                    self._jobs.put(None)
