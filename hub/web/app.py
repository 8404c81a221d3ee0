"""Building the web application: configuration, then each part in turn."""

from __future__ import annotations

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from ..errors import ConfigurationError
from ..instance import Instance
from ..ops import logs, metrics
from ..paths import resources
from ..settings import Settings, load_settings
from ..version import VERSION
from .typography import FrenchTypography


def build(settings: Settings | None = None) -> Flask:
    """The application. Refuses to start, with a sentence, on unsafe settings, keys or secrets (FT-15, AC-30)."""
    settings = settings or load_settings()
    problems = settings.problems()
    if problems:
        raise ConfigurationError("these settings are not safe here:\n- " + "\n- ".join(problems))

    from ..signon.views import recognise

    instance = Instance(settings, observe=metrics.directory_call)
    instance.signing_key  # noqa: B018 - a wrong key must stop the start, not the first sign-on
    app = Flask("hub", template_folder=str(resources("templates")), static_folder=None)
    app.config.update(
        SECRET_KEY=instance.derive("flask").hex(),
        MAX_CONTENT_LENGTH=512 * 1024,
        MAX_FORM_MEMORY_SIZE=512 * 1024,
        MAX_FORM_PARTS=100,
    )
    app.extensions["preau"] = instance
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.add_extension(FrenchTypography)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(product_name=settings.product_name, version=VERSION, notice=None)

    @app.before_request
    def _reference() -> None:
        logs.clear_reference()
        logs.bind_reference(logs.new_reference())

    app.before_request(recognise)  # before a form may be refused: that page is logged under the sign-on too
    _register(app)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    return app


def _register(app: Flask) -> None:
    """What every page shares first, then the pages of each feature."""
    from .. import activation, enrolment, login, logout, messaging, ops, portal, recovery, school, signon, staff, web

    for part in (web, login, signon, logout, activation, enrolment, recovery, messaging, portal, staff, school, ops):
        part.init_app(app)
