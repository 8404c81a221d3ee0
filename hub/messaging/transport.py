"""How a message leaves: by SMTP or the SMS gateway, or not at all when messages are captured."""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Protocol

from ..settings import Settings
from .gateway import SmsGateway, deliver
from .models import OutgoingMail, OutgoingSms

TIMEOUT = 20.0
"""Seconds for each exchange with the mail server."""


class Transport(Protocol):
    """Where messages go."""

    captures: bool
    """Whether the message stays in the database for the captured mailbox."""

    def send(self, message: Any) -> None:
        """Hand the message over. Raises OSError or smtplib.SMTPException when it was not taken."""


class Captured:
    """Keeps every message in the database, for demonstrations and development."""

    captures = True

    def send(self, message: Any) -> None:
        """Nothing leaves."""


class Smtp:
    """One connection for each mail to the server of the settings. With STARTTLS its certificate is checked."""

    captures = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, message: OutgoingMail) -> None:
        """Send one mail to its one addressee."""
        settings = self._settings
        composed = compose(message, sender=settings.mail_from, product_name=settings.product_name)
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT) as server:
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password)
            server.send_message(composed)


class Gateway:
    """The operator's HTTP gateway."""

    captures = False

    def __init__(self, gateway: SmsGateway) -> None:
        self._gateway = gateway

    def send(self, message: OutgoingSms) -> None:
        """Send one SMS."""
        deliver(self._gateway, to=message.to, text=message.text, id_=message.id)


def transport_of(settings: Settings) -> Transport:
    """How mails leave, as the settings say."""
    return Captured() if settings.captures_mail else Smtp(settings)


def sms_transport_of(settings: Settings) -> Transport:
    """How SMS leave, as the settings say."""
    return Captured() if settings.sms_gateway is None else Gateway(settings.sms_gateway)


def compose(mail: OutgoingMail, *, sender: str, product_name: str) -> EmailMessage:
    """The message as it travels: text and HTML, marked as automatic so that nobody's absence note answers."""
    message = EmailMessage()
    message["Subject"] = mail.subject
    message["From"] = Address(display_name=product_name, addr_spec=sender)
    message["To"] = mail.to
    message["Date"] = formatdate(mail.created_at.timestamp())
    message["Message-ID"] = make_msgid(idstring=mail.id, domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = "fr"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message
