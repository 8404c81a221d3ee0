"""Agents in tests: made through the real services, signed in through the real pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyotp

from backends import Degree, School
from hub.accounts.notices import PARIS
from hub.demo.agents import PASSWORD, DemoAgent, load_agents
from hub.staff import factors, service
from hub.staff.delegations import Term, delegate_as_operator, end_of_school_year
from hub.staff.gate import desk_at
from hub.staff.models import Agent
from hub.staff.rights import Application, Role
from hub.staff.scope import Desk, Function, Post
from tests.hub_kit import Browser, Hub


@dataclass(frozen=True)
class Someone:
    """An agent of a test."""

    login: str
    secret: str | None
    """Of the authenticator, None for one without second factor."""
    id: str = ""

    def code(self, *, at: datetime | None = None) -> str:
        """The code of that moment, by default of now."""
        assert self.secret
        return pyotp.TOTP(self.secret).at(at or datetime.now(UTC))


def demo_agent(hub: Hub, role: str) -> DemoAgent:
    """``head`` (of a collège, with second factor) or ``teacher`` (of a primary school, without)."""
    return next(agent for agent in load_agents(hub.settings.instance_dir / "demo") if agent.role == role)


def make_agent(hub: Hub, login: str, *posts: Post, strong: bool = True) -> Someone:
    """A local agent with these posts, and with :data:`hub.demo.agents.PASSWORD`."""
    instance, now = hub.instance, datetime.now(UTC)
    secret = factors.new_totp_secret() if strong else None
    with instance.database.transaction() as db:
        agent = service.add_agent(db, instance.directory, login, name=("Ada", login.title()), actor="test", now=now)
        for post in posts:
            service.give_post(db, agent, post, actor="test")
        service.set_password(instance, agent, PASSWORD)
        agent.totp_sealed = factors.seal(instance, secret) if secret else None
        return Someone(login, secret, agent.id)


def agent_with(hub: Hub, role: Role, school: School, *, strong: bool = True) -> Someone:
    """A local agent who has that role, and no other, for that school. Raises AssertionError for a role that the school cannot give."""
    posts = {
        Role.HEAD_PRIMARY: Post(Function.HEAD, school.uai),
        Role.HEAD_SECONDARY: Post(Function.HEAD, school.uai),
        Role.DELEGATE: Post(Function.OTHER, school.uai),
        Role.TROUBLESHOOTER: Post(Function.TEACHER, school.uai),
        Role.ACADEMY: Post(Function.ACADEMY, school.academy),
        Role.NATIONAL: Post(Function.NATIONAL),
    }
    someone = make_agent(hub, f"{role.value}.{school.uai.lower()}", posts[role], strong=strong)
    lends = Application.ADMINISTRATION if role is Role.DELEGATE else Application.TROUBLESHOOTING
    if role is Role.DELEGATE or (role is Role.TROUBLESHOOTER and school.degree is Degree.SECONDARY):
        delegate(hub, someone, school.uai, lends)
    return someone


def delegate(hub: Hub, someone: Someone, uai: str, application: Application, *, ends_on: date | None = None) -> str:
    """Lend an application as an operator would. Returns the delegation's id."""
    instance, now = hub.instance, datetime.now(UTC)
    today = now.astimezone(PARIS).date()
    with instance.database.transaction() as db:
        agent = db.get_one(Agent, someone.id)
        term = Term(application, today, ends_on or end_of_school_year(today))
        return delegate_as_operator(db, instance.directory, uai, agent, term, actor="test", now=now).id


def desk_of(hub: Hub, someone: Someone, uai: str, application: Application = Application.ADMINISTRATION) -> Desk:
    """The desk of that agent, for tests of services."""
    with hub.app.test_request_context(), hub.instance.database.session() as db:
        desk = desk_at(service.facts_of(db, hub.instance.directory, db.get_one(Agent, someone.id)), uai, application)
    assert desk is not None, "that agent has no desk there"
    return desk


def sign_in(browser: Browser, agent: Someone | DemoAgent, *, second_factor: bool = True) -> Browser:
    """From nothing to the choice of the school, through the pages."""
    browser.get("/staff/login")
    browser.submit(username=agent.login, password=PASSWORD)
    secret = agent.secret if isinstance(agent, Someone) else agent.totp_secret
    if second_factor and secret:
        assert browser.page.request.path == "/staff/second-factor", browser.page.text
        browser.submit(code=pyotp.TOTP(secret).now())
        assert browser.page.request.path == "/school", browser.page.text
    return browser


def schools_of(hub: Hub) -> dict[Degree, list[School]]:
    """The demo's schools that have agents, by degree, those of pupils of the demo first."""
    found: dict[Degree, list[School]] = {Degree.PRIMARY: [], Degree.SECONDARY: []}
    for agent in load_agents(hub.settings.instance_dir / "demo"):
        school = hub.instance.directory.school(agent.uai)
        found[school.degree].append(school)
    return found
