"""What an agent of a school lives through: an invitation, a password, an authenticator, a desk, and the way out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine

from hub.staff import factors, service
from hub.staff.models import Agent
from hub.staff.scope import Function, Post
from tests.hub_kit import Browser, Hub
from tests.staff_kit import PASSWORD, demo_agent, make_agent, sign_in

CHOSEN = "douze crayons dans la trousse"


def invitation(hub: Hub, uai: str) -> str:
    """The link of a new head of that school."""
    now = datetime.now(UTC)
    with hub.instance.database.transaction() as db:
        agent = service.add_agent(db, hub.instance.directory, "Ada.Roy", name=("Ada", "Roy"), actor="test", now=now)
        service.give_post(db, agent, Post(Function.HEAD, uai), actor="test")
        return service.invite(db, hub.instance, agent, actor="test", now=now).removeprefix(hub.settings.base_url)


def shown_secret(browser: Browser) -> str:
    """The secret for the authenticator, as the page writes it."""
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', browser.page.text)
    assert found, browser.page.text
    return found[1].replace(" ", "")


@pytest.mark.covers("F130", "F131", "F134")
def test_a_head_enrols_and_reaches_the_desk(hub: Hub):
    """The first day: link, password and authenticator, recovery codes, sign-in, second factor, the school's desk, and out."""
    uai = demo_agent(hub, "head").uai
    browser, link = hub.browser(), invitation(hub, uai)
    browser.get(link)
    secret = shown_secret(browser)
    browser.submit(password=CHOSEN, confirmation=CHOSEN, code=pyotp.TOTP(secret).now())
    codes = re.findall(r"<code>([A-Z2-9]{5}-[A-Z2-9]{5})</code>", browser.page.text)
    assert len(set(codes)) == 10
    browser.get(link)
    assert browser.page.status_code == 410, "the link serves once"
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=True):
        browser.get(f"/school/{uai}/")
        assert browser.page.request.path == "/staff/login"
        browser.submit(username="ada.roy", password=CHOSEN)
        assert browser.page.request.path == "/staff/second-factor"
        browser.submit(code=pyotp.TOTP(secret).now())
        assert browser.page.request.path == f"/school/{uai}/", "back to where the agent was headed"
        school = hub.instance.directory.school(uai)
        assert "Ada Roy" in browser.page.text and school.name in browser.page.text
        browser.post("/staff/logout", {"csrf_token": browser.field("csrf_token") or ""})
        browser.get(f"/school/{uai}/")
        assert browser.page.request.path == "/staff/login"


def test_a_weak_password_or_a_wrong_code_enrols_nobody(hub: Hub):
    """The page says both at once, and the link still serves."""
    browser, link = hub.browser(), invitation(hub, demo_agent(hub, "head").uai)
    browser.get(link)
    secret = shown_secret(browser)
    browser.submit(password="trop court", confirmation="trop court", code="000000")
    assert browser.page.status_code == 403
    assert "16 caractères" in browser.page.text.replace("\xa0", " ") and "Ce code n" in browser.page.text
    assert shown_secret(browser) == secret, "the authenticator was scanned already"
    browser.submit(password=CHOSEN, confirmation=CHOSEN, code=pyotp.TOTP(secret).now())
    assert "codes de secours" in browser.page.text


@pytest.mark.covers("F134")
def test_an_agent_of_two_schools_changes_from_one_to_the_other(hub: Hub):
    """The choice shows the schools of the agent and no other."""
    uais = [demo_agent(hub, role).uai for role in ("head", "teacher")]
    browser = sign_in(hub.browser(), make_agent(hub, "two", *(Post(Function.HEAD, uai) for uai in uais)))
    for uai in uais:
        browser.get("/school")
        assert f'href="/school/{uai}/"' in browser.page.text
        browser.get(f"/school/{uai}/")
        assert browser.page.status_code == 200 and uai in browser.page.text
    assert len(set(re.findall(r'href="/school/(\w+)/"', browser.get("/school").text))) == 2


@pytest.mark.covers("F132")
def test_the_head_of_the_delivery_has_the_desk_of_the_school(hub: Hub):
    """The function in the source data opens it, nobody gave a role here."""
    head = demo_agent(hub, "head")
    browser = sign_in(hub.browser(), head)
    assert browser.get(f"/school/{head.uai}/").status_code == 200


@pytest.mark.covers("F181")
def test_a_teacher_signs_in_by_password_alone(hub: Hub):
    """Trouble-shooting asks for no second factor by default, and the administration stays shut."""
    teacher = demo_agent(hub, "teacher")
    browser = sign_in(hub.browser(), teacher)
    assert browser.page.request.path == "/school" and browser.page.status_code == 200
    assert browser.get(f"/school/{teacher.uai}/").status_code == 404


def test_a_recovery_code_serves_once(hub: Hub):
    """The day the telephone is lost."""

    someone = make_agent(hub, "lost", Post(Function.HEAD, demo_agent(hub, "head").uai))
    with hub.instance.database.transaction() as db:
        codes = factors.new_recovery_codes(db, hub.instance, db.get_one(Agent, someone.id))
    for expected in ("/school", "/staff/second-factor"):
        browser = sign_in(hub.browser(), someone, second_factor=False)
        browser.submit(code=codes[0].lower())
        assert browser.page.request.path == expected


def test_the_passwords_of_families_open_no_desk(hub: Hub):
    """A guardian's session is nobody's at the school's desk."""
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(hub.people["primary_guardian"])
    browser.get("/school")
    assert browser.page.request.path == "/staff/login"
    browser.get("/account")
    assert browser.page.request.path == "/account", "and the family's session still lives"


def test_the_demo_agents_have_the_demo_password(hub: Hub):
    """What `make run` prints is true."""
    assert demo_agent(hub, "head").password == PASSWORD and demo_agent(hub, "head").totp_secret
