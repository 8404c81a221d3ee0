"""What a feed says must never make one person out of two, nor give a right back that was withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends import Degree, Kind, Ref
from backends.sdet.causes import Cause
from backends.sql import SqlDirectory
from hub.accounts import safety, service
from hub.accounts.models import Account
from hub.errors import Refusal
from hub.feeding.flow import check, import_delivery
from hub.instance import Instance
from hub.release.policy import ReleasePolicy, Subject
from hub.signon.flow import is_reachable
from tests import aaf_kit as kit
from tests import accounts_kit
from tests.feed_kit import Feed, subject_of

D1, D2 = Degree.PRIMARY, Degree.SECONDARY
LEA = Ref("10", D2, Kind.STUDENT, "501")
TOM = Ref("10", D2, Kind.STUDENT, "502")
ANNE = Ref("10", D2, Kind.GUARDIAN, "601")
INE = "123456789AB"
FIRST_DEGREE = kit.header(degree="1D", sdet="Annexe 1 version 6.4")
OTHER_ACADEMY = kit.header(academy="02")

lea = kit.student("501", ENTEleveINE=INE)
tom = kit.student("502", ENTEleveINE=INE, givenName="Tom", ENTPersonDateNaissance="01/01/2010", relatives=["602$10$1$1$0$1"])
people = (kit.school(), kit.mef(), kit.guardian("601"), kit.guardian("602", sn="AUTRE", mobile="", mail=""))


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """An empty directory."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        yield directory


@pytest.fixture
def instance(tmp_path: Path, directory: SqlDirectory) -> Instance:
    """A hub on that directory."""
    return accounts_kit.make_instance(tmp_path / "hub", directory)  # type: ignore[arg-type]


@pytest.fixture
def feed(tmp_path: Path, directory: SqlDirectory) -> Feed:
    """Imports into the directory."""
    (tmp_path / "in").mkdir()
    return Feed(tmp_path / "in", directory)


def names(subject: Subject | None) -> list[str]:
    """Given names that the person's records show; nobody: an empty list."""
    return [record.given_name for record in subject.records] if subject else []


# One INE, two children ------------------------------------------------------------------------------------------------


@pytest.mark.covers("F006", "IM-05")
@pytest.mark.parametrize(
    ("stranger", "head"),
    [
        (tom, None),
        (kit.student("502", ENTEleveINE=INE, givenName="Lou"), None),
        (kit.student("502", ENTEleveINE=INE, sn="MARTINEZ"), None),
        (kit.student("502", ENTEleveINE=INE, ENTPersonDateNaissance="18/05/2013"), None),
        (kit.student_1d("502", ENTEleveINE=INE, ENTPersonPrenom="Tom"), FIRST_DEGREE),
        (kit.student("502", ENTEleveINE=INE, givenName="Tom", ENTPersonStructRattach="3", ENTEleveClasses=""), OTHER_ACADEMY),
    ],
    ids=["another child", "twin", "other family", "homonym", "other degree", "other academy"],
)
def test_an_ine_of_two_children_opens_no_account(instance: Instance, feed: Feed, stranger: str, head: str | None) -> None:
    """The account under that INE is nobody's while the records disagree; it is the child's again when they no longer do."""
    feed(*people, lea)
    account = accounts_kit.activate(instance, LEA)
    mother = accounts_kit.activate(instance, ANNE)
    assert names(subject_of(instance, account)) == ["Léa"]

    report = feed(*people, lea, stranger) if head is None else feed(stranger, head=head)
    assert report.causes[Cause.ine_disputed] == (2 if head is None else 1)
    assert subject_of(instance, account) is None
    parent = subject_of(instance, mother)
    assert parent is not None
    assert parent.children == ()
    with pytest.raises(Refusal, match="no INE"):
        accounts_kit.notice_for(instance, LEA)

    if head is None:
        feed(*people, lea)
        assert names(subject_of(instance, account)) == ["Léa"]


@pytest.mark.covers("F006")
def test_a_child_of_two_degrees_is_one(instance: Instance, feed: Feed) -> None:
    """The twin of the rule: the same child in CM2 and 6e, accents and hyphens written otherwise, keeps the account."""
    feed(kit.school_1d(), kit.guardian_1d(), kit.student_1d("9", ENTEleveINE=INE, ENTPersonPrenom="LEA-LOU"), head=FIRST_DEGREE)
    account = accounts_kit.activate(instance, Ref("10", D1, Kind.STUDENT, "9"))
    report = feed(*people, kit.student("501", ENTEleveINE=INE, givenName="Léa Lou"))
    assert not report.causes[Cause.ine_disputed]
    assert names(subject_of(instance, account)) == ["Léa Lou", "LEA-LOU"]


@pytest.mark.covers("F006")
def test_an_account_is_not_handed_to_the_next_bearer_of_the_ine(instance: Instance, feed: Feed) -> None:
    """The source moves the INE of an active account to another child: neither signs in with the other's data."""
    feed(*people, lea)
    account = accounts_kit.activate(instance, LEA)
    feed(*people, kit.student("501", ENTEleveINE="123456789CD"), tom)
    assert subject_of(instance, account) is None
    with pytest.raises(Refusal, match="another child with the same INE"):
        accounts_kit.notice_for(instance, TOM)


def test_an_operator_confirms_a_corrected_pupil(instance: Instance, feed: Feed) -> None:
    """The school corrects the given name: nobody signs in until an operator says that it is still the same child."""
    feed(*people, lea)
    account = accounts_kit.activate(instance, LEA)
    with instance.database.transaction() as db, pytest.raises(Refusal, match="agree already"):
        safety.confirm_pupil(db, db.get_one(Account, account), instance.directory, actor="test")
    feed(*people, lea.replace("Léa", "Léana"))
    assert subject_of(instance, account) is None
    with instance.database.transaction() as db:
        safety.confirm_pupil(db, db.get_one(Account, account), instance.directory, actor="test")
    assert names(subject_of(instance, account)) == ["Léana"]


@pytest.mark.covers("F006")
def test_a_letter_of_one_child_is_void_when_the_ine_becomes_anothers(instance: Instance, feed: Feed) -> None:
    """Before activation, the new bearer gets an identifier of his own, and the first letter opens nothing."""
    feed(*people, lea)
    first = accounts_kit.notice_for(instance, LEA)
    feed(*people, kit.student("501", ENTEleveINE=""), tom.replace("MARTIN", "ZIDANE"))
    second = accounts_kit.notice_for(instance, TOM)
    assert (first.identifier, second.identifier, second.display_name) == ("l.martin", "t.zidane", "Tom ZIDANE")
    with instance.database.session() as db:
        assert isinstance(service.sign_in(db, instance, first.identifier, first.secret, now=accounts_kit.NOW), service.Refused)
        assert isinstance(service.sign_in(db, instance, second.identifier, second.secret, now=accounts_kit.NOW), service.Accepted)


@pytest.mark.covers("F006")
@pytest.mark.parametrize("filler", ["00000000000", "11111111111", "000000000AA", "0000000000A", "ABCDEFGHIJK", "0ABCDE12345"])
def test_a_filler_is_no_ine(directory: SqlDirectory, feed: Feed, filler: str) -> None:
    """Placeholders and uncommon forms identify nobody and are reported."""
    report = feed(*people, kit.student("501", ENTEleveINE=filler), kit.student("502", ENTEleveINE="000000001AA"))
    assert report.causes[Cause.ine_uncommon] == 1
    assert directory.students_by_ine(filler) == ()
    assert [student.ref.id for student in directory.students_by_ine("000000001AA")] == ["502"]


# Two exports for one ----------------------------------------------------------------------------------------------------


def night(folder: Path, day: str, relatives: str, *, header: bool = True, named: bool = True) -> None:
    """Write the files of one night."""
    head = kit.header(day=f"{day[6:]}/{day[4:6]}/{day[:4]}") if header else ""
    folder.mkdir(exist_ok=True, parents=True)
    files = {"EtabEducNat": people[0], "PersRelEleve": "".join(people[2:]), "Eleve": kit.student(relatives=relatives)}
    for category, records in files.items():
        name = f"ENT2D_Complet{f'_{day}' if named else ''}_{category}_0000.xml"
        (folder / name).write_text(kit.document(records, head=head), encoding="utf-8")


@pytest.mark.covers("IM-11")
@pytest.mark.parametrize("header", [True, False])
def test_two_nights_in_one_folder_are_refused(tmp_path: Path, directory: SqlDirectory, header: bool) -> None:
    """Tuesday withdraws a right of Monday: in one folder nobody knows which counts. Tuesday alone is published."""
    night(tmp_path / "in", "20240916", "601$10$1$1$0$1", header=header)
    night(tmp_path / "in", "20240917", "602$10$1$1$0$1", header=header)
    with pytest.raises(Refusal, match="several days"):
        import_delivery(tmp_path / "in", directory, academy="10")
    night(tmp_path / "tuesday", "20240917", "602$10$1$1$0$1", header=header)
    import_delivery(tmp_path / "tuesday", directory, academy="10")
    assert [tie.guardian.id for tie in directory.guardians_of(LEA)] == ["602"]


@pytest.mark.covers("IM-11")
def test_namesakes_with_other_content_are_refused(tmp_path: Path) -> None:
    """The same file name in two sub-folders is one file twice, or two exports."""
    night(tmp_path / "in" / "a", "20240916", "601$10$1$1$0$1")
    night(tmp_path / "in" / "b", "20240916", "601$10$1$1$0$1")
    assert check(tmp_path / "in").causes[Cause.file_twice] == 3
    night(tmp_path / "in" / "b", "20240916", "602$10$1$1$0$1")
    with pytest.raises(Refusal, match=r"_Eleve_0000\.xml: 2 files with that name"):
        check(tmp_path / "in")


@pytest.mark.covers("IM-11")
def test_one_key_with_two_contents_in_two_files_is_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """Without any date, the contradiction itself shows the two exports; said twice alike, or twice in one file, it is reported."""
    folder = tmp_path / "in"
    folder.mkdir()
    one, two = folder / "a_Complet_Eleve_0000.xml", folder / "b_Complet_Eleve_0000.xml"
    one.write_text(kit.document(*people, lea, head=""), encoding="utf-8")
    two.write_text(kit.document(lea, tom.replace(INE, ""), head=""), encoding="utf-8")
    report = import_delivery(folder, directory, academy="10")
    assert report.causes[Cause.record_duplicate] == 1
    two.write_text(kit.document(kit.student("501", ENTEleveINE=INE, relatives="602$10$1$1$0$1"), head=""), encoding="utf-8")
    with pytest.raises(Refusal, match="student 501 says one thing in a_Complet_Eleve"):
        import_delivery(folder, directory, academy="10")
    assert [tie.guardian.id for tie in directory.guardians_of(LEA)] == ["601"]


# Days -------------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-11")
def test_a_delivery_without_a_day_passes_no_date_line(tmp_path: Path, directory: SqlDirectory) -> None:
    """Once a day is published, undated files need the operator's word, which is held to the same line and is remembered."""
    night(tmp_path / "dated", "20240916", "602$10$1$1$0$1")
    night(tmp_path / "undated", "20240901", "601$10$1$1$0$1", header=False, named=False)
    import_delivery(tmp_path / "dated", directory)
    with pytest.raises(Refusal, match="--date"):
        import_delivery(tmp_path / "undated", directory, academy="10")
    with pytest.raises(Refusal, match="older"):
        import_delivery(tmp_path / "undated", directory, academy="10", exported_on=date(2024, 9, 15))
    assert [tie.guardian.id for tie in directory.guardians_of(LEA)] == ["602"]
    import_delivery(tmp_path / "undated", directory, academy="10", exported_on=date(2024, 9, 18))
    assert [tie.guardian.id for tie in directory.guardians_of(LEA)] == ["601"]
    with pytest.raises(Refusal, match="2024-09-18"):
        import_delivery(tmp_path / "dated", directory)


@pytest.mark.covers("IM-11")
def test_the_operator_does_not_date_what_says_its_day(tmp_path: Path, directory: SqlDirectory) -> None:
    """An old export cannot be passed off as today's; saying the same day is harmless."""
    night(tmp_path / "in", "20240916", "601$10$1$1$0$1")
    with pytest.raises(Refusal, match="--date says 2024-09-20"):
        import_delivery(tmp_path / "in", directory, exported_on=date(2024, 9, 20))
    assert import_delivery(tmp_path / "in", directory, exported_on=date(2024, 9, 16)).published


@pytest.mark.covers("IM-11")
def test_an_export_of_the_future_is_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """It would lock the feed for years. Tomorrow is accepted: clocks differ."""
    today = date.today()
    for days, refused in ((2, True), (1, False)):
        day = f"{today + timedelta(days=days):%Y%m%d}"
        night(tmp_path / day, day, "601$10$1$1$0$1")
        if refused:
            with pytest.raises(Refusal, match="future"):
                import_delivery(tmp_path / day, directory)
        else:
            assert import_delivery(tmp_path / day, directory).published


# Feeds and schools ------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-05")
@pytest.mark.parametrize("claim", ["", "002"])
def test_a_feed_does_not_take_the_school_of_another(directory: SqlDirectory, feed: Feed, claim: str) -> None:
    """A UAI that another academy publishes as its own is foreign, whatever the structure says of its academy; every night alike."""
    feed(*people, lea)
    others = (kit.school(academy=claim), kit.student("777"), kit.agent("778"))
    for _ in range(2):
        report = feed(*others, head=OTHER_ACADEMY)
        assert report.causes[Cause.school_of_other_feed] == report.causes[Cause.school_of_other_academy] == 1
        assert directory.school("0690001B").academy == "10"
        assert [p.ref for p in directory.members("0690001B", Kind.STUDENT).items] == [LEA]
        assert directory.members("0690001B", Kind.STAFF).items == ()
    assert report.count("2D", "school").unchanged == 1
    assert not feed(*people, lea).causes[Cause.school_of_other_feed]


@pytest.mark.covers("IM-06")
def test_a_second_feed_of_an_academy_is_asked_for(directory: SqlDirectory, feed: Feed) -> None:
    """A slip in --feed would double everybody."""
    feed(*people, lea)
    with pytest.raises(Refusal, match="--new-feed"):
        feed(*people, lea, feed="lyon")
    assert [p.ref for p in directory.members("0690001B", Kind.STUDENT).items] == [LEA]
    assert feed(*people, lea, feed="lyon", new_feed=True).published
    assert feed(*people, lea, feed="lyon").published


# Persons in charge ------------------------------------------------------------------------------------------------------


@pytest.mark.covers("F005", "F007")
def test_a_capacity_counts_in_its_degree_only(instance: Instance, feed: Feed) -> None:
    """Legal in the first degree and in charge in the second: a service closed to persons in charge hears of the first alone."""
    feed(kit.school_1d(), kit.guardian_1d(), kit.student_1d("9", ENTEleveINE=INE), head=FIRST_DEGREE)
    account = accounts_kit.activate(instance, Ref("10", D1, Kind.GUARDIAN, "601"))
    feed(*people, kit.student("501", ENTEleveINE=INE, relatives="601$42$1$2$0$1"))
    with instance.database.session() as db:
        found = db.get_one(Account, account)
        service.sign_in(db, instance, found.identifier or "", accounts_kit.GOOD_PASSWORD, now=accounts_kit.NOW)
        db.commit()
    subject = subject_of(instance, account)
    assert subject is not None
    assert [(child.legal, child.in_charge) for child in subject.children] == [({D1}, {D2})]


@pytest.mark.covers("F007")
@pytest.mark.parametrize(("row", "was_legal"), [("601$42$1$2$0$1", False), ("601$10$1$1$0$1", True)])
def test_a_lost_right_opens_nothing_new(instance: Instance, feed: Feed, row: str, was_legal: bool) -> None:
    """Who was only in charge stays outside a service closed to that when the right is lost; a legal guardian is told without pupil."""
    closed = SimpleNamespace(policy=ReleasePolicy("https://ent.example.fr/saml", "educonnect"))
    feed(*people, kit.student("501", relatives=row))
    account = accounts_kit.activate(instance, ANNE)
    for relatives in (row, ""):
        feed(*people, kit.student("501", relatives=relatives))
        subject = subject_of(instance, account)
        assert subject is not None
        assert bool(subject.children) is bool(relatives)
        assert is_reachable(subject, closed) is was_legal  # type: ignore[arg-type]
