"""The demo can be started again and again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import time_machine
from sqlalchemy import func, select

from hub.accounts.models import Account
from hub.audit import AuditEvent
from hub.demo.people import load_people
from hub.demo.run import prepare, tell
from tests.hub_kit import SP_URL, Hub


def _counts(hub: Hub) -> tuple[int, int]:
    with hub.instance.database.session() as db:
        return db.scalar(select(func.count(Account.id))) or 0, db.scalar(select(func.count(AuditEvent.id))) or 0


def test_a_second_start_changes_nothing(hub: Hub):
    """Same people, same passwords, no new account, no new audit row."""
    before, people = _counts(hub), {role: asdict(person) for role, person in hub.people.items()}
    again = prepare(hub.settings, sp_base_url=SP_URL)
    assert {person.role: asdict(person) for person in again} == people
    assert _counts(hub) == before


def test_the_four_people_are_told(hub: Hub, capsys):
    """Who may sign in and how, on one screen."""
    tell(hub.settings, list(hub.people.values()), sp_base_url=SP_URL)
    shown = capsys.readouterr().out
    assert SP_URL in shown
    assert len(shown.splitlines()) < 24
    for person in hub.people.values():
        assert person.identifier in shown
        assert person.password in shown


def test_an_account_activated_meanwhile_says_so(hub: Hub):
    """The provisional password is not shown once it is void."""
    person = hub.people["not_activated_pupil"]
    assert person.birth_date
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(person)
    browser.submit(new_password="tartine au miel 9", confirmation="tartine au miel 9", mail="")
    browser.submit(day=str(person.birth_date.day), month=str(person.birth_date.month), year=str(person.birth_date.year))
    now = {p.role: p for p in load_people(hub.instance, hub.settings.instance_dir / "demo")}["not_activated_pupil"]
    assert now.provisional_until is None
    assert person.password not in now.password


def test_an_expired_provisional_password_is_made_again(hub: Hub):
    """Started again after the summer, the demo still has a pupil to activate."""
    person = hub.people["not_activated_pupil"]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=120), tick=True):
        now = {p.role: p for p in load_people(hub.instance, hub.settings.instance_dir / "demo")}["not_activated_pupil"]
        assert now.password != person.password
        browser = hub.browser()
        browser.get("/login")
        browser.sign_in(now)
        assert browser.page.request.path.startswith("/activation/")
