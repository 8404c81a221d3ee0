"""`preau agent`: what an operator does for agents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from hub.cli import context, preau
from hub.staff.service import agent_named
from tests.hub_kit import Hub
from tests.staff_kit import demo_agent


@pytest.fixture
def run(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command of the operator on this hub; its JSON."""
    monkeypatch.setattr(context, "_instance", hub.instance)

    def run(*arguments: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(preau, ["agent", *arguments, "--json"])
        assert (result.exit_code == 0) == (exit_code == 0), (result.output, result.exception)
        return json.loads(result.output) if exit_code == 0 else str(result.exception)

    return run


def test_an_agent_from_invitation_to_closing(hub: Hub, run: Any):
    """Added, given a post and a delegation, looked at, closed; each act answers in JSON."""
    uai = demo_agent(hub, "head").uai
    assert run("add", "zoe", "--given-name", "Zoé", "--family-name", "Roy")["link"].startswith(f"{hub.settings.base_url}/staff/enrol/")
    run("role", "zoe", "other", uai)
    lent = run("delegate", "zoe", "administration", uai)
    shown = run("show", "zoe")
    assert shown["posts"] == [f"AGT {uai}"] and shown["delegations"][0].startswith(f"administration {uai}")
    assert [row["login"] for row in run("delegations", uai)] == ["zoe"]
    run("revoke", uai, lent["id"])
    assert run("show", "zoe")["delegations"] == []
    run("disable", "zoe")
    assert {row["login"]: row["disabled"] for row in run("list")}["zoe"] is True


def test_refusals_say_what_to_do(hub: Hub, run: Any):
    """Unknown agent, school or record, a taken login, a school where nobody delegates."""
    assert "no agent" in run("show", "nobody", exit_code=1)
    assert "taken" in run("add", "head.demo", "--given-name", "A", "--family-name", "B", exit_code=1)
    assert "no such school" in run("role", "head.demo", "head", "0999999Z", exit_code=1)
    assert "nobody delegates" in run("delegate", "head.demo", "administration", demo_agent(hub, "teacher").uai, exit_code=1)


def test_a_new_enrolment_voids_the_factor_and_the_sessions(hub: Hub, run: Any):
    """The telephone was stolen: what it knew is worth nothing from now on; the password stays."""
    run("totp", "head.demo")
    with hub.instance.database.session() as db:
        head = agent_named(db, "head.demo")
        assert head.totp_sealed is None and head.password_hash is not None
