"""Running the application under gunicorn, without a configuration file."""

from __future__ import annotations

import os
from pathlib import Path
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


def share_metrics(folder: Path) -> None:
    """Have all workers count in files of ``folder``, emptied first. To be called before anything is counted."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in folder.glob("*.db"):
        old.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _forget(_server: Any, worker: Any) -> None:
    """A worker that ended has counted what it has counted, and nothing is live any more."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def run(settings: Settings, *, listen: str, workers: int) -> None:
    """Serve until told to stop."""
    share_metrics(settings.instance_dir / "metrics")
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
        "child_exit": _forget,
    }
    Server(settings, options).run()
