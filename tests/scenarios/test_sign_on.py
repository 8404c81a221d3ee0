"""A service asks who this is, and gets its answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import create_engine

from backends.sql.models import DirectoryBase
from tests.hub_kit import Hub
from tests.saml_kit import MockSP

ENT = {"entity_id": "https://ent.example.fr/saml", "acs": ("https://ent.example.fr/saml/acs",)}
LIBRARY = {"entity_id": "https://library.example.fr/saml", "acs": ("https://library.example.fr/acs",)}


@pytest.fixture
def ent(hub: Hub) -> MockSP:
    """A service that publishes an encryption key and signs nothing."""
    return hub.register(MockSP(**ENT))


@pytest.mark.covers("RQ-01", "F001", "F002", "F030", "F031", "F033", "F039")
def test_a_pupil_signs_in_by_the_redirect_binding(hub: Hub, ent: MockSP):
    """Request, profile, password, and a Response at the ACS of the metadata: both signatures, encrypted, in response to."""
    browser = hub.browser()
    browser.start(ent, request_id="_first", relay_state="état 1&2")
    assert "Je sélectionne mon profil" in browser.page.text
    browser.sign_in(hub.people["college_pupil"])
    assert browser.posts_to == "https://ent.example.fr/saml/acs"
    assert browser.field("RelayState") == "état 1&2"
    read = hub.read(browser, ent)
    assert read.status.endswith(":Success")
    assert read.in_response_to == read.confirmed_request == "_first"
    assert read.response_signed and read.assertion_signed and read.encrypted
    assert read.destination == read.recipient == browser.posts_to
    assert read.audiences == (ent.entity_id,)
    assert read.attributes["FrEduCtPersonAffiliation"] == ["eleve2d"]


@pytest.mark.covers("RQ-02")
def test_a_guardian_signs_in_by_the_post_binding(hub: Hub, ent: MockSP):
    """The form of another site brings no cookie; the sign-on goes on all the same, and the answer is right."""
    browser = hub.browser()
    browser.start_by_post(ent, request_id="_posted")
    browser.sign_in(hub.people["primary_guardian"])
    read = hub.read(browser, ent)
    assert read.in_response_to == "_posted"
    assert read.attributes["FrEduCtPersonAffiliation"] == ["resp1d"]
    assert not [name for name in read.attributes if name.startswith("FrEduCtEleve")]


@pytest.mark.covers("F004", "F005")
def test_a_guardian_of_two_academies_has_one_account(hub: Hub):
    """Legal guardian in two academies and in charge of a third child: one account, all records."""
    open_service = hub.register(MockSP(**ENT), open_to_in_charge=True)
    closed_service = hub.register(MockSP(**LIBRARY))
    browser = hub.browser()
    browser.start(open_service)
    browser.sign_in(hub.people["multi_guardian"])
    wide = hub.read(browser, open_service).attributes
    browser.start(closed_service)
    narrow = hub.read(browser, closed_service).attributes
    academies = {value.split("|")[0] for value in wide["FrEduCtRefId"]}
    assert len(academies) == 2
    assert set(narrow["FrEduCtRefId"]) <= set(wide["FrEduCtRefId"])
    assert wide["FrEduCtId"] != narrow["FrEduCtId"]


@pytest.mark.covers("RQ-56")
def test_a_second_service_needs_no_new_sign_in(hub: Hub, ent: MockSP):
    """The session answers at once; identifiers differ from one service to the next."""
    library = hub.register(MockSP(**LIBRARY))
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(hub.people["college_pupil"])
    first = hub.read(browser, ent)
    browser.start(library, is_passive=True)
    second = hub.read(browser, library)
    assert second.name_id != first.name_id
    assert second.assertion_id != first.assertion_id
    assert second.attributes["FrEduCtEleveINEHash"] == first.attributes["FrEduCtEleveINEHash"]


@pytest.mark.covers("RQ-55")
def test_a_passive_request_without_session_gets_no_passive(hub: Hub, ent: MockSP):
    """No page is shown; the service is told."""
    browser = hub.browser()
    browser.start(ent, is_passive=True)
    read = hub.read(browser, ent)
    assert read.second_status == "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
    assert read.assertion_id is None and read.response_signed


@pytest.mark.covers("RQ-51", "RQ-52")
def test_a_forced_sign_in_cannot_be_skipped(hub: Hub, ent: MockSP):
    """ForceAuthn asks again in spite of the session, also when the address is opened a second time."""
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(hub.people["college_pupil"])
    before = hub.read(browser, ent).authn_instant
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2), tick=True):
        browser.start(ent, force_authn=True)
        waiting = browser.page.request.args["s"]
        assert browser.posts_to is None
        browser.get(f"/saml/sso/continue?s={waiting}")
        assert browser.posts_to is None, "the challenge was skipped by opening the address again"
        browser.sign_in(hub.people["college_pupil"])
        after = hub.read(browser, ent).authn_instant
    assert before and after and after > before


@pytest.mark.covers("RQ-54")
def test_another_person_who_answers_a_forced_sign_in_gets_a_session_of_his_own(hub: Hub, ent: MockSP):
    """Nothing of the first person is in the answer about the second."""
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(hub.people["college_pupil"])
    pupil = hub.read(browser, ent)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2), tick=True):
        browser.start(ent, force_authn=True)
        browser.sign_in(hub.people["primary_guardian"])
        guardian = hub.read(browser, ent)
    assert guardian.session_index != pupil.session_index
    assert guardian.attributes["FrEduCtPersonAffiliation"] == ["resp1d"]


@pytest.mark.covers("RQ-75")
def test_two_tabs_at_two_services_do_not_mix(hub: Hub, ent: MockSP):
    """Interleaved sign-ons in one browser: each service gets its own answer."""
    library = hub.register(MockSP(**LIBRARY))
    browser = hub.browser()
    browser.start(ent, request_id="_tab1", relay_state="one")
    tab1 = browser.page.request.args["s"]
    browser.start(library, request_id="_tab2", relay_state="two")
    browser.sign_in(hub.people["college_pupil"])
    assert browser.posts_to == library.acs[0]
    assert hub.read(browser, library).in_response_to == "_tab2"
    assert browser.field("RelayState") == "two"
    browser.get(f"/saml/sso/continue?s={tab1}")
    assert browser.posts_to == ent.acs[0]
    assert hub.read(browser, ent).in_response_to == "_tab1"
    assert browser.field("RelayState") == "one"


@pytest.mark.covers("RQ-76")
@pytest.mark.parametrize("late", [timedelta(hours=2), timedelta(days=1)])
def test_a_sign_on_that_took_too_long_says_so(hub: Hub, ent: MockSP, late: timedelta):
    """A page that tells to start again from the service; never a server error, never another service."""
    browser = hub.browser()
    browser.start(ent)
    waiting = browser.page.request.args["s"]
    with time_machine.travel(datetime.now(UTC) + late, tick=True):
        browser.get(f"/saml/sso/continue?s={waiting}")
    assert browser.page.status_code == 400
    assert "Connexion interrompue" in browser.page.text


@pytest.mark.covers("RQ-76")
def test_a_sign_on_of_twenty_minutes_succeeds(hub: Hub, ent: MockSP):
    """A tired parent who looks for the password for twenty minutes still arrives."""
    browser = hub.browser()
    browser.start(ent)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=20), tick=True):
        browser.sign_in(hub.people["primary_guardian"])
        assert hub.read(browser, ent).status.endswith(":Success")


@pytest.mark.covers("RQ-77")
def test_the_sign_in_page_without_a_service_leads_to_the_account(hub: Hub):
    """A direct visit is harmless."""
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(hub.people["primary_guardian"])
    assert browser.page.request.path == "/account"
    assert hub.people["primary_guardian"].identifier in browser.page.text


@pytest.mark.covers("F080", "F081")
def test_a_pupil_who_never_signed_in_activates_and_arrives(hub: Hub, ent: MockSP):
    """The provisional password leads to the activation, and the activation back to the service."""
    person = hub.people["not_activated_pupil"]
    browser = hub.browser()
    browser.start(ent, request_id="_new")
    browser.sign_in(person)
    assert browser.page.request.path.startswith("/activation/")
    browser.submit(new_password="tartine au miel 9", confirmation="tartine au miel 9", mail="")
    day, month, year = person.birth_date.day, person.birth_date.month, person.birth_date.year  # type: ignore[union-attr]
    browser.submit(day=str(day), month=str(month), year=str(year))
    assert "Votre compte est prêt" in browser.page.text
    browser.get("/saml/sso/resume")
    assert hub.read(browser, ent).in_response_to == "_new"


@pytest.mark.covers("RQ-62")
def test_a_persistent_name_identifier_stays(hub: Hub):
    """Asked for by the request: the same at each sign-on, with both qualifiers."""
    sp = hub.register(MockSP(**ENT))
    fmt = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    seen = set()
    for _ in range(2):
        browser = hub.browser()
        browser.start(sp, name_id_format=fmt, allow_create=True)
        browser.sign_in(hub.people["college_pupil"])
        read = hub.read(browser, sp)
        seen.add((read.name_id, read.name_id_format, read.name_qualifier, read.sp_name_qualifier))
    assert len(seen) == 1
    assert next(iter(seen))[1:] == (fmt, hub.settings.idp_entity_id, sp.entity_id)


def test_a_profile_that_the_service_does_not_accept_is_told_before_anything_is_sent(hub: Hub):
    """A guardian at a service for pupils: a page says so, and the way back carries a status only."""
    sp = hub.register(MockSP(**ENT), profiles=("student",))
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(hub.people["primary_guardian"])
    browser.start(sp)
    assert browser.page.status_code == 403
    assert "Élève" in browser.page.text
    read = hub.read(browser, sp)
    assert read.second_status == "urn:oasis:names:tc:SAML:2.0:status:RequestDenied"
    assert not read.attributes


def test_a_right_that_the_source_drops_is_gone_at_the_next_sign_on(hub: Hub, ent: MockSP):
    """The session lives on, but the directory is asked again each time."""
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(hub.people["primary_guardian"])
    assert hub.read(browser, ent).attributes["FrEduCtPersonAffiliation"] == ["resp1d"]
    engine = create_engine(hub.settings.directory_database)
    with engine.begin() as connection:
        connection.execute(DirectoryBase.metadata.tables["directory_tie"].delete())
    engine.dispose()
    browser.start(ent)
    assert "FrEduCtPersonAffiliation" not in hub.read(browser, ent).attributes
