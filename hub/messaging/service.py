"""Writing mails and SMS into the outbox, in the transaction of the act that they tell about."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import event
from sqlalchemy.orm import Session

from ..ops.logs import get_logger
from ..paths import resources
from ..settings import Settings
from ..web.typography import FrenchTypography
from .gsm import SEGMENT, has_link, septets, to_gsm
from .models import OutgoingMail, OutgoingSms

log = get_logger("messaging")

_WAKES = "preau.outbox_wakes"
_LINE_BREAK = re.compile(r"[\r\n\x00]")
_E164 = re.compile(r"\+[1-9]\d{6,14}")

NOBODY = ""
"""Addressee of a message that is written and dropped: to know somebody must not take longer than not to (AC-02)."""


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(resources("templates") / "mail"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        extensions=[FrenchTypography],
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _sms_templates() -> Environment:
    return Environment(loader=FileSystemLoader(resources("templates") / "sms"), undefined=StrictUndefined, autoescape=False)  # noqa: S701 - plain text


def queue_mail(
    db: Session, settings: Settings, template: str, to: str, *, useful_until: datetime | None = None, **context: Any
) -> OutgoingMail:
    """Render ``templates/mail/<template>`` (``.subject.txt``, ``.txt``, ``.html``) and keep the mail for the worker.

    The mail exists if and only if the caller's transaction is committed; the worker is woken then. Templates know ``base_url``
    (of the settings, never of a request: AC-13) and ``product_name`` besides ``context``. ``to`` may be :data:`NOBODY`. Raises
    ValueError for an address that cannot stand in a header.
    """
    if to != NOBODY and (_LINE_BREAK.search(to) or not to.isprintable() or "@" not in to):
        raise ValueError("not a mail address")
    values = {"base_url": settings.base_url, "product_name": settings.product_name, **context}
    subject, text, html = (_templates().get_template(f"{template}.{part}").render(values) for part in ("subject.txt", "txt", "html"))
    now = datetime.now(UTC)
    mail = OutgoingMail(
        to=to,
        subject=_LINE_BREAK.sub(" ", subject.strip())[:200],
        text=text,
        html=html,
        created_at=now,
        next_attempt_at=now,
        useful_until=useful_until,
    )
    db.add(mail)
    wake_after_commit(db, settings)
    return mail


def queue_sms(
    db: Session, settings: Settings, template: str, to: str, *, useful_until: datetime | None = None, **context: Any
) -> OutgoingSms:
    """Render ``templates/sms/<template>.txt`` and keep the SMS for the worker, as :func:`queue_mail` does.

    ``to`` is a mobile in E.164, or :data:`NOBODY`. Raises ValueError for anything else, and for a text that holds a link (F037) or
    does not fit into one message of the GSM alphabet.
    """
    if to != NOBODY and not _E164.fullmatch(to):
        raise ValueError("not a mobile number")
    values = {"product_name": settings.product_name, **context}
    text = to_gsm(_sms_templates().get_template(f"{template}.txt").render(values).strip())
    length = septets(text)
    if length is None or length > SEGMENT or has_link(text):
        raise ValueError(f"{template}: no text for one SMS")
    now = datetime.now(UTC)
    sms = OutgoingSms(to=to, text=text, created_at=now, next_attempt_at=now, useful_until=useful_until)
    db.add(sms)
    wake_after_commit(db, settings)
    return sms


def wake_after_commit(db: Session, settings: Settings) -> None:
    """Wake the worker once the caller's transaction is committed; once for a transaction, however much it writes."""
    if db.info.get(_WAKES):
        return
    db.info[_WAKES] = True

    def wake(session: Session) -> None:
        session.info.pop(_WAKES, None)
        _wake(settings)

    event.listen(db, "after_commit", wake, once=True)


def _wake(settings: Settings) -> None:
    """Ask the worker to look at the outbox now. A queue out of order delays the mail until the next minute, nothing more."""
    from ..jobs import wake_outbox

    try:
        wake_outbox(settings)
    except Exception as exc:  # noqa: BLE001 - whatever the queue's storage raises, the act itself is done
        log.warning("outbox.not_woken", error=type(exc).__name__)
