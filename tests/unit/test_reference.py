"""The generated reference pages are current, and everything is documented."""

from __future__ import annotations

import pytest

from hub.settings import Settings
from tools.reference import PAGES, REFERENCE


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_matches_the_code(name):
    """`make docs` was run after the last change."""
    assert (REFERENCE / name).read_text() == PAGES[name]()


def test_every_setting_is_described():
    """A setting without a sentence is not finished."""
    assert not [name for name, field in Settings.model_fields.items() if not field.description]
