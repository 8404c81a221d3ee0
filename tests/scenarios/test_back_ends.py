"""The same people sign in whatever back end their academies plug in, and one sick academy stays alone with it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from hub.feeding.flow import feedable
from tests.directory_kit import of_academy, population_of
from tests.hub_kit import Hub, open_hub
from tests.real.scim_kit import TOKEN, ScimServer, scim_server
from tests.saml_kit import NS, MockSP

ENT = {"entity_id": "https://ent.example.fr/saml", "acs": ("https://ent.example.fr/saml/acs",)}
ROLES = ("college_pupil", "primary_guardian", "multi_guardian")
ACADEMIES = ("10", "13")


class House:
    """Opens hubs on copies of the demo's instance, each with the back end that a test asks for."""

    def __init__(self, template: Path, folder: Path, stack: ExitStack) -> None:
        self.template = template
        self.folder = folder
        self.stack = stack
        self.servers: dict[str, ScimServer] = {}
        self._token = folder / "token"
        self._token.write_text(TOKEN)
        self._population = population_of(feedable(self.open("sql", {}).instance.directory))

    def open(self, backend: str, options: dict[str, Any]) -> Hub:
        """A hub with that back end."""
        hub = open_hub(self.template, self.folder / f"hub{len(list(self.folder.iterdir()))}", directory=backend, directory_options=options)
        self.stack.callback(hub.instance.close)
        return hub

    def deliveries(self, *codes: str) -> dict[str, Any]:
        """Options of `aaf`."""
        folder = self.template / "demo" / "delivery"
        return {"deliveries": sorted(str(path) for path in folder.iterdir() if path.name[:2] in codes)}

    def scim(self, *codes: str) -> dict[str, Any]:
        """Options of `scim`, with a server that has these academies."""
        server = self.stack.enter_context(scim_server(of_academy(self._population, *codes)))
        self.servers["".join(codes)] = server
        return {"url": server.url, "token_file": str(self._token)}

    def federated(self, **sources: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        """Options of `federated`: one source for each academy, named ``a10``, ``a13``."""
        return {
            "sources": [
                {"name": name, "backend": backend, "academies": [name[1:]], "limit": 0.5, "pause": 0.5, "options": options}
                for name, (backend, options) in sources.items()
            ]
        }


@pytest.fixture
def house(hub_template: Path, tmp_path: Path) -> Iterator[House]:
    """Everything that is opened is closed again."""
    with ExitStack() as stack:
        yield House(hub_template, tmp_path, stack)


BACK_ENDS: dict[str, Callable[[House], tuple[str, dict[str, Any]]]] = {
    "aaf": lambda house: ("aaf", house.deliveries(*ACADEMIES)),
    "scim": lambda house: ("scim", house.scim(*ACADEMIES)),
    "federated over sql": lambda house: ("federated", {"sources": [{"name": "all", "backend": "sql"}]}),
    "federated, a mix": lambda house: (
        "federated",
        house.federated(a10=("scim", house.scim("10")), a13=("aaf", house.deliveries("13"))),
    ),
}


def assertion(hub: Hub, sp: MockSP, role: str) -> str:
    """What a service is told of that person, without what changes from one sign-on to the next."""
    browser = hub.browser()
    browser.start(sp)
    browser.sign_in(hub.people[role])
    root = etree.fromstring(hub.read(browser, sp).xml)
    found = root if root.tag.endswith("}Assertion") else root.find(".//saml:Assertion", NS)
    assert found is not None
    for signature in found.findall("ds:Signature", NS):
        found.remove(signature)
    text = etree.tostring(found, method="c14n").decode()
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?", "INSTANT", text)
    text = re.sub(r'(\bID|SessionIndex|InResponseTo)="[^"]*"', r'\1="…"', text)
    text = re.sub(r"(<(?:\w+:)?NameID\b[^>]*>)[^<]*<", r"\1…<", text)
    return re.sub(r"logout\?token=[\w-]+", "logout?token=…", text)


@pytest.mark.covers("RQ-01")
@pytest.mark.parametrize("back_end", BACK_ENDS.values(), ids=BACK_ENDS.keys())
def test_everybody_signs_in_with_the_same_assertion(house: House, back_end: Callable[[House], tuple[str, dict[str, Any]]]):
    """Pupil, guardian, guardian of two academies in charge of a third child: byte for byte what `sql` gives."""
    sql, other, sp = house.open("sql", {}), house.open(*back_end(house)), MockSP(**ENT)
    for hub in (sql, other):
        hub.register(sp, open_to_in_charge=True)
    for role in ROLES:
        expected = assertion(sql, sp, role)
        assert "AttributeValue" in expected
        assert assertion(other, sp, role) == expected


def test_a_pupil_activates_on_another_back_end(house: House):
    """Notice, provisional password, first sign-in: the account's life asks the same contract."""
    hub = house.open(*BACK_ENDS["federated, a mix"](house))
    browser = hub.browser()
    browser.get("/login/student")
    page = browser.sign_in(hub.people["not_activated_pupil"])
    assert page.status_code == 200
    assert "mot de passe" in page.text


def _stopped(handler: BaseHTTPRequestHandler) -> bool:
    handler.close_connection = True
    handler.connection.close()
    return True


def _hanging(_handler: BaseHTTPRequestHandler) -> bool:
    time.sleep(5)
    return True


def two_scim_academies(house: House) -> tuple[Hub, MockSP]:
    """A hub on two SCIM servers, one for each academy, and a service."""
    options = house.federated(a10=("scim", house.scim("10")), a13=("scim", house.scim("13")))
    hub = house.open("federated", options)
    return hub, hub.register(MockSP(**ENT), open_to_in_charge=True)


@pytest.mark.covers("FT-04")
@pytest.mark.parametrize("fault", [_stopped, _hanging], ids=["stopped", "hanging"])
def test_one_sick_academy_stays_alone_with_it(house: House, fault: Callable[[BaseHTTPRequestHandler], bool]):
    """A guardian with a child there is told to try later, in time, nothing counted; a pupil elsewhere signs in; all recovers alone."""
    hub, sp = two_scim_academies(house)
    home = hub.people["college_pupil"].ref[:2]
    away = next(code for code in ACADEMIES if code != home)
    pupil, guardian = hub.browser(), hub.browser()
    guardian.start(sp)
    guardian.sign_in(hub.people["multi_guardian"])
    whole = hub.read(guardian, sp).attributes["FrEduCtRefId"]
    assert {value.split("}")[1][:2] for value in whole} == set(ACADEMIES)

    house.servers[away].fault = fault
    begun = time.monotonic()
    guardian.start(sp)
    assert time.monotonic() - begun < 3
    assert guardian.page.status_code == 503
    assert "Réessayez" in guardian.page.text
    assert guardian.reference
    pupil.start(sp)
    pupil.sign_in(hub.people["college_pupil"])
    assert hub.read(pupil, sp).attributes["FrEduCtPersonAffiliation"] == ["eleve2d"]
    ready = hub.browser().get("/readyz")
    assert ready.status_code == 200
    assert ready.json == {"ok": True, "database": True, "directory": True, "sources": {f"a{home}": True, f"a{away}": False}}

    house.servers[away].fault = None
    time.sleep(0.7)
    guardian.start(sp)
    assert hub.read(guardian, sp).attributes["FrEduCtRefId"] == whole


def test_every_academy_sick_is_not_ready(house: House):
    """Nobody can sign in: the balancer is told."""
    hub, _ = two_scim_academies(house)
    for server in house.servers.values():
        server.fault = _stopped
    ready = hub.browser().get("/readyz")
    assert ready.status_code == 503
    assert ready.json["directory"] is False


def test_wrong_password_in_front_of_a_sick_directory_is_told_as_usual(house: House):
    """The password is the hub's own: right or wrong is said as ever, and no failure is counted for the directory's."""
    hub, sp = two_scim_academies(house)
    for server in house.servers.values():
        server.fault = _stopped
    for _ in range(12):
        browser = hub.browser()
        browser.start(sp)
        browser.sign_in(hub.people["college_pupil"])
        assert browser.page.status_code == 503
    for server in house.servers.values():
        server.fault = None
    time.sleep(0.7)
    browser = hub.browser()
    browser.start(sp)
    browser.sign_in(hub.people["college_pupil"])
    assert hub.read(browser, sp).status.endswith(":Success")
