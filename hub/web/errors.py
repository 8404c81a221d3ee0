"""Error pages: what happened, who can act, and a reference number that is in the log. Never a stack trace."""

from __future__ import annotations

from flask import Flask, g, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from backends import DirectoryError

from ..ops.logs import current_reference, get_logger
from .catalogue import ERRORS, ErrorText

log = get_logger("web")


def error_page(code: str, *, status: int | None = None) -> tuple[str, int]:
    """The page of one entry of the error catalogue, with the reference of this request."""
    entry = ERRORS[code]
    g.error_code = code
    page = render_template("errors/error.html", error=entry, reference=current_reference() or "")
    return page, status or entry.status


_CODES = {404: "not_found", 405: "not_found", 413: "too_large", 414: "too_large"}


def _code_of(status: int) -> str:
    return _CODES.get(status, "internal" if status >= 500 else "bad_request")


def init_app(app: Flask) -> None:
    """Turn every failure into a page of the catalogue."""

    @app.errorhandler(HTTPException)
    def _http(exc: HTTPException) -> tuple[str, int]:
        code = "csrf" if isinstance(exc, CSRFError) else _code_of(exc.code or 500)
        rule = request.url_rule.rule if request.url_rule else request.path  # the rule, because an address may hold a token
        log.info("request.refused", code=code, status=exc.code, path=rule)
        return error_page(code, status=exc.code)

    @app.errorhandler(DirectoryError)
    def _directory(exc: DirectoryError) -> tuple[str, int]:
        log.error("directory.failed", error=type(exc).__name__)
        return error_page("directory_unavailable")

    @app.errorhandler(SQLAlchemyError)
    def _database(exc: SQLAlchemyError) -> tuple[str, int]:
        log.error("database.failed", error=type(exc).__name__, orig=type(getattr(exc, "orig", None)).__name__)
        return error_page("try_later")

    @app.errorhandler(Exception)
    def _bug(exc: Exception) -> tuple[str, int]:
        log.exception("bug", error=type(exc).__name__)
        return error_page("internal")


__all__ = ["ERRORS", "ErrorText", "error_page", "init_app"]
