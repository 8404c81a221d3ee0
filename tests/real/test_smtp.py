"""Mails leave through a real SMTP server."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from hub.instance import Instance
from hub.messaging.jobs import send_due
from hub.messaging.models import OutgoingMail
from hub.messaging.service import queue_mail
from tests.accounts_kit import make_instance

TO = "camille@famille-demo.fr"
LINK = "https://hub.example/activation/mail/abc"


class Inbox:
    """Keeps what the server takes, and whether it came encrypted."""

    def __init__(self) -> None:
        self.messages: list[tuple[Envelope, bool]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.messages.append((envelope, session.ssl is not None))
        return "250 OK"

    def last(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.messages[-1][0].content or b"", policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that no machine trusts by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def _server(inbox: Inbox, certificate: Path | None = None, **options: Any) -> Controller:
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        options |= {"tls_context": context}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Controller(inbox, hostname="127.0.0.1", port=port, **options)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def plain(inbox: Inbox) -> Iterator[Controller]:
    controller = _server(inbox)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def encrypted(inbox: Inbox, certificate: Path) -> Iterator[Controller]:
    controller = _server(
        inbox, certificate, require_starttls=True, auth_required=True, authenticator=_check, auth_exclude_mechanism=["CRAM-MD5"]
    )
    controller.start()
    yield controller
    controller.stop()


def _check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"hub", b"secret")
    return AuthResult(success=right, handled=False)


def _queued(folder: Path, controller: Controller, **values: Any) -> Instance:
    instance = make_instance(folder, smtp_host="localhost", smtp_port=controller.port, **values)
    with instance.database.transaction() as db:
        queue_mail(db, instance.settings, "confirm_address", TO, first_name="Anaïs", link=LINK, life="24 heures")
    return instance


def _mail(instance: Instance) -> OutgoingMail:
    with instance.database.session() as db:
        return db.scalars(select(OutgoingMail)).one()


def test_a_mail_arrives_whole(tmp_path: Path, inbox: Inbox, plain: Controller):
    """One addressee, the sender of the settings, text and HTML in French, marked as automatic; nothing stays in the outbox."""
    instance = _queued(tmp_path, plain, smtp_starttls=False, mail_from="hub@hub.example")
    assert send_due(instance.database, instance.settings) == 1
    envelope, _ = inbox.messages[0]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hub@hub.example", [TO])
    message = inbox.last()
    assert message["Subject"] == "Confirmez votre adresse mail"
    assert str(message["From"]) == "Préau <hub@hub.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "Bonjour Anaïs." in text.get_content()
    assert LINK in text.get_content()
    assert f'href="{LINK}"' in html.get_content()
    assert _mail(instance).text == ""
    instance.close()


def test_starttls_and_login(tmp_path: Path, inbox: Inbox, encrypted: Controller, certificate: Path, monkeypatch: pytest.MonkeyPatch):
    """With a certificate that the machine trusts the mail leaves encrypted, after the login."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    instance = _queued(tmp_path, encrypted, smtp_user="hub", smtp_password="secret")
    assert send_due(instance.database, instance.settings) == 1, _mail(instance).last_error
    assert inbox.messages[0][1]
    instance.close()


def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path, inbox: Inbox, encrypted: Controller):
    """Nothing leaves; the mail is kept and tried again."""
    instance = _queued(tmp_path, encrypted, smtp_user="hub", smtp_password="secret")
    assert send_due(instance.database, instance.settings) == 0
    assert inbox.messages == []
    mail = _mail(instance)
    assert mail.last_error == "SSLCertVerificationError"
    assert LINK in mail.text
    instance.close()


def test_a_server_without_starttls_gets_nothing(tmp_path: Path, inbox: Inbox, plain: Controller):
    """Encryption asked for and not offered: refused rather than sent in clear."""
    instance = _queued(tmp_path, plain)
    assert send_due(instance.database, instance.settings) == 0
    assert inbox.messages == []
    assert _mail(instance).last_error == "SMTPNotSupportedError"
    instance.close()


def test_wrong_credentials_are_noted_without_them(
    tmp_path: Path, inbox: Inbox, encrypted: Controller, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    """The error has its code, not the password."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    instance = _queued(tmp_path, encrypted, smtp_user="hub", smtp_password="faux")
    assert send_due(instance.database, instance.settings) == 0
    assert _mail(instance).last_error == "SMTPAuthenticationError 535"
    instance.close()


def test_no_server_at_all(tmp_path: Path, inbox: Inbox):
    """Postponed, and sent when the server is back."""
    back = _server(inbox)
    instance = _queued(tmp_path, back, smtp_starttls=False)
    assert send_due(instance.database, instance.settings) == 0
    assert _mail(instance).last_error == "ConnectionRefusedError"
    back.start()
    assert send_due(instance.database, instance.settings, now=datetime.now(UTC) + timedelta(minutes=2)) == 1
    back.stop()
    instance.close()
