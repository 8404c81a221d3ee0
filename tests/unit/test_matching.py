"""Whether two guardian records are the same person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import Degree, Guardian, Tie
from hub.accounts.matching import same_person
from tests.accounts_kit import guardian, student, tie

BASE = guardian("10", "Camille", "Martin", birth_name="Durand", mobiles=("+33639980010",), mail="camille@famille-demo.fr", civility="Mme")


def other(**values: Any) -> Guardian:
    """The same person in the first degree of another academy, but for what is given."""
    twin = guardian("99", feed="02", degree=Degree.PRIMARY)
    facts = {name: getattr(BASE, name) for name in ("family_name", "given_name", "birth_name", "mobiles", "mail", "civility")}
    return replace(twin, **{**facts, **values})


@pytest.mark.covers("F070", "F024")
@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({}, ("names", "mobile", "mail")),
        ({"mail": None}, ("names", "mobile")),
        ({"mobiles": ()}, ("names", "mail")),
        ({"mobiles": ("+33639980777", "+33639980010"), "mail": None}, ("names", "mobile")),
        ({"mobiles": (), "mail": " CAMILLE@famille-demo.fr "}, ("names", "mail")),
        ({"family_name": "MARTIN", "given_name": "CAMILLE"}, ("names", "mobile", "mail")),
        ({"family_name": "Durand", "birth_name": None}, ("names", "mobile", "mail")),
        ({"family_name": "Petit", "birth_name": "Martin"}, ("names", "mobile", "mail")),
        ({"given_name": "Camille Jeanne"}, ("names", "mobile", "mail")),
        ({"civility": None}, ("names", "mobile", "mail")),
    ],
)
def test_the_same_person(values: dict[str, Any], reasons: tuple[str, ...]):
    """Usual or birth name, first given name, and a mobile or a mail; writing does not matter."""
    verdict = same_person(BASE, other(**values))
    assert verdict
    assert verdict.reasons == reasons


@pytest.mark.covers("F070", "AC-23")
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mobiles": (), "mail": None}, "no common mobile or mail"),
        ({"mobiles": ("+33639980011",), "mail": "autre@famille-demo.fr"}, "no common mobile or mail"),
        ({"given_name": "Alex"}, "given name differs"),
        ({"given_name": "Cam"}, "given name differs"),
        ({"given_name": "Camille-Jeanne"}, "given name differs"),
        ({"given_name": ""}, "given name differs"),
        ({"family_name": "Martinez", "birth_name": None}, "family name differs"),
        ({"family_name": "Mart", "birth_name": "Dura"}, "family name differs"),
        ({"civility": "M."}, "civility differs"),
    ],
)
def test_not_the_same_person(values: dict[str, Any], reason: str):
    """A shared number with another name, a name alone, a contradiction: no match, and the reason."""
    verdict = same_person(BASE, other(**values))
    assert not verdict
    assert reason in verdict.reasons


@pytest.mark.covers("AC-23")
def test_two_guardians_of_one_pupil_are_two_people():
    """Inside one feed and degree the source means two people, however alike; two sources may each name the same one."""
    child = student("1")
    twin = replace(other(), ref=guardian("11").ref)
    assert not same_person(BASE, twin, [tie(BASE, child)], [tie(twin, child)])
    assert same_person(BASE, twin, [tie(BASE, child)], [tie(twin, student("2"))])
    elsewhere = other()
    in_primary = Tie(elsewhere.ref, student("5", feed="02").ref, tie(BASE, child).capacity, child.ine)
    assert same_person(BASE, elsewhere, [tie(BASE, child)], [in_primary])


def test_a_pupil_without_ine_is_recognised_by_the_record():
    """The guard does not need an INE."""
    child = student("1", ine=None)
    twin = replace(other(), ref=guardian("11").ref)
    assert not same_person(BASE, twin, [tie(BASE, child)], [tie(twin, child)])


NAMES = st.sampled_from(["Martin", "MARTIN", "Durand", "Petit", "D'Arc", "Darc", ""])
RECORDS = st.builds(
    guardian,
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from(["Camille", "Camille Jeanne", "Alex", ""]),
    NAMES,
    birth_name=st.none() | NAMES,
    mobiles=st.sampled_from([(), ("+33639980001",), ("+33639980001", "+33639980002")]),
    mail=st.none() | st.sampled_from(["a@demo.fr", "A@demo.fr", "b@demo.fr"]),
    civility=st.sampled_from([None, "M.", "Mme"]),
)


@given(RECORDS, RECORDS)
def test_the_verdict_is_symmetric(a: Guardian, b: Guardian):
    """Who is compared with whom does not matter, and a match always rests on a channel."""
    assert same_person(a, b).same == same_person(b, a).same
    if a.ref != b.ref and same_person(a, b):
        assert set(a.mobiles) & set(b.mobiles) or (a.mail or "").lower() == (b.mail or "").lower() != ""
