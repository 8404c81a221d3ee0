"""Static files: our own and Bootstrap's, served by the hub itself, named with their version, kept for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from flask import Flask
from flask_bootstrap import Bootstrap5
from flask_compress import Compress

BOOTSTRAP_VERSION = version("bootstrap-flask")
STATIC = Path(__file__).parent.parent / "static"


def _fingerprint(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


@cache
def static(name: str) -> str:
    """Address of a static file of ours; it changes with its content."""
    return f"/static/{name}?v={_fingerprint(name)}"


def bootstrap_css() -> str:
    """Address of Bootstrap's style sheet, from the installed package."""
    return f"/bootstrap/static/css/bootstrap.min.css?v={BOOTSTRAP_VERSION}"


def init_app(app: Flask) -> None:
    """Serve the files, compressed when the browser takes it. Pages are not: they hold secrets beside user text."""
    app.config.update(
        SEND_FILE_MAX_AGE_DEFAULT=31536000,
        BOOTSTRAP_SERVE_LOCAL=True,
        COMPRESS_MIMETYPES=["text/css", "text/javascript", "application/javascript", "image/svg+xml"],
        COMPRESS_ALGORITHM=["gzip"],
    )
    app.static_folder = str(STATIC)
    app.add_url_rule("/static/<path:filename>", endpoint="static", view_func=app.send_static_file)
    Bootstrap5(app)
    Compress(app)
    app.jinja_env.globals.update(static=static, bootstrap_css=bootstrap_css)
