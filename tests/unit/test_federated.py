"""Several sources as one directory: routing, merging, what is missing, and one academy that never holds up the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backends import Capacity, Degree, Features, Kind, NotFound, Ref, Refused, Tie, Unavailable, missing_from
from backends.contract import ANNE, ANNE_1D, COLLEGE, HEAD, LEA, LEA_1D, NOE, PAUL, POPULATION, SCHOOL_1D
from backends.federated import Breaker, Circuit, FederatedDirectory, SourceSettings, federate, open_directory
from backends.memory import MemoryDirectory
from tests.directory_kit import in_memory, of_academy

LIMIT = 0.6
PAUSE = 1.2
SLACK = 2.0
"""What a busy machine may add to a bound."""


class Moody(MemoryDirectory):
    """A directory in memory that can be told to hang, to raise or to be slow."""

    features = Features.NONE
    mood: Callable[[], None] | None = None
    calls = 0

    def __getattribute__(self, name: str) -> Any:
        if name in ("person", "students_by_ine", "find_guardians", "ties_of", "guardians_of", "members", "school", "health"):
            object.__setattr__(self, "calls", object.__getattribute__(self, "calls") + 1)
            mood = object.__getattribute__(self, "mood")
            if mood is not None:
                mood()
        return super().__getattribute__(name)


def moody(*codes: str) -> Moody:
    """The people of these academies."""
    calm = in_memory(of_academy(POPULATION, *codes))
    return Moody(calm.people.values(), calm.ties, calm.schools.values())


@pytest.fixture
def lyon() -> Moody:
    """Academy 10."""
    return moody("10")


@pytest.fixture
def aix() -> Moody:
    """Academy 02, the one that falls sick."""
    return moody("02")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Ends what hangs."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def both(lyon: Moody, aix: Moody) -> Iterator[FederatedDirectory]:
    """The two academies behind one directory."""
    common: dict[str, Any] = {"backend": "memory", "limit": LIMIT, "pause": PAUSE, "width": 4}
    directory = federate(
        [SourceSettings(name="lyon", academies={"10"}, **common), SourceSettings(name="aix", academies={"02"}, **common)],
        {"lyon": lyon, "aix": aix},
    )
    yield directory
    directory.close()


def sick(error: Exception) -> Callable[[], None]:
    """Raise that at every call."""

    def mood() -> None:
        raise error

    return mood


SICKNESSES: dict[str, Exception | None] = {
    "hangs": None,
    "unavailable": Unavailable("stopped"),
    "refuses us": Refused("the token is not accepted"),
    "has a bug": KeyError("name"),
}


@pytest.fixture(params=SICKNESSES, ids=SICKNESSES)
def sick_aix(request: pytest.FixtureRequest, aix: Moody, release: threading.Event) -> Moody:
    """Academy 02, in each way of not answering."""
    error = SICKNESSES[request.param]
    aix.mood = sick(error) if error else lambda: release.wait(30) and None
    return aix


# What is missing ------------------------------------------------------------------------------------------------------


def test_a_child_of_a_sick_academy_is_never_dropped(both: FederatedDirectory, sick_aix: Moody):
    """Records and rights of that academy: unavailable, in time; not "not found", not an empty answer."""
    for call in (
        lambda: both.person(ANNE_1D.ref), lambda: both.ties_of(ANNE_1D.ref), lambda: both.guardians_of(LEA_1D.ref),
        lambda: both.school(SCHOOL_1D.uai), lambda: both.members(SCHOOL_1D.uai, Kind.STUDENT),
    ):  # fmt: skip
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="aix"):
            call()
        assert time.monotonic() - begun < LIMIT + SLACK


def test_people_of_the_other_academies_go_on(both: FederatedDirectory, sick_aix: Moody):
    """Their records, rights and schools are whole; only the question who else bears an INE waits, within the limit."""
    begun = time.monotonic()
    assert both.person(ANNE.ref) == ANNE
    assert both.school(COLLEGE.uai) == COLLEGE
    assert both.members(COLLEGE.uai, Kind.STAFF).items == (HEAD,)
    assert time.monotonic() - begun < LIMIT
    for _ in range(3):
        begun = time.monotonic()
        assert {(tie.student, tie.ine) for tie in both.ties_of(ANNE.ref)} >= {(LEA.ref, LEA.ine)}
        assert time.monotonic() - begun < LIMIT + SLACK
    begun = time.monotonic()
    assert both.person(NOE.ref) == NOE
    assert both.guardians_of(NOE.ref) == (Tie(PAUL.ref, NOE.ref, Capacity.LEGAL, NOE.ine),)
    assert time.monotonic() - begun < LIMIT, "nobody waits for a source whose circuit is open, or that declines at once"


def test_a_search_says_what_is_missing(both: FederatedDirectory, aix: Moody):
    """What was found comes with the name of the source that did not answer; a whole result misses nothing."""
    whole = both.students_by_ine("123456789AB")
    assert whole == (LEA_1D, LEA)
    assert missing_from(whole) == ()
    aix.mood = sick(Unavailable("stopped"))
    partial = both.students_by_ine("123456789AB")
    assert partial == (LEA,)
    assert missing_from(partial) == ("aix",)
    guardians = both.find_guardians("D'été", "Anne-Lise", mobile="+33639980001")
    assert guardians == (ANNE,)
    assert missing_from(guardians) == ("aix",)


def test_nobody_found_is_only_said_when_all_answered(both: FederatedDirectory, sick_aix: Moody):
    """With a source missing, an absence proves nothing."""
    for call in (
        lambda: both.students_by_ine("000000000ZZ"), lambda: both.find_guardians("Zola", "Jean", mail="j@exemple.fr"),
        lambda: both.school("9999999Z"),
    ):  # fmt: skip
        with pytest.raises(Unavailable):
            call()
    sick_aix.mood = None
    time.sleep(PAUSE + 0.05)
    both.health()
    assert both.students_by_ine("000000000ZZ") == ()
    with pytest.raises(NotFound):
        both.school("9999999Z")


def test_a_name_alone_asks_nobody(both: FederatedDirectory, lyon: Moody, aix: Moody):
    """Without mobile or mail nothing can be found, so nothing is asked."""
    assert both.find_guardians("Zola", "Paul") == ()
    assert lyon.calls == aix.calls == 0


def test_the_health_names_the_sick_source_and_stays_ready(both: FederatedDirectory, aix: Moody, lyon: Moody):
    """One of two answers: somebody can sign in. None: not ready."""
    assert both.health().ok
    aix.mood = sick(Unavailable("stopped"))
    health = both.health()
    assert health.ok
    assert {name: one.ok for name, one in health.sources.items()} == {"lyon": True, "aix": False}
    assert "aix" in health.detail
    lyon.mood = sick(Unavailable("stopped"))
    assert not both.health().ok


# Isolation ------------------------------------------------------------------------------------------------------------


def test_a_hanging_academy_costs_a_few_bounded_waits_and_then_nothing(both: FederatedDirectory, aix: Moody, release: threading.Event):
    """Three late answers open the circuit; from then on a search does not wait at all."""
    aix.mood = lambda: release.wait(30) and None
    waits = []
    for _ in range(8):
        begun = time.monotonic()
        assert both.students_by_ine("123456789CD") == (NOE,)
        waits.append(time.monotonic() - begun)
    assert max(waits) < LIMIT + SLACK
    assert max(waits[3:]) < LIMIT / 2
    assert aix.calls == 3


def test_a_hanging_academy_takes_no_thread_of_the_others(both: FederatedDirectory, aix: Moody, release: threading.Event):
    """Thirty sign-ons at once, half of them of the academy that hangs: the other half is as quick as ever."""
    aix.mood = lambda: release.wait(30) and None

    def sign_on(number: int) -> tuple[bool, float]:
        begun = time.monotonic()
        try:
            both.person(ANNE_1D.ref if number % 2 else ANNE.ref)
        except Unavailable:
            return False, time.monotonic() - begun
        return True, time.monotonic() - begun

    with ThreadPoolExecutor(30) as pool:
        results = list(pool.map(sign_on, range(30)))
    well = [seconds for ok, seconds in results if ok]
    assert len(well) == 15
    assert max(well) < LIMIT
    assert max(seconds for _, seconds in results) < LIMIT + SLACK


def test_a_slow_academy_that_ends_after_its_bound_is_not_taken_for_well(both: FederatedDirectory, aix: Moody):
    """An answer that came too late does not close the circuit that its lateness opened."""
    aix.mood = lambda: time.sleep(LIMIT + 0.1)
    for _ in range(3):
        with pytest.raises(Unavailable):
            both.person(ANNE_1D.ref)
    time.sleep(0.3)
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        both.person(ANNE_1D.ref)
    assert time.monotonic() - begun < LIMIT / 2


def test_an_academy_recovers_by_itself(both: FederatedDirectory, aix: Moody):
    """After the pause one call tries it; when it answers, everything is as before, without anybody's help."""
    aix.mood = sick(Unavailable("stopped"))
    for _ in range(5):
        with pytest.raises(Unavailable):
            both.person(ANNE_1D.ref)
    assert aix.calls == 3
    aix.mood = None
    with pytest.raises(Unavailable):
        both.person(ANNE_1D.ref)
    time.sleep(PAUSE + 0.05)
    assert both.person(ANNE_1D.ref) == ANNE_1D
    assert missing_from(both.students_by_ine("123456789AB")) == ()


def test_an_answer_of_not_found_is_an_answer(both: FederatedDirectory):
    """Unknown people open no circuit."""
    for number in range(10):
        with pytest.raises(NotFound):
            both.person(Ref("02", Degree.PRIMARY, Kind.GUARDIAN, str(1000 + number)))
    assert both.person(ANNE_1D.ref) == ANNE_1D


def test_the_process_may_end_while_a_source_hangs(both: FederatedDirectory, aix: Moody, release: threading.Event):
    """Threads that are stuck in a source are daemons; closing does not wait for them."""
    aix.mood = lambda: release.wait(30) and None
    with pytest.raises(Unavailable):
        both.person(ANNE_1D.ref)
    begun = time.monotonic()
    both.close()
    assert time.monotonic() - begun < LIMIT
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("source-"))


def test_an_observer_hears_of_every_source(both: FederatedDirectory, aix: Moody):
    """Source, call, outcome, seconds; never a name or a number of somebody."""
    heard: list[tuple[str, str, str, float]] = []
    both.observed_by(lambda *what: heard.append(what))
    both.students_by_ine("123456789AB")
    aix.mood = lambda: time.sleep(LIMIT * 2)
    for _ in range(4):
        both.students_by_ine("123456789AB")
    assert {(source, outcome) for source, _, outcome, _ in heard} == {
        ("lyon", "found"), ("aix", "found"), ("aix", "late"), ("aix", "paused"),
    }  # fmt: skip
    assert {call for _, call, _, _ in heard} == {"students_by_ine"}


# Whose records --------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-05")
def test_a_source_speaks_for_its_own_academies_only(both: FederatedDirectory, aix: Moody, lyon: Moody):
    """Records, rights and schools of another academy are dropped, whoever tells them."""
    forged = replace(NOE, given_name="Forged")
    other = replace(LEA_1D, ref=Ref("02", Degree.PRIMARY, Kind.STUDENT, "777"), academy="10", ine="123456789CD")
    aix.people |= {forged.ref: forged, other.ref: other}
    aix.ties.append(Tie(ANNE_1D.ref, NOE.ref, Capacity.LEGAL, NOE.ine))
    aix.schools[COLLEGE.uai] = replace(COLLEGE, name="Forged", academy="02")
    assert both.students_by_ine("123456789CD") == (NOE,)
    assert both.person(NOE.ref) == NOE
    assert NOE.ref not in {tie.student for tie in both.ties_of(ANNE_1D.ref)}
    with pytest.raises(NotFound):
        both.person(other.ref)
    assert lyon.calls


def test_a_source_that_mixes_people_up_is_not_believed(both: FederatedDirectory, aix: Moody, monkeypatch: pytest.MonkeyPatch):
    """Another record than the one asked for, another INE, another guardian's ties: not taken."""
    aix.people[LEA_1D.ref] = replace(LEA_1D, ine="999999999ZZ")
    monkeypatch.setattr(MemoryDirectory, "person", lambda *_: LEA_1D)
    with pytest.raises(NotFound):
        both.person(ANNE_1D.ref)
    aix_answers = (aix.people[LEA_1D.ref],)
    monkeypatch.setattr(MemoryDirectory, "students_by_ine", lambda *_: aix_answers)
    assert both.students_by_ine("123456789AB") == ()


def test_the_rest_goes_to_the_source_without_academies(lyon: Moody):
    """One source may take every academy that no other one names, and no more than those."""
    rest = moody("02", "10")
    directory = federate(
        [SourceSettings(name="lyon", backend="memory", academies={"10"}), SourceSettings(name="rest", backend="memory")],
        {"lyon": lyon, "rest": rest},
    )
    assert directory.person(ANNE_1D.ref) == ANNE_1D
    del lyon.people[NOE.ref]
    with pytest.raises(NotFound):
        directory.person(NOE.ref)
    assert directory.students_by_ine("123456789CD") == ()
    directory.close()


def test_the_first_source_goes_before_the_second(lyon: Moody):
    """Two sources of one academy: the first one's record, and the second one's where the first has none."""
    second = moody("10")
    second.people[NOE.ref] = replace(NOE, given_name="Second")
    second.people[PAUL.ref] = replace(PAUL, given_name="Second")
    second.ties = [replace(tie, capacity=Capacity.LEGAL) for tie in second.ties]
    del lyon.people[PAUL.ref]
    both_of_lyon = [SourceSettings(name=name, backend="memory", academies={"10"}, limit=LIMIT) for name in ("first", "second")]
    directory = federate(both_of_lyon, {"first": lyon, "second": second})
    assert directory.person(NOE.ref) == NOE
    assert directory.person(PAUL.ref).given_name == "Second"
    assert directory.students_by_ine("123456789CD") == (NOE,)
    assert directory.guardians_of(LEA.ref) == (
        Tie(ANNE.ref, LEA.ref, Capacity.LEGAL, LEA.ine),
        Tie(PAUL.ref, LEA.ref, Capacity.LEGAL, LEA.ine),
    )
    second.mood = lambda: time.sleep(LIMIT * 2)
    begun = time.monotonic()
    assert directory.person(ANNE.ref) == ANNE
    assert time.monotonic() - begun < LIMIT, "the second source is not waited for when the first one knows"
    second.mood, lyon.mood = None, sick(Unavailable("stopped"))
    assert directory.person(NOE.ref).given_name == "Second", "a whole record of the second source is an answer"
    with pytest.raises(Unavailable):
        directory.guardians_of(LEA.ref)
    directory.close()


def test_degrees_may_be_apart(lyon: Moody):
    """An academy may have its collèges in one back end and its primary schools in another."""
    primary = MemoryDirectory([replace(LEA_1D, ref=replace(LEA_1D.ref, feed="10"), academy="10")])
    directory = federate(
        [
            SourceSettings(name="colleges", backend="memory", academies={"10"}, degrees={Degree.SECONDARY}),
            SourceSettings(name="schools", backend="memory", academies={"10"}, degrees={Degree.PRIMARY}),
        ],
        {"colleges": lyon, "schools": primary},
    )
    assert [student.ref.degree for student in directory.students_by_ine("123456789AB")] == [Degree.PRIMARY, Degree.SECONDARY]
    lyon.mood = sick(Unavailable("stopped"))
    assert directory.person(replace(LEA_1D.ref, feed="10")).given_name == "Léa"
    directory.close()


@pytest.mark.covers("IM-05")
def test_an_ine_of_two_children_in_two_sources_identifies_nobody(both: FederatedDirectory, lyon: Moody, aix: Moody):
    """Each source knows one child only: nobody is found, no record and no tie shows the INE; once one source corrects it, all do."""
    ties = both.guardians_of(NOE.ref)
    stranger = replace(LEA_1D, ref=replace(LEA_1D.ref, id="777"), ine=NOE.ine)
    aix.people[stranger.ref] = stranger
    aix.ties.append(Tie(ANNE_1D.ref, stranger.ref, Capacity.LEGAL, NOE.ine))
    assert both.students_by_ine("123456789CD") == ()
    assert [both.person(ref) for ref in (NOE.ref, stranger.ref)] == [replace(NOE, ine=None), replace(stranger, ine=None)]
    assert both.guardians_of(NOE.ref) == tuple(replace(tie, ine=None) for tie in ties)
    assert {tie.student: tie.ine for tie in both.ties_of(PAUL.ref)}[NOE.ref] is None
    assert {tie.student: tie.ine for tie in both.ties_of(ANNE_1D.ref)} == {LEA_1D.ref: LEA_1D.ine, stranger.ref: None}
    aix.people[stranger.ref] = replace(stranger, ine="987654321ZZ")
    assert both.students_by_ine("123456789CD") == (NOE,)
    assert both.guardians_of(NOE.ref) == ties


def test_a_source_that_is_missing_disputes_nothing(both: FederatedDirectory, aix: Moody):
    """The record of another academy goes on with its INE, and a search says that a source is missing."""
    aix.people[LEA_1D.ref] = replace(LEA_1D, ine=NOE.ine)
    aix.mood = sick(Unavailable("stopped"))
    assert both.person(NOE.ref) == NOE
    assert missing_from(both.students_by_ine("123456789CD")) == ("aix",)


def test_a_guardian_who_left_is_told_by_the_source_of_the_feed(both: FederatedDirectory, lyon: Moody, aix: Moody):
    """The last form of the record, from whoever speaks for it; of nobody else, and not while that source is silent."""
    for source in (lyon, aix):
        source.former_guardian = {ANNE_1D.ref: ANNE_1D, PAUL.ref: replace(PAUL, academy="02")}.get  # type: ignore[method-assign]
    assert both.former_guardian(ANNE_1D.ref) == ANNE_1D
    assert both.former_guardian(PAUL.ref) is None
    assert both.former_guardian(ANNE.ref) is None
    aix.former_guardian = lambda _: sick(Unavailable("stopped"))()  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(Unavailable, match="aix"):
        both.former_guardian(ANNE_1D.ref)


# The circuit breaker --------------------------------------------------------------------------------------------------


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_circuit_opens_pauses_probes_and_closes():
    """Closed until the third failure in a row; open for the pause; one probe; closed by a success."""
    clock = Clock()
    breaker = Breaker(3, 10.0, clock)
    for _ in range(2):
        assert breaker.admits()
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
    assert breaker.circuit is Circuit.CLOSED, "a success begins the count anew"
    breaker.failed()
    assert breaker.circuit is Circuit.OPEN
    clock.now += 9.9
    assert not breaker.admits()
    clock.now += 0.2
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    breaker.failed()
    assert breaker.circuit is Circuit.OPEN
    assert not breaker.admits()
    clock.now += 10.1
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.circuit is Circuit.CLOSED
    assert breaker.admits()


def test_a_probe_that_never_comes_back_is_replaced():
    """Who asked may have gone; the source is not left alone for ever."""
    clock = Clock()
    breaker = Breaker(1, 10.0, clock)
    breaker.failed()
    clock.now += 11
    assert breaker.admits()
    assert not breaker.admits()
    clock.now += 11
    assert breaker.admits()


def test_one_thread_of_many_probes():
    """However many calls come at the end of the pause."""
    clock = Clock()
    breaker = Breaker(1, 10.0, clock)
    breaker.failed()
    clock.now += 11
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: breaker.admits(), range(200))) == 1


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        ([{"name": "a", "backend": "sql"}, {"name": "a", "backend": "sql", "academies": ["10"]}], "two sources of one name"),
        ([{"name": "a", "backend": "sql"}, {"name": "b", "backend": "sql"}], "only one source may leave out"),
        ([{"name": "a", "backend": "sql", "feeds": ["lyon"]}], "must name its academies"),
        ([{"name": "a", "backend": "federated"}], "holds no other"),
        ([{"name": "a", "backend": "nothing"}], "no back end named 'nothing'"),
        ([{"name": "a", "backend": "sql", "options": {"url": "x"}}], "unexpected keyword argument 'url'"),
    ],
)
def test_sources_that_contradict_each_other_are_refused(sources: list[dict[str, Any]], why: str, tmp_path: Path):
    """With a sentence that says what to change, and nothing left open."""

    class Settings:
        directory_database = f"sqlite:///{tmp_path}/directory.sqlite"

    with pytest.raises(ValueError, match=why):
        open_directory(Settings(), sources=sources)
    with closing(open_directory(Settings(), sources=[{"name": "a", "backend": "sql"}])) as directory:
        assert list(directory.sources()) == ["a"]


@pytest.mark.parametrize(
    "value", [{"name": "Lyon"}, {"academies": ["lyon"]}, {"limit": 60}, {"degrees": ["3D"]}, {"colour": "red"}, {"width": 0}]
)
def test_a_source_is_described_exactly(value: dict[str, Any]):
    """A value out of its range or a name that does not exist is refused, not ignored."""
    good = {"name": "lyon", "backend": "sql", "academies": ["10"]}
    assert SourceSettings(**good).academies == {"10"}
    with pytest.raises(ValidationError):
        SourceSettings(**{**good, **value})
