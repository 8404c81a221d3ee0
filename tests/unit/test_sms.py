"""SMS: what fits into one, and how an operator's gateway is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select
from structlog.testing import capture_logs

from hub.instance import Instance
from hub.messaging.gateway import GatewayRefused, SmsGateway, compose, deliver
from hub.messaging.gsm import SEGMENT, has_link, septets, to_gsm
from hub.messaging.jobs import send_due
from hub.messaging.models import OutgoingSms
from hub.messaging.service import queue_sms
from hub.paths import resources
from tests.accounts_kit import make_instance

NUMBER = "+33639980010"
CONTEXTS = {"code": {"code": "1234567890", "life": "30 minutes"}, "identifier": {"identifier": "x.abcdefghijklmnopqrst12345"}}


class Operator(BaseHTTPRequestHandler):
    """Takes what it is sent, notes it, and answers as it is told."""

    seen: ClassVar[list[dict[str, Any]]] = []
    answer: tuple[int, str, dict[str, str]] = (200, '{"status": "accepted"}', {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self.seen.append({"path": self.path, "headers": dict(self.headers), "body": body})
        status, text, headers = self.answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a gateway on this machine."""
    monkeypatch.setattr(Operator, "seen", [])
    monkeypatch.setattr(Operator, "answer", (200, '{"status": "accepted"}', {}))
    server = HTTPServer(("127.0.0.1", 0), Operator)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/send"
    server.shutdown()
    server.server_close()
    thread.join()


def gateway(url: str, **values: Any) -> SmsGateway:
    return SmsGateway(**{"url": url, "body": {"to": ["{to}"], "message": "{text}", "ref": "{id}"}, **values})


@pytest.mark.covers("F037", "AC-12")
@pytest.mark.parametrize("template", [path.stem for path in (resources("templates") / "sms").iterdir()])
def test_every_sms_is_one_message_without_link(tmp_path: Path, template: str):
    """With the longest values and the longest product name: one segment of the GSM alphabet, nothing like an address."""
    instance = make_instance(tmp_path, product_name="Œuvre d'école à l'orée du bois – Académie"[:40])
    with instance.database.transaction() as db:
        text = queue_sms(db, instance.settings, template, NUMBER, **CONTEXTS[template]).text
    assert (septets(text) or 999) <= SEGMENT
    assert not has_link(text)
    instance.close()


@pytest.mark.covers("F037")
@pytest.mark.parametrize("name", ["http://evil.example", "evil.fr", "www.evil", "hub.example/x", "//evil"])
def test_a_text_with_a_link_is_refused(tmp_path: Path, name: str):
    """Also when the link comes from a setting."""
    instance = make_instance(tmp_path, product_name=name)
    with instance.database.session() as db, pytest.raises(ValueError, match="no text for one SMS"):
        queue_sms(db, instance.settings, "code", NUMBER, **CONTEXTS["code"])
    instance.close()


@pytest.mark.parametrize("number", ["0639980010", "+33639980010\n", "+0123456789", "", "tel:+33639980010", "+33 6 39 98 00 10"])
def test_only_numbers_in_e164_are_written_to(tmp_path: Path, number: str):
    """Nothing else reaches the operator; the empty one stands for nobody."""
    instance = make_instance(tmp_path)
    with instance.database.session() as db:
        if number == "":
            assert queue_sms(db, instance.settings, "code", number, **CONTEXTS["code"]).to == ""
            return
        with pytest.raises(ValueError, match="not a mobile number"):
            queue_sms(db, instance.settings, "code", number, **CONTEXTS["code"])
    instance.close()


@given(st.text())
def test_any_text_can_be_written_in_the_alphabet(text: str):
    """Nearest letters, nothing else, and what fits already stays as it is."""
    written = to_gsm(text)
    assert septets(written) is not None
    assert to_gsm(written) == written


def test_letters_keep_their_accents_where_the_alphabet_has_them():
    """It has é, è, à and ù; the others lose theirs."""
    assert to_gsm("Élève où ça ? Noël – « l’île »") == 'Élève où ca ? Noel - " l\'ile "'
    assert septets("€") == 2
    assert septets("ê") is None


def test_json_and_a_secret(operator: str, tmp_path: Path):
    """The fields of the settings, encoded where they stand; the secret comes from its file."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    way = gateway(operator, headers={"Authorization": "Bearer {secret}"}, secret_file=secret, success_text='"status": "accepted"')
    deliver(way, to=NUMBER, text='Préau : "{to}"', id_="abc")
    (seen,) = Operator.seen
    assert json.loads(seen["body"]) == {"to": [NUMBER], "message": 'Préau : "{to}"', "ref": "abc"}
    assert seen["headers"]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(way)


def test_a_form_without_plus(operator: str):
    """No text adds a field."""
    deliver(gateway(operator, encoding="form", body={"n": "{to}", "t": "{text}"}, plus=False), to=NUMBER, text="a&n=1", id_="x")
    assert parse_qs(Operator.seen[0]["body"]) == {"n": ["33639980010"], "t": ["a&n=1"]}


def test_fields_in_the_address(operator: str):
    """GET, beside what the address has already."""
    deliver(gateway(f"{operator}?key=1", method="GET", body={"t": "{text}"}), to=NUMBER, text="é&", id_="x")
    assert parse_qs(urlsplit(Operator.seen[0]["path"]).query) == {"key": ["1"], "t": ["é&"]}


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ((500, "", {}), {}),
        ((200, '{"status": "refused"}', {}), {"success_text": "accepted"}),
        ((302, "", {"Location": "http://127.0.0.1:1/elsewhere"}), {}),
    ],
)
def test_what_the_operator_did_not_take_failed(operator: str, answer: tuple[int, str, dict[str, str]], rule: dict[str, str]):
    """A status, a text, a redirect that nobody follows."""
    Operator.answer = answer
    with pytest.raises(GatewayRefused):
        deliver(gateway(operator, **rule), to=NUMBER, text="x", id_="x")
    assert len(Operator.seen) == 1


def test_a_gateway_that_is_not_there_is_an_oserror():
    """So the worker tries again."""
    with pytest.raises(OSError, match="ConnectError"):
        deliver(gateway("http://127.0.0.1:9/"), to=NUMBER, text="x", id_="x")


@pytest.mark.parametrize(
    "url", ["http://sms.example/", "ftp://x/", "https://a:b@sms.example/", "file:///etc/passwd", "sms.example", "https:///x"]
)
def test_only_safe_addresses_are_settings(url: str):
    """https, or http on this machine; no password in the address."""
    with pytest.raises(ValidationError):
        gateway(url)
    assert gateway("https://sms.example/").url == "https://sms.example/"


@given(st.text(), st.text())
def test_no_text_becomes_a_header(text: str, secret: str):
    """Line breaks of what is filled in stay out of the headers."""
    request = compose(gateway("https://sms.example/", headers={"X": "{secret}{text}"}), to=NUMBER, text=text, id_="x", secret=secret)
    assert not any(mark in str(request.headers["X"]) for mark in "\r\n\x00")
    assert json.loads(request.content)["message"] == text


def _instance(folder: Path, url: str) -> Instance:
    return make_instance(folder, sms_gateway={"url": url, "body": {"to": "{to}", "text": "{text}"}})


@pytest.mark.covers("AC-11", "AC-48")
def test_an_sms_leaves_and_is_erased(operator: str, tmp_path: Path):
    """The worker hands it over; neither row nor log keeps the code."""
    instance = _instance(tmp_path, operator)
    with instance.database.transaction() as db:
        queue_sms(db, instance.settings, "code", NUMBER, code="424242", life="30 minutes")
    with capture_logs() as logs:
        assert send_due(instance.database, instance.settings) == 1
    with instance.database.session() as db:
        sms = db.scalars(select(OutgoingSms)).one()
        assert (sms.text, sms.captured) == ("", False)
    assert "424242" in Operator.seen[0]["body"]
    assert "424242" not in str(logs)
    assert NUMBER not in str(logs)
    instance.close()


def test_an_sms_is_tried_again_until_its_code_has_expired(operator: str, tmp_path: Path):
    """A gateway out of order delays it; after half an hour it is given up."""
    Operator.answer = (503, "", {})
    instance, now = _instance(tmp_path, operator), datetime.now(UTC)
    with instance.database.transaction() as db:
        queue_sms(db, instance.settings, "code", NUMBER, useful_until=now + timedelta(minutes=30), **CONTEXTS["code"])
    assert send_due(instance.database, instance.settings, now=now + timedelta(seconds=1)) == 0
    Operator.answer = (200, "", {})
    assert send_due(instance.database, instance.settings, now=now + timedelta(seconds=30)) == 0, "not before the wait is over"
    assert send_due(instance.database, instance.settings, now=now + timedelta(minutes=31)) == 0
    with instance.database.session() as db:
        sms = db.scalars(select(OutgoingSms)).one()
        assert (sms.last_error, sms.next_attempt_at, sms.text) == ("too late", None, "")
    instance.close()
