"""Attacks at the school's desk: every page by every role at every school, guessed codes, forged delegations, rights that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import flask
import pytest
import time_machine
from flask import Flask
from werkzeug.routing import Rule

from backends import Degree, School
from hub.errors import Refusal
from hub.staff import delegations, service
from hub.staff.delegations import Term, end_of_school_year
from hub.staff.gate import Access, _wants_second_factor, access_of
from hub.staff.models import Agent
from hub.staff.rights import MATRIX, OF_TROUBLESHOOTING, Application, Reach, Right, Role
from hub.staff.scope import Function, OutOfScope, Post
from hub.web.areas import is_staff_address
from tests.hub_kit import Browser, Hub, open_hub
from tests.staff_kit import PASSWORD, Someone, agent_with, delegate, demo_agent, desk_of, make_agent, schools_of, sign_in


def staff_rules(app: Flask) -> list[Rule]:
    """Every address of the staff areas."""
    return [rule for rule in app.url_map.iter_rules() if is_staff_address(rule.rule)]


def access(app: Flask, rule: Rule) -> Access:
    """What the page behind that address asks."""
    found = access_of(app.view_functions[rule.endpoint])
    assert found is not None, f"{rule.endpoint} does not say who may open it: decorate it (hub/staff/gate.py)"
    return found


def address(app: Flask, rule: Rule, uai: str) -> str:
    """The address for that school, with something in every other place."""
    filled = {}
    for name, converter in rule._converters.items():
        filled[name] = (
            uai if name == "uai" else next(iter(getattr(converter, "items", [])), 1 if "Integer" in type(converter).__name__ else "x")
        )
    return app.url_map.bind("localhost").build(rule.endpoint, filled, method=next(iter(sorted(rule.methods or ()))))


def methods(rule: Rule) -> Iterator[str]:
    """What may be asked of the address."""
    return iter(sorted((rule.methods or set()) & {"GET", "POST"}))


@dataclass(frozen=True)
class Expected:
    """What the matrix of functional.md section 5 says of one page for one agent at one school."""

    opens: bool
    has_desk: bool


def expected(asked: Access, role: Role, own: School, school: School) -> Expected:
    """Read from the matrix alone, by other means than the gate."""

    def holds(right: Right) -> bool:
        cell = MATRIX[right].get(role)
        if cell is None or cell.aggregates or cell.break_glass or (right is Right.DELEGATE and school.agricultural):
            return False
        if asked.application is Application.TROUBLESHOOTING and right not in OF_TROUBLESHOOTING:
            return False
        if asked.application is Application.ADMINISTRATION and role is Role.TROUBLESHOOTER:
            return False
        reached = {Reach.SCHOOL: school.uai == own.uai, Reach.ACADEMY: school.academy == own.academy, Reach.NATION: True}
        return reached[cell.reach]

    assert asked.right is not None
    return Expected(holds(asked.right), any(map(holds, Right)))


@pytest.fixture
def open_forms(hub: Hub) -> Hub:
    """A hub whose forms need no token, so that a POST reaches the gate."""
    hub.app.config["WTF_CSRF_ENABLED"] = False
    return hub


@pytest.mark.covers("AD-01")
def test_every_page_of_the_staff_areas_says_who_may_open_it(hub: Hub):
    """An address that nobody declared fails here, and is closed in the application itself."""
    rules = staff_rules(hub.app)
    assert {"school.dashboard", "school.journal", "staff.login"} <= {rule.endpoint for rule in rules}
    for rule in rules:
        asked = access(hub.app, rule)
        assert ("uai" in rule.arguments) == (asked.right is not None), f"{rule.rule}: a page of a school is a desk_page, and the reverse"


@pytest.mark.covers("AD-01")
def test_an_undeclared_page_is_closed(hub: Hub):
    """A developer forgets the decorator: nobody gets in, whoever he is."""
    app = hub.app
    app._got_first_request = False
    app.add_url_rule("/school/<uai>/forgotten", "forgotten", lambda uai: "open")
    head = demo_agent(hub, "head")
    browser = sign_in(hub.browser(), head)
    assert browser.get(f"/school/{head.uai}/forgotten").status_code == 404
    assert browser.get(f"/school/{head.uai}/").status_code == 200


@pytest.mark.covers("AD-01", "AD-02", "AD-03")
@pytest.mark.parametrize("role", Role)
def test_every_page_for_every_role_at_every_school(open_forms: Hub, role: Role):
    """The whole matrix: each address and method, at the own school and at others, opens exactly where section 5 says so."""
    hub, schools = open_forms, schools_of(open_forms)
    own = schools[Degree.PRIMARY if role in (Role.HEAD_PRIMARY, Role.TROUBLESHOOTER) else Degree.SECONDARY][0]
    others = [school for degree in schools.values() for school in degree if school.uai != own.uai]
    browser = sign_in(hub.browser(), agent_with(hub, role, own))
    tried = 0
    for rule in staff_rules(hub.app):
        asked = access(hub.app, rule)
        if asked.right is None:
            continue
        for school in (own, *others):
            verdict = expected(asked, role, own, school)
            for method in methods(rule):
                with browser.client as client:
                    answer = client.open(address(hub.app, rule, school.uai), method=method)
                    opened = flask.g.get("desk") is not None
                    tried += 1
                    assert opened == verdict.opens, f"{role.value}: {method} {rule.rule} at {school.uai}: {answer.status_code}"
                    if not opened:
                        assert answer.status_code == (403 if verdict.has_desk else 404)
    assert tried


@pytest.mark.covers("AD-02", "AD-04")
def test_somebody_elses_school_answers_like_none(hub: Hub):
    """The page for a foreign school and for an invented one are the same, but for the reference number."""
    head, other = demo_agent(hub, "head"), demo_agent(hub, "teacher").uai
    browser = sign_in(hub.browser(), head)
    pages = []
    for uai in (other, "0999999Z"):
        answer = browser.get(f"/school/{uai}/journal")
        pages.append((answer.status_code, answer.text.replace(browser.reference or "", "").replace(uai, "")))
    assert pages[0] == pages[1] and pages[0][0] == 404


@pytest.mark.covers("AD-08", "AD-13")
def test_no_page_without_sign_in_or_second_factor(open_forms: Hub):
    """Every desk page and method sends nobody to the sign-in page, and a half-signed head to the second factor."""
    hub = open_forms
    head = demo_agent(hub, "head")
    stranger, half = hub.browser(), sign_in(hub.browser(), head, second_factor=False)
    for rule in staff_rules(hub.app):
        asked = access(hub.app, rule)
        for method in methods(rule):
            where = address(hub.app, rule, head.uai)
            if asked.agent:
                assert stranger.client.open(where, method=method).headers.get("Location", "").startswith("/staff/login"), where
            if asked.strong and (asked.right is None or asked.application is Application.ADMINISTRATION):
                assert half.client.open(where, method=method).headers.get("Location", "").startswith("/staff/second-factor"), where
    half.get("/staff/second-factor")
    half.submit(code="000000")
    assert half.page.status_code == 403
    assert half.get(f"/school/{head.uai}/").request.path == "/staff/second-factor"


@pytest.mark.covers("AD-08")
def test_a_code_of_the_authenticator_serves_once(hub: Hub):
    """Read over the shoulder, it opens nothing in another browser."""
    someone = make_agent(hub, "shoulder", Post(Function.HEAD, demo_agent(hub, "head").uai))
    code = someone.code()
    for expected_path in ("/school", "/staff/second-factor"):
        browser = sign_in(hub.browser(), someone, second_factor=False)
        browser.submit(code=code)
        assert browser.page.request.path == expected_path


@pytest.mark.covers("AD-08")
def test_codes_are_not_tried_in_series(hub: Hub):
    """After five wrong codes the right one waits a quarter of an hour too."""
    someone = make_agent(hub, "series", Post(Function.HEAD, demo_agent(hub, "head").uai))
    browser = sign_in(hub.browser(), someone, second_factor=False)
    for _ in range(5):
        browser.submit(code="123456")
    browser.submit(code=someone.code())
    assert browser.page.request.path == "/staff/second-factor" and browser.page.status_code == 403
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16), tick=True):
        browser = sign_in(hub.browser(), someone)
        assert browser.page.request.path == "/school"


@pytest.mark.covers("AC-01")
def test_the_sign_in_page_of_agents_tells_nothing(hub: Hub):
    """Unknown, wrong, disabled: one page."""
    someone = make_agent(hub, "closed", Post(Function.HEAD, demo_agent(hub, "head").uai))
    with hub.instance.database.transaction() as db:
        service.set_disabled(db, db.get_one(Agent, someone.id), True, actor="test")

    def answer(login: str, password: str) -> tuple[int, str]:
        browser = hub.browser()
        browser.get("/staff/login")
        browser.submit(username=login, password=password)
        text = browser.page.text.replace(browser.field("csrf_token") or "", "").replace(login, "")
        return browser.page.status_code, text

    answers = {answer("closed", PASSWORD), answer("closed", "x"), answer("nobody", "x"), answer("head.demo", "x")}
    assert len(answers) == 1 and answers.pop()[0] == 403


def _after(hub: Hub, browser: Browser, uai: str) -> str:
    return browser.get(f"/school/{uai}/").request.path


@pytest.mark.covers("AD-07")
def test_a_right_that_is_taken_away_is_gone_at_the_next_request(hub: Hub):
    """Post taken, delegation revoked, account disabled: the living session opens nothing any more."""
    uai = demo_agent(hub, "head").uai
    post, lent, closed = (
        make_agent(hub, name, Post(Function.HEAD if name == "post" else Function.OTHER, uai)) for name in ("post", "lent", "closed")
    )
    ids = [delegate(hub, one, uai, Application.ADMINISTRATION) for one in (lent, closed)]
    browsers = [sign_in(hub.browser(), one) for one in (post, lent, closed)]
    assert [browser.get(f"/school/{uai}/").status_code for browser in browsers] == [200, 200, 200]
    with hub.instance.database.transaction() as db:
        service.take_post(db, db.get_one(Agent, post.id), Post(Function.HEAD, uai), actor="test")
        delegations.revoke(db, uai, ids[0], actor="test", now=datetime.now(UTC))
        service.set_disabled(db, db.get_one(Agent, closed.id), True, actor="test")
    assert [browser.get(f"/school/{uai}/").status_code for browser in browsers[:2]] == [404, 404]
    assert _after(hub, browsers[2], uai) == "/staff/login"


def _term(days: int = 5, application: Application = Application.ADMINISTRATION) -> Term:
    today = datetime.now(UTC).date()
    return Term(application, today, today + timedelta(days=days))


def _lend(hub: Hub, giver: Someone, taker: Someone, uai: str, term: Term) -> None:
    desk = desk_of(hub, giver, uai)
    with hub.instance.database.transaction() as db:
        delegations.delegate(db, hub.instance.directory, desk, db.get_one(Agent, taker.id), term, now=datetime.now(UTC))


@pytest.mark.covers("AD-05", "F190")
def test_a_delegation_cannot_be_bent(hub: Hub):
    """Not to oneself, not to a stranger of the school, not beyond the school year, not twice, and never by a delegate."""
    uai = demo_agent(hub, "head").uai
    head, helper, stranger = (
        make_agent(hub, "head", Post(Function.HEAD, uai)),
        make_agent(hub, "helper", Post(Function.OTHER, uai)),
        make_agent(hub, "far"),
    )
    too_late = Term(Application.ADMINISTRATION, _term().starts_on, end_of_school_year(_term().starts_on) + timedelta(days=1))
    for taker, term, reason in (
        (head, _term(), "to_oneself"),
        (stranger, _term(), "does_not_work_there"),
        (helper, _term(-1), "ends_before_it_begins"),
        (helper, too_late, "ends_after_the_school_year"),
    ):
        with pytest.raises(Refusal, match=reason):
            _lend(hub, head, taker, uai, term)
    _lend(hub, head, helper, uai, _term())
    with pytest.raises(Refusal, match="has_it_already"):
        _lend(hub, head, helper, uai, _term())
    with pytest.raises(OutOfScope):
        _lend(hub, helper, make_agent(hub, "third", Post(Function.OTHER, uai)), uai, _term())


@pytest.mark.covers("AD-05", "AD-07")
def test_a_delegation_ends_with_its_date_and_with_its_head(hub: Hub):
    """The day after the last it is over; and it does not outlive the head who gave it."""
    uai = demo_agent(hub, "head").uai
    head, one, other = (
        make_agent(hub, "leaving", Post(Function.HEAD, uai)),
        make_agent(hub, "one", Post(Function.OTHER, uai)),
        make_agent(hub, "other", Post(Function.OTHER, uai)),
    )
    _lend(hub, head, one, uai, _term(1))
    _lend(hub, head, other, uai, _term(30))
    desk_of(hub, one, uai)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2, hours=1), tick=True):
        with pytest.raises(AssertionError):
            desk_of(hub, one, uai)
        desk_of(hub, other, uai)
        with hub.instance.database.transaction() as db:
            service.take_post(db, db.get_one(Agent, head.id), Post(Function.HEAD, uai), actor="test")
        with pytest.raises(AssertionError):
            desk_of(hub, other, uai)


@pytest.mark.covers("AD-02")
def test_a_delegation_of_another_school_is_not_revoked_from_here(hub: Hub):
    """Its id alone opens nothing."""
    uai, foreign = demo_agent(hub, "head").uai, demo_agent(hub, "teacher").uai
    lent = delegate(hub, make_agent(hub, "lent", Post(Function.OTHER, uai)), uai, Application.TROUBLESHOOTING)
    with hub.instance.database.transaction() as db:
        with pytest.raises(Refusal, match="no_such_delegation"):
            delegations.revoke(db, foreign, lent, actor="test", now=datetime.now(UTC))
        delegations.revoke(db, uai, lent, actor="test", now=datetime.now(UTC))


@pytest.mark.covers("AD-08")
def test_troubleshooting_may_be_made_to_ask_for_the_second_factor(hub_template, tmp_path):
    """With the setting, a teacher without one is stopped; the gate of the administration never depends on it."""
    for value, wanted in (("off", False), ("required", True)):
        hub = open_hub(hub_template, tmp_path / value, troubleshooting_second_factor=value)
        school = schools_of(hub)[Degree.PRIMARY][0]
        desk = desk_of(hub, agent_with(hub, Role.TROUBLESHOOTER, school), school.uai, Application.TROUBLESHOOTING)
        with hub.app.test_request_context():
            assert _wants_second_factor(desk) is wanted
        hub.instance.close()


def test_the_way_back_leads_nowhere_else(hub: Hub):
    """`next` is an address of the staff areas, or it is not followed."""
    for wanted in ("https://evil.example/", "//evil.example/school/", "/\\evil.example", "/account", "/schoolx", "/school/\nx"):
        browser = hub.browser()
        browser.page = browser.client.get("/staff/login", query_string={"next": wanted})
        browser.submit(username=demo_agent(hub, "teacher").login, password=PASSWORD)
        assert browser.page.request.path == "/school"


@pytest.mark.covers("AC-28")
def test_the_token_changes_at_each_factor(hub: Hub):
    """What was planted in the browser before is worth nothing after."""
    head = demo_agent(hub, "head")
    browser = hub.browser()
    tokens = []
    browser.get("/staff/login")
    for step in ({"username": head.login, "password": PASSWORD}, {"code": Someone(head.login, head.totp_secret).code()}):
        tokens.append(browser.client.get_cookie("preau-staff"))
        browser.submit(**step)
    tokens.append(browser.client.get_cookie("preau-staff"))
    assert len({cookie.value for cookie in tokens if cookie}) == 3
    thief = hub.browser()
    assert tokens[1]
    thief.client.set_cookie("preau-staff", tokens[1].value)
    thief.get("/school")
    assert thief.page.request.path == "/staff/login"


def test_an_agent_session_ends_sooner(hub: Hub):
    """A quarter of an hour unused, or four hours whatever happens."""
    head = demo_agent(hub, "head")
    browser = sign_in(hub.browser(), head)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=14), tick=True):
        assert browser.get("/school").request.path == "/school"
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=30), tick=True):
        assert browser.get("/school").request.path == "/staff/login"
