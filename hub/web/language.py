"""French and English: which one a page speaks, and its texts. French is the source, so only English has a catalogue."""

from __future__ import annotations

from functools import lru_cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, Response, redirect, request, url_for
from flask_babel import Babel, Domain, get_locale

from .areas import is_own_path
from .typography import NO_BREAK_SPACE, french

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

LANGUAGES = {"fr": "Français", "en": "English"}
"""Codes and own names of the languages, the source first."""
COOKIE = "language"
"""Cookie with the language that somebody chose; it names nobody."""
CATALOGUES = Path(__file__).parent.parent / "translations"
"""Folder of the catalogues, one ``<language>.po`` for each language but French."""


_set = lru_cache(maxsize=2048)(french)
"""A text of the source is set once: it has no values in it yet, so there is an end to them."""


class _French(NullTranslations):
    """The source itself, set as French typography wants it."""

    def gettext(self, message: str) -> str:
        return _set(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return _set(msgid1 if n < 2 else msgid2)

    ugettext, ungettext = gettext, ngettext


class _Catalogue(NullTranslations):
    """A catalogue read from its source, so that there is nothing to compile and nothing to forget."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        compiled = BytesIO()
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, ignore_obsolete=True))
        compiled.seek(0)
        self._texts = Translations(compiled)

    def gettext(self, message: str) -> str:
        return self._texts.gettext(_plain(message))

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._texts.ngettext(_plain(msgid1), _plain(msgid2), n)

    ugettext, ungettext = gettext, ngettext


def _plain(message: str) -> str:
    """Catalogues are written with the spaces of a keyboard."""
    return message.replace(NO_BREAK_SPACE, " ")


class Texts(Domain):
    """Where Flask-Babel finds the texts of the language of this request."""

    def get_translations(self) -> NullTranslations:
        """The texts of the language of this request."""
        return _texts_in(str(get_locale()))


@lru_cache
def _texts_in(language: str) -> NullTranslations:
    """The texts of a language, read when it is first spoken in this process; French where there is no catalogue."""
    path = CATALOGUES / f"{language}.po"
    return _Catalogue(path) if path.exists() else _French()


def chosen_language() -> str:
    """What somebody chose here, else what the browser asks for, else French."""
    chosen = request.cookies.get(COOKIE)
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES, default="fr") or "fr"


def remember(code: str) -> ResponseReturnValue:
    """Keep the language for this browser and go back to the page; ``next`` is a path of ours, anything else leads home."""
    target = request.args.get("next", "")
    if not is_own_path(target):
        target = url_for("portal.home")
    answer = redirect(target, 303)
    assert isinstance(answer, Response)
    answer.set_cookie(COOKIE, code, max_age=31536000, secure=request.is_secure, httponly=True, samesite="Lax")
    return answer


def init_app(app: Flask) -> None:
    """Texts for templates and code, and the switch at the foot of every page."""
    babel = Babel()
    babel.domain_instance = Texts()
    babel.init_app(app, default_locale="fr", default_timezone="Europe/Paris", locale_selector=chosen_language)
    app.add_url_rule(f"/language/<any({', '.join(LANGUAGES)}):code>", endpoint="language", view_func=remember)
    app.jinja_env.globals.update(get_locale=get_locale, languages=LANGUAGES)
