"""The protocol package stands alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import hub.saml

FOLDER = Path(hub.saml.__file__).parent


def imports(source: str) -> Iterator[tuple[str, int]]:
    """Every imported module with its relative level."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def outside(source: str) -> list[str]:
    """What the protocol must not know: web, tables, and the rest of the hub."""
    forbidden = {"flask", "sqlalchemy", "werkzeug", "hub", "backends", "attribute_maps"}
    return [name for name, level in imports(source) if level > 1 or (level == 0 and name.split(".")[0] in forbidden)]


def test_the_protocol_knows_neither_web_nor_tables_nor_the_rest_of_the_hub() -> None:
    """Its modules import each other, the standard library and the libraries of XML and cryptography."""
    modules = sorted(FOLDER.glob("*.py"))
    assert len(modules) > 10
    assert {module.name: found for module in modules if (found := outside(module.read_text()))} == {}
    assert outside("import flask.views\nfrom ..db import Base\nfrom hub.errors import Refusal\nfrom .xml import parse") == [
        "flask.views",
        "db",
        "hub.errors",
    ]


def test_pysaml2_stays_inside() -> None:
    """No other package of the hub imports it."""
    others = {path: imports(path.read_text()) for path in FOLDER.parent.rglob("*.py") if FOLDER not in path.parents}
    assert others
    assert [str(path) for path, found in others.items() if any(n.split(".")[0] == "saml2" for n, level in found if not level)] == []


def test_modules_stay_small() -> None:
    """Below five hundred lines each."""
    assert {m.name: n for m in FOLDER.glob("*.py") if (n := len(m.read_text().splitlines())) > 500} == {}
