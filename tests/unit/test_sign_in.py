"""Signing in with identifier and password: one answer for everything that is wrong, slowed down, never for ever."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from backends import Unavailable
from hub.accounts import service
from hub.accounts.lifecycle import Event
from hub.accounts.models import Account, State
from hub.accounts.service import Accepted, Refused, SignIn, sign_in
from hub.audit.models import AuditEvent
from hub.instance import Instance
from hub.throttle.models import Throttle
from hub.web.typography import french
from tests.accounts_kit import CAMILLE, GOOD_PASSWORD, LEA, NOW, OTHER_PASSWORD, TOM, activate, make_instance, notice_for

WRONG = Refused("M07", "L'identifiant ou le mot de passe n'est pas bon.")
WAIT = Refused("M13", french("Trop d'essais. Attendez 1 minute, puis recommencez."))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path)
    yield instance
    instance.close()


def attempt(instance: Instance, identifier: str, password: str, now: datetime = NOW) -> SignIn:
    with instance.database.session() as db:
        outcome = sign_in(db, instance, identifier, password, now=now)
        db.commit()
        return outcome


def change(instance: Instance, account_id: str, **values: object) -> None:
    """Put an account into a condition that no feature of today produces."""
    with instance.database.transaction() as db:
        account = db.get_one(Account, account_id)
        for name, value in values.items():
            setattr(account, name, value)


@pytest.mark.covers("F033", "F048")
def test_identifier_and_password_open(instance: Instance):
    """Whatever the case of the identifier; the sign-in is dated and in the audit; either profile page will do."""
    id_ = activate(instance, LEA.ref)
    later = NOW + timedelta(days=1)
    assert attempt(instance, " L.Martin ", GOOD_PASSWORD, later) == Accepted(id_)
    with instance.database.session() as db:
        assert db.get_one(Account, id_).last_sign_in_at == later
        assert db.scalar(select(func.count()).where(AuditEvent.action == "account.signed_in")) == 1


@pytest.mark.covers("AC-01")
def test_the_same_answer_for_everything_that_is_wrong(instance: Instance):
    """Unknown, wrong, not activated, expired, locked, suspended, closed, erased, no password, absurd: not told apart."""
    active = activate(instance, LEA.ref)
    informed = notice_for(instance, TOM.ref)
    expired = notice_for(instance, CAMILLE.ref)
    after = expired.expires_at
    cases = [
        ("x.unknown", GOOD_PASSWORD, NOW),
        ("l.martin", OTHER_PASSWORD, NOW),
        (informed.identifier, OTHER_PASSWORD, NOW),
        (informed.identifier, informed.secret[:-1], NOW),
        (expired.identifier, OTHER_PASSWORD, after),
        ("", "", NOW),
        ("l.martin\0", GOOD_PASSWORD, NOW),
        ("l.martin'--", GOOD_PASSWORD, NOW),
        ("x" * 100_000, GOOD_PASSWORD, NOW),
        ("l.martin", "x" * 1_000_000, NOW),
        ("l.martin", "", NOW),
    ]
    assert [attempt(instance, *case) for case in cases] == [WRONG] * len(cases)
    for values in ({"suspended": True}, {"suspended": False, "state": State.CLOSED}, {"state": State.PURGED, "password_hash": None}):
        change(instance, active, **values)
        assert attempt(instance, "l.martin", OTHER_PASSWORD, NOW + timedelta(days=2)) == WRONG


@pytest.mark.covers("AC-01")
def test_the_same_work_for_everybody(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    """One password and one secret are checked each time, whoever is or is not behind the identifier, during a wait too."""
    activate(instance, LEA.ref)
    informed = notice_for(instance, TOM.ref)
    work: list[str] = []
    passwords = service.passwords_of(instance.settings)
    for name in ("verify", "verify_secret"):
        real = getattr(passwords, name)
        monkeypatch.setattr(passwords, name, lambda *args, _real=real, _name=name: work.append(_name) or _real(*args))
    for identifier in ("x.unknown", "l.martin", informed.identifier, ""):
        for expected in ("M07",) * 5 + ("M13",):
            work.clear()
            assert attempt(instance, identifier, "wrong").code == expected
            assert work == ["verify", "verify_secret"], identifier


@pytest.mark.covers("AC-01")
def test_the_answer_takes_the_same_time(tmp_path: Path):
    """Medians for unknown, wrong and not activated differ by less than 20 ms at the full cost of a hash."""
    instance = make_instance(tmp_path, argon2_memory_kib=19456, argon2_time_cost=2, login_delay_from=1000, login_lock_after=1001)
    activate(instance, LEA.ref)
    informed = notice_for(instance, TOM.ref)
    times: dict[str, list[float]] = {"x.unknown": [], "l.martin": [], informed.identifier: []}
    for _ in range(15):
        for identifier, taken in times.items():
            start = time.process_time()
            attempt(instance, identifier, "wrong password")
            taken.append(time.process_time() - start)
    medians = [statistics.median(taken) for taken in times.values()]
    assert max(medians) - min(medians) < 0.020, medians
    instance.close()


@pytest.mark.covers("AC-03", "AC-06", "F033")
def test_tries_are_slowed_down_then_locked_for_a_while(instance: Instance):
    """From the fifth failure the wait doubles; the tenth locks for 15 minutes; then the right password works again."""
    activate(instance, LEA.ref)
    now, waits = NOW, []
    for _ in range(10):
        assert attempt(instance, "l.martin", OTHER_PASSWORD, now) == WRONG
        with instance.database.session() as db:
            blocked = db.scalars(select(Throttle)).one().blocked_until
        waits.append((blocked - now).total_seconds() if blocked else 0)
        now = blocked or now
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 900]
    assert attempt(instance, "l.martin", GOOD_PASSWORD, now - timedelta(seconds=1)) == WAIT
    assert isinstance(attempt(instance, "l.martin", GOOD_PASSWORD, now), Accepted)


@pytest.mark.covers("AC-03", "AC-01")
@pytest.mark.parametrize("failures", [5, 10], ids=["wait", "lock"])
def test_a_wait_tells_nothing_of_the_password(instance: Instance, failures: int):
    """Right, wrong, right of the letter, or nobody behind the identifier: the same answer, so nobody guesses faster than the waits."""
    activate(instance, LEA.ref)
    informed = notice_for(instance, TOM.ref)
    cases = [("l.martin", GOOD_PASSWORD), (informed.identifier, informed.secret), ("x.unknown", GOOD_PASSWORD)]
    for identifier, right in cases:
        now = NOW
        for n in range(failures):
            now = NOW + timedelta(minutes=n)
            assert attempt(instance, identifier, OTHER_PASSWORD, now) == WRONG
        end = now + (timedelta(minutes=15) if failures == 10 else timedelta(seconds=1))
        almost = end - timedelta(milliseconds=1)
        assert [attempt(instance, identifier, password, almost) for password in (OTHER_PASSWORD, right)] == [WAIT, WAIT]
        assert isinstance(attempt(instance, identifier, right, end), Accepted) == (identifier != "x.unknown")
    with instance.database.session() as db:
        locked = db.scalars(select(AuditEvent.account_id).where(AuditEvent.action == "account.locked")).all()
    assert len(locked) == (2 if failures == 10 else 0), "the audit tells of accounts, not of what is typed"


@pytest.mark.covers("AC-48")
def test_a_failure_leaves_one_line_without_what_was_typed(instance: Instance):
    """Code, account if there is one, whether it had to wait; the identifier only as the keyed hash of its count. A success leaves none."""
    id_ = activate(instance, LEA.ref)
    with capture_logs() as lines:
        attempt(instance, "X.Unknown", "hidden password")
        for _ in range(6):
            attempt(instance, "L.Martin", "hidden password")
        attempt(instance, "t.martin", GOOD_PASSWORD)
    failed = [line for line in lines if line["event"] == "login.failed"]
    assert [(line["code"], line["account"], line["blocked"]) for line in failed] == [
        ("M07", None, False),
        *[("M07", id_, False)] * 5,
        ("M13", id_, True),
        ("M07", None, False),
    ]
    with instance.database.session() as db:
        assert {line["typed"] for line in failed} == set(db.scalars(select(Throttle.key)))
    assert not re.search("unknown|martin|hidden", str(lines), re.IGNORECASE)
    activate(instance, TOM.ref)
    with capture_logs() as lines:
        attempt(instance, "t.martin", GOOD_PASSWORD, NOW + timedelta(minutes=1))
    assert lines == []


@pytest.mark.covers("AC-06")
def test_nobody_can_prolong_a_lock(instance: Instance):
    """A hundred more tries during the lock do not move its end."""
    activate(instance, LEA.ref)
    now = NOW
    for _ in range(10):
        attempt(instance, "l.martin", OTHER_PASSWORD, now)
        now += timedelta(minutes=1)
    end = now - timedelta(minutes=1) + timedelta(minutes=15)
    for second in range(0, 800, 8):
        attempt(instance, "l.martin", OTHER_PASSWORD, now + timedelta(seconds=second))
    assert isinstance(attempt(instance, "l.martin", GOOD_PASSWORD, end), Accepted)


@pytest.mark.covers("AC-03")
def test_a_hundred_tries_get_ten_answers(instance: Instance):
    """One try each second: hardly any is looked at, and another account is not concerned."""
    activate(instance, LEA.ref)
    id_ = activate(instance, TOM.ref)
    for second in range(100):
        attempt(instance, "l.martin", OTHER_PASSWORD, NOW + timedelta(seconds=second))
    with instance.database.session() as db:
        assert db.scalars(select(Throttle)).one().failures == 10
    assert attempt(instance, "t.martin", GOOD_PASSWORD, NOW) == Accepted(id_)


@pytest.mark.covers("AC-01", "AC-08")
def test_unknown_identifiers_are_counted_too(instance: Instance):
    """Under a keyed hash: a dump does not tell what was typed, and case does not matter."""
    for typed in ("X.Unknown", "x.unknown ", "x.unknown"):
        attempt(instance, typed, "wrong")
    with instance.database.session() as db:
        row = db.scalars(select(Throttle)).one()
    assert row.failures == 3
    assert "unknown" not in row.key


@pytest.mark.covers("AC-03")
def test_parallel_guesses_count(instance: Instance):
    """Forty at once: as many are counted as one after the other would be, and the right one among them does not slip through."""
    activate(instance, LEA.ref)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _n: attempt(instance, "l.martin", OTHER_PASSWORD), range(40)))
    with instance.database.session() as db:
        assert db.scalars(select(Throttle)).one().failures == 5, "the fifth failure makes the next ones wait a second"
    assert attempt(instance, "l.martin", GOOD_PASSWORD).code == "M13"


def test_a_success_wipes_the_slate(instance: Instance):
    """Four failures, a success, four failures: no wait."""
    activate(instance, LEA.ref)
    for _ in range(2):
        for _ in range(4):
            attempt(instance, "l.martin", OTHER_PASSWORD)
        assert isinstance(attempt(instance, "l.martin", GOOD_PASSWORD), Accepted)


def test_old_failures_are_forgotten(instance: Instance):
    """After a day without a try, counting begins afresh."""
    for _ in range(4):
        attempt(instance, "x.unknown", "wrong")
    attempt(instance, "x.unknown", "wrong", NOW + timedelta(hours=24, seconds=1))
    with instance.database.session() as db:
        assert db.scalars(select(Throttle)).one().failures == 1


@pytest.mark.covers("F061", "F080")
def test_the_provisional_password_begins_the_activation(instance: Instance):
    """Once INFORMED becomes ACTIVATING; again with the same letter it goes on, until a password is chosen."""
    document = notice_for(instance, LEA.ref)
    assert attempt(instance, document.identifier, document.secret.lower()) == Accepted(document.account_id, provisional=True)
    assert attempt(instance, document.identifier, document.secret) == Accepted(document.account_id)
    with instance.database.session() as db:
        account = db.get_one(Account, document.account_id)
        assert (account.state, account.last_sign_in_at) == (State.ACTIVATING, None)
        assert db.scalar(select(func.count()).where(AuditEvent.action == Event.SIGN_IN_WITH_PROVISIONAL.value)) == 1


@pytest.mark.covers("F062")
def test_what_is_special_is_told_after_a_right_password_only(instance: Instance):
    """Suspended, closed guardian, closed pupil: the text of the catalogue, and no session."""
    pupil, parent = activate(instance, LEA.ref), activate(instance, CAMILLE.ref)
    change(instance, pupil, suspended=True)
    assert attempt(instance, "l.martin", GOOD_PASSWORD).code == "M24"
    change(instance, pupil, suspended=False, state=State.CLOSED)
    assert attempt(instance, "l.martin", GOOD_PASSWORD).code == "M26"
    change(instance, parent, state=State.CLOSED)
    outcome = attempt(instance, "c.martin", GOOD_PASSWORD)
    assert (outcome.code, outcome.message) == ("M25", "Il n'y a plus d'élève sur votre compte. Si c'est une erreur, contactez l'école.")
    assert outcome.account_id is None


@pytest.mark.covers("AC-40")
def test_costs_are_brought_up_to_date_at_the_sign_in(tmp_path: Path):
    """A hash of former settings is replaced, and the password still opens; a wrong one replaces nothing."""
    instance = make_instance(tmp_path)
    id_ = activate(instance, LEA.ref)
    stronger = make_instance(tmp_path, argon2_memory_kib=128)

    def stored() -> str:
        with stronger.database.session() as db:
            return db.get_one(Account, id_).password_hash or ""

    before = stored()
    attempt(stronger, "l.martin", OTHER_PASSWORD)
    assert stored() == before
    assert "m=64," in before
    assert isinstance(attempt(stronger, "l.martin", GOOD_PASSWORD), Accepted)
    assert "m=128," in stored()
    assert isinstance(attempt(stronger, "l.martin", GOOD_PASSWORD), Accepted)
    instance.close()
    stronger.close()


def test_a_sick_directory_does_not_stop_a_sign_in(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    """Children are proposed another time."""
    id_ = activate(instance, CAMILLE.ref)

    def sick(*_args: object) -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(instance.directory, "person", sick)
    assert attempt(instance, "c.martin", GOOD_PASSWORD) == Accepted(id_)


def test_two_windows_begin_the_same_activation(instance: Instance):
    """The slower one is not refused."""
    document = notice_for(instance, LEA.ref)
    with instance.database.session() as slow, instance.database.session() as fast:
        account = slow.get_one(Account, document.account_id)
        assert account.state is State.INFORMED
        assert isinstance(sign_in(fast, instance, document.identifier, document.secret, now=NOW), Accepted)
        fast.commit()
        assert sign_in(slow, instance, document.identifier, document.secret, now=NOW).account_id == document.account_id
        slow.commit()
