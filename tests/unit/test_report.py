"""The report of the catalogue works and tells the truth about what it has not seen."""

from __future__ import annotations

from tests.covers import catalogue
from tests.report import REQUIRED, verdict


def test_every_claimed_id_is_of_the_catalogue():
    """A typing error would claim something that does not exist."""
    assert catalogue().keys() >= REQUIRED


def test_the_worst_outcome_counts():
    """One failure among many passes is a failure; a test never run is not a pass."""
    assert verdict([], {}) == "open"
    assert verdict(["a", "b"], {"a": "passed", "b": "passed"}) == "passed"
    assert verdict(["a", "b"], {"a": "passed"}) == "not run"
    assert verdict(["a", "b"], {"a": "passed", "b": "failed"}) == "failed"
    assert verdict(["a"], {"a": "skipped"}) == "skipped"
