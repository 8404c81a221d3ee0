"""Single logout, both directions: by the hub's own page, by a service, and on to the services of the session."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Open the parts of logouts and register their addresses."""
    from ..instance import Instance
    from .service import Parts
    from .views import pages

    instance: Instance = app.extensions["preau"]
    app.extensions["preau.logout"] = Parts(
        settings=instance.settings,
        database=instance.database,
        registry=app.extensions["preau.signon"].registry,
        protocol=instance.logout_protocol,
    )
    app.register_blueprint(pages)
    app.extensions["csrf"].exempt("hub.logout.views.slo_post")
