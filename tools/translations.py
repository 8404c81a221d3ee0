"""The English catalogue: `python -m tools.translations` adds the texts that are new and drops those that are gone.

What it adds has an empty translation, which tests/unit/test_translations.py refuses: a person writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "hub" / "translations" / "en.po"
KEYWORDS = {
    "_": None,
    "_l": None,
    "_n": (1, 2),
    "_ln": (1, 2),
    "gettext": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
}
WITHOUT_TEXT = ("demo",)
"""Folders of templates that stay in French: they are no part of a real instance."""


def sources() -> Iterator[tuple[str, Path]]:
    """Babel's method of reading, and file, of all that speaks to people."""
    for path in sorted((ROOT / "hub").rglob("*.py")):
        yield "python", path
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in (".html", ".txt") and path.relative_to(ROOT / "templates").parts[0] not in WITHOUT_TEXT:
            yield "jinja2", path


def extracted() -> Catalog:
    """Every text of the pages and mails, in the order of their files."""
    catalogue = Catalog(locale="en", charset="utf-8", fuzzy=False)
    for method, path in sources():
        for _line, text, _comments, context in extract_from_file(method, path, keywords=KEYWORDS, options={"silent": "false"}):
            catalogue.add(text, context=context)
    return catalogue


def current() -> Catalog:
    """The catalogue as it is in the tree."""
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="en")


def write(catalogue: Catalog) -> None:
    """Sorted by nothing but the files that the texts come from, so that a text stands beside its neighbours of the page."""
    with CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=0, no_location=True, omit_header=False, ignore_obsolete=True)


def main() -> int:
    """Renew the catalogue and say how many texts wait for a translation."""
    renewed, before = extracted(), current()
    for message in renewed:
        known = before.get(message.id, message.context)
        if message.id and known:
            message.string = known.string
    renewed.header_comment = "# The English of Préau. The French of the templates and of the code is the source."
    write(renewed)
    waiting = [message for message in renewed if message.id and not (all(message.string) if message.pluralizable else message.string)]
    for message in waiting:
        print(message.id if isinstance(message.id, str) else message.id[0])
    print(f"{len(waiting)} of {len(renewed)} texts wait for a translation", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
