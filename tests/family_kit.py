"""A family in front of a small hub: browsers without JavaScript, and the mails and SMS that they receive."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hub.accounts.models import Account, Attachment
from hub.instance import Instance
from hub.messaging.models import OutgoingMail, OutgoingSms
from hub.messaging.service import NOBODY
from hub.recovery.jobs import answer_due
from tests.accounts_kit import link_token

ADDRESS = "camille@famille-demo.fr"


@dataclass
class Browser:
    """Fills in the forms of pages as they are: hidden fields included, addresses followed."""

    client: FlaskClient
    page: TestResponse = field(init=False)

    def open(self, path: str) -> TestResponse:
        self.page = self.client.get(path, follow_redirects=True)
        return self.page

    def send(self, path: str | None = None, **fields: str) -> TestResponse:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.text)
        assert token, self.text
        path = path or self.page.request.full_path.rstrip("?")
        self.page = self.client.post(path, data={"csrf_token": token[1], **fields}, follow_redirects=True)
        return self.page

    def sign_in(self, identifier: str, password: str, profile: str = "guardian") -> TestResponse:
        self.open(f"/login/{profile}")
        return self.send(username=identifier, password=password)

    @property
    def text(self) -> str:
        return unescape(self.page.text).replace("\N{NO-BREAK SPACE}", " ")

    @property
    def at(self) -> str:
        return self.page.request.path

    @property
    def cookie(self) -> str | None:
        cookie = self.client.get_cookie("preau")
        return cookie.value if cookie else None


@dataclass
class House:
    """One hub with its directory."""

    app: Flask
    instance: Instance

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def account(self, identifier: str) -> Account:
        with self.instance.database.session() as db:
            account = db.scalars(select(Account).where(Account.identifier == identifier)).one()
            _ = account.attachments, account.records
            return account

    def attachment(self, identifier: str, ine: str | None) -> Attachment:
        return next(a for a in self.account(identifier).attachments if a.ine == ine)

    def link(self, address: str = ADDRESS) -> str:
        with self.instance.database.session() as db:
            return f"/activation/mail/{link_token(db, address)}"

    def mails(self) -> int:
        with self.instance.database.session() as db:
            return db.scalar(select(func.count()).select_from(OutgoingMail)) or 0

    def texts(self, number: str | None = None) -> list[str]:
        """SMS that somebody would receive, the newest first; of everybody without ``number``."""
        with self.instance.database.session() as db:
            query = select(OutgoingSms).where(OutgoingSms.to == number if number else OutgoingSms.to != NOBODY)
            return [sms.text for sms in db.scalars(query.order_by(OutgoingSms.created_at.desc()))]

    def letters(self, address: str | None = None) -> list[OutgoingMail]:
        """Mails that somebody would receive, the newest first; of everybody without ``address``."""
        with self.instance.database.session() as db:
            query = select(OutgoingMail).where(OutgoingMail.to == address if address else OutgoingMail.to != NOBODY)
            return list(db.scalars(query.order_by(OutgoingMail.created_at.desc())))

    def code(self, where: str) -> str:
        """The newest code that was sent to that number or address."""
        text = self.letters(where)[0].text if "@" in where else self.texts(where)[0]
        found = re.search(r"\b(\d{6})\b", text)
        assert found, text
        return found[1]

    def worker(self) -> None:
        """Let the worker answer what was asked."""
        answer_due(self.instance)
