"""The security headers of every answer (AC-49, RQ-78)."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g, request

_BASE = "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def script_nonce() -> str:
    """A nonce that lets the scripts of this very answer run."""
    nonce: str = g.setdefault("script_nonce", secrets.token_urlsafe(16))
    return nonce


def allow_form_action(sources: str) -> None:
    """Let the forms of this answer post to ``sources`` (CSP source list) instead of the hub alone."""
    g.form_action = sources


def _holds_secret() -> bool:
    """Whether the address of this page must be told to nobody: it holds a token (AC-16)."""
    return "token" in request.args or "token" in (request.view_args or {})


def init_app(app: Flask) -> None:
    """Set the headers on every answer that has not set them itself."""
    secure = app.extensions["preau"].settings.secure

    @app.after_request
    def _headers(response: Response) -> Response:
        script = f"'nonce-{g.script_nonce}' 'self'" if "script_nonce" in g else "'self'"
        form_action = g.get("form_action", "'self'")
        headers = response.headers
        headers.setdefault("Content-Security-Policy", f"{_BASE}; script-src {script}; form-action {form_action}")
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "no-referrer" if _holds_secret() else "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
        if secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        return response
