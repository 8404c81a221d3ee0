"""Running the application under gunicorn, without a configuration file."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from .. import create_app
from ..ops import logs
from ..settings import Settings


class Server(BaseApplication):
    """Gunicorn with our application; the application is built in each worker, so nothing is shared across a fork."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Hand our options to gunicorn."""
        for key, value in self._options.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        """The WSGI application."""
        logs.configure(self._settings.log_level)
        return create_app(self._settings)


def run(settings: Settings, *, listen: str, workers: int) -> None:
    """Serve until told to stop."""
    # A wrong setting, key or secret is one sentence here, not a crash in each worker.
    create_app(settings).extensions["preau"].close()
    options = {
        "bind": listen,
        "workers": workers,
        "worker_class": "gthread",
        "threads": 4,
        "timeout": 30,
        "graceful_timeout": 15,
        "limit_request_line": 8190,
        "accesslog": None,
        "loglevel": "warning",
        "proc_name": "preau",
        "control_socket_disable": True,
    }
    Server(settings, options).run()
