"""French typography, in one place: no line begins with a « : » or ends with a « « »."""

from __future__ import annotations

import re

from jinja2.ext import Extension

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_BEFORE = re.compile(r"(?<=\S) (?=[:;?!»](?!=))")
_AFTER = re.compile(r"« (?=\S)")
_PIECES = re.compile(r"(\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>)", re.DOTALL)
_STRING = re.compile(r'"[^"]*"')


def french(text: str) -> str:
    """The text with no-break spaces where French typography wants them."""
    return _AFTER.sub(f"«{NO_BREAK_SPACE}", _BEFORE.sub(NO_BREAK_SPACE, text))


class FrenchTypography(Extension):
    """Sets the text of templates, and the texts inside their expressions, when they are compiled."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source with its text set; tags, comments and code stay as they are."""
        pieces = _PIECES.split(source)
        pieces[::2] = map(french, pieces[::2])
        pieces[1::2] = (_set_strings(piece) if piece.startswith(("{%", "{{")) else piece for piece in pieces[1::2])
        return "".join(pieces)


def _set_strings(code: str) -> str:
    return _STRING.sub(lambda found: french(found[0]), code)
