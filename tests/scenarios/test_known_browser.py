"""The owner's own browser, while others keep the account locked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from hub.accounts.service import sign_in
from hub.throttle.models import Window
from tests.accounts_kit import CAMILLE, GOOD_PASSWORD, activate
from tests.family_kit import Browser, House


def lock(house: House, identifier: str) -> None:
    """Somebody types wrong passwords until the door closes."""
    with house.instance.database.session() as db:
        for n in range(12):
            sign_in(db, house.instance, identifier, f"guess number {n}", now=datetime.now(UTC))
            db.commit()


@pytest.mark.covers("AC-06")
def test_who_signed_in_here_before_gets_in_during_a_lock(house: House):
    """The cookie of the last sign-in is enough; another browser waits."""
    activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    mine, other = house.browser(), house.browser()
    mine.sign_in("c.martin", GOOD_PASSWORD)
    mine.client.delete_cookie("preau")
    lock(house, "c.martin")
    other.sign_in("c.martin", GOOD_PASSWORD)
    assert "Trop d'essais" in other.text
    mine.sign_in("c.martin", GOOD_PASSWORD)
    assert mine.at != "/login/guardian"


@pytest.mark.covers("AC-29", "AC-06")
def test_the_mark_of_a_browser_says_nothing_readable(house: House):
    """No identifier in it, not readable by scripts, one for each account."""
    activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    browser = house.browser()
    for _ in range(2):
        browser.sign_in("c.martin", GOOD_PASSWORD)
        browser.client.delete_cookie("preau")
    cookie = browser.client.get_cookie("preau-known")
    assert cookie is not None
    assert "martin" not in cookie.value
    assert len(cookie.value.split("~")) == 1
    assert cookie.http_only
    assert cookie.same_site == "Lax"


@pytest.mark.covers("AC-07")
def test_a_forged_forwarded_address_changes_nothing(house: House):
    """Without a trusted proxy the header is not read: every try counts for the one address."""
    counts = []
    for n in range(3):
        browser: Browser = house.browser()
        browser.client.environ_base["HTTP_X_FORWARDED_FOR"] = f"203.0.113.{n}"
        browser.sign_in(f"x.nobody{n}", f"guess number {n}")
        with house.instance.database.session() as db:
            counts.append(max(db.scalars(select(Window.count))))
    assert counts == [1, 2, 3]
