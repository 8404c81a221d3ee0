"""Structured logs: one JSON line per event, one correlation id per request, nothing personal, nothing secret."""

from __future__ import annotations

import logging
import secrets
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_NOISY = ("saml2", "urllib3", "alembic.runtime.migration", "huey", "httpcore")
"""Libraries whose debug output may hold whole messages (AC-48): warnings only, whatever our own level."""


def configure(level: str = "info", *, as_json: bool = True, stream: TextIO | None = None) -> None:
    """Set up logging for the process; every line goes to ``stream``, standard error by default."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _escape_newlines,
    ]
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=stream)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _escape_newlines(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """One event is one line, even when a value came from outside."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable() and key not in ("exception", "stack"):
            event[key] = value.encode("unicode_escape").decode("ascii")
    return event


def get_logger(name: str) -> Any:
    """A logger whose lines carry the reference of the current request."""
    return structlog.get_logger(part=name)


def new_reference() -> str:
    """A correlation id: 12 characters that can be read out on the phone."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(12))


def bind_reference(reference: str) -> None:
    """Make ``reference`` part of every line logged from here on in this context."""
    structlog.contextvars.bind_contextvars(reference=reference)


def clear_reference() -> None:
    """Forget the context of the former request."""
    structlog.contextvars.clear_contextvars()


def current_reference() -> str | None:
    """The correlation id of the current request, or None outside of one."""
    value = structlog.contextvars.get_contextvars().get("reference")
    return value if isinstance(value, str) else None
