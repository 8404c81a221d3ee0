"""Préau, a SAML 2.0 federation hub for schools. ``create_app`` wires the parts together; every decision is elsewhere."""

from __future__ import annotations

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from .instance import Instance
from .settings import Settings, load_settings
from .version import VERSION


def create_app(settings: Settings | None = None) -> Flask:
    """The web application of one instance. Raises ConfigurationError when it may not start."""
    from .errors import ConfigurationError
    from .ops import logs
    from .paths import resources

    settings = settings or load_settings()
    problems = settings.problems()
    if problems:
        raise ConfigurationError("this instance may not run in production:\n- " + "\n- ".join(problems))

    instance = Instance(settings)
    app = Flask("hub", template_folder=str(resources("templates")), static_folder=None)
    app.config.update(
        SECRET_KEY=instance.derive("flask").hex(),
        MAX_CONTENT_LENGTH=512 * 1024,
        MAX_FORM_MEMORY_SIZE=512 * 1024,
        MAX_FORM_PARTS=100,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=settings.secure,
    )
    app.extensions["preau"] = instance
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(product_name=settings.product_name, version=VERSION)

    @app.before_request
    def _reference() -> None:
        logs.clear_reference()
        logs.bind_reference(logs.new_reference())

    _register(app, settings)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    return app


def _register(app: Flask, settings: Settings) -> None:
    """Extensions first, then the pages of each feature."""
    from . import accounts, login, logout, messaging, ops, portal, signon, web

    for part in (web, login, signon, logout, accounts, messaging, portal, ops):
        part.init_app(app)


__all__ = ["Settings", "create_app", "load_settings"]
