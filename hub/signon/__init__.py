"""The sign-on flow, identity-provider side."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Open the flow's parts and register its addresses."""
    from ..instance import Instance
    from ..registry.service import Registry
    from ..release.identifiers import Pseudonyms
    from .flow import Parts
    from .metadata import pages as metadata_pages
    from .views import pages

    instance: Instance = app.extensions["preau"]
    app.extensions["preau.signon"] = Parts(
        settings=instance.settings,
        database=instance.database,
        directory=instance.directory,
        registry=Registry(),
        identity_provider=instance.identity_provider,
        pseudonyms=Pseudonyms(instance.derive("pseudonyms")),
    )
    app.register_blueprint(pages)
    app.register_blueprint(metadata_pages)
    app.extensions["csrf"].exempt("hub.signon.views.post_binding")
