"""The school's desk: administration of the accounts of a school. `docs/explanation/school-desk.md` says what goes where."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the pages, and what their common frame shows."""
    from .navigation import navigation
    from .views import pages

    app.register_blueprint(pages)
    app.jinja_env.globals.update(desk_navigation=navigation)
