"""The import of complete exports, from files to the directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from backends import Capacity, Degree, Enrolment, Guardian, Kind, NotFound, Ref, Staff, Student
from backends.sdet.causes import Cause
from backends.sdet.records import DeliveryKind
from backends.sql import SqlDirectory
from hub.errors import Refusal
from hub.feeding.flow import check, import_delivery
from tests import aaf_kit as kit

D1, D2 = Degree.PRIMARY, Degree.SECONDARY


def ref(kind: Kind, id_: str, degree: Degree = D2, feed: str = "10") -> Ref:
    """A reference of the feed under test."""
    return Ref(feed, degree, kind, id_)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """An empty directory."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        yield directory


@pytest.mark.covers("F020", "F021", "IM-01")
def test_complete_of_the_second_degree(tmp_path: Path, directory: SqlDirectory) -> None:
    """Structures, courses, agents, guardians and pupils come out as typed records."""
    report = import_delivery(kit.usual(tmp_path / "in").write(), directory)

    assert {key: (c.read, c.created, c.refused) for key, c in report.counts.items()} == {
        ("2D", category): (1, 1, 0) for category in ("school", "mef", "staff", "guardian", "student")
    }
    pupil = directory.person(ref(Kind.STUDENT, "501"))
    assert isinstance(pupil, Student)
    assert (pupil.academy, pupil.family_name, pupil.given_name, pupil.civility) == ("10", "MARTIN", "Léa", "Mme")
    assert (pupil.ine, pupil.birth_date) == ("000000501AB", date(2013, 5, 17))
    assert pupil.enrolments == (Enrolment("0690001B", "6A", "10010012110", "6EME", "2111"),)
    mother = directory.person(ref(Kind.GUARDIAN, "601"))
    assert isinstance(mother, Guardian)
    assert (mother.mobiles, mother.mail) == (("+33639980001",), "anne@exemple.fr")
    head = directory.person(ref(Kind.STAFF, "701"))
    assert isinstance(head, Staff)
    assert head.functions == (("0690001B", "DIR"),)
    assert [(tie.guardian.id, tie.capacity) for tie in directory.guardians_of(pupil.ref)] == [("601", Capacity.LEGAL)]
    school = directory.school("0690001B")
    assert (school.name, school.town, school.academy, school.private) == ("COLLEGE DES TILLEULS", "LYON", "10", False)


def test_complete_of_the_first_degree(tmp_path: Path, directory: SqlDirectory) -> None:
    """Other attribute names, five-field classes, level on the pupil, everyone legal."""
    delivery = kit.Delivery(
        tmp_path / "in",
        {"EtabEducNat": [kit.school_1d()], "PersRelEleve": [kit.guardian_1d()], "Eleve": [kit.student_1d()]},
        head=kit.header(degree="1D", sdet="Annexe 1 version 6.4"),
    )
    import_delivery(delivery.write(), directory)
    pupil = directory.person(ref(Kind.STUDENT, "501", D1))
    assert isinstance(pupil, Student)
    assert pupil.enrolments == (Enrolment("0690100J", "CM2 Mme Roux", level="1125"),)
    assert [tie.capacity for tie in directory.guardians_of(pupil.ref)] == [Capacity.LEGAL]
    assert [g.mail for g in directory.find_guardians("martin", "anne", mobile="+33639980001")] == ["anne@exemple.fr"]


def test_old_files_without_header(tmp_path: Path, directory: SqlDirectory) -> None:
    """No header, no DOCTYPE, old codes: the content tells the degree, the operator the academy, level 2 is legal."""
    path = tmp_path / "_Eleve_.xml"
    path.write_text(kit.document(kit.student(relatives=["601$1$0$2$1$0", "602$2$1$1$1$0"]), head="", doctype=""), encoding="utf-8")
    with pytest.raises(Refusal, match="--academy"):
        import_delivery(path, directory, kind=DeliveryKind.COMPLETE)
    with pytest.raises(Refusal, match="--kind"):
        import_delivery(path, directory, academy="010", feed="lyon")
    report = import_delivery(path, directory, academy="010", feed="lyon", kind=DeliveryKind.COMPLETE)
    assert report.causes[Cause.header_missing] == report.causes[Cause.doctype_missing] == report.causes[Cause.level_2_old] == 1
    assert report.causes[Cause.structure_unknown] == report.causes[Cause.guardian_missing] == 1
    assert directory.person(ref(Kind.STUDENT, "501", feed="lyon")).academy == "10"


def test_links_wait_for_their_ends(tmp_path: Path, directory: SqlDirectory) -> None:
    """A guardian and a structure that come later complete the links of a pupil that is not delivered again."""
    first = kit.Delivery(tmp_path / "a", {"Eleve": [kit.student()]})
    import_delivery(first.write(), directory)
    pupil = ref(Kind.STUDENT, "501")
    assert directory.guardians_of(pupil) == ()
    usual = kit.usual(tmp_path / "b")
    report = import_delivery(usual.write(), directory)
    assert report.count("2D", "student").unchanged == 1
    assert len(directory.guardians_of(pupil)) == 1
    assert len(directory.ties_of(ref(Kind.GUARDIAN, "601"))) == 1
    person = directory.person(pupil)
    assert isinstance(person, Student)
    assert person.enrolments[0].uai == "0690001B"


def test_who_leaves_a_complete_is_ended(tmp_path: Path, directory: SqlDirectory) -> None:
    """A pupil or a guardian that is gone is invisible; the row is kept; coming back restores it."""
    usual = kit.usual(tmp_path / "a")
    usual.records["Eleve"].append(kit.student("502", relatives=["602$20$1$1$0$1"]))
    usual.records["PersRelEleve"].append(kit.guardian("602"))
    import_delivery(usual.write(), directory)
    assert directory.person(ref(Kind.STUDENT, "502"))

    report = import_delivery(kit.usual(tmp_path / "b").write(), directory, accept_shrink=True)
    assert report.count("2D", "student").ended == report.count("2D", "guardian").ended == 1
    for gone in (ref(Kind.STUDENT, "502"), ref(Kind.GUARDIAN, "602")):
        with pytest.raises(NotFound):
            directory.person(gone)
    assert directory.ties_of(ref(Kind.GUARDIAN, "602")) == directory.guardians_of(ref(Kind.STUDENT, "502")) == ()
    assert directory.students_by_ine("000000502AB") == ()
    assert [p.ref.id for p in directory.members("0690001B", Kind.STUDENT).items] == ["501"]
    assert "'502'" in kit.dump(directory)

    report = import_delivery(usual.folder, directory)
    assert report.count("2D", "student").created == 1
    assert len(directory.guardians_of(ref(Kind.STUDENT, "502"))) == 1


def test_right_removed_or_lowered_at_the_next_complete(tmp_path: Path, directory: SqlDirectory) -> None:
    """A guardian no longer named loses the link at that import; a new level changes the capacity."""
    usual = kit.usual(tmp_path / "a")
    import_delivery(usual.write(), directory)
    guardian = ref(Kind.GUARDIAN, "601")
    assert [tie.capacity for tie in directory.ties_of(guardian)] == [Capacity.LEGAL]
    for relatives, expected in ((["601$10$0$2$0$0"], [Capacity.IN_CHARGE]), (["601$10$0$0$1$0"], []), ([], [])):
        usual.records["Eleve"] = [kit.student(relatives=relatives)]
        import_delivery(usual.write(), directory)
        assert [tie.capacity for tie in directory.ties_of(guardian)] == expected
    assert directory.person(guardian)


def test_two_degrees_of_one_feed_do_not_end_each_other(tmp_path: Path, directory: SqlDirectory) -> None:
    """A complete of one degree leaves the other alone, and one number in both names two children."""
    import_delivery(kit.usual(tmp_path / "a").write(), directory)
    head = kit.header(degree="1D", sdet="Annexe 1 version 6.4")
    import_delivery(
        kit.Delivery(tmp_path / "b", {"EtabEducNat": [kit.school_1d()], "Eleve": [kit.student_1d()]}, head=head).write(), directory
    )
    assert directory.person(ref(Kind.STUDENT, "501", D2)) != directory.person(ref(Kind.STUDENT, "501", D1))
    assert [s.ref.degree for s in directory.students_by_ine("000000501AB")] == [D1, D2]


@pytest.mark.covers("IM-09", "IM-13")
@pytest.mark.parametrize("category", ["Eleve", "PersRelEleve", "EtabEducNat", "PersEducNat", "MefEducNat"])
@pytest.mark.parametrize("empty", [True, False])
def test_emptied_category_is_held(tmp_path: Path, directory: SqlDirectory, category: str, empty: bool) -> None:
    """A category that was published and comes without record, or does not come, never means that everybody left."""
    import_delivery(kit.usual(tmp_path / "a").write(), directory)
    before = kit.dump(directory)
    usual = kit.usual(tmp_path / "b")
    if empty:
        usual.records[category] = []
    else:
        del usual.records[category]
    with pytest.raises(Refusal, match="held for a human"):
        import_delivery(usual.write(), directory)
    assert kit.dump(directory) == before


def test_older_complete_is_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """An export older than the published one would bring back withdrawn rights; the same date or a newer one passes."""
    usual = kit.usual(tmp_path / "a")
    import_delivery(usual.write(), directory)
    usual.head = kit.header(day="15/09/2024")
    with pytest.raises(Refusal, match="older"):
        import_delivery(usual.write(), directory)
    usual.head = kit.header(day="17/09/2024")
    assert import_delivery(usual.write(), directory).published


def test_class_in_another_structure_is_a_second_enrolment(tmp_path: Path, directory: SqlDirectory) -> None:
    """Shared schooling: the structure of attachment comes first."""
    usual = kit.usual(tmp_path / "a")
    usual.records["EtabEducNat"].append(kit.school("1001", "0690002C"))
    usual.records["Eleve"] = [kit.student(ENTEleveClasses=["1001$ULIS", "1000$6A$B"])]
    import_delivery(usual.write(), directory)
    pupil = directory.person(ref(Kind.STUDENT, "501"))
    assert isinstance(pupil, Student)
    assert [(e.uai, e.division) for e in pupil.enrolments] == [("0690001B", "6A$B"), ("0690002C", "ULIS")]
    assert [p.ref.id for p in directory.members("0690002C", Kind.STUDENT, division="ULIS").items] == ["501"]


def test_quality_report(tmp_path: Path) -> None:
    """The cases of the data-quality list are counted with file and line."""
    usual = kit.usual(tmp_path / "a")
    usual.records["EtabEducNat"] += [kit.school("1002", "004001ZV"), kit.school("1003", "0690001Z")]
    usual.records["Eleve"] = [
        kit.student("501", ENTEleveINE="", ENTPersonDateNaissance="", personalTitle="", ENTPersonJointure="9"),
        kit.student("502", ENTEleveINE="12", ENTPersonDateNaissance="31/02/2013", personalTitle="Dr", ENTEleveClasses="1000$"),
        kit.student("503", ENTEleveINE="0ABCDE12345", ENTPersonDateNaissance="01/01/1914", ENTPersonStructRattach="77"),
        kit.student("504", ENTEleveINE="0ABCDE12345", sn="", ENTPersonNomPatro="ROUX", relatives=["601$95$1$1$0$1", "999$70$1$1$0$1"]),
    ]
    usual.records["PersRelEleve"] = [kit.guardian("601", mobile="néant", homePhone="0639980002", mail="x"), kit.guardian("602")]
    report = check(usual.write())
    expected = {
        Cause.uai_malformed: 1, Cause.uai_letter: 1, Cause.ine_missing: 1, Cause.ine_malformed: 1, Cause.ine_uncommon: 2,
        Cause.birth_date_missing: 1, Cause.birth_date_unreadable: 1, Cause.birth_date_implausible: 1,
        Cause.civility_missing: 1, Cause.civility_unknown: 1, Cause.id_differs: 1, Cause.class_unreadable: 1, Cause.class_elsewhere: 1,
        Cause.structure_unknown: 1, Cause.family_name_missing: 1, Cause.relation_unknown: 1, Cause.pupil_is_own_guardian: 1,
        Cause.phone_unusable: 1, Cause.mobile_elsewhere: 1, Cause.mail_invalid: 1, Cause.guardian_unused: 1,
    }  # fmt: skip
    assert dict(report.causes) == expected
    assert not report.published
    place = report.places[Cause.ine_malformed][0]
    lines = (tmp_path / "a" / place.file).read_text().splitlines()
    assert lines[place.line - 1] == "<addRequest>"
    assert "<id>502</id>" in lines[place.line + 1]
    assert json.loads(json.dumps(report.to_json()))["counts"]


def test_names_of_files_are_checked(tmp_path: Path) -> None:
    """A malformed date, a gap in the numbers, a file given twice, other files: reported, never fatal."""
    usual = kit.usual(tmp_path / "a")
    folder = usual.write()
    (folder / "ENT2D_Complet_201300408_Eleve_0000.xml").write_text(kit.document(kit.student("502")), encoding="utf-8")
    (folder / "ENT2D_Complet_20240916_Eleve_0002.xml").write_text(kit.document(kit.student("503")), encoding="utf-8")
    (folder / "ENT2D_Complet_20240916_Eleve_0003.xml").write_text(kit.document(kit.student("503")), encoding="utf-8")
    (folder / "ficAlimMENESR.dtd").write_text("<!ELEMENT x ANY>")
    report = check(folder)
    for cause in (Cause.file_date_malformed, Cause.sequence_gap, Cause.file_twice, Cause.file_ignored):
        assert report.causes[cause] == 1, cause
    assert report.count("2D", "student").read == 3


@pytest.mark.covers("IM-09")
def test_a_file_missing_in_the_sequence_is_held(tmp_path: Path, directory: SqlDirectory) -> None:
    """Its pupils would leave; a human may say that the delivery is whole."""
    folder = kit.usual(tmp_path / "a").write()
    (folder / "ENT2D_Complet_20240916_Eleve_0002.xml").write_text(kit.document(kit.student("503")), encoding="utf-8")
    with pytest.raises(Refusal, match=r"ENT2D_Complet_20240916_Eleve_\*.*--accept-gap"):
        import_delivery(folder, directory)
    assert directory.health().counts["students"] == 0
    assert import_delivery(folder, directory, accept_gap=True).causes[Cause.sequence_gap] == 1


@pytest.mark.parametrize(
    "name", ["ENT_Delta_20240916_Eleve_0000.xml", "x.zip", "x.tar.gz", "CLG95_GPEI_Complet_x.xml", "GAR-ENT-Eleve.xml"]
)
def test_what_is_no_complete_is_refused_by_name(tmp_path: Path, directory: SqlDirectory, name: str) -> None:
    """Deltas, archives, GPEI and GAR files are named in the refusal; nothing changes."""
    folder = kit.usual(tmp_path / "a").write()
    (folder / name).write_text(kit.document(kit.student("502")), encoding="utf-8")
    before = kit.dump(directory)
    with pytest.raises(Refusal, match=name.split("_", maxsplit=1)[0][:3]):
        import_delivery(folder, directory)
    assert kit.dump(directory) == before
    (folder / name).unlink()
    assert import_delivery(folder, directory).published


@pytest.mark.parametrize("operation", ["modifyRequest", "deleteRequest"])
def test_delta_is_told_by_its_content(tmp_path: Path, directory: SqlDirectory, operation: str) -> None:
    """A modification or a deletion makes a delta, whatever the file is called."""
    usual = kit.usual(tmp_path / "a")
    usual.records["Eleve"].append(kit.record("Eleve", "9", operation=operation, sn="X"))
    with pytest.raises(Refusal, match="makes this a delta"):
        import_delivery(usual.write(), directory)
    assert directory.health().counts["students"] == 0


def test_gpei_is_told_by_its_content(tmp_path: Path, directory: SqlDirectory) -> None:
    """Attributes of the GPEI format refuse the file."""
    usual = kit.usual(tmp_path / "a")
    usual.records["Eleve"].append(kit.student("502", GPEIEleveX="1"))
    with pytest.raises(Refusal, match="GPEI"):
        import_delivery(usual.write(), directory)


def test_wrong_degree_in_the_header_is_held(tmp_path: Path, directory: SqlDirectory) -> None:
    """A second-degree file that calls itself first degree would make everybody a legal guardian: held."""
    usual = kit.usual(tmp_path / "a")
    usual.head = kit.header(degree="1D")
    with pytest.raises(Refusal, match="held for a human"):
        import_delivery(usual.write(), directory)


def test_several_files_and_progress(tmp_path: Path, directory: SqlDirectory) -> None:
    """Files given one by one, in any order; progress ends at the whole size."""
    folder = kit.usual(tmp_path / "a").write()
    seen: list[tuple[int, int]] = []
    report = import_delivery(sorted(folder.iterdir(), reverse=True), directory, progress=lambda done, total: seen.append((done, total)))
    assert [name.split("_")[3] for name in report.files] == ["EtabEducNat", "MefEducNat", "PersEducNat", "PersRelEleve", "Eleve"]
    assert seen[-1][0] == seen[-1][1] == sum(path.stat().st_size for path in folder.iterdir())


def test_check_writes_nothing(tmp_path: Path, directory: SqlDirectory) -> None:
    """A check reads only the delivery and gives the same findings as the import."""
    folder = kit.usual(tmp_path / "a").write()
    report = check(folder)
    assert not report.published
    assert directory.health().counts["students"] == 0
    assert report.causes == import_delivery(folder, directory).causes


def test_agents_other_than_heads_and_teachers_are_skipped(tmp_path: Path, directory: SqlDirectory) -> None:
    """Other function codes are counted and left out."""
    usual = kit.usual(tmp_path / "a")
    usual.records["PersEducNat"] += [kit.agent("702", ["1000$AED$x$y$z"]), kit.agent("703", ["1000$ADM$x$y$z", "1000$ENS$x$y$z", "$DIR$"])]
    report = import_delivery(usual.write(), directory)
    assert (report.count("2D", "staff").created, report.count("2D", "staff").skipped) == (2, 1)
    assert [p.ref.id for p in directory.members("0690001B", Kind.STAFF).items] == ["701", "703"]
    teacher = directory.person(ref(Kind.STAFF, "703"))
    assert isinstance(teacher, Staff)
    assert teacher.functions == (("0690001B", "ENS"),)
