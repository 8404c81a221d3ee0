"""`preau account` and `preau audit`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.accounts.models import Account
from hub.accounts.service import Accepted, sign_in
from hub.activation.next_step import pending_step
from hub.cli import context, preau
from hub.errors import Refusal
from hub.instance import Instance
from hub.login.sessions import PreauSession, ServerSessions
from hub.ops.logs import bind_reference, clear_reference
from tests.accounts_kit import CAMILLE, GOOD_PASSWORD, LEA, NOW, activate, make_instance, notice_for


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    instance = make_instance(tmp_path)
    monkeypatch.setattr(context, "_instance", instance)
    yield instance
    instance.close()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(preau, arguments)
    if isinstance(result.exception, Refusal):
        return result
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.covers("F060")
def test_a_notice_is_printed_once(instance: Instance):
    """By record then by identifier; what is printed opens the account, and the audit knows who asked."""
    first = json.loads(run("account", "notice", str(LEA.ref), "--json").output)
    assert first["identifier"] == "l.martin"
    second = json.loads(run("account", "notice", "L.Martin", "--json").output)
    assert first["secret"] != second["secret"]
    with instance.database.session() as db:
        assert isinstance(sign_in(db, instance, "l.martin", second["secret"], now=NOW), Accepted)
    events = json.loads(run("audit", "list", "--action", "account.informed", "--json").output)
    assert len(events) == 2
    assert all(event["actor"].startswith("cli:") for event in events)
    assert second["secret"] not in str(events)
    assert "password" in run("account", "notice", str(CAMILLE.ref)).output


def test_an_account_is_shown_without_its_secrets(instance: Instance):
    """By identifier or by record: state, dates, records, attachments."""
    activate(instance, CAMILLE.ref)
    shown = json.loads(run("account", "show", "c.martin", "--json").output)
    assert (shown["state"], shown["mail"], shown["records"]) == ("ACTIVE", "confirmed", [str(CAMILLE.ref)])
    assert [attachment["state"] for attachment in shown["attachments"]] == ["CONFIRMED", "CONFIRMED"]
    assert json.loads(run("account", "show", str(CAMILLE.ref), "--json").output) == shown
    text = run("account", "show", "c.martin").output
    assert "ACTIVE" in text
    assert "argon2" not in text + str(shown)


def test_a_void_secret_has_no_last_day(instance: Instance):
    """Shown while the letter opens something, not once the account is active."""
    notice_for(instance, CAMILLE.ref)
    assert json.loads(run("account", "show", "c.martin", "--json").output)["notice_expires_at"]
    activate(instance, CAMILLE.ref)
    assert json.loads(run("account", "show", "c.martin", "--json").output)["notice_expires_at"] is None


def test_a_notice_in_the_middle_of_an_activation_says_that_it_starts_again(instance: Instance):
    """In words and as data; an ordinary notice says nothing of it."""
    for said in (False, True):
        document = json.loads(run("account", "notice", str(LEA.ref), "--json").output)
        assert document["starts_again"] is said
        begin(instance, document["identifier"], document["secret"])
    assert "The activation in progress starts again." in run("account", "notice", str(LEA.ref)).output
    assert "starts again" not in run("account", "notice", str(LEA.ref)).output


def begin(instance: Instance, identifier: str, secret: str) -> None:
    with instance.database.session() as db:
        assert isinstance(sign_in(db, instance, identifier, secret, now=datetime.now(UTC)), Accepted)
        db.commit()


def codes(instance: Instance, identifier: str = "l.martin") -> str | None:
    with instance.database.session() as db:
        return sign_in(db, instance, identifier, GOOD_PASSWORD, now=NOW).code


def actions(*arguments: str) -> list[str]:
    return [event["action"] for event in json.loads(run("audit", "list", "--account", "l.martin", "--json", *arguments).output)]


def test_an_account_is_suspended_and_opened_again(instance: Instance):
    """Its sessions end, the right password is told M24; then all is as before. Each order is in the audit once."""
    id_ = activate(instance, LEA.ref)
    ServerSessions(instance.database, instance.settings).rotate(PreauSession(None), id_, authn_instant=NOW, authn_context="password")
    suspended = json.loads(run("account", "suspend", "l.martin", "--json").output)
    assert suspended == {"identifier": "l.martin", "suspended": True, "sessions_ended": 1}
    assert codes(instance) == "M24"
    assert isinstance(run("account", "suspend", "l.martin").exception, Refusal)
    assert json.loads(run("account", "resume", str(LEA.ref), "--json").output) == {"identifier": "l.martin", "suspended": False}
    assert codes(instance) is None
    assert isinstance(run("account", "resume", "l.martin").exception, Refusal)
    assert [actions("--action", action) for action in ("account.suspended", "account.resumed")] == [
        ["account.suspended"],
        ["account.resumed"],
    ]
    assert run("account", "suspend", "l.martin").output == "l.martin: suspended, 0 session(s) ended\n"


def test_a_new_password_is_required(instance: Instance):
    """Of an active account only: the page that asks for it comes first."""
    notice_for(instance, LEA.ref)
    assert isinstance(run("account", "require-new-password", "l.martin").exception, Refusal)
    id_ = activate(instance, LEA.ref)
    answer = json.loads(run("account", "require-new-password", "l.martin", "--json").output)
    assert answer == {"identifier": "l.martin", "must_change_password": True}
    with instance.database.session() as db:
        assert pending_step(db.get_one(Account, id_), {}) == "activation.password"
    assert actions("--action", "account.new_password_required") == ["account.new_password_required"]
    for arguments in (("suspend", "x.unknown"), ("resume", "x.unknown"), ("require-new-password", "x.unknown")):
        assert isinstance(run("account", *arguments).exception, Refusal)


def test_what_cannot_be_done_is_said(instance: Instance):
    """Unknown identifier, unknown record, active account: a refusal with its reason."""
    activate(instance, LEA.ref)
    for arguments in (("show", "x.unknown"), ("show", "13/2D/student/999"), ("notice", "x.unknown"), ("notice", "l.martin")):
        result = run("account", *arguments)
        assert isinstance(result.exception, Refusal), arguments


def test_the_audit_is_listed_newest_first(instance: Instance):
    """By account, by action or by the beginning of one, as many as asked."""
    activate(instance, LEA.ref)
    activate(instance, CAMILLE.ref)
    mine = json.loads(run("audit", "list", "--account", "l.martin", "--json").output)
    assert [event["action"] for event in mine][::-1] == [
        "account.informed",
        "account.activation_begun",
        "account.password_chosen",
        "account.activated",
    ]
    assert len(json.loads(run("audit", "list", "--limit", "1", "--json").output)) == 1
    attachments = json.loads(run("audit", "list", "--action", "attachment.", "--json").output)
    assert {event["action"] for event in attachments} == {"attachment.proposed", "attachment.confirmed"}
    assert json.loads(run("audit", "list", "--action", "attachment", "--json").output) == []
    assert "account.activated" in run("audit", "list").output


def test_the_audit_shows_the_reference_that_people_read_out(instance: Instance):
    """So that a number given on the phone is found in the list."""
    bind_reference("K7M2P9QRK7M2")
    activate(instance, LEA.ref)
    clear_reference()
    activate(instance, CAMILLE.ref)
    lines = run("audit", "list", "--action", "account.activated").output.splitlines()
    assert ["K7M2P9QRK7M2" in line for line in lines] == [False, True]
