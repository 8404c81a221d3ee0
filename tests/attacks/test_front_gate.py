"""Limits at the door: spraying is slowed, a school is never locked out, nobody's account is held hostage (AC-04 to AC-08)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hub.accounts.credentials import choose_password
from hub.accounts.models import Account
from hub.accounts.service import Accepted, sign_in
from hub.instance import Instance
from hub.throttle import Rate, Visitor, key_of, spend
from hub.throttle.models import Window
from hub.throttle.visitor import mark, network_of
from tests.accounts_kit import CAMILLE, GOOD_PASSWORD, LEA, NOW, OTHER_PASSWORD, activate, make_instance

SCHOOL, HOME = "192.0.2.7", "198.51.100.20"

NOWHERE = Visitor()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path, address_failures=30, same_password_failures=20)
    yield instance
    instance.close()


def attempt(instance: Instance, identifier: str, password: str, visitor: Visitor = NOWHERE, *, later: timedelta = timedelta()) -> str:
    """The code of the refusal, ``in`` for who gets in."""
    with instance.database.session() as db:
        outcome = sign_in(db, instance, identifier, password, now=NOW + later, visitor=visitor)
        db.commit()
    return "in" if isinstance(outcome, Accepted) else outcome.code


def known(instance: Instance, account_id: str, address: str = HOME, *, age: timedelta = timedelta()) -> Visitor:
    """A browser that signed in to that account before."""
    with instance.database.session() as db:
        account = db.get_one(Account, account_id)
        return Visitor(address, (mark(instance, account.id, account.password_hash, now=NOW - age),))


@pytest.mark.covers("AC-04")
def test_one_password_on_many_accounts_is_slowed_from_whatever_addresses(instance: Instance):
    """From the twentieth failure with one password on, it opens nothing from browsers that are not known, and the operator is told."""
    activate(instance, CAMILLE.ref, password=GOOD_PASSWORD)
    with capture_logs() as logs:
        for n in range(20):
            assert attempt(instance, f"x.nobody{n}", GOOD_PASSWORD, Visitor(f"203.0.113.{n}")) == "M07"
    assert [line["by"] for line in logs if line["event"] == "login.many_failures"] == ["password"]
    assert GOOD_PASSWORD not in str(logs)
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor("203.0.113.99")) == "M13"
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor("203.0.113.99"), later=timedelta(hours=1, seconds=1)) == "in"


@pytest.mark.covers("AC-04")
def test_many_failures_of_one_address_are_slowed(instance: Instance):
    """Different passwords and identifiers: the address waits until its ten minutes are over, the next address does not."""
    activate(instance, CAMILLE.ref)
    for n in range(30):
        attempt(instance, f"x.nobody{n}", f"guess number {n}", Visitor(HOME))
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor(HOME)) == "M13"
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor("198.51.100.21")) == "in"
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor(HOME), later=timedelta(minutes=10, seconds=1)) == "in"


@pytest.mark.covers("AC-05")
def test_a_school_behind_one_address_signs_in(instance: Instance):
    """Five hundred real sign-ins in five minutes from one address: what succeeds never counts."""
    activate(instance, CAMILLE.ref)
    activate(instance, LEA.ref, password=OTHER_PASSWORD)
    for n in range(250):
        assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor(SCHOOL), later=timedelta(seconds=n)) == "in"
        assert attempt(instance, "l.martin", OTHER_PASSWORD, Visitor(SCHOOL), later=timedelta(seconds=n)) == "in"


@pytest.mark.covers("AC-05")
def test_a_shared_network_may_fail_ten_times_as_much(tmp_path: Path):
    """A school whose network is declared is not closed by a class that forgot its passwords."""
    instance = make_instance(tmp_path, address_failures=10, same_password_failures=1000, shared_networks=["192.0.2.0/24"])
    activate(instance, CAMILLE.ref)
    for n in range(99):
        attempt(instance, f"x.nobody{n}", f"guess number {n}", Visitor(SCHOOL))
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor(SCHOOL)) == "in"
    for n in range(11):
        attempt(instance, f"y.nobody{n}", f"guess number {n}", Visitor(SCHOOL))
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor(SCHOOL)) == "M13", "even there it is not endless"
    instance.close()


@pytest.mark.covers("AC-06")
def test_the_owner_gets_in_from_a_known_browser_while_others_hold_the_lock(instance: Instance):
    """Somebody types the identifier all day; the browser in which its owner signed in before is judged by itself."""
    id_ = activate(instance, CAMILLE.ref)
    for n in range(12):
        attempt(instance, "c.martin", f"guess number {n}", Visitor(SCHOOL), later=timedelta(minutes=n))
    late = timedelta(minutes=12)
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor(HOME), later=late) == "M13"
    assert attempt(instance, "c.martin", GOOD_PASSWORD, known(instance, id_), later=late) == "in"
    assert attempt(instance, "c.martin", GOOD_PASSWORD, known(instance, id_, SCHOOL), later=late) == "in"


@pytest.mark.covers("AC-06", "AC-03")
def test_a_known_browser_may_not_guess_without_end(instance: Instance):
    """Stolen with its cookie, it has the same tries as everybody, and its wrong ones lock nobody else."""
    id_ = activate(instance, CAMILLE.ref)
    thief = known(instance, id_)
    for n in range(10):
        attempt(instance, "c.martin", f"guess number {n}", thief, later=timedelta(minutes=2 * n))
    assert attempt(instance, "c.martin", GOOD_PASSWORD, thief, later=timedelta(minutes=19)) == "M13"
    assert attempt(instance, "c.martin", GOOD_PASSWORD, Visitor(HOME), later=timedelta(minutes=19)) == "in"


@pytest.mark.covers("AC-06")
@pytest.mark.parametrize("forged", ["1.", ".", "99999999999.aa", "20000.0123456789abcdef0123456789abcdef", "é.é", "x"])
def test_a_forged_mark_is_no_known_browser(instance: Instance, forged: str):
    """Only the hub can make one; another account's, an old one and one of a former password are worth nothing."""
    id_ = activate(instance, CAMILLE.ref)
    other = activate(instance, LEA.ref, password=OTHER_PASSWORD)
    marks = [Visitor(HOME, (forged,)), Visitor(HOME, known(instance, other).known), known(instance, id_, age=timedelta(days=181))]
    former = known(instance, id_)
    with instance.database.transaction() as db:
        choose_password(db, instance, db.get_one(Account, id_), "neuf chats gris ronronnent", now=NOW)
    for n in range(10):
        attempt(instance, "c.martin", f"guess number {n}", later=timedelta(minutes=n))
    for visitor in (*marks, former):
        assert attempt(instance, "c.martin", "neuf chats gris ronronnent", visitor, later=timedelta(minutes=10)) == "M13"


@pytest.mark.covers("AC-08")
def test_uses_counted_in_parallel_are_all_counted(instance: Instance):
    """One counter for all workers: of forty uses at once, the rate lets through exactly as many as it says."""
    key = key_of(instance, "test", "subject")

    def use(_n: int) -> bool:
        with instance.database.transaction() as db:
            return isinstance(spend(db, key, Rate(7, timedelta(hours=1)), now=NOW), int)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(40))) == 7
    with instance.database.session() as db:
        row = db.get_one(Window, key)
        assert row.count == 40
        assert row.ends_at == NOW + timedelta(hours=1), "the period is fixed by its first use"


def test_a_household_is_one_network():
    """An IPv4 address, the /64 of an IPv6 one; what is no address counts together."""
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of(HOME) == HOME
    assert network_of("") == network_of("not an address") == "unknown"
