"""Damaged records and odd values: nobody leaves because of one byte, and no withdrawn right hides behind one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DataError

from backends import Capacity, Degree, Kind, Ref
from backends.sdet.causes import Cause
from backends.sdet.records import Category
from backends.sql import SqlDirectory, create_directory_engine
from hub.errors import Refusal
from hub.feeding.flow import import_delivery
from hub.feeding.idset import IdSets
from hub.feeding.report import ATTRIBUTES, Report
from tests import aaf_kit as kit
from tests.feed_kit import Feed

D2 = Degree.SECONDARY
LEA = Ref("10", D2, Kind.STUDENT, "501")
people = (kit.school(), kit.mef(), kit.guardian("601"), kit.guardian("602", sn="AUTRE"), kit.student("509", relatives=[]))
BOTH = ["601$10$1$1$0$1", "602$20$1$1$0$1"]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """An empty directory."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        yield directory


@pytest.fixture
def feed(tmp_path: Path, directory: SqlDirectory) -> Feed:
    """Imports into the directory, where Léa has two guardians."""
    (tmp_path / "in").mkdir()
    feed = Feed(tmp_path / "in", directory)
    feed(*people, kit.student("501", relatives=BOTH))
    return feed


def guardians(directory: SqlDirectory) -> dict[str, Capacity]:
    """Who answers for Léa."""
    return {tie.guardian.id: tie.capacity for tie in directory.guardians_of(LEA)}


LEGAL = {"601": Capacity.LEGAL, "602": Capacity.LEGAL}


@pytest.mark.covers("IM-14", "IM-08")
@pytest.mark.parametrize(
    "damage",
    [{"ENTEleveLibelleMEF": "x" * 1001}, {"givenName": "L\x81a"}, {"sn": "x" * 1001}, {"sn": "", "givenName": ""}],
    ids=["long label", "control character", "long name", "no name"],
)
def test_a_damaged_record_keeps_no_withdrawn_right(directory: SqlDirectory, feed: Feed, damage: dict[str, str]) -> None:
    """The pupil stays as published but for the rights that the record no longer states; none is added; then all is read anew."""
    before = directory.person(LEA)
    for _ in range(2):
        feed(*people, kit.student("501", relatives=["602$20$1$1$0$1", "603$20$1$1$0$1"], **damage), kit.guardian("603"))
        assert directory.person(LEA) == before
        assert guardians(directory) == {"602": Capacity.LEGAL}
    feed(*people, kit.student("501", relatives=["602$42$1$2$0$1"], **damage))
    assert guardians(directory) == {}
    report = feed(*people, kit.student("501", relatives=BOTH))
    assert (guardians(directory), report.count("2D", "student").changed) == (LEGAL, 1)


@pytest.mark.covers("IM-14")
def test_unreadable_rights_stay_until_they_can_be_read(directory: SqlDirectory, feed: Feed) -> None:
    """Nobody knows what a damaged list says: the published one stays."""
    feed(*people, kit.student("501", relatives=["602$20$1$1$0$1", "x" * 1001]))
    assert guardians(directory) == LEGAL


@pytest.mark.covers("IM-14")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<identifier>", "<x/><identifier>"),
        ("<value>Eleve</value>", "<value>Elève</value>"),
        ("<value>Eleve</value>", "<value>eleve</value>"),
        ("<value>Eleve</value>", ""),
        ("attributes>", "values>"),
    ],
)
def test_a_malformed_record_does_not_end_the_pupil(directory: SqlDirectory, feed: Feed, old: str, new: str) -> None:
    """Number readable, and the category or its family: what is published stays. Without the record, the pupil leaves."""
    report = feed(*people, kit.student("501").replace(old, new))
    assert report.causes[Cause.record_malformed] + report.causes[Cause.category_unknown] == 1
    assert (report.count("2D", "student").ended, guardians(directory)) == (0, LEGAL)
    assert feed(*people).count("2D", "student").ended == 1


def test_an_attribute_written_twice_loses_nothing(directory: SqlDirectory, feed: Feed) -> None:
    """One attribute for each relative: all of them count, and it is reported."""
    again = '<attr name="ENTElevePersRelEleve"><value>602$20$1$1$0$1</value></attr></attributes>'
    report = feed(*people, kit.student("501", relatives=BOTH[:1]).replace("</attributes>", again))
    assert (report.causes[Cause.attribute_twice], guardians(directory)) == (1, LEGAL)


def test_the_first_usable_copy_counts(directory: SqlDirectory, feed: Feed) -> None:
    """A copy without any name before the good one, and a damaged one after it, change nothing."""
    nameless, long = kit.student("501", sn="", givenName="", relatives=[]), kit.student("501", sn="x" * 1001, relatives=[])
    report = feed(*people, nameless, kit.student("501", sn="ROUX", relatives=BOTH), long)
    assert (report.causes[Cause.name_missing], report.causes[Cause.value_too_long]) == (1, 1)
    assert (directory.person(LEA).family_name, guardians(directory)) == ("ROUX", LEGAL)


@pytest.mark.covers("IM-03")
def test_a_number_too_long_is_no_relative(directory: SqlDirectory, feed: Feed) -> None:
    """At most ten digits: a longer one gives no right and stops nothing."""
    report = feed(*people, kit.student("501", relatives=[*BOTH, "6" * 40 + "$10$1$1$0$1", "6" * 11 + "$10$1$1$0$1"]))
    assert (report.causes[Cause.tie_unreadable], guardians(directory)) == (2, LEGAL)


@pytest.mark.parametrize("code", ["70", "070", "00070", "0000000000070"])
def test_zeros_do_not_hide_that_a_pupil_is_his_own_relative(directory: SqlDirectory, feed: Feed, code: str) -> None:
    """Codes 7 and 70 give no right however they are written; any other code at level 1 does."""
    report = feed(*people, kit.student("501", relatives=[f"601${code}$1$1$0$1", "602$00010$1$1$0$1"]))
    assert (report.causes[Cause.pupil_is_own_guardian], guardians(directory)) == (1, {"602": Capacity.LEGAL})


def test_a_lone_default_row_says_no_generation(directory: SqlDirectory, feed: Feed) -> None:
    """`$1$1$1$1$0` is a filler of both generations; a real code of the old table still holds the delivery."""
    feed(*people, kit.student("501", relatives=["601$1$1$1$1$0"]))
    assert guardians(directory) == {"601": Capacity.LEGAL}
    with pytest.raises(Refusal, match="another generation"):
        feed(*people, kit.student("501", relatives=["601$2$1$1$1$0"]))


@pytest.mark.parametrize("name", ["--", "'", "\u202eabc", "a\u200bbc", "Jean 2"])
def test_odd_names_are_reported(feed: Feed, name: str) -> None:
    """No letter, or an invisible sign; ordinary names with hyphens and apostrophes are not."""
    assert feed(*people, kit.student("501", sn=name)).causes[Cause.name_unusual] == 1
    assert not feed(*people, kit.student("501", sn="D'Été-Le Goff")).causes[Cause.name_unusual]


def test_ids_far_apart_take_little_memory() -> None:
    """A stranger chooses the numbers: each costs its own place, never a block of thousands."""
    tracemalloc.start()
    try:
        seen = IdSets()
        assert all(seen.add(D2, Category.GUARDIAN, str(1_000_000_000 + n * 65536)) for n in range(20_000))
        assert not seen.add(D2, Category.GUARDIAN, str(1_000_000_000 + 65536))
        assert tracemalloc.get_traced_memory()[1] < 20_000 * 400
    finally:
        tracemalloc.stop()


def test_names_of_unknown_attributes_are_bounded() -> None:
    """Two hundred are told apart, the others counted together."""
    report = Report()
    for number in range(1000):
        report.unknown(Category.STUDENT, f"unknown{number}")
    assert len(report.unknown_attributes) == ATTRIBUTES + 1
    assert report.unknown_attributes["Eleve", "(others)"] == 1000 - ATTRIBUTES


def test_a_database_without_tables_says_what_to_do(tmp_path: Path) -> None:
    """ "Try again later" would never help."""
    path = tmp_path / "x_Complet.xml"
    path.write_text(kit.document(*people), encoding="utf-8")
    empty = SqlDirectory(create_directory_engine(f"sqlite:///{tmp_path / 'new.sqlite'}"))
    with closing(empty), pytest.raises(Refusal, match="preau init"):
        import_delivery(path, empty)


def test_a_value_that_the_database_refuses_is_not_a_busy_database(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """It will be refused tomorrow too."""

    def refuse(*_: object) -> None:
        raise DataError("COPY", None, ValueError("too long"))

    monkeypatch.setattr("backends.sql.feed.Feeding.publish", refuse)
    with pytest.raises(Refusal, match="refuses a value") as refusal:
        feed(*people)
    assert "try again" not in str(refusal.value)
