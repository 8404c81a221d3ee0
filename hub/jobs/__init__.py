"""Background work: one queue, embedded (SQLite) or on Redis or Valkey when the settings name a broker.

The queue only says "look now"; what is to be done stands in the database, so a lost queue loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from huey import Huey, SqliteHuey
from huey.api import TaskWrapper

from ..errors import ConfigurationError
from ..settings import Settings

OUTBOX = "outbox"
"""Name of the task that sends due mails."""


def open_queue(settings: Settings) -> Huey:
    """The queue of this instance. Raises ConfigurationError when a broker is set and the redis package is missing."""
    if not settings.broker_url:
        return SqliteHuey("preau", filename=str(settings.instance_dir / "jobs.sqlite"), results=False)
    try:
        import redis  # noqa: F401 - huey fails late and obscurely without it
    except ImportError:
        raise ConfigurationError("PREAU_BROKER_URL needs the package `redis` (pip install redis)") from None
    from huey import RedisHuey

    return RedisHuey("preau", url=settings.broker_url, results=False)


def outbox_task(queue: Huey, send: Callable[[], object]) -> TaskWrapper:
    """The task that sends due mails, under one name for those who ask (web, commands) and the one who works."""

    def outbox() -> None:
        send()

    wrapper: TaskWrapper = queue.task(name=OUTBOX)(outbox)
    return wrapper


def wake_outbox(settings: Settings) -> None:
    """Ask the worker to send what is due now. Nothing is sent in this process."""
    _outbox_call(settings)()


@lru_cache(maxsize=4)
def _outbox_call(settings: Settings) -> TaskWrapper:
    return outbox_task(open_queue(settings), lambda: None)
