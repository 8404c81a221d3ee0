"""Mails: written with the act, sent once, tried again, erased."""

from __future__ import annotations

import re
import smtplib
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub import jobs
from hub.errors import ConfigurationError
from hub.instance import Instance
from hub.jobs import worker
from hub.jobs.cleanup import KEEP_MAILS, clean_up
from hub.messaging import service
from hub.messaging.jobs import DELAYS, send_due
from hub.messaging.models import OutgoingMail
from hub.messaging.service import queue_mail
from hub.messaging.transport import Smtp, compose, transport_of
from hub.paths import resources
from tests.accounts_kit import make_instance, quick_settings

TO = "camille@famille-demo.fr"
CONTEXTS: dict[str, dict[str, Any]] = {
    "confirm_address": {"first_name": "Camille", "link": "https://hub.example/activation/mail/abc", "life": "24 heures"},
    "confirm_address_guardian": {"first_name": "Léa", "link": "https://hub.example/activation/mail/abc", "life": "24 heures"},
    "password_changed": {"day": "25/11/2026"},
    "agent_invitation": {"login": "agent1", "hours": 48, "link": "https://hub.example/staff/enrol/abc"},
    "password_replaced": {"day": "25/11/2026"},
    "code": {"code": "123456", "life": "30 minutes"},
    "address_will_change": {},
    "reset_password": {"link": "https://hub.example/recovery/password/abc", "life": "30 minutes"},
    "identifier": {"identifiers": [("Camille", "c.martin"), ("Léa", "l.martin2")], "link": "http://localhost:8000"},
    "identifier_school": {},
    "child_proposed": {"school": "Le collège des Tilleuls"},
}


class Recorder:
    """A transport that remembers, and fails as often as it is told to."""

    captures = False

    def __init__(self, failures: int = 0, error: Exception | None = None, pause: float = 0) -> None:
        self.sent: list[str] = []
        self.failures = failures
        self.error = error or smtplib.SMTPServerDisconnected("bye")
        self.pause = pause

    def send(self, mail: OutgoingMail) -> None:
        time.sleep(self.pause)
        if self.failures:
            self.failures -= 1
            raise self.error
        assert mail.text
        self.sent.append(mail.id)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path)
    yield instance
    instance.close()


def queue(instance: Instance, template: str = "password_changed", to: str = TO, **context: str) -> str:
    with instance.database.transaction() as db:
        mail = queue_mail(db, instance.settings, template, to, **(context or CONTEXTS[template]))
    return mail.id


def mails(instance: Instance) -> list[OutgoingMail]:
    with instance.database.session() as db:
        return list(db.scalars(select(OutgoingMail).order_by(OutgoingMail.created_at)))


def test_every_template_has_its_three_parts():
    """Subject, text and HTML; and a context in this file, so that each one is rendered below."""
    folder = resources("templates") / "mail"
    names = {path.name.split(".")[0] for path in folder.iterdir() if not path.name.startswith("_")}
    assert names == set(CONTEXTS)
    assert all((folder / f"{name}.{part}").is_file() for name in names for part in ("subject.txt", "txt", "html"))


@pytest.mark.parametrize("template", CONTEXTS)
def test_each_mail_says_the_same_in_text_and_html(instance: Instance, template: str):
    """One line of subject, the product's name, and no other address than the link it was given."""
    queue(instance, template)
    (mail,) = mails(instance)
    assert mail.subject
    assert "\n" not in mail.subject
    links = set(re.findall(r"https?://[^\s\"<]+", mail.text)), set(re.findall(r"https?://[^\s\"<]+", mail.html))
    expected = {CONTEXTS[template]["link"]} if "link" in CONTEXTS[template] else set()
    assert links == (expected, expected)
    assert "Préau" in mail.text
    assert "Préau" in mail.html


@pytest.mark.covers("AC-34")
def test_names_do_not_become_markup_or_headers(instance: Instance):
    """A name with tags is text in the HTML; an address with a line break is refused before it is kept."""
    queue(instance, "confirm_address", first_name="<b>x</b>\r\nBcc: evil@evil.example", link="https://hub.example/x", life="24 heures")
    (mail,) = mails(instance)
    assert "<b>x</b>" not in mail.html
    message = compose(mail, sender="hub@hub.example", product_name="Préau")
    assert "Bcc" not in message
    for address in ("a@b.fr\r\nBcc: evil@evil.example", "a@b.fr\n", "a@b\0.fr", "nobody", "a\u2028@b.fr"):
        with pytest.raises(ValueError, match="not a mail address"):
            queue(instance, to=address)
    assert len(mails(instance)) == 1


def test_a_mail_exists_only_with_its_act(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    """Rolled back: no mail and nobody woken. Committed: both, and one call for several mails."""
    woken: list[int] = []
    monkeypatch.setattr(service, "_wake", lambda _settings: woken.append(1))
    with instance.database.session() as db:
        queue_mail(db, instance.settings, "password_changed", TO, day="1")
        db.rollback()
    assert (mails(instance), woken) == ([], [])
    with instance.database.session() as db:
        for _ in range(3):
            queue_mail(db, instance.settings, "password_changed", TO, day="1")
        db.commit()
        assert (len(mails(instance)), len(woken)) == (3, 1)
        queue_mail(db, instance.settings, "password_changed", TO, day="1")
        db.commit()
    assert (len(mails(instance)), len(woken)) == (4, 2)


def test_a_broken_queue_does_not_undo_the_act(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    """The mail waits for the minute's round."""

    def broken(_settings: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(jobs, "wake_outbox", broken)
    queue(instance)
    assert len(mails(instance)) == 1


@pytest.mark.covers("AC-48")
def test_a_sent_mail_is_erased(instance: Instance):
    """Its text may hold a link; what stays is that it left."""
    queue(instance, "confirm_address")
    assert send_due(instance.database, instance.settings, transport=Recorder()) == 1
    (mail,) = mails(instance)
    assert (mail.text, mail.html, mail.captured) == ("", "", False)
    assert mail.sent_at
    assert send_due(instance.database, instance.settings, transport=Recorder()) == 0


def test_a_captured_mail_is_kept(instance: Instance):
    """Without a mail server the text stays for the mailbox of the demonstration."""
    queue(instance, "confirm_address")
    assert send_due(instance.database, instance.settings) == 1
    (mail,) = mails(instance)
    assert mail.captured
    assert "https://hub.example/activation/mail/abc" in mail.text
    assert isinstance(transport_of(quick_settings(Path("unused"), smtp_host="localhost")), Smtp)


def test_a_failure_is_tried_again_later_and_later(instance: Instance):
    """With growing waits, then given up and erased; the address is not in the noted error."""
    queue(instance)
    error = smtplib.SMTPRecipientsRefused({TO: (550, b"unknown " + TO.encode())})
    transport = Recorder(failures=99, error=error)
    now = datetime.now(UTC)
    for delay in DELAYS:
        assert send_due(instance.database, instance.settings, transport=transport, now=now) == 0
        (mail,) = mails(instance)
        assert mail.next_attempt_at == now + delay
        assert send_due(instance.database, instance.settings, transport=transport, now=now + delay - timedelta(seconds=1)) == 0
        assert mails(instance)[0].attempts == mail.attempts
        now += delay
    send_due(instance.database, instance.settings, transport=transport, now=now)
    (mail,) = mails(instance)
    assert (mail.next_attempt_at, mail.sent_at, mail.text) == (None, None, "")
    assert mail.attempts == len(DELAYS) + 1
    assert mail.last_error == "SMTPRecipientsRefused"


def test_one_refused_mail_does_not_hold_up_the_others(instance: Instance):
    """The first fails, the two others leave; the first leaves in its turn."""
    for _ in range(3):
        queue(instance)
    transport = Recorder(failures=1, error=smtplib.SMTPDataError(451, b"later"))
    assert send_due(instance.database, instance.settings, transport=transport) == 2
    assert [mail.last_error for mail in mails(instance)].count("SMTPDataError 451") == 1
    assert send_due(instance.database, instance.settings, transport=transport, now=datetime.now(UTC) + DELAYS[0]) == 1


def test_two_workers_never_send_the_same_mail(instance: Instance):
    """Six workers at once on twenty mails: each leaves once."""
    ids = sorted(queue(instance) for _ in range(20))
    transport = Recorder(pause=0.002)
    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(lambda _n: send_due(instance.database, instance.settings, transport=transport), range(6)))
    assert sorted(transport.sent) == ids
    assert sum(counts) == 20


def test_a_worker_that_dies_delays_its_mail(instance: Instance):
    """Claimed and not sent: another worker takes it after the claim has passed."""
    queue(instance)

    class Dies(Recorder):
        def send(self, mail: OutgoingMail) -> None:
            raise SystemExit

    with pytest.raises(SystemExit):
        send_due(instance.database, instance.settings, transport=Dies())
    survivor = Recorder()
    assert send_due(instance.database, instance.settings, transport=survivor) == 0
    assert send_due(instance.database, instance.settings, transport=survivor, now=datetime.now(UTC) + timedelta(minutes=11)) == 1


def test_the_clean_up_forgets_old_mails(instance: Instance):
    """Only those that left."""
    queue(instance)
    later = datetime.now(UTC) + KEEP_MAILS + timedelta(minutes=1)
    assert clean_up(instance.database, instance.settings, now=later)["mails"] == 0
    send_due(instance.database, instance.settings, transport=Recorder())
    assert clean_up(instance.database, instance.settings, now=later)["mails"] == 1


def test_a_commit_wakes_the_worker(instance: Instance):
    """A running worker sends a mail a moment after the commit, without waiting for the next minute."""
    consumer = worker.register(instance).create_consumer(workers=1, periodic=False, initial_delay=0.02, max_delay=0.05)
    consumer.start()
    try:
        queue(instance)
        deadline = time.monotonic() + 10
        while mails(instance)[0].sent_at is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert mails(instance)[0].captured
    finally:
        consumer.stop(graceful=True)
    assert threading.active_count() < 20


def test_the_worker_has_its_rounds(instance: Instance):
    """Each minute the outbox, every five the drop folder, each hour the clean-ups; all run as the consumer would run them."""
    queue(instance)
    registry = worker.register(instance)._registry
    rounds = {task.name: task for task in registry.periodic_tasks}
    assert set(rounds) == {"outbox-each-minute", "clean-up", "inbox", "forget-deliveries"}
    noon = datetime(2026, 11, 25, 12, 0)
    due = {name: [m for m in range(60) if task.validate_datetime(noon + timedelta(minutes=m))] for name, task in rounds.items()}
    assert due == {
        "outbox-each-minute": list(range(60)), "clean-up": [7], "inbox": list(range(0, 60, 5)), "forget-deliveries": [17],
    }  # fmt: skip
    for task in rounds.values():
        task.execute()
    assert mails(instance)[0].captured


def test_a_broker_without_its_package_is_explained(monkeypatch: pytest.MonkeyPatch):
    """The sentence names the setting and the package."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match="PREAU_BROKER_URL needs the package `redis`"):
        jobs.open_queue(quick_settings(Path("unused"), broker_url="redis://localhost:6379/0"))
