"""The decision table of guardian rights, line by line, on both generations of codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import Capacity, Degree
from backends.sdet.causes import Cause
from backends.sdet.records import Generation, Header
from backends.sdet.rights import contradicts, decide, header_generation, ties

OLD = (1, 2, 3, 4, 5, 6)
NEW = (10, 20, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 50, 51, 90)
LEGAL, IN_CHARGE = Capacity.LEGAL, Capacity.IN_CHARGE
D1, D2 = Degree.PRIMARY, Degree.SECONDARY


def capacities(degree: Degree, *values: str) -> dict[str, Capacity | None]:
    """The right of each relative named by those values."""
    return {link.guardian: link.capacity for link in ties(degree, values).links}


@pytest.mark.covers("IM-07", "F006", "F007")
@pytest.mark.parametrize("relation", [*OLD, *NEW, 0, 8, 9, 95, None])
def test_level_1_is_a_legal_guardian_whatever_the_relation(relation: int | None) -> None:
    """The level decides, not the relation: level 1 is a legal guardian."""
    assert decide(D2, relation, "1") is LEGAL


@pytest.mark.covers("IM-07", "F007")
@pytest.mark.parametrize("relation", NEW)
def test_level_2_with_a_new_code_is_a_person_in_charge(relation: int) -> None:
    """Since 2018 level 2 is a person in charge, without parental authority."""
    assert decide(D2, relation, "2") is IN_CHARGE


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("relation", OLD)
def test_level_2_with_an_old_code_is_the_second_legal_guardian(relation: int) -> None:
    """Before 2018 level 2 was the second legal guardian."""
    assert decide(D2, relation, "2") is LEGAL


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("relation", [0, 8, 9, None])
def test_level_2_without_a_readable_code_gives_nothing(relation: int | None) -> None:
    """Level 2 alone says nothing: no right."""
    assert decide(D2, relation, "2") is None


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("relation", [*OLD, *NEW, 0, None])
@pytest.mark.parametrize("level", ["0", "3", "", "4", "01", "11", "-1", "²", "１", "x", "1.0"])
def test_any_other_level_gives_nothing(relation: int | None, level: str) -> None:
    """A contact, an unknown level or a look-alike of 1 gives no right."""
    assert decide(D2, relation, level) is None


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("relation", [7, 70])
@pytest.mark.parametrize("level", ["0", "1", "2", "3", ""])
@pytest.mark.parametrize("degree", Degree)
def test_nobody_is_his_own_guardian(relation: int, level: str, degree: Degree) -> None:
    """An adult pupil named as his own relative gets no right, at any level, in any degree."""
    assert decide(degree, relation, level) is None


@pytest.mark.parametrize("relation", [*OLD, *NEW, 0, None])
def test_first_degree_names_only_legal_guardians(relation: int | None) -> None:
    """Everyone named in the first degree is a legal guardian."""
    assert decide(D1, relation, "") is LEGAL


@pytest.mark.covers("IM-07")
def test_composite_of_six_fields() -> None:
    """Six fields, blanks around them or not, give the right of their level."""
    assert capacities(D2, "12$10$1$1$0$1", " 13 $ 20 $0$ 2 $1$0", "14$90$0$0$1$0") == {"12": LEGAL, "13": IN_CHARGE, "14": None}


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize(
    "value", ["12", "12$10", "12$10$1", "12$10$1$1", "12$10$1$1$0", "12$10$1$1$0$1$", "12$10$1$1$1$0$1", "12$1$1$1$1$1$1"]
)
def test_composite_of_another_length_gives_no_right(value: str) -> None:
    """A lost or added field shifts the level: no right comes from it, and it is reported."""
    found = ties(D2, [value])
    assert [link.capacity for link in found.links] == [None]
    assert Cause.field_count in found.anomalies


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("value", ["$10$1$1$0$1", "abc$10$1$1$0$1", "-5$10$1$1$0$1", "1 2$10$1$1$0$1", "１２$10$1$1$0$1", "$$$$$", ""])
def test_relative_without_identifier_is_nobody(value: str) -> None:
    """A value that names no readable number names nobody."""
    found = ties(D2, [value])
    assert found.links == ()
    assert found.anomalies == (Cause.tie_unreadable,)


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("value", ["12$07$1$1$0$1", "12$070$1$1$0$1", "12$0070$1$2$0$1"])
def test_padded_code_of_the_pupil_himself_gives_no_right(value: str) -> None:
    """Zeros in front do not turn the pupil into his own guardian."""
    assert capacities(D2, value) == {"12": None}


def test_first_degree_composites() -> None:
    """Two fields, or the number alone in older exports."""
    assert capacities(D1, "12$10", "13", "14$") == {"12": LEGAL, "13": LEGAL, "14": LEGAL}


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("value", ["12$10$1", "12$10$1$0$0$0", "12$10$"])
def test_first_degree_composite_with_more_fields_gives_no_right(value: str) -> None:
    """A first-degree value with a third field is not what it seems: no right."""
    assert capacities(D1, value) == {"12": None}


def test_default_row_falls_when_another_exists() -> None:
    """The filler 1$1$1$1$0 gives way to the row that somebody typed, in either order."""
    assert capacities(D2, "12$1$1$1$1$0", "12$10$0$0$1$0") == {"12": None}
    assert capacities(D2, "12$10$0$2$1$0", "12$1$1$1$1$0") == {"12": IN_CHARGE}
    assert ties(D2, ["12$1$1$1$1$0", "12$10$0$2$1$0"]).generations == {Generation.NEW}


def test_default_row_alone_counts() -> None:
    """Alone, even repeated, the filler row is what the file says."""
    assert capacities(D2, "12$1$1$1$1$0") == {"12": LEGAL}
    assert capacities(D2, "12$1$1$1$1$0", "12$1$1$1$1$0") == {"12": LEGAL}


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize(
    ("rows", "weaker"),
    [
        (("12$10$1$1$0$1", "12$10$0$2$0$0"), IN_CHARGE),
        (("12$10$1$1$0$1", "12$10$0$0$0$0"), None),
        (("12$10$0$2$0$1", "12$10$0$0$0$0"), None),
        (("12$10$1$1$0$1", "12$70$1$1$0$1"), None),
        (("12$10$1$1$0$1", "12$10$1$1$0"), None),
    ],
)
def test_contradictory_rows_keep_the_weaker_right(rows: tuple[str, str], weaker: Capacity | None) -> None:
    """Two rows of one relative that disagree: the weaker right counts, in either order, and it is reported."""
    for values in (rows, rows[::-1]):
        assert capacities(D2, *values) == {"12": weaker}
        assert Cause.relative_contradictory in ties(D2, values).anomalies


def test_agreeing_rows_keep_the_right() -> None:
    """Two rows with other flags but one right are no contradiction."""
    found = ties(D2, ["12$10$1$1$0$1", "12$10$0$1$1$0"])
    assert [link.capacity for link in found.links] == [LEGAL]
    assert found.anomalies == (Cause.relative_twice,)


@pytest.mark.parametrize(
    ("sdet", "release", "expected"),
    [
        ("Annexe 4bis version 6.4", "", Generation.NEW),
        ("Annexe 4bis version 6.1", "AAF-VE1806", Generation.NEW),
        ("Annexe 1 version 6.3", "", Generation.NEW),
        ("Annexe 4bis version 6.0", "", Generation.OLD),
        ("Annexe 4bis version 5", "", Generation.OLD),
        ("Annexe 4bis version 10.0", "", Generation.NEW),
        ("", "AAF-VE1310", Generation.OLD),
        ("", "AAF-VE1802", Generation.OLD),
        ("", "AAF-VE1803", None),
        ("", "AAF-VE1806", Generation.NEW),
        ("", "AAF-VE2407", Generation.NEW),
        ("", "", None),
        ("nonsense", "x", None),
    ],
)
def test_generation_of_a_header(sdet: str, release: str, expected: Generation | None) -> None:
    """SDET 6.1 and releases after March 2018 announce the new codes."""
    assert header_generation(Header(version_af=release, version_sdet=sdet)) is expected


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize("value", ["12$1$1$1$0$1", "12$2$1$2$0$1", "12$7$1$1$0$1"])
def test_old_codes_contradict_a_new_header(value: str) -> None:
    """Old codes under a new header, or the reverse, need a human; with the right header, or without, they do not."""
    found = ties(D2, [value])
    assert contradicts(Generation.NEW, found)
    assert not contradicts(Generation.OLD, found)
    assert not contradicts(None, found)
    assert contradicts(Generation.OLD, ties(D2, ["12$10$1$2$0$1"]))
    assert not contradicts(Generation.NEW, ties(D2, ["12$10$1$2$0$1", "13$9$1$1$0$1"]))


@pytest.mark.covers("IM-07")
@given(st.lists(st.text(alphabet="0127$ ax-é", max_size=14), max_size=5))
def test_no_right_without_six_readable_fields(values: list[str]) -> None:
    """Whatever the text, a right of the second degree rests on a six-field value with level 1 or 2 and a number."""
    for link in ties(D2, values).links:
        if link.capacity:
            rows = [[part.strip() for part in value.split("$")] for value in values]
            assert any(len(row) == 6 and row[0] == link.guardian and row[3] in ("1", "2") for row in rows)
