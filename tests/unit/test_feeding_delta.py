"""Deltas: each operation on what is published, in order, and again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backends import Capacity, Degree, Guardian, Kind, NotFound, Ref, Staff, Student
from backends.sdet.causes import Cause
from backends.sdet.records import DeliveryKind
from backends.sql import SqlDirectory
from hub.errors import Refusal
from hub.feeding.flow import check, import_delivery
from tests import aaf_kit as kit

D2 = Degree.SECONDARY


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """Twenty pupils, 501 to 520, each with a mother."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        import_delivery(kit.school_of(tmp_path / "complete", 20), directory)
        yield directory


def pupil(directory: SqlDirectory, id_: str = "501") -> Student:
    """A pupil of the feed."""
    person = directory.person(Ref("10", D2, Kind.STUDENT, id_))
    assert isinstance(person, Student)
    return person


def mother(directory: SqlDirectory, id_: str = "1501") -> Guardian:
    """A guardian of the feed."""
    person = directory.person(Ref("10", D2, Kind.GUARDIAN, id_))
    assert isinstance(person, Guardian)
    return person


def rights(directory: SqlDirectory, id_: str = "501") -> list[tuple[str, Capacity]]:
    """Who answers for a pupil."""
    return [(tie.guardian.id, tie.capacity) for tie in directory.guardians_of(Ref("10", D2, Kind.STUDENT, id_))]


def test_added_record_is_new_and_nobody_else_leaves(tmp_path: Path, directory: SqlDirectory) -> None:
    """An addition creates a pupil with enrolment and ties; who is not named in a delta stays."""
    new = kit.student("700", relatives=["1501$10$1$1$0$1"])
    report = import_delivery(kit.delta(tmp_path / "d", new), directory)
    counts = report.count("2D", "student")
    assert (counts.read, counts.created, counts.changed, counts.ended, report.kind) == (1, 1, 0, 0, "delta")
    assert pupil(directory, "700").enrolments[0].division == "6A"
    assert rights(directory, "700") == [("1501", Capacity.LEGAL)]
    assert directory.health().counts["students"] == 21
    assert report.dates["2D"].isoformat() == "2024-09-17"  # type: ignore[union-attr]


def test_added_record_that_is_known_is_replaced_whole(tmp_path: Path, directory: SqlDirectory) -> None:
    """An addition carries the full list: what it does not list is gone."""
    again = kit.record("Eleve", "501", ENTPersonJointure="501", sn="DUPONT", givenName="Léa", ENTPersonStructRattach="1000")
    report = import_delivery(kit.delta(tmp_path / "d", again), directory)
    assert report.causes[Cause.add_known] == report.count("2D", "student").changed == 1
    assert (pupil(directory).family_name, pupil(directory).ine, rights(directory)) == ("DUPONT", None, [])


def test_modification_leaves_alone_what_it_does_not_list(tmp_path: Path, directory: SqlDirectory) -> None:
    """One attribute changes; names, INE, class and the rights of the parents stay."""
    before = pupil(directory)
    report = import_delivery(kit.delta(tmp_path / "d", kit.modify("Eleve", "501", mail="lea@exemple.fr")), directory)
    after = pupil(directory)
    assert (after.mail, before.mail) == ("lea@exemple.fr", None)
    assert (after.family_name, after.ine, after.birth_date, after.enrolments) == (
        before.family_name, before.ine, before.birth_date, before.enrolments,
    )  # fmt: skip
    assert rights(directory) == [("1501", Capacity.LEGAL)]
    assert report.count("2D", "student").changed == 1


def test_empty_value_clears(tmp_path: Path, directory: SqlDirectory) -> None:
    """An emptied mobile is gone, an emptied list of relatives withdraws every right; the rest stays."""
    requests = [kit.modify("PersRelEleve", "1501", mobile=""), kit.modify("Eleve", "502", ENTElevePersRelEleve=[])]
    import_delivery(kit.delta(tmp_path / "d", *requests), directory)
    assert (mother(directory).mobiles, mother(directory).mail) == ((), "anne@exemple.fr")
    assert rights(directory, "502") == []
    assert pupil(directory, "502").ine == "000000502AB"


@pytest.mark.covers("IM-08")
def test_full_list_modification_replaces_rights(tmp_path: Path, directory: SqlDirectory) -> None:
    """A relative who is no longer named loses the right at that import; a new level changes the capacity."""
    full = kit.student("501", relatives=["1502$10$0$2$0$0"]).replace("addRequest", "modifyRequest")
    full = full.replace("attributes>", "modifications>").replace("<attr name=", '<modification operation="replace" name=')
    full = full.replace("</value></attr>\n", "</value></modification>\n").replace("<value/></attr>\n", "<value/></modification>\n")
    full = full.replace('<modification operation="replace" name="categoriePersonne">', '<attr name="categoriePersonne">')
    import_delivery(kit.delta(tmp_path / "d", full), directory)
    assert rights(directory) == [("1502", Capacity.IN_CHARGE)]


def test_second_phone_field_survives_the_clearing_of_the_first(tmp_path: Path, directory: SqlDirectory) -> None:
    """A mobile that sits in the home phone stays when the mobile field alone is cleared."""
    both = kit.guardian("1501", homePhone="06 39 98 00 99")
    import_delivery(kit.delta(tmp_path / "a", both, name="PersRelEleve"), directory)
    assert mother(directory).mobiles == ("+33639980001", "+33639980099")
    import_delivery(kit.delta(tmp_path / "b", kit.modify("PersRelEleve", "1501", mobile=""), day=18), directory)
    assert mother(directory).mobiles == ("+33639980099",)


def test_deletion_ends_the_record_and_its_links(tmp_path: Path, directory: SqlDirectory) -> None:
    """A deleted pupil and a deleted guardian are gone; the record is kept; coming back is a creation."""
    report = import_delivery(kit.delta(tmp_path / "d", kit.delete("Eleve", "501"), kit.delete("PersRelEleve", "1502")), directory)
    assert (report.count("2D", "student").ended, report.count("2D", "guardian").ended) == (1, 1)
    with pytest.raises(NotFound):
        pupil(directory)
    assert rights(directory, "502") == []
    assert "'501'" in kit.dump(directory)
    report = import_delivery(kit.delta(tmp_path / "e", kit.student("501", relatives=["1501$10$1$1$0$1"]), day=18), directory)
    assert report.count("2D", "student").created == 1
    assert rights(directory) == [("1501", Capacity.LEGAL)]


def test_unknown_ids_are_counted(tmp_path: Path, directory: SqlDirectory) -> None:
    """A modification of an unknown id creates, a deletion of one does nothing; both are reported with their line."""
    requests = [kit.modify("Eleve", "900", sn="NEUF", givenName="Ya", ENTPersonStructRattach="1000"), kit.delete("Eleve", "901")]
    report = import_delivery(kit.delta(tmp_path / "d", *requests), directory)
    assert report.causes[Cause.modify_unknown] == report.causes[Cause.delete_unknown] == 1
    assert report.places[Cause.delete_unknown][0].id == "901"
    assert pupil(directory, "900").family_name == "NEUF"
    assert report.count("2D", "student").ended == 0


def test_departed_record_is_unknown_to_a_modification(tmp_path: Path, directory: SqlDirectory) -> None:
    """A modification of somebody who left does not bring back the rights of yesterday."""
    import_delivery(kit.delta(tmp_path / "d", kit.delete("Eleve", "501")), directory)
    report = import_delivery(kit.delta(tmp_path / "e", kit.modify("Eleve", "501", sn="X", givenName="Ya"), day=18), directory)
    assert report.causes[Cause.modify_unknown] == 1
    assert rights(directory) == []
    assert pupil(directory).ine is None


def test_requests_about_one_record_apply_in_their_order(tmp_path: Path, directory: SqlDirectory) -> None:
    """Add, modify, delete, add again: the last word counts."""
    requests = [
        kit.modify("Eleve", "501", mail="un@exemple.fr"), kit.modify("Eleve", "501", personalTitle="M."),
        kit.delete("Eleve", "502"), kit.student("502", sn="RETOUR", relatives=["1502$10$1$1$0$1"]),
        kit.student("700"), kit.delete("Eleve", "700"),
        kit.student("701"), kit.modify("Eleve", "701", sn="APRES"),
    ]  # fmt: skip
    report = import_delivery(kit.delta(tmp_path / "d", *requests), directory)
    assert (pupil(directory).mail, pupil(directory).civility) == ("un@exemple.fr", "M.")
    assert (pupil(directory, "502").family_name, rights(directory, "502")) == ("RETOUR", [("1502", Capacity.LEGAL)])
    assert pupil(directory, "701").family_name == "APRES"
    with pytest.raises(NotFound):
        pupil(directory, "700")
    assert (report.count("2D", "student").created, report.count("2D", "student").ended) == (1, 0)
    assert report.causes[Cause.record_duplicate] == 0


@pytest.mark.covers("IM-11", "IM-12")
def test_replayed_delta_changes_nothing(tmp_path: Path, directory: SqlDirectory) -> None:
    """The same delta again: no row of any table is different."""
    requests = [
        kit.student("700"), kit.modify("Eleve", "501", mail="lea@exemple.fr"), kit.modify("PersRelEleve", "1503", mobile=""),
        kit.delete("Eleve", "502"), kit.school(), kit.mef(),
    ]  # fmt: skip
    folder = kit.delta(tmp_path / "d", *requests)
    assert import_delivery(folder, directory).changes == 4
    before = kit.dump(directory)
    assert import_delivery(folder, directory).changes == 0
    assert kit.dump(directory) == before


def test_structures_sent_again_in_whole_are_only_upserted(tmp_path: Path, directory: SqlDirectory) -> None:
    """A delta that lists some structures ends none, and the deletion of one is never carried out."""
    requests = [kit.school("1001", "0690002C"), kit.delete("EtabEducNat", "1000"), kit.delete("MefEducNat", "10010012110")]
    report = import_delivery(kit.delta(tmp_path / "d", *requests, name="EtabEducNat"), directory)
    assert report.causes[Cause.delete_structure] == 2
    assert (report.count("2D", "school").created, report.count("2D", "school").ended) == (1, 0)
    assert directory.school("0690001B").name == "COLLEGE DES TILLEULS"
    assert pupil(directory).enrolments[0].level == "2111"


def test_agent_who_is_no_longer_head_loses_the_function(tmp_path: Path, directory: SqlDirectory) -> None:
    """An agent whose other functions are not read is gone from the directory, as with a complete."""
    head = directory.person(Ref("10", D2, Kind.STAFF, "701"))
    assert isinstance(head, Staff)
    import_delivery(kit.delta(tmp_path / "d", kit.modify("PersEducNat", "701", ENTPersonFonctions="1000$AED$x$y$z")), directory)
    with pytest.raises(NotFound):
        directory.person(head.ref)


def test_damaged_request_leaves_the_published_record(tmp_path: Path, directory: SqlDirectory) -> None:
    """A forbidden character, an operation other than replace, a clearing of every name: left out with the line."""
    strange = kit.modify("Eleve", "502", mail="x@exemple.fr").replace('"replace"', '"add"')
    requests = [kit.modify("Eleve", "501", sn="A\ufffdB"), strange, kit.modify("Eleve", "503", sn="", givenName="")]
    before = kit.dump(directory)
    report = import_delivery(kit.delta(tmp_path / "d", *requests), directory)
    assert report.count("2D", "student").refused == 3
    assert {report.causes[c] for c in (Cause.character_forbidden, Cause.modification_unknown, Cause.name_missing)} == {1}
    assert pupil(directory).family_name == pupil(directory, "503").family_name == "MARTIN"
    assert kit.dump(directory).replace("2024, 9, 17", "2024, 9, 16") == before


@pytest.mark.covers("IM-08")
def test_damaged_modification_withdraws_what_it_no_longer_states(tmp_path: Path, directory: SqlDirectory) -> None:
    """Its relatives can be read, its name cannot: the right goes and no later part brings it back; not listed, the rights stay."""
    gone = kit.modify("Eleve", "501", sn="A\ufffdB", ENTElevePersRelEleve=[])
    import_delivery(kit.delta(tmp_path / "d", gone, kit.modify("Eleve", "502", sn="A\ufffdB")), directory)
    assert rights(directory) == []
    assert rights(directory, "502") == [("1502", Capacity.LEGAL)]
    later = import_delivery(kit.delta(tmp_path / "e", kit.modify("Eleve", "501", mail="lea@exemple.fr"), day=18), directory)
    assert later.causes[Cause.source_unknown] == 1
    assert rights(directory) == []
    import_delivery(kit.delta(tmp_path / "f", kit.student("501", relatives=["1501$10$1$1$0$1"]), day=19), directory)
    assert rights(directory) == [("1501", Capacity.LEGAL)]


def test_record_of_an_older_version_waits_for_a_complete(tmp_path: Path, directory: SqlDirectory) -> None:
    """Of a record published before deltas were known, nobody knows what was said: a part of it cannot be changed."""
    with directory.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE directory_student SET source = '' WHERE id = '501'")
    folder = kit.delta(tmp_path / "d", kit.modify("Eleve", "501", mail="lea@exemple.fr"))
    assert import_delivery(folder, directory).causes[Cause.source_unknown] == 1
    assert (pupil(directory).ine, pupil(directory).mail) == ("000000501AB", None)


@pytest.mark.covers("IM-05")
def test_pupil_moved_to_a_foreign_school_is_ended(tmp_path: Path, directory: SqlDirectory) -> None:
    """As with a complete: the feed has no say on that school, and the pupil is no longer in one of its own."""
    requests = [
        kit.school("1001", "0130001F", academy="002"),
        kit.modify("Eleve", "501", ENTPersonStructRattach="1001", ENTEleveClasses=""),
    ]
    report = import_delivery(kit.delta(tmp_path / "d", *requests), directory)
    assert report.causes[Cause.school_of_other_academy] == report.count("2D", "student").ended == 1
    with pytest.raises(NotFound):
        pupil(directory)


def test_findings_look_at_what_is_published_too(tmp_path: Path, directory: SqlDirectory) -> None:
    """A guardian whose pupil is not in the delta is not unused; an INE that a published pupil has is twice."""
    requests = [kit.modify("PersRelEleve", "1501", mail="a@exemple.fr"), kit.student("700", ENTEleveINE="000000502AB", relatives=[])]
    report = import_delivery(kit.delta(tmp_path / "d", *requests), directory)
    assert report.causes[Cause.guardian_unused] == 0
    assert report.causes[Cause.ine_twice] == 1
    gone = [kit.delete("Eleve", "503"), kit.modify("PersRelEleve", "1503", mail="b@exemple.fr")]
    assert import_delivery(kit.delta(tmp_path / "e", *gone, day=18), directory).causes[Cause.guardian_unused] == 1


# Order ------------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-11")
def test_deltas_only_go_forward(tmp_path: Path, directory: SqlDirectory) -> None:
    """Older than what is published: refused with both dates. A gap is reported. A delta without date, or before any complete: refused."""
    import_delivery(kit.delta(tmp_path / "c", kit.student("700"), day=20), directory)
    before = kit.dump(directory)
    with pytest.raises(Refusal, match="received the export of 2024-09-18, expected one of 2024-09-20"):
        import_delivery(kit.delta(tmp_path / "d", kit.delete("Eleve", "501"), day=18), directory)
    with pytest.raises(Refusal, match="2024-09-16"):
        import_delivery(tmp_path / "complete", directory)
    with pytest.raises(Refusal, match="complete"):
        import_delivery(kit.delta(tmp_path / "e", kit.student("700"), day=21), directory, feed="new", new_feed=True)
    path = tmp_path / "ENT_Delta__Eleve_0000.xml"
    path.write_text(kit.document(kit.student("701"), head=""), encoding="utf-8")
    with pytest.raises(Refusal, match="without a date"):
        import_delivery(path, directory, academy="10")
    assert kit.dump(directory) == before
    report = import_delivery(kit.delta(tmp_path / "f", kit.student("702"), day=23), directory)
    assert report.causes[Cause.delta_gap] == 1
    assert import_delivery(kit.delta(tmp_path / "g", kit.student("703"), day=24), directory).causes[Cause.delta_gap] == 0


@pytest.mark.covers("IM-11")
def test_nights_mixed_in_one_delta_are_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """Two nights at once have no order inside: each must come by itself."""
    folder = kit.delta(tmp_path / "d", kit.student("700"))
    kit.delta(folder, kit.student("701"), day=18)
    with pytest.raises(Refusal, match="several days"):
        import_delivery(folder, directory)


def test_future_date_is_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """A date of the future would bar every delivery that follows."""
    usual = kit.usual(tmp_path / "f")
    usual.head = kit.header(day="16/09/2094")
    with pytest.raises(Refusal, match="future"):
        import_delivery(usual.write(), directory)


@pytest.mark.parametrize(("said", "expected"), [(None, "--kind"), (DeliveryKind.DELTA, ""), (DeliveryKind.COMPLETE, "makes this a delta")])
def test_mixed_words_are_settled_by_the_operator(tmp_path: Path, directory: SqlDirectory, said: DeliveryKind | None, expected: str) -> None:
    """A file named Delta among completes: the operator says which; a deletion is never part of a complete."""
    folder = kit.delta(tmp_path / "d", kit.delete("Eleve", "501"))
    (folder / "ENT2D_Complet_20240917_PersRelEleve_0000.xml").write_text(
        kit.document(kit.guardian("1501"), head=kit.header(day="17/09/2024")), encoding="utf-8"
    )
    if expected:
        with pytest.raises(Refusal, match=expected):
            import_delivery(folder, directory, kind=said)
        assert pupil(directory)
    else:
        assert import_delivery(folder, directory, kind=said).count("2D", "student").ended == 1


def test_operator_cannot_contradict_the_names(tmp_path: Path, directory: SqlDirectory) -> None:
    """A delta read as a complete would end a whole academy."""
    with pytest.raises(Refusal, match="names of the files say delta"):
        import_delivery(kit.delta(tmp_path / "d", kit.student("501")), directory, kind=DeliveryKind.COMPLETE)


def test_check_of_a_delta(tmp_path: Path) -> None:
    """A delta can be read for its defects without any complete."""
    report = check(kit.delta(tmp_path / "d", kit.student("501", ENTEleveINE=""), kit.delete("Eleve", "502")))
    assert (report.kind, report.causes[Cause.ine_missing]) == ("delta", 1)


# A model in memory ------------------------------------------------------------------------------------------------------

IDS = st.sampled_from([str(n) for n in range(501, 509)])
MAILS = st.sampled_from(["", "a@exemple.fr", "b@exemple.fr"])
PARENTS = st.lists(st.sampled_from(["1501", "1502", "1503"]), unique=True, max_size=2)


class Deliveries(RuleBasedStateMachine):
    """Completes and deltas in any sequence give what a dictionary of records would give."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.directory = kit.empty_directory(self.folder / "db")
        self.model: dict[str, dict[str, object]] = {}
        self.number = 0

    def teardown(self) -> None:
        self.directory.close()
        shutil.rmtree(self.folder)

    def publish(self, path: Path) -> None:
        import_delivery(path, self.directory, accept_shrink=True)

    @initialize(pupils=st.dictionaries(IDS, st.tuples(MAILS, PARENTS), min_size=1))
    def start(self, pupils: dict[str, tuple[str, list[str]]]) -> None:
        self.complete(pupils)

    @rule(pupils=st.dictionaries(IDS, st.tuples(MAILS, PARENTS), min_size=1))
    def complete(self, pupils: dict[str, tuple[str, list[str]]]) -> None:
        self.number += 1
        usual = kit.usual(self.folder / f"complete{self.number}")
        usual.records["PersRelEleve"] = [kit.guardian(n) for n in ("1501", "1502", "1503")]
        usual.records["Eleve"] = [self._whole(id_, *said) for id_, said in pupils.items()]
        self.publish(usual.write())
        self.model = {id_: {"mail": mail, "parents": parents} for id_, (mail, parents) in pupils.items()}

    @rule(
        requests=st.lists(
            st.tuples(st.sampled_from(["add", "mail", "parents", "delete"]), IDS, MAILS, PARENTS), min_size=1, max_size=6
        )
    )  # fmt: skip
    def delta(self, requests: list[tuple[str, str, str, list[str]]]) -> None:
        self.number += 1
        written = []
        for operation, id_, mail, parents in requests:
            if operation == "add":
                written.append(self._whole(id_, mail, parents))
                self.model[id_] = {"mail": mail, "parents": parents}
            elif operation == "delete":
                written.append(kit.delete("Eleve", id_))
                self.model.pop(id_, None)
            else:
                name, value = ("mail", mail) if operation == "mail" else ("ENTElevePersRelEleve", [self._relative(p) for p in parents])
                written.append(kit.modify("Eleve", id_, sn="MARTIN", **{name: value}))
                self.model.setdefault(id_, {"mail": "", "parents": []})[operation] = mail if operation == "mail" else parents
        path = kit.delta(self.folder / f"delta{self.number}", *written, day=16)
        self.publish(path)
        before = kit.dump(self.directory)
        self.publish(path)
        assert kit.dump(self.directory) == before

    def _whole(self, id_: str, mail: str, parents: list[str]) -> str:
        return kit.student(id_, relatives=[self._relative(p) for p in parents], mail=mail)

    def _relative(self, parent: str) -> str:
        return f"{parent}$10$1$1$0$1"

    @invariant()
    def same(self) -> None:
        living = {person.ref.id: person for person in self._living()}
        assert set(living) == set(self.model)
        for id_, said in self.model.items():
            assert (living[id_].mail or "") == said["mail"]
            assert [guardian for guardian, _ in rights(self.directory, id_)] == sorted(said["parents"])  # type: ignore[call-overload]

    def _living(self) -> Iterator[Student]:
        for id_ in range(501, 509):
            try:
                yield pupil(self.directory, str(id_))
            except NotFound:
                continue


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=15, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck))
TestDeliveries = pytest.mark.covers("IM-12")(TestDeliveries)
