"""Signing people in: sessions, what comes next, passwords at the door."""

from __future__ import annotations

from flask import Flask, Request


def init_app(app: Flask) -> None:
    """Server-side sessions, the signed-in person for pages, and the sign-in pages."""
    from flask_login import LoginManager

    from ..instance import Instance
    from ..staff.sessions import StaffSessions
    from ..web.areas import SessionsByArea
    from .sessions import ServerSessions
    from .user import CurrentAccount
    from .views import pages

    instance: Instance = app.extensions["preau"]
    families = app.extensions["family_sessions"] = ServerSessions(instance.database, instance.settings)
    agents = app.extensions["staff_sessions"] = StaffSessions(instance.database, instance.settings)
    app.session_interface = SessionsByArea(families, agents)

    manager = LoginManager(app)
    manager.session_protection = None  # never tie a session to an address or a browser name (saml.md, last section)
    manager.login_view = "login.profile"

    @manager.request_loader
    def _load(_request: Request) -> CurrentAccount | None:
        from flask import session

        account_id = getattr(session, "account_id", None)
        return CurrentAccount(account_id) if account_id else None

    @app.before_request
    def _need_sessions() -> tuple[str, int] | None:
        from flask import session

        from ..web.errors import error_page

        return error_page("try_later") if getattr(session, "unavailable", False) else None

    app.register_blueprint(pages)
