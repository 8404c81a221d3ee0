"""What is installed is what is in the tree."""

from __future__ import annotations

import ast
import configparser
from graphlib import TopologicalSorter
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


def _imports(path: Path) -> set[str]:
    """Modules that a module imports when it is loaded (imports inside functions are not counted)."""
    package = ".".join(path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module or "")))
            modules = {f"{module}.{alias.name}" for alias in node.names}
            found |= {name for name in modules if (ROOT / (name.replace(".", "/") + ".py")).exists()} or {module}
    return found


def test_modules_do_not_import_in_circles():
    """Each module can be read after those that it imports."""
    names = {}
    for top in ("hub", "backends", "attribute_maps"):
        for path in (ROOT / top).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {name: {other for other in _imports(path) if other in names and other != name} for name, path in names.items()}
    assert set(TopologicalSorter(graph).static_order()) == set(names)


def test_services_do_not_know_the_pages():
    """Only pages, their forms and the wiring import Flask (DESIGN section 2)."""
    allowed = {"views.py", "forms.py", "__init__.py", "sessions.py", "user.py", "metadata.py", "app.py"}
    allowed |= {"gate.py", "blueprint.py", "navigation.py", "security.py"}
    for path in (ROOT / "hub").rglob("*.py"):
        if path.parent.name not in ("web", "demo", "views") and path.name not in allowed:
            assert not {name for name in _imports(path) if name.split(".")[0] == "flask"}, path
