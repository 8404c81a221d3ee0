"""The contract suite: one behaviour test after another, for any back end that implements :class:`backends.Directory`.

A back end is judged like this, in any test module::

    import pytest
    from backends.contract import POPULATION, DirectoryContract

    @pytest.fixture
    def directory_under_test():
        directory = load_somehow(POPULATION)
        yield directory
        directory.close()

    class TestMyDirectory(DirectoryContract):
        pass

The fixture returns a directory that holds :data:`POPULATION`, exactly. The module registers as a pytest plug-in only to have
its assertions explained; it defines no hook and no fixture, imports nothing but the contract, and costs other runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from . import (
    Capacity,
    Degree,
    Directory,
    Enrolment,
    Guardian,
    Kind,
    NotFound,
    Page,
    Person,
    Ref,
    Refused,
    School,
    Staff,
    Student,
    Tie,
    first_enrolment,
    iterate,
)  # fmt: skip

__all__ = ["POPULATION", "DirectoryContract", "Population"]


@dataclass(frozen=True, slots=True)
class Population:
    """What the directory under test holds."""

    schools: tuple[School, ...]
    students: tuple[Student, ...]
    guardians: tuple[Guardian, ...]
    staff: tuple[Staff, ...]
    ties: tuple[Tie, ...]


def _ref(kind: Kind, id_: str, feed: str = "10", degree: Degree = Degree.SECONDARY) -> Ref:
    return Ref(feed, degree, kind, id_)


COLLEGE = School("0690001B", "COLLEGE DES TILLEULS", "10", Degree.SECONDARY, "COLLEGE", "LYON")
SCHOOL_1D = School("0010002X", "ECOLE DU PONT", "02", Degree.PRIMARY, "ECOLE ELEMENTAIRE", "ARLES", private=True)
SIXTH = Enrolment(COLLEGE.uai, "6A", "10010012110", "6EME", "2111")

LEA = Student(
    _ref(Kind.STUDENT, "501"), "10", "D'ÉTÉ-MARTIN", "Léa", "MARTIN", "Mme", "lea@exemple.fr", ine="123456789AB",
    birth_date=date(2013, 5, 17), other_given_names=("Jeanne", "Zoé"), siecle_number="778899", enrolments=(SIXTH,),
)  # fmt: skip
NOE = Student(
    _ref(Kind.STUDENT, "502"), "10", "Zola", "Noé", civility="M.", ine="123456789CD", birth_date=date(2012, 1, 2),
    enrolments=(Enrolment(COLLEGE.uai, "5B", "10110012110", "5EME", "2112"),),
)  # fmt: skip
NO_INE = Student(_ref(Kind.STUDENT, "503"), "10", "Abel", "Ian", enrolments=(Enrolment(COLLEGE.uai, "6A", "10010012110", "6EME", "2111"),))
LEA_1D = Student(
    _ref(Kind.STUDENT, "501", "02", Degree.PRIMARY), "02", "D'ÉTÉ-MARTIN", "Léa", ine="123456789AB", birth_date=date(2013, 5, 17),
    enrolments=(Enrolment(SCHOOL_1D.uai, "CM2 Mme Roux", level="1125"),),
)  # fmt: skip
LOU, MAX = (
    Student(_ref(Kind.STUDENT, "504"), "10", "Leroy", "Lou", ine="123456789EF", birth_date=date(2013, 5, 17)),
    Student(_ref(Kind.STUDENT, "504", "02", Degree.PRIMARY), "02", "Leroy", "Max", ine="123456789EF", birth_date=date(2013, 5, 17)),
)
ANNE = Guardian(
    _ref(Kind.GUARDIAN, "501"), "10", "D'Été", "Anne-Lise", "Le Goff", "Mme", "anne@exemple.fr", mobiles=("+33639980001", "+41791234567")
)
PAUL = Guardian(_ref(Kind.GUARDIAN, "601"), "10", "Zola", "Paul", civility="M.", mobiles=("+33639980002",))
ANNE_1D = Guardian(
    _ref(Kind.GUARDIAN, "9", "02", Degree.PRIMARY), "02", "D ETE", "ANNE-LISE", mail="anne@exemple.fr", mobiles=("+33639980001",)
)
PAUL_JULES = Guardian(_ref(Kind.GUARDIAN, "602"), "10", "Zola", "Paul Jules", civility="M.", mobiles=("+33639980003",))
HEAD = Staff(_ref(Kind.STAFF, "501"), "10", "Roy", "Claude", functions=((COLLEGE.uai, "DIR"), (COLLEGE.uai, "ENS")))

POPULATION = Population(
    schools=(COLLEGE, SCHOOL_1D),
    students=(LEA, NOE, NO_INE, LEA_1D, LOU, MAX),
    guardians=(ANNE, PAUL, ANNE_1D, PAUL_JULES),
    staff=(HEAD,),
    ties=(
        Tie(ANNE.ref, LEA.ref, Capacity.LEGAL, LEA.ine),
        Tie(ANNE.ref, NO_INE.ref, Capacity.LEGAL, None),
        Tie(PAUL.ref, LEA.ref, Capacity.IN_CHARGE, LEA.ine),
        Tie(PAUL.ref, NOE.ref, Capacity.LEGAL, NOE.ine),
        Tie(ANNE_1D.ref, LEA_1D.ref, Capacity.LEGAL, LEA_1D.ine),
        Tie(PAUL.ref, LOU.ref, Capacity.LEGAL, LOU.ine),
    ),
)
"""Two academies, one number shared by a pupil, a relative and an agent, one child of two degrees, one pupil without INE, two
children (twins) whose academies gave them one INE."""

SHOWN_TIES = tuple(replace(tie, ine=None) if tie.ine == LOU.ine else tie for tie in POPULATION.ties)
"""The ties as a directory shows them."""

HOSTILE = ("' OR '1'='1", "%", "_", "*)(uid=*", "\\", "a\x00b", "'; DROP TABLE directory_student; --")


def _raises(error: type[Exception], call: object, *args: object) -> bool:
    assert callable(call)
    try:
        call(*args)
    except error:
        return True
    return False


def _refs(page: Page) -> list[Ref]:
    return [person.ref for person in page.items]


class DirectoryContract:
    """Every behaviour that the hub relies on. Inherit it in a class whose name begins with ``Test``."""

    def test_person_gives_the_whole_record(self, directory_under_test: Directory) -> None:
        """Each record comes back exactly as it was loaded, by its reference."""
        twins = (replace(LOU, ine=None), replace(MAX, ine=None))
        everyone: tuple[Person, ...] = (LEA, NOE, NO_INE, LEA_1D, *twins, *POPULATION.guardians, *POPULATION.staff)
        for person in everyone:
            assert directory_under_test.person(person.ref) == person

    def test_person_unknown_is_not_found(self, directory_under_test: Directory) -> None:
        """No record under that number, in that feed, degree and kind: NotFound, whatever the number looks like."""
        for ref in (_ref(Kind.STUDENT, "999"), _ref(Kind.STUDENT, "501", "99"), _ref(Kind.GUARDIAN, "502"), _ref(Kind.STAFF, "601")):
            assert _raises(NotFound, directory_under_test.person, ref)
        for text in ("' OR '1'='1", "%", "*)(uid=*", "501 "):
            assert _raises(NotFound, directory_under_test.person, _ref(Kind.STUDENT, text))

    def test_students_by_ine_finds_every_record_of_the_child(self, directory_under_test: Directory) -> None:
        """A child in two degrees has two records, in the order of their references; case and blanks do not matter."""
        assert directory_under_test.students_by_ine("123456789AB") == (LEA_1D, LEA)
        assert directory_under_test.students_by_ine(" 123456789ab ") == (LEA_1D, LEA)
        assert directory_under_test.students_by_ine("123456789CD") == (NOE,)

    def test_students_by_ine_never_matches_an_absent_ine(self, directory_under_test: Directory) -> None:
        """An empty or unknown INE finds nobody, not the pupils without INE."""
        for ine in ("", " ", "000000000ZZ", "%", "None"):
            assert directory_under_test.students_by_ine(ine) == ()

    def test_an_ine_of_two_children_identifies_nobody(self, directory_under_test: Directory) -> None:
        """Two academies give twins one INE: nobody is found by it, and neither record nor tie shows it."""
        assert LOU.ine is not None
        assert directory_under_test.students_by_ine(LOU.ine) == ()
        for twin in (LOU, MAX):
            student = directory_under_test.person(twin.ref)
            assert isinstance(student, Student)
            assert student.ine is None
        assert [tie.ine for tie in directory_under_test.guardians_of(LOU.ref)] == [None]
        assert [tie.ine for tie in directory_under_test.ties_of(PAUL.ref) if tie.student == LOU.ref] == [None]

    def test_find_guardians_by_name_and_mobile(self, directory_under_test: Directory) -> None:
        """Name in use or birth name, without case, accents, hyphens, apostrophes; any of the mobiles."""
        find = directory_under_test.find_guardians
        assert find("D'ÉTÉ", "Anne-Lise", mobile="+33639980001") == (ANNE_1D, ANNE)
        assert find("d ete", "ANNE-LISE", mobile="+41791234567") == (ANNE,)
        assert find("LE GOFF", "anne-lise", mobile="+33639980001") == (ANNE,)

    def test_find_guardians_by_the_first_given_name(self, directory_under_test: Directory) -> None:
        """Other given names, on either side, neither help nor hinder; a hyphen makes one name of two."""
        find = directory_under_test.find_guardians
        assert find("Zola", "Paul", mobile="+33639980003") == find("Zola", "Paul, Jules", mobile="+33639980003") == (PAUL_JULES,)
        assert find("Zola", "Paul-Jules", mobile="+33639980003") == find("Zola", "Jules", mobile="+33639980003") == ()
        assert find("D'ÉTÉ", "Anne", mobile="+33639980001") == ()

    def test_find_guardians_by_name_and_mail(self, directory_under_test: Directory) -> None:
        """A mail is compared trimmed and in lower case."""
        assert directory_under_test.find_guardians("d'été", "Anne-Lise", mail=" Anne@Exemple.FR ") == (ANNE_1D, ANNE)

    def test_find_guardians_needs_every_proof(self, directory_under_test: Directory) -> None:
        """A name alone, a channel of somebody else, part of a number or of a name find nobody."""
        find = directory_under_test.find_guardians
        assert find("Zola", "Paul", mobile="+33639980002") == (PAUL,)
        assert find("Zola", "Paul") == ()
        assert find("Zola", "Paul", mobile="", mail="") == ()
        assert find("Zola", "Paul", mobile="+33639980001") == ()
        assert find("Zola", "Paul", mobile="+3363998000") == ()
        assert find("Zola", "Pau", mobile="+33639980002") == ()
        assert find("", "", mobile="+33639980002") == ()

    def test_find_guardians_is_not_fooled(self, directory_under_test: Directory) -> None:
        """Wildcards and injections are text."""
        for text in HOSTILE:
            assert directory_under_test.find_guardians(text, text, mobile="+33639980002", mail=text) == ()
            assert directory_under_test.find_guardians("Zola", "Paul", mobile=text) == ()
            assert directory_under_test.find_guardians("Zola", "Paul", mail=text) == ()

    def test_ties_of_a_guardian(self, directory_under_test: Directory) -> None:
        """The rights of one record, ordered by student; other records of the same human are apart."""
        for guardian in POPULATION.guardians:
            expected = sorted((tie for tie in SHOWN_TIES if tie.guardian == guardian.ref), key=lambda tie: tie.student)
            assert directory_under_test.ties_of(guardian.ref) == tuple(expected)

    def test_guardians_of_a_student(self, directory_under_test: Directory) -> None:
        """Who answers for a student, ordered by guardian, with the capacity of each."""
        for student in POPULATION.students:
            expected = sorted((tie for tie in SHOWN_TIES if tie.student == student.ref), key=lambda tie: tie.guardian)
            assert directory_under_test.guardians_of(student.ref) == tuple(expected)

    def test_unknown_ends_have_no_tie(self, directory_under_test: Directory) -> None:
        """An unknown reference, or one of the wrong kind, has no right and raises nothing."""
        assert directory_under_test.ties_of(_ref(Kind.GUARDIAN, "999")) == ()
        assert directory_under_test.guardians_of(_ref(Kind.STUDENT, "999")) == ()
        assert directory_under_test.ties_of(LEA.ref) == ()
        assert directory_under_test.guardians_of(ANNE.ref) == ()

    def test_members_by_name(self, directory_under_test: Directory) -> None:
        """People of a school by family name then given name, each kind apart, complete records."""
        assert directory_under_test.members(COLLEGE.uai, Kind.STUDENT).items == (NO_INE, LEA, NOE)
        assert directory_under_test.members(COLLEGE.uai, Kind.GUARDIAN).items == (ANNE, PAUL)
        assert directory_under_test.members(COLLEGE.uai, Kind.STAFF).items == (HEAD,)
        assert directory_under_test.members(SCHOOL_1D.uai, Kind.GUARDIAN).items == (ANNE_1D,)
        assert directory_under_test.members("9999999Z", Kind.STUDENT) == Page(())

    def test_members_filtered(self, directory_under_test: Directory) -> None:
        """By the start of a name without accents, and by the exact class."""
        members = directory_under_test.members
        assert _refs(members(COLLEGE.uai, Kind.STUDENT, name="dete")) == [LEA.ref]
        assert _refs(members(COLLEGE.uai, Kind.STUDENT, name="NOE")) == [NOE.ref]
        assert _refs(members(COLLEGE.uai, Kind.STUDENT, division="6A")) == [NO_INE.ref, LEA.ref]
        assert _refs(members(COLLEGE.uai, Kind.STUDENT, division="6")) == []
        assert _refs(members(COLLEGE.uai, Kind.GUARDIAN, division="5B")) == [PAUL.ref]
        assert _refs(members(COLLEGE.uai, Kind.STUDENT, division="%")) == []

    def test_members_page_by_page(self, directory_under_test: Directory) -> None:
        """Pages of one give the whole list once, in order, and end."""
        first = directory_under_test.members(COLLEGE.uai, Kind.STUDENT, limit=1)
        assert first.next is not None
        assert [p.ref for p in iterate(directory_under_test, COLLEGE.uai, Kind.STUDENT, page=1)] == [NO_INE.ref, LEA.ref, NOE.ref]
        assert directory_under_test.members(COLLEGE.uai, Kind.STUDENT, limit=3).next is None

    def test_members_refuses_nonsense(self, directory_under_test: Directory) -> None:
        """A limit out of 1 to 1000 or an invented page token is refused, not guessed."""
        for limit in (0, -1, 1001):
            assert _raises(Refused, lambda limit=limit: directory_under_test.members(COLLEGE.uai, Kind.STUDENT, limit=limit))
        for after in ("", "x", "W10=", "é", "bnVsbA=="):
            assert _raises(Refused, lambda after=after: directory_under_test.members(COLLEGE.uai, Kind.STUDENT, after=after))

    def test_school_by_uai(self, directory_under_test: Directory) -> None:
        """A school by its UAI, written in any case."""
        for school in POPULATION.schools:
            assert directory_under_test.school(school.uai) == school
        assert directory_under_test.school(COLLEGE.uai.lower()) == COLLEGE
        assert _raises(NotFound, directory_under_test.school, "9999999Z")

    def test_first_enrolment_is_the_main_one(self, directory_under_test: Directory) -> None:
        """The main enrolment carries class, course and level."""
        student = directory_under_test.person(LEA.ref)
        assert isinstance(student, Student)
        assert first_enrolment(student) == SIXTH

    def test_health_answers(self, directory_under_test: Directory) -> None:
        """A back end that works says so and names nobody."""
        health = directory_under_test.health()
        assert health.ok
        assert all(name not in health.detail for name in ("Zola", "Anne", "Léa"))

    def test_close_twice(self, directory_under_test: Directory) -> None:
        """Closing is safe to repeat."""
        directory_under_test.close()
        directory_under_test.close()
