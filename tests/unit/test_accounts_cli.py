"""`preau account` and `preau audit`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.accounts.service import Accepted, sign_in
from hub.cli import context, preau
from hub.errors import Refusal
from hub.instance import Instance
from tests.accounts_kit import CAMILLE, LEA, NOW, activate, make_instance


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
