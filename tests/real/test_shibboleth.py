"""A real Shibboleth SP judges the hub: metadata, signed requests by both bindings, encrypted assertions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from attribute_maps import dialect
from hub.saml.names import BINDING_POST, BINDING_REDIRECT
from tests.real.demo_kit import Demo
from tests.real.shibboleth_kit import FormBrowser, ShibbolethSP, shibboleth_sp

pytestmark = pytest.mark.real

NAMES = {attribute.friendly_name: attribute.name for attribute in dialect("educonnect").attributes}


@pytest.fixture(scope="module", params=[BINDING_REDIRECT, BINDING_POST], ids=["redirect", "post"])
def shibboleth(demo: Demo, request: pytest.FixtureRequest) -> Iterator[ShibbolethSP]:
    """A Shibboleth SP registered at the hub with the metadata that it generates itself."""
    metadata = demo.preau("metadata").encode()
    certificate = (demo.folder / "keys" / "signing.crt").read_bytes()
    idp = f"{demo.hub}/saml/metadata"
    with shibboleth_sp(idp=idp, idp_metadata=metadata, idp_certificate=certificate, names=NAMES, binding=request.param) as sp:
        demo.preau("sp", "add", "-", "--approve", stdin=sp.metadata())
        yield sp


def arrive(shibboleth: ShibbolethSP, demo: Demo, role: str) -> dict[str, str]:
    """Open the protected page as one of the demo's people; returns the environment that the page sees."""
    person = demo.people[role]
    browser = FormBrowser()
    browser.open(shibboleth.protected_url)
    if "SAMLRequest" in browser.page:  # the POST binding shows a form that a script would send
        browser.send()
    browser.follow(rf'href="(/login/{person["profile"]}[^"]*)"')
    browser.send(username=person["identifier"], password=person["password"])
    assert "SAMLResponse" in browser.page, browser.page
    browser.send()
    seen = dict(line.split("=", 1) for line in browser.page.splitlines() if "=" in line)
    assert "Shib_Session_ID" in seen, f"{browser.page}\n{shibboleth.log()}"
    return seen


@pytest.mark.covers("RQ-01", "RQ-02", "MD-18")
def test_a_pupil_reaches_the_page_behind_shibboleth(shibboleth: ShibbolethSP, demo: Demo):
    """Signed request, encrypted assertion: the page sees the pupil's attributes under the names of the dialect."""
    seen = arrive(shibboleth, demo, "college_pupil")
    assert seen["FrEduCtPersonAffiliation"] == "eleve2d"
    assert re.fullmatch(r"[0-9a-f]{96}", seen["FrEduCtId"])
    assert re.fullmatch(r"[0-9a-f]{32}", seen["FrEduCtEleveINEHash"])
    assert re.fullmatch(r"\d{7}[A-Z]", seen["FrEduCtEleveUAI"])
    assert seen["FrEduUrlRetour"].startswith(f"{demo.hub}/logout?token=")
    assert seen["Shib_Identity_Provider"] == f"{demo.hub}/saml/metadata"
    assert seen["Shib_AuthnContext_Class"].endswith("PasswordProtectedTransport")


def test_a_guardian_reaches_the_page_behind_shibboleth(shibboleth: ShibbolethSP, demo: Demo):
    """A guardian's session holds nothing of the pupil."""
    seen = arrive(shibboleth, demo, "primary_guardian")
    assert seen["FrEduCtPersonAffiliation"] == "resp1d"
    assert not [name for name in seen if name.startswith("FrEduCtEleve")]


def test_the_assertion_was_encrypted(shibboleth: ShibbolethSP, demo: Demo):
    """The hub's own record says so for every answer that it gave to this service."""
    from sqlalchemy import select

    from hub.audit import SignOnRecord
    from hub.db import Database

    arrive(shibboleth, demo, "college_pupil")
    database = Database(f"sqlite:///{demo.folder / 'preau.sqlite'}")
    with database.session() as db:
        records = db.scalars(select(SignOnRecord).where(SignOnRecord.service_provider == f"{shibboleth.base}/shibboleth")).all()
    database.close()
    assert records
    assert all(record.encrypted for record in records)


def test_the_hub_has_no_child_process_named_xmlsec(demo: Demo):
    """Signing and encrypting happen in process (FT-17)."""
    names = {(path / "comm").read_text().strip() for path in Path("/proc").glob("[0-9]*") if (path / "comm").exists()}
    assert not [name for name in names if "xmlsec" in name]
