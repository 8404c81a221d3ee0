"""Health: alive is not ready (FT-02)."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ..instance import Instance

pages = Blueprint("ops", __name__)


@pages.get("/healthz")
def alive() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(ok=True)


@pages.get("/readyz")
def ready() -> ResponseReturnValue:
    """The process can sign people in: its database and its directory answer."""
    instance: Instance = current_app.extensions["preau"]
    parts = {"database": _database_answers(instance), "directory": instance.directory.health().ok}
    return jsonify(ok=all(parts.values()), **parts), 200 if all(parts.values()) else 503


def _database_answers(instance: Instance) -> bool:
    try:
        with instance.database.session() as db:
            db.execute(text("select 1"))
    except SQLAlchemyError:
        return False
    return True
