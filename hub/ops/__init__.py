"""Running the hub: logs, health, metrics."""

from __future__ import annotations

from flask import Flask, Response, g


def init_app(app: Flask) -> None:
    """Register the addresses of health and metrics, and count every answer."""
    from .metrics import ERROR_PAGES, REQUESTS
    from .views import pages

    @app.after_request
    def _count(response: Response) -> Response:
        REQUESTS.labels(f"{response.status_code // 100}xx").inc()
        if code := g.get("error_code"):
            ERROR_PAGES.labels(code).inc()
        return response

    app.register_blueprint(pages)
