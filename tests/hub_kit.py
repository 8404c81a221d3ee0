"""A whole hub for tests: the demo's instance, copied for each test, and browsers that walk through it."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub import create_app
from hub.demo.people import DemoPerson, load_people
from hub.demo.run import demo_settings, prepare
from hub.instance import Instance
from hub.registry import service as registry
from hub.settings import Settings
from tests.saml_kit import MockSP, ReadResponse

HUB_PORT = 8000
SP_URL = "http://localhost:8001"
CHEAP_HASHES = {"argon2_memory_kib": 64, "argon2_time_cost": 1}


def prepared_instance(folder: Path) -> Settings:
    """The demo's instance in ``folder``, made through the real services, with cheap password hashes."""
    settings = demo_settings(HUB_PORT, folder).model_copy(update=CHEAP_HASHES)
    prepare(settings, sp_base_url=SP_URL)
    return settings


@dataclass
class Browser:
    """One browser: follows redirects inside the hub, fills forms, stops at the page that posts to a service."""

    client: FlaskClient
    page: TestResponse = field(init=False)

    def get(self, url: str) -> TestResponse:
        """Open an address and follow the hub's own redirects."""
        self.page = self.client.get(url, follow_redirects=True)
        return self.page

    def post(self, url: str, data: Mapping[str, str]) -> TestResponse:
        """Post a form as it is and follow."""
        self.page = self.client.post(url, data=data, follow_redirects=True)
        return self.page

    def submit(self, **values: str) -> TestResponse:
        """Fill the form of the current page and send it where it says."""
        found = re.search(r'<form[^>]*method="post"[^>]*?(?:action="([^"]*)")?[^>]*>(.*?)</form>', self.page.text, re.S)
        assert found, f"no form on this page:\n{self.page.text}"
        action = re.search(r'<form[^>]*action="([^"]*)"', found[0])
        target = html.unescape(action[1]) if action and action[1] else self.page.request.full_path.rstrip("?")
        hidden = dict(re.findall(r'<input[^>]*name="(csrf_token)"[^>]*value="([^"]*)"', found[2]))
        return self.post(target, {**hidden, **values})

    def start(self, sp: MockSP, **options: Any) -> TestResponse:
        """Arrive from a service by the Redirect binding."""
        return self.get("/saml/sso?" + sp.redirect_query(Hub.sso_url, **options))

    def start_by_post(self, sp: MockSP, **options: Any) -> TestResponse:
        """Arrive from a service by the POST binding."""
        return self.post("/saml/sso", sp.post_form(Hub.sso_url, **options))

    def sign_in(self, person: DemoPerson, password: str | None = None) -> TestResponse:
        """From the choice of profile, or from the password form, to whatever comes next."""
        link = re.search(rf'href="(/login/{person.profile}[^"]*)"', self.page.text)
        if link and 'name="password"' not in self.page.text:
            self.get(html.unescape(link[1]))
        return self.submit(username=person.identifier, password=password or person.password)

    @property
    def posts_to(self) -> str | None:
        """Address of the service that the current page posts to, None when it is another page."""
        found = re.search(r'<form[^>]*action="([^"]+)"', self.page.text)
        return html.unescape(found[1]) if found and 'name="SAMLResponse"' in self.page.text else None

    def field(self, name: str) -> str | None:
        """Value of a hidden field of the current page."""
        found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', self.page.text)
        return html.unescape(found[1]) if found else None

    @property
    def reference(self) -> str | None:
        """Reference number on an error page."""
        found = re.search(r'class="reference">([A-Z0-9]{12})<', self.page.text)
        return found[1] if found else None


@dataclass
class Hub:
    """A hub of its own for one test."""

    settings: Settings
    app: Flask
    people: dict[str, DemoPerson]

    sso_url = f"http://localhost:{HUB_PORT}/saml/sso"

    @property
    def instance(self) -> Instance:
        """Its parts."""
        found: Instance = self.app.extensions["preau"]
        return found

    @property
    def certificate(self) -> bytes:
        """Certificate that its answers verify with."""
        return self.instance.signing_key.certificate_pem

    def browser(self) -> Browser:
        """A browser without any cookie."""
        return Browser(self.app.test_client())

    def register(self, sp: MockSP, *, approve: bool = True, metadata: bytes | None = None, **choices: Any) -> MockSP:
        """Make the hub know a service."""
        if sp.encryption_key is None:
            choices.setdefault("encryption_waived", True)
        with self.instance.database.transaction() as db:
            registry.add(db, metadata or sp.metadata(), registry.Choices(**choices), actor="test", approve=approve)
        return sp

    def read(self, browser: Browser, sp: MockSP) -> ReadResponse:
        """The answer that the current page posts, read by the service."""
        value = browser.field("SAMLResponse")
        assert value, f"no answer on this page ({browser.page.status}):\n{browser.page.text}"
        return sp.read_response(value, self.certificate)


def open_hub(template: Path, folder: Path, **changes: Any) -> Hub:
    """A copy of the prepared instance, with other settings where ``changes`` says so."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    settings = demo_settings(HUB_PORT, folder).model_copy(update=CHEAP_HASHES | changes)
    app = create_app(settings)
    instance: Instance = app.extensions["preau"]
    return Hub(settings, app, {person.role: person for person in load_people(instance, folder / "demo")})
