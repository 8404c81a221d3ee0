"""The release function: exactly what each kind of person shows to each kind of service."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from backends import Degree, Enrolment, Guardian, Kind, Ref, Student
from hub.release.identifiers import Pseudonyms
from hub.release.policy import Child, Occasion, ReleasePolicy, Subject, release

PSEUDONYMS = Pseudonyms(b"k" * 32)
OCCASION = Occasion(datetime(2026, 11, 25, 7, 5, 9, 12345, tzinfo=UTC), "https://hub.example/logout?token=t")
ENT = "https://ent.example/sp"

PUPIL = Student(
    ref=Ref("13", Degree.SECONDARY, Kind.STUDENT, "10001"),
    academy="13",
    family_name="L'HÉRITIER-ÇELIK",
    given_name="Anaïs",
    civility="Mme",
    ine="123456789AB",
    birth_date=date(2012, 3, 4),
    enrolments=(Enrolment("0131234F", "3A", "21160010019", "3EME", "2116"),),
)
PRIMARY_PUPIL = Student(
    ref=Ref("04", Degree.PRIMARY, Kind.STUDENT, "7"), academy="04", family_name="NGUYEN", given_name="Léo", ine="987654321ZZ"
)
MOTHER_13 = Guardian(Ref("13", Degree.SECONDARY, Kind.GUARDIAN, "20"), "13", "MARTIN", "Zoé")
MOTHER_04 = Guardian(Ref("04", Degree.PRIMARY, Kind.GUARDIAN, "33"), "04", "MARTIN", "Zoé")
BOTH = frozenset({str(MOTHER_04.ref), str(MOTHER_13.ref)})


def values(subject: Subject, **policy: object) -> dict[str, tuple[str, ...]]:
    """What is sent, by friendly name."""
    outcome = release(ReleasePolicy(ENT, "educonnect", **policy), subject, OCCASION, PSEUDONYMS)  # type: ignore[arg-type]
    return {attribute.friendly_name or "": attribute.values for attribute in outcome.attributes}


def test_a_pupil_of_a_college():
    """Every attribute of the dialect but the clear INE, with the grammar that services check."""
    assert values(Subject("a1", (PUPIL,))) == {
        "FrEduUrlRetour": ("https://hub.example/logout?token=t",),
        "FrEduCtDateConnexion": ("2026-11-25 07:05:09.012",),
        "FrEduCtPersonAffiliation": ("eleve2d",),
        "FrEduCtId": (PSEUDONYMS.account_id(ENT, "a1"),),
        "FrEduCtEleveINEHash": (PSEUDONYMS.ine_hash("123456789AB"),),
        "FrEduCtDateNaissance": ("2012-03-04",),
        "FrEduCtEleveUAI": ("0131234F",),
        "FrEduCtEleveNiveau": ("2116",),
        "preauCivilite": ("Mme",),
        "givenName": ("Anaïs",),
        "sn": ("L'HÉRITIER-ÇELIK",),
        "FrEduCtRefId": ("{AAF}13|2D|10001",),
    }


def test_missing_facts_are_left_out_never_sent_empty():
    """A primary pupil without birth date, school or civility."""
    sent = values(Subject("a2", (PRIMARY_PUPIL,)))
    assert sent["FrEduCtPersonAffiliation"] == ("eleve1d",)
    assert sent["FrEduCtRefId"] == ("{AAF}4|1D|7",)
    assert not {"FrEduCtDateNaissance", "FrEduCtEleveUAI", "FrEduCtEleveNiveau", "preauCivilite"} & set(sent)


def test_a_guardian_shows_nothing_of_the_children():
    """Six attributes, no pupil's data, no list of children (saml.md 1.4)."""
    child = Child("123456789AB", frozenset({Degree.SECONDARY}))
    sent = values(Subject("a3", (MOTHER_13,), (child,), frozenset({str(MOTHER_13.ref)}), frozenset({str(MOTHER_13.ref)})))
    assert set(sent) == {
        "FrEduUrlRetour",
        "FrEduCtDateConnexion",
        "FrEduCtPersonAffiliation",
        "FrEduCtId",
        "givenName",
        "sn",
        "FrEduCtRefId",
    }
    assert sent["FrEduCtPersonAffiliation"] == ("resp2d",)


def test_a_guardian_of_two_academies_has_one_value_for_each_record():
    """Both degrees, both records, on one account (F004)."""
    children = (Child("A", frozenset({Degree.SECONDARY})), Child("B", frozenset({Degree.PRIMARY})))
    subject = Subject("a4", (MOTHER_04, MOTHER_13), children, BOTH, BOTH)
    sent = values(subject)
    assert sent["FrEduCtPersonAffiliation"] == ("resp1d", "resp2d")
    assert sent["FrEduCtRefId"] == ("{AAF}4|1D|33", "{AAF}13|2D|20")


@pytest.mark.covers("F005", "F007")
def test_a_person_in_charge_is_told_only_to_a_service_open_to_them():
    """Capacity in charge: hidden by default, shown where the registry says so."""
    child = Child("A", in_charge=frozenset({Degree.SECONDARY}))
    subject = Subject("a5", (MOTHER_13,), (child,), frozenset({str(MOTHER_13.ref)}))
    assert not {"FrEduCtPersonAffiliation", "FrEduCtRefId"} & set(values(subject))
    assert values(subject, open_to_in_charge=True)["FrEduCtPersonAffiliation"] == ("resp2d",)


@pytest.mark.covers("F005", "F007")
def test_a_capacity_is_that_of_its_degree():
    """Legal in the first degree and in charge in the second, of one child: each affiliation by its own right."""
    child = Child("A", frozenset({Degree.PRIMARY}), frozenset({Degree.SECONDARY}))
    subject = Subject("a5", (MOTHER_04, MOTHER_13), (child,), frozenset({str(MOTHER_04.ref)}))
    assert values(subject)["FrEduCtPersonAffiliation"] == ("resp1d",)
    assert values(subject, open_to_in_charge=True)["FrEduCtPersonAffiliation"] == ("resp1d", "resp2d")


@pytest.mark.covers("RQ-73")
def test_the_clear_ine_goes_only_to_a_service_granted_it_by_name():
    """The INE is never part of a default."""
    assert "FrEduCtEleveINE" not in values(Subject("a1", (PUPIL,)))
    assert values(Subject("a1", (PUPIL,)), granted=frozenset({"FrEduCtEleveINE"})) == {"FrEduCtEleveINE": ("123456789AB",)}


def test_a_value_outside_its_grammar_is_not_sent():
    """A malformed UAI of the source never reaches a service; the preview says why."""
    broken = Student(PUPIL.ref, "13", "A", "B", enrolments=(Enrolment("01301RES"),))
    outcome = release(ReleasePolicy(ENT, "educonnect"), Subject("a6", (broken,)), OCCASION, PSEUDONYMS)
    assert next(d for d in outcome.decisions if d.friendly_name == "FrEduCtEleveUAI").reason == "does not fit its grammar"
    assert all(attribute.friendly_name != "FrEduCtEleveUAI" for attribute in outcome.attributes)


def test_identifiers_differ_by_service_and_by_person_and_stay():
    """Pairwise, distinct, stable, and never equal but for case."""
    one = PSEUDONYMS.persistent_name_id(ENT, "a1")
    assert one == Pseudonyms(b"k" * 32).persistent_name_id(ENT, "a1")
    others = {PSEUDONYMS.persistent_name_id("https://other.example", "a1"), PSEUDONYMS.persistent_name_id(ENT, "a2")}
    assert one not in others and len(others) == 2
    assert one == one.lower() and one.isalnum()


def test_parts_of_a_pseudonym_cannot_be_shifted():
    """A service name that swallows the start of an account id gives another value."""
    assert PSEUDONYMS.account_id("ab", "c") != PSEUDONYMS.account_id("a", "bc")


def test_every_decision_is_explained():
    """The preview lists the whole dialect, released or not."""
    outcome = release(ReleasePolicy(ENT, "educonnect", frozenset({"sn"})), Subject("a1", (PUPIL,)), OCCASION, PSEUDONYMS)
    assert len(outcome.decisions) == 13
    assert {d.reason for d in outcome.decisions} == {"released", "not granted"}


def test_a_record_whose_children_are_all_refused_is_not_told():
    """Services find children by the record: without a confirmed child it stays here (functional.md 4.8)."""
    child = Child("A", frozenset({Degree.SECONDARY}))
    subject = Subject("a7", (MOTHER_04, MOTHER_13), (child,), frozenset({str(MOTHER_13.ref)}), frozenset({str(MOTHER_13.ref)}))
    assert values(subject, open_to_in_charge=True)["FrEduCtRefId"] == ("{AAF}13|2D|20",)
