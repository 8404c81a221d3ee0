"""Somebody signs out, and the services of the session hear of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from hub.audit import AuditEvent
from hub.jobs.cleanup import clean_up
from hub.logout.models import PendingLogout, SessionParticipant
from tests.hub_kit import Browser, Hub
from tests.logout_kit import REDIRECT, SLO, LogoutSP, Round, ask, carried, is_signed_in, visit, walk
from tests.saml_kit import POST

PUPIL, GUARDIAN = "college_pupil", "primary_guardian"


@pytest.fixture
def services(hub: Hub) -> list[LogoutSP]:
    """Three services, each with its way of hearing of logouts."""
    found = [LogoutSP("ent"), LogoutSP("library", bindings=(POST,)), LogoutSP("canteen", bindings=())]
    names = ["ENT", "Bibliothèque", "Cantine"]
    for sp, name in zip(found, names, strict=True):
        hub.register(sp, metadata=sp.metadata(display_name=name))
    return found


def press_sign_out(browser: Browser) -> None:
    """The button of the hub's own page."""
    browser.get("/logout")
    walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})


@pytest.mark.covers("LO-07", "LO-09")
def test_a_pupil_signs_out_by_the_button(hub: Hub, services: list[LogoutSP]):
    """The ENT by Redirect, the library by POST; the canteen cannot be told, and the page says so."""
    browser = hub.browser()
    visits = {sp.name: visit(hub, browser, sp, None if n else PUPIL) for n, sp in enumerate(services)}
    press_sign_out(browser)
    assert not is_signed_in(browser), "signed out before any service is told"
    tour = Round(hub, browser, services)
    assert tour.finish() is None
    assert [(name, told.name_id["value"]) for name, told in tour.told] == [(sp.name, visits[sp.name].name_id) for sp in services[:2]]
    text = " ".join(re.sub(r"<[^>]+>", " ", browser.page.text).replace("\xa0", " ").replace("&nbsp;", " ").split())
    assert "ENT : déconnecté Bibliothèque : déconnecté Cantine : n'a pas été prévenu" in text
    assert "encore ouverts" in text


def test_the_page_between_two_services_works_without_scripts(hub: Hub, services: list[LogoutSP]):
    """By Redirect it leaves by itself; by POST it has a button; both can be skipped and stopped by plain links."""
    browser = hub.browser()
    for n, sp in enumerate(services):
        visit(hub, browser, sp, None if n else PUPIL)
    press_sign_out(browser)
    page = browser.page.text
    refresh = re.search(r'http-equiv="refresh" content="0; url=(https://ent\.example\.fr/slo\?[^"]+)"', page)
    assert refresh and f'href="{refresh[1]}"' in page
    assert 'href="/logout/progress?skip=0"' in page and 'href="/logout/progress?stop=1"' in page
    walk(browser, "/logout/progress?skip=0")
    page = browser.page.text
    assert '<form method="post" action="https://library.example.fr/slo"' in page and "http-equiv" not in page
    assert "form-action https:" in browser.page.headers["Content-Security-Policy"]
    nonce = re.search(r'<script nonce="([^"]+)">', page)
    assert nonce and f"'nonce-{nonce[1]}'" in browser.page.headers["Content-Security-Policy"]


def test_the_address_of_frEduUrlRetour_from_a_tab_goes_round_the_services(hub: Hub, services: list[LogoutSP]):
    """The service opens it in a new tab of the same browser: signed out, and the services are told."""
    browser = hub.browser()
    leave = visit(hub, browser, services[0], PUPIL).attributes["FrEduUrlRetour"][0]
    walk(browser, leave.removeprefix(hub.settings.base_url))
    assert not is_signed_in(browser)
    tour = Round(hub, browser, services)
    assert tour.finish() is None
    assert [name for name, _ in tour.told] == ["ent"]


def test_the_address_of_frEduUrlRetour_works_from_the_background(hub: Hub, services: list[LogoutSP]):
    """A native app fetches it without cookie and follows nothing: the session is over all the same, for every worker."""
    browser = hub.browser()
    leave = visit(hub, browser, services[0], PUPIL).attributes["FrEduUrlRetour"][0].removeprefix(hub.settings.base_url)
    answer = hub.app.test_client(use_cookies=False).get(leave)
    assert answer.status_code in (200, 303)
    assert not is_signed_in(browser)
    again = hub.app.test_client(use_cookies=False).get(leave)
    assert "pas connecté" in again.text, "an ended token does nothing"


@pytest.mark.covers("LO-01", "LO-07")
def test_a_service_signs_out_by_post_without_the_cookie(hub: Hub, services: list[LogoutSP]):
    """The form of another site brings no cookie: the round begins on the next page, and the service gets its answer by POST."""
    browser = hub.browser()
    visit(hub, browser, services[0], PUPIL)
    own = visit(hub, browser, services[1])
    ask(browser, services[1], own, by=POST, request_id="_posted", relay_state="état")
    found = Round(hub, browser, services).finish()
    assert found and found[0] == "https://library.example.fr/slo"
    assert (found[1].in_response_to, found[1].relay_state) == ("_posted", "état")
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-19")
def test_two_people_in_two_browsers_do_not_meet(hub: Hub, services: list[LogoutSP]):
    """Both sign out at the same time, page by page in turn: each round tells its own person's identifiers."""
    one, two = hub.browser(), hub.browser()
    first, second = visit(hub, one, services[0], PUPIL), visit(hub, two, services[0], GUARDIAN)
    press_sign_out(one)
    press_sign_out(two)
    for browser, visited in ((one, first), (two, second)):
        tour = Round(hub, browser, services)
        tour.finish()
        assert [told.name_id["value"] for _, told in tour.told] == [visited.name_id]
        assert [told.session_indexes for _, told in tour.told] == [(visited.session_index,)]


def test_several_sign_ons_at_one_service_are_one_farewell(hub: Hub, services: list[LogoutSP]):
    """Three times at the ENT: it is told once, under the last identifier; any of the three may sign out."""
    browser = hub.browser()
    visits = [visit(hub, browser, services[0], None if n else PUPIL) for n in range(3)]
    other = visit(hub, browser, services[1])
    press_sign_out(browser)
    tour = Round(hub, browser, services)
    tour.finish()
    assert [(name, told.name_id["value"]) for name, told in tour.told] == [("ent", visits[2].name_id), ("library", other.name_id)]
    browser = hub.browser()
    visits = [visit(hub, browser, services[0], None if n else PUPIL) for n in range(3)]
    ask(browser, services[0], visits[0])
    assert not is_signed_in(browser)


def test_signing_in_again_and_out_again_is_a_new_round(hub: Hub, services: list[LogoutSP]):
    """What an earlier logout told is not told again; a service reached since is."""
    browser = hub.browser()
    visit(hub, browser, services[0], PUPIL)
    press_sign_out(browser)
    Round(hub, browser, services).finish()
    visit(hub, browser, services[1], PUPIL)
    press_sign_out(browser)
    tour = Round(hub, browser, services)
    assert tour.finish() is None
    assert [name for name, _ in tour.told] == ["library"]


def test_an_answer_after_the_end_still_corrects_the_page(hub: Hub, services: list[LogoutSP]):
    """Slow, not dead: the service answers when the person has gone on already."""
    browser = hub.browser()
    visit(hub, browser, services[0], PUPIL)
    press_sign_out(browser)
    _, told = carried(hub, browser) or ("", None)
    assert told
    walk(browser, "/logout/progress?skip=0")
    assert "n'a pas répondu" in browser.page.text
    answer = services[0].logout_query(services[0].logout_response(SLO, told.id), parameter="SAMLResponse")
    walk(browser, f"/saml/slo?{answer}")
    assert "n'a pas répondu" not in browser.page.text and "déconnecté</li>" in browser.page.text


def test_a_logout_that_is_forgotten_ends_quietly(hub: Hub, services: list[LogoutSP]):
    """An hour later the address of the round says that nobody is signed in, and the tables are empty again."""
    browser = hub.browser()
    visit(hub, browser, services[0], PUPIL)
    press_sign_out(browser)
    address = browser.page.request.full_path
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2), tick=True):
        walk(browser, address)
        assert "pas connecté" in browser.page.text and carried(hub, browser) is None
    clean_up(hub.instance.database, hub.settings, now=datetime.now(UTC) + timedelta(days=2))
    with hub.instance.database.session() as db:
        left = [db.scalar(select(func.count()).select_from(table)) for table in (PendingLogout, SessionParticipant)]
    assert left == [0, 0]


def test_who_ended_a_session_is_in_the_audit(hub: Hub, services: list[LogoutSP]):
    """The person, the service by its name, or the token."""
    browser = hub.browser()
    visit(hub, browser, services[0], PUPIL)
    press_sign_out(browser)
    ask(browser, services[0], visit(hub, browser, services[0], PUPIL))
    leave = visit(hub, browser, services[0], PUPIL).attributes["FrEduUrlRetour"][0]
    walk(browser, leave.removeprefix(hub.settings.base_url))
    with hub.instance.database.session() as db:
        ended = db.scalars(select(AuditEvent).where(AuditEvent.action == "session.ended").order_by(AuditEvent.id)).all()
    assert [event.details["by"] for event in ended] == ["person", services[0].entity_id, "logout token"]
    assert len({event.account_id for event in ended}) == 1
    assert REDIRECT in {binding for binding, *_ in services[0].slo}
