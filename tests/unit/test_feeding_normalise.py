"""Values of an export as the directory keeps them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.names import name_key
from backends.sdet import normalise
from backends.sdet.academies import academy_code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+33 6 39 98 00 01", "+33639980001"),
        ("+33  6 39  98 00 01", "+33639980001"),
        ("+33 (0)6 39 98 00 01", "+33639980001"),
        ("06.39.98.00.01", "+33639980001"),
        ("0033639980001", "+33639980001"),
        ("07 50 12 34 56", "+33750123456"),
        ("639980001", "+33639980001"),
        ("06 92 12 34 56", "+262692123456"),
        ("+33 6 92 12 34 56", "+262692123456"),
        ("+262 692 12 34 56", "+262692123456"),
        ("0690 12 34 56", "+590690123456"),
        ("+41791234567", "+41791234567"),
        ("+32 470 12 34 56", "+32470123456"),
    ],
)
def test_usable_mobiles(text: str, expected: str) -> None:
    """Every writing of one mobile gives one E.164 number; numbers reserved for fiction work."""
    assert normalise.mobile(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "0000000000", "0600000000", "0666666666", "04 72 12 34 56", "+33 1 23 45 67 89", "123", "+33 6 12", "+33 6 12 34 56 78 90 12 3",
     "néant", "+", "06 39 98 00 0a", "0" * 400, "+999 12345678", "+33 0 00 11 22 33"],
)  # fmt: skip
def test_unusable_phones(text: str) -> None:
    """Fillers, landlines, short and long numbers and words are no mobile."""
    assert normalise.mobile(text) is None


@given(st.text(max_size=40))
def test_mobile_never_fails(text: str) -> None:
    """Whatever is typed, the answer is None or an E.164 number."""
    number = normalise.mobile(text)
    assert number is None or (number[0] == "+" and number[1:].isascii() and number[1:].isdigit() and len(number) <= 16)


@pytest.mark.parametrize("text", ["M.", "M", "Mr", "monsieur", " m. "])
def test_title_of_a_man(text: str) -> None:
    """Every old writing folds to one."""
    assert normalise.civility(text) == "M."


@pytest.mark.parametrize("text", ["Mme", "Mme.", "Mlle", "MLLE.", "Madame"])
def test_title_of_a_woman(text: str) -> None:
    """Every old writing folds to one."""
    assert normalise.civility(text) == "Mme"


@pytest.mark.parametrize("text", ["", "Dr", "X", "Mx."])
def test_unknown_title(text: str) -> None:
    """Nothing is guessed."""
    assert normalise.civility(text) is None


def test_dates() -> None:
    """Day, month, year with slashes and nothing else."""
    assert normalise.aaf_date(" 29/02/2012 ") == date(2012, 2, 29)
    for text in ("", "29/02/2013", "2013-02-01", "1/2/2013", "00/00/0000", "01/01/13", "١١/٠١/٢٠١٣", "01/01/20133"):
        assert normalise.aaf_date(text) is None


def test_mails() -> None:
    """Trimmed and in lower case; a text that is no address is none."""
    assert normalise.mail(" Anne.Roux@EXEMPLE.fr ") == "anne.roux@exemple.fr"
    long = "x" * 65 + "@exemple.fr"
    for text in ("", "néant", "a@b", "a b@exemple.fr", "a@exemple..fr", "a@@exemple.fr", long, "a@exemple.fr>", "a,b@c.fr"):
        assert normalise.mail(text) is None


def test_ines() -> None:
    """Eleven letters and digits, upper case; the two national forms are common."""
    assert normalise.ine(" 123456789ab ") == "123456789AB"
    assert normalise.is_common_ine("123456789AB")
    assert normalise.is_common_ine("1234567890A")
    assert not normalise.is_common_ine("0ABCDE12345")
    for text in ("", "123", "123456789A", "123456789AÉ", "123456789-B", "１23456789AB"):
        assert normalise.ine(text) is None


def test_uai_check_letter() -> None:
    """The letter is computed from the seven digits."""
    assert normalise.uai_letter("0690001") == "B"
    assert normalise.is_uai("0690001B")
    for text in ("", "069001B", "004001ZV", "0690001b", "00000001"):
        assert not normalise.is_uai(text)


def test_level_of_a_course() -> None:
    """The level is the start of the eleven-digit code."""
    assert normalise.mefstat4("21160010019") == "2116"
    for text in ("", "2116", "ABCD0010019", "²1160010019"):
        assert normalise.mefstat4(text) is None


def test_text_is_composed_and_trimmed() -> None:
    """Decomposed accents are composed, line ends are blanks."""
    assert normalise.tidy(" Le\u0301a\r\n  Marie ") == "Léa Marie"
    assert normalise.damaged("a\x85b")
    assert normalise.damaged("a\ufffdb")
    assert not normalise.damaged("Léa\tœ€\n")


@pytest.mark.parametrize("writing", ["Jean-Émile", "JEAN EMILE", "jean émile", "Jean‐E\u0301mile", " Jean  Emile "])
def test_names_compare_without_case_accents_hyphens(writing: str) -> None:
    """All writings of a name have one key."""
    assert name_key(writing) == "jeanemile"


def test_name_keys_keep_different_names_apart() -> None:
    """Apostrophes and ligatures fold, letters do not."""
    assert name_key("D’Œuvre") == name_key("D'OEUVRE") == "doeuvre"
    assert name_key("Léa") != name_key("Léo")
    assert name_key("Иванов") == "иванов"


def test_academy_codes() -> None:
    """One, two or three digits, or a name; Caen and Rouen are Normandie."""
    assert [academy_code(text) for text in ("2", "02", "002", "AIX-MARSEILLE", "ac-LYON", "05", "021", "CAEN")] == [
        "02", "02", "02", "02", "10", "70", "70", "70",
    ]  # fmt: skip
    assert [academy_code(text) for text in ("", "99", "1234", "nowhere", "-1")] == [None] * 5
