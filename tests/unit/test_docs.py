"""The pages that explain the flows name exactly the steps that the code has, and no link of the documentation is dead."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from hub.feeding import flow as feeding
from hub.signon import flow as signon

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("metadata/*.md")])


def steps_of(page: str) -> list[str]:
    """Names in the first column of the page's table, in order."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "explanation" / page).read_text(), re.M)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_the_sign_on_page_names_the_steps_of_the_flow():
    """Every public function of the page of code is a row of the table, in the order of the page."""
    functions = [item for item in vars(signon).values() if inspect.isfunction(item) and item.__module__ == signon.__name__]
    assert steps_of("sign-on.md") == [item.__name__ for item in functions if item.__name__[0] != "_"]


def test_the_feeding_page_names_the_steps_of_the_flow():
    """Every step that the page names is taken by the import, in that order."""
    body = inspect.getsource(feeding.import_delivery).split('"""')[2]
    # A step may be handed to another (`publish(…, hold)`): what counts is the order of the lines.
    lines = body.splitlines()
    places = [next((n for n, line in enumerate(lines) if re.search(rf"\b{name}\b", line)), None) for name in steps_of("feeding.md")]
    assert None not in places
    assert places == sorted(places)  # type: ignore[type-var]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    """Relative links of the documentation exist."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
