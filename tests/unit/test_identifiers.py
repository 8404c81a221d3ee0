"""Identifiers ``p.nomXX``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from hub.accounts.identifiers import base_identifier, canonical, reserve
from hub.accounts.models import Account, ReservedIdentifier
from hub.instance import Instance
from tests.accounts_kit import LEA, NOW, make_instance, notice_for


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path)
    yield instance
    instance.close()


def reserved(instance: Instance, given_name: str, family_name: str) -> str:
    with instance.database.transaction() as db:
        return reserve(db, given_name, family_name, now=NOW)


@pytest.mark.covers("F034")
@pytest.mark.parametrize(
    ("given_name", "family_name", "expected"),
    [
        ("Léa", "Martin", "l.martin"),
        ("Émile", "D'Œuvre-Noël", "e.doeuvrenoel"),
        ("Jean-Pierre", "de La Tour", "j.delatour"),
        ("Ægir", "Ångström", "a.angstrom"),
        ("Zoé", "Abcdefghijklmnopqrstuvwxyz", "z.abcdefghijklmnopqrst"),
        ("N'Golo", "O’Brien", "n.obrien"),
        ("Łukasz", "Großmann", "l.grossmann"),
        ("李", "王", "x.x"),
        ("", "", "x.x"),
    ],
)
def test_the_base_is_initial_dot_name(given_name: str, family_name: str, expected: str):
    """No accent, blank, hyphen or apostrophe; at most 20 letters of the name; a name without Latin letter gets one all the same."""
    assert base_identifier(given_name, family_name) == expected


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_the_name_the_identifier_can_be_typed(given_name: str, family_name: str):
    """One letter, a dot, 1 to 20 letters, all of a to z."""
    assert re.fullmatch(r"[a-z]\.[a-z]{1,20}", base_identifier(given_name, family_name))


@given(st.from_regex(r"[a-z]\.[a-z]{1,20}[0-9]{0,3}", fullmatch=True))
def test_case_and_blanks_around_do_not_matter(identifier: str):
    """What a phone's keyboard adds is forgiven."""
    assert canonical(f"  {identifier.upper()} ") == identifier


@pytest.mark.covers("F034")
def test_homonyms_are_numbered(instance: Instance):
    """The first has no number, then 2, 3, 4…; another name starts afresh, also when it begins alike."""
    assert [reserved(instance, "Léa", "Martin") for _ in range(12)] == ["l.martin", *(f"l.martin{n}" for n in range(2, 13))]
    assert reserved(instance, "Luc", "Martinez") == "l.martinez"


def test_a_thousand_homonyms_cost_a_few_probes(instance: Instance):
    """The next number is found by halving, not by counting."""
    taken = ["j.martin", *(f"j.martin{n}" for n in range(2, 1001))]
    with instance.database.transaction() as db:
        db.execute(insert(ReservedIdentifier), [{"identifier": identifier, "reserved_at": NOW} for identifier in taken])
    assert reserved(instance, "Jean", "Martin") == "j.martin1001"


def test_an_identifier_is_never_given_twice(instance: Instance):
    """It stays reserved when its account is erased."""
    document = notice_for(instance, LEA.ref)
    with instance.database.transaction() as db:
        from hub.accounts.models import Notice

        db.execute(delete(Notice))
        db.execute(delete(Account))
    assert notice_for(instance, LEA.ref).identifier != document.identifier


def test_a_reservation_goes_with_its_transaction(instance: Instance):
    """Undone with the notice that asked for it: no number is burnt."""
    with instance.database.session() as db:
        assert reserve(db, "Léa", "Martin", now=NOW) == "l.martin"
        db.rollback()
    assert reserved(instance, "Léa", "Martin") == "l.martin"


def test_parallel_reservations_differ(instance: Instance):
    """Forty homonyms at once from eight threads: forty identifiers, none skipped."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _n: reserved(instance, "Léa", "Martin"), range(40)))
    assert sorted(found) == sorted(["l.martin", *(f"l.martin{n}" for n in range(2, 41))])
