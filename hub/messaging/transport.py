"""How a mail leaves: by SMTP, or not at all when mails are captured."""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol

from ..settings import Settings
from .models import OutgoingMail

TIMEOUT = 20.0
"""Seconds for each exchange with the mail server."""


class Transport(Protocol):
    """Where mails go."""

    captures: bool
    """Whether the mail stays in the database for the captured mailbox."""

    def send(self, mail: OutgoingMail) -> None:
        """Hand the mail over. Raises OSError or smtplib.SMTPException when it was not taken."""


class Captured:
    """Keeps every mail in the database, for demonstrations and development."""

    captures = True

    def send(self, mail: OutgoingMail) -> None:
        """Nothing leaves."""


class Smtp:
    """One connection for each mail to the server of the settings. With STARTTLS its certificate is checked."""

    captures = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, mail: OutgoingMail) -> None:
        """Send one mail to its one addressee."""
        settings = self._settings
        message = compose(mail, sender=settings.mail_from, product_name=settings.product_name)
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT) as server:
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password)
            server.send_message(message)


def transport_of(settings: Settings) -> Transport:
    """The transport that the settings name."""
    return Captured() if settings.captures_mail else Smtp(settings)


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
