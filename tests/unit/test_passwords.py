"""Which passwords are accepted, and how they are kept."""

from __future__ import annotations

import unicodedata
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.models import AccountKind
from hub.accounts.passwords import ALPHABET, Owner, Passwords, new_secret, problems
from hub.settings import Settings
from tests.accounts_kit import GOOD_PASSWORD, quick_settings

SETTINGS = quick_settings(Path("unused"))
PUPIL = Owner(AccountKind.STUDENT, "l.martin", ("Léa", "Martin"), (date(2014, 7, 14),), ("Collège des Tilleuls",))
PARENT = Owner(AccountKind.GUARDIAN, "c.martin", ("Camille", "Martin"))
SHORT, EASY, COMMON, PERSONAL = (
    "Il faut {n} caractères ou plus.",
    "Trop facile à deviner.",
    "Trop de gens utilisent ce mot de passe.",
    "N'utilisez pas votre nom, votre date de naissance ou votre école.",
)


def judged(password: str, owner: Owner = PUPIL) -> list[str]:
    return problems(password, password, owner, SETTINGS)


@pytest.mark.covers("AC-38")
@pytest.mark.parametrize(("owner", "shortest"), [(PUPIL, 8), (PARENT, 12)])
def test_the_minimum_length_depends_on_the_profile(owner: Owner, shortest: int):
    """One character less is refused with the number; the length itself is enough."""
    password = "vq7kzpx2mwtr"[:shortest]
    assert judged(password, owner) == []
    assert judged(password[:-1], owner) == [SHORT.format(n=shortest)]


@pytest.mark.covers("AC-38")
@pytest.mark.parametrize(
    "password", ["motdepasse", "Motdepasse2024!", "azertyuiop", "Bonjour123", "doudou2020", "123football", "marseille13"]
)
def test_what_many_french_people_choose_is_refused(password: str):
    """Also with digits, capitals or signs around."""
    assert judged(password) == [COMMON]


@pytest.mark.covers("AC-38")
@pytest.mark.parametrize(
    "password",
    ["l.martin!", "LéaMartin", "martinlea", "lea14072014", "14/07/2014", "2014-07-14", "Martin2014", "tilleuls!!", "CollègeDesTilleuls"],
)
def test_ones_own_name_date_or_school_is_refused(password: str):
    """In any order, with signs between."""
    assert judged(password) == [PERSONAL]


@pytest.mark.covers("AC-38")
def test_a_sentence_may_hold_ones_name(tmp_path: Path):
    """What is left without the name is judged: a long sentence stays good."""
    assert judged("les girafes de martin dansent la nuit") == []


@pytest.mark.covers("AC-38")
@pytest.mark.parametrize("password", ["aaaaaaaaaaaa", "abcdefghijkl", "123456789012", "azerazerazer", "soleilsoleilsoleil"])
def test_what_a_program_guesses_is_refused(password: str):
    """Long enough, but repeated or in a row."""
    assert judged(password, PARENT) in ([EASY], [COMMON])


@pytest.mark.covers("AC-38", "AC-39")
@pytest.mark.parametrize(
    "password", [GOOD_PASSWORD, "quatre tortues vertes chantent", "🐘🦒🐢 rient beaucoup", " espace devant et derriere "]
)
def test_a_sentence_without_digit_or_sign_is_accepted(password: str):
    """No composition rule; any character counts."""
    assert judged(password, PARENT) == []


def test_two_different_inputs_are_told_beside_the_rest():
    """A wrong confirmation is said with the other reason."""
    assert problems("court", "autre", PUPIL, SETTINGS) == [SHORT.format(n=8), "Les deux mots de passe sont différents."]
    assert problems(GOOD_PASSWORD, GOOD_PASSWORD + " ", PUPIL, SETTINGS) == ["Les deux mots de passe sont différents."]


@pytest.mark.covers("AC-37")
def test_length_is_bounded():
    """128 characters are kept whole; 129 and a megabyte are refused, and cost no hashing of a megabyte."""
    passwords = Passwords(SETTINGS)
    longest = ("vq7k zpx2 mwtr " * 9)[:128]
    assert judged(longest) == []
    assert judged(longest + "x") == ["Il faut 128 caractères ou moins."]
    assert judged("x" * 1_000_000) == ["Il faut 128 caractères ou moins."]
    stored = passwords.hash(longest)
    assert passwords.verify(stored, longest)
    assert not passwords.verify(stored, longest[:-1] + "?"), "nothing is cut off"
    assert not passwords.verify(stored, longest + "x")
    assert not passwords.verify(stored, "x" * 1_000_000)
    with pytest.raises(ValueError, match="too long"):
        passwords.hash("x" * 129)


@pytest.mark.covers("AC-37")
def test_one_accent_from_two_keyboards_is_one_password():
    """NFC and NFD agree; nothing else is touched: case, blanks, NUL and emoji count."""
    passwords = Passwords(SETTINGS)
    stored = passwords.hash(unicodedata.normalize("NFD", "été à la mer"))
    assert passwords.verify(stored, unicodedata.normalize("NFC", "été à la mer"))
    for other in (" été à la mer", "été à la mer ", "Été à la mer", "été à la mer\0", "ete a la mer"):
        assert not passwords.verify(stored, other)


@pytest.mark.covers("AC-37")
@given(st.text(max_size=128), st.text(max_size=128))
def test_a_password_opens_with_itself_only(password: str, other: str):
    """Exactly, whatever the characters, NUL included."""
    if any("\ud800" <= c <= "\udfff" for c in password + other) or len(unicodedata.normalize("NFC", password)) > 128:
        return
    passwords = Passwords(SETTINGS)
    stored = passwords.hash(password)
    assert passwords.verify(stored, password)
    same = unicodedata.normalize("NFC", password) == unicodedata.normalize("NFC", other)
    assert passwords.verify(stored, other) == same


@pytest.mark.covers("AC-40")
def test_what_is_kept_is_salted_argon2id():
    """Two equal passwords are kept differently, with the costs of the settings."""
    passwords = Passwords(Settings(instance_dir=Path("unused"), argon2_memory_kib=19456, argon2_time_cost=2))
    first, second = passwords.hash(GOOD_PASSWORD), passwords.hash(GOOD_PASSWORD)
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert GOOD_PASSWORD not in first


@pytest.mark.covers("AC-40")
def test_other_costs_ask_for_a_new_hash():
    """A hash of former settings is due, one of today's is not."""
    today, before = Passwords(SETTINGS), Passwords(quick_settings(Path("unused"), argon2_memory_kib=32))
    assert today.needs_rehash(before.hash(GOOD_PASSWORD))
    assert not today.needs_rehash(today.hash(GOOD_PASSWORD))


@pytest.mark.covers("AC-01")
def test_nobody_costs_as_much_as_somebody():
    """Without a stored hash the same argon2 parameters are computed, and nothing is ever right."""
    passwords = Passwords(SETTINGS)
    stand_in, real = passwords._nobody, passwords.hash(GOOD_PASSWORD)
    assert stand_in.split("$")[:4] == real.split("$")[:4]
    assert [len(part) for part in stand_in.split("$")] == [len(part) for part in real.split("$")]
    assert not passwords.verify(None, "")
    assert not passwords.verify(None, GOOD_PASSWORD)
    assert not passwords.verify("", GOOD_PASSWORD)
    assert not passwords.verify("not a hash", GOOD_PASSWORD)


@pytest.mark.covers("AC-21")
def test_provisional_secrets_are_random_and_can_be_read_aloud():
    """Twelve signs of 32, none that looks like another: 60 bits; never the same."""
    assert not set(ALPHABET) & set("01OI")
    assert len(set(ALPHABET)) == 32
    found = {new_secret(12) for _ in range(500)}
    assert len(found) == 500
    assert all(len(secret) == 12 and set(secret) <= set(ALPHABET) for secret in found)


def test_a_secret_may_be_typed_as_it_comes():
    """Lower case, blanks and hyphens are forgiven; another sign is not."""
    passwords = Passwords(SETTINGS)
    stored = passwords.hash_secret("ABCDEFGH2345")
    assert all(passwords.verify_secret(stored, typed) for typed in ("ABCDEFGH2345", "abcd efgh 2345", "abcd-efgh-2345"))
    assert not any(passwords.verify_secret(stored, typed) for typed in ("ABCDEFGH2346", "ABCDEFGH234", "", "A" * 1000))
    assert not passwords.verify_secret(None, "")
