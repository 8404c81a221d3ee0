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


def steps_of(page: str) -> set[str]:
    """Names in the first column of the page's table."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "explanation" / page).read_text(), re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_the_sign_on_page_names_the_steps_of_the_flow():
    """Every public function of the page of code is a row of the table, and nothing else is."""
    public = {
        name for name, item in vars(signon).items() if inspect.isfunction(item) and item.__module__ == signon.__name__ and name[0] != "_"
    }
    assert steps_of("sign-on.md") == public


def test_the_feeding_page_names_the_steps_of_the_flow():
    """Every step that the page names is called by the import, in that order."""
    source = inspect.getsource(feeding.import_delivery)
    named = [
        n
        for row in re.findall(r"^\| (`.*?) \|", (ROOT / "docs/explanation/feeding.md").read_text(), re.M)
        for n in re.findall(r"`(\w+)`", row)
    ]
    places = [re.search(rf"\b{name}\b", source.split('"""')[2]) for name in named]
    assert all(places), dict(zip(named, places, strict=True))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    """Relative links of the documentation exist."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
