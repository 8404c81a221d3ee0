"""Health and metrics: alive is not ready (FT-02), and one sick source of several does not make the hub unready."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ..instance import Instance
from ..web.errors import error_page
from . import metrics

pages = Blueprint("ops", __name__)


@pages.get("/healthz")
def alive() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(ok=True)


@pages.get("/readyz")
def ready() -> ResponseReturnValue:
    """The process can sign people in: its database and its directory answer. ``sources`` says which source does not."""
    instance: Instance = current_app.extensions["preau"]
    health = instance.directory.health()
    parts = {"database": _database_answers(instance), "directory": health.ok}
    ok = all(parts.values())
    return jsonify(ok=ok, **parts, sources={name: one.ok for name, one in health.sources.items()}), 200 if ok else 503


@pages.get("/metrics")
def figures() -> ResponseReturnValue:
    """What was counted, for whoever may read it; for others there is no such page."""
    instance: Instance = current_app.extensions["preau"]
    if not metrics.may_read(request.remote_addr, request.headers, instance.settings.metrics_token_file):
        return error_page("not_found")
    return Response(metrics.render(), content_type=metrics.CONTENT_TYPE)


def _database_answers(instance: Instance) -> bool:
    try:
        with instance.database.session() as db:
            db.execute(text("select 1"))
    except SQLAlchemyError:
        return False
    return True
