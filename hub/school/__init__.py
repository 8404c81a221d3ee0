"""The school's desk: administration of the accounts of a school. `docs/explanation/school-desk.md` says what goes where."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the pages, and what their common frame shows."""
    from . import views  # noqa: F401 - importing it fills the blueprint
    from .blueprint import pages
    from .navigation import navigation

    app.register_blueprint(pages)
    app.jinja_env.globals.update(desk_navigation=navigation)
