"""What is installed is what is in the tree."""

from __future__ import annotations

import configparser
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def _config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_of_the_tree_is_listed():
    """A forgotten line in setup.cfg would leave code out of the wheel."""
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("hub", "backends", "attribute_maps")
        for path in (ROOT / top).rglob("*.py")
    }
    listed = set(_config()["options"]["packages"].split())
    assert listed - {"hub.templates", "hub.metadata"} == found


def test_modules_stay_readable():
    """No module above 500 lines."""
    long = {
        str(p.relative_to(ROOT)): n
        for p in ROOT.glob("*/**/*.py")
        if p.parts[len(ROOT.parts)] in ("hub", "backends", "attribute_maps")
        if (n := len(p.read_text().splitlines())) > 500
    }
    assert not long


def test_the_protocol_and_the_dialects_know_neither_flask_nor_sql():
    """Arrows point one way (DESIGN section 2)."""
    for package in ("hub/saml", "attribute_maps", "backends"):
        for path in (ROOT / package).rglob("*.py"):
            lines = [line.strip() for line in path.read_text().splitlines() if line.strip().startswith(("import ", "from "))]
            assert not [line for line in lines if "flask" in line], path
            if package != "backends":
                assert not [line for line in lines if "sqlalchemy" in line], path
