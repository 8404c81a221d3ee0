"""The demo can be started again and again."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from click.testing import CliRunner
from sqlalchemy import func, select

from hub.accounts.models import Account
from hub.audit import AuditEvent
from hub.cli import preau
from hub.demo.people import load_people
from hub.demo.run import alone_in, how_it_ended, prepare, tell
from hub.errors import Refusal
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


def test_two_ports_or_none(tmp_path: Path):
    """One port for both is a mistake of the command line; a taken one is found before anything is prepared."""
    with socket.socket() as taken, socket.socket() as other:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other.bind(("127.0.0.1", 0))
        port, free = (str(one.getsockname()[1]) for one in (taken, other))
        folder = tmp_path / "demo"
        same = CliRunner().invoke(preau, ["demo", "--hub-port", free, "--sp-port", free, "--instance", str(folder)])
        assert same.exit_code == 2
        assert "must differ" in same.output
        result = CliRunner().invoke(preau, ["demo", "--hub-port", port, "--sp-port", free, "--instance", str(folder)])
    assert isinstance(result.exception, Refusal)
    assert f"port {port} is taken" in str(result.exception)
    assert [path.name for path in folder.iterdir()] == ["demo.pid"]


def test_a_folder_holds_one_demo(tmp_path: Path):
    """A second one is told who is there; what a demo that was killed left behind is no obstacle."""
    (tmp_path / "demo.pid").write_text("999999999\n")
    refused = pytest.raises(Refusal, match=rf"already runs in this folder \(pid {os.getpid()}\)")
    with alone_in(tmp_path), refused, alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        assert (tmp_path / "demo.pid").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize(("code", "words"), [(-9, "was killed (signal 9)"), (3, "ended by itself (exit 3); the lines above say why")])
def test_the_end_of_a_process_is_told(code: int, words: str):
    """Killed from outside, no line says why."""
    assert how_it_ended(code) == words
