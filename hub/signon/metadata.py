"""Our own entity descriptor, at the address that is its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from ..instance import Instance

pages = Blueprint("saml_metadata", __name__)

VALIDITY = timedelta(days=14)
"""How far ahead ``validUntil`` lies; the document is made anew each hour."""


@pages.get("/saml/metadata")
def metadata() -> ResponseReturnValue:
    """The signed entity descriptor, the same bytes within one hour, with an ETag."""
    instance: Instance = current_app.extensions["preau"]
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    cached: tuple[datetime, bytes] | None = current_app.extensions.get("preau.metadata")
    if cached is None or cached[0] != hour:
        cached = (hour, instance.identity_provider.metadata(valid_until=hour + VALIDITY))
        current_app.extensions["preau.metadata"] = cached
    response = Response(cached[1], content_type="application/samlmetadata+xml")
    response.headers["Cache-Control"] = "public, max-age=3600"
    response.add_etag()
    return response.make_conditional(request)
