"""A circuit breaker: a source that keeps failing is left alone for a while, then tried by one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from threading import Lock


class Circuit(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    """Every call goes through."""
    OPEN = "open"
    """None does, until the pause is over."""
    HALF_OPEN = "half_open"
    """One call is on its way as a probe; the others are refused until it is back."""


class Breaker:
    """Opens after ``failures`` in a row, for ``pause`` seconds; then one call goes through and decides. Safe among threads."""

    def __init__(self, failures: int, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._pause = pause
        self._clock = clock
        self._lock = Lock()
        self._in_a_row = 0
        self._since = 0.0
        self.circuit = Circuit.CLOSED

    def admits(self) -> bool:
        """Whether a call may go through now. Who gets True tells how it went, by :meth:`succeeded` or :meth:`failed`.

        A probe that never tells is given up after another pause, and the next call probes in its place.
        """
        if self.circuit is Circuit.CLOSED:
            return True
        with self._lock:
            now = self._clock()
            if now - self._since < self._pause:
                return False
            self.circuit, self._since = Circuit.HALF_OPEN, now
            return True

    def succeeded(self) -> None:
        """The source answered, whatever it said."""
        if self._in_a_row or self.circuit is not Circuit.CLOSED:
            with self._lock:
                self._in_a_row = 0
                self.circuit = Circuit.CLOSED

    def failed(self) -> None:
        """The source did not answer, or not in time."""
        with self._lock:
            self._in_a_row += 1
            if self.circuit is Circuit.HALF_OPEN or self._in_a_row >= self._failures:
                self.circuit = Circuit.OPEN
                self._since = self._clock()
