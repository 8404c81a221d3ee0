"""The machine of single logout: its tables, and what holds whatever happens in whatever order."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.logout.machine import (
    ENDINGS,
    TRANSITIONS,
    Ending,
    Event,
    Finish,
    Logout,
    Participant,
    Send,
    Told,
    Wait,
    advance,
    answered,
    happen,
    skipped,
    stopped,
)

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "single-logout.md"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
WAIT = timedelta(seconds=10)
FINAL = {Told.LEFT, Told.REFUSED, Told.SILENT, Told.UNTOLD}


def participant(name: str = "sp", **changes: object) -> Participant:
    values = {
        "service_provider": name,
        "name_id": f"_{name}",
        "name_id_format": "transient",
        "name_qualifier": "hub",
        "sp_name_qualifier": name,
        "session_indexes": ("_s",),
    }
    return Participant(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.covers("LO-07", "LO-08")
@pytest.mark.parametrize(("state", "event"), list(product(Told, Event)), ids=lambda value: value.value)
def test_one_service_moves_as_the_table_says_and_not_otherwise(state: Told, event: Event):
    """Every state with every event: the table's line, or nothing."""
    after = happen(participant(state=state), event)
    assert after.state is TRANSITIONS.get((state, event), state)
    assert happen(after, Event.ASK) == after or after.state is Told.PENDING


def test_the_page_prints_the_tables_of_the_code():
    """``docs/explanation/single-logout.md`` has each transition and each ending, and no other."""
    rows = [tuple(re.findall(r"`([^`]+)`", line)) for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    moves = {(Told(a), Event(b)): Told(c) for a, b, c in (row for row in rows if len(row) == 3 and row[0] in set(Told))}
    assert moves == TRANSITIONS
    yes_no = {"yes": True, "no": False}
    endings = {(yes_no[a], yes_no[b]): Ending(c) for a, b, c in (row for row in rows if len(row) == 3 and row[0] in yes_no)}
    assert endings == ENDINGS


def test_no_state_is_without_exit():
    """From every state that is not final an event of the person alone, and time alone, lead on."""
    for state in set(Told) - FINAL:
        assert TRANSITIONS[state, Event.STOP] in FINAL
    assert TRANSITIONS[Told.ASKED, Event.TIME_OVER] in FINAL


@pytest.mark.covers("LO-07")
@pytest.mark.parametrize("expected", [True, False])
@pytest.mark.parametrize("state", sorted(FINAL))
def test_the_end_says_the_truth(expected: bool, state: Told):
    """Success alone only when every service has answered that the person left."""
    logout = Logout((participant(state=Told.LEFT), participant("b", state=state)), answer_expected=expected)
    _, output = advance(logout, now=NOON, wait=WAIT, new_id=lambda: "_x")
    if not expected:
        assert output == Finish(Ending.SHOW)
    else:
        assert output == Finish(Ending.ANSWER if state is Told.LEFT else Ending.SHOW_THEN_ANSWER)


def test_nobody_to_tell_is_the_end():
    """The only service of the session asked itself."""
    assert advance(Logout((), answer_expected=True), now=NOON, wait=WAIT, new_id=lambda: "_x")[1] == Finish(Ending.ANSWER)


class Walk(RuleBasedStateMachine):
    """A browser, services and a clock that do anything in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.asked: list[tuple[str, str]] = []
        self.succeeded: set[str] = set()
        self.final: dict[int, Told] = {}

    @initialize(
        states=st.lists(st.sampled_from([Told.PENDING, Told.PENDING, Told.UNTOLD]), max_size=6),
        expected=st.booleans(),
    )
    def begin(self, states: list[Told], expected: bool) -> None:
        self.logout = Logout(tuple(participant(f"sp{n}", state=state) for n, state in enumerate(states)), answer_expected=expected)

    def _advance(self) -> object:
        self.logout, output = advance(self.logout, now=self.now, wait=WAIT, new_id=lambda: f"_r{len(self.asked)}")
        if isinstance(output, Send):
            told = self.logout.participants[output.index]
            assert told.state is Told.ASKED and told.request_id and told.asked_at == self.now
            self.asked.append((told.service_provider, told.request_id))
        if isinstance(output, Wait):
            assert self.now < output.until <= self.now + WAIT
        return output

    @rule()
    def browser_comes_back(self) -> None:
        self._advance()

    @rule(seconds=st.integers(0, 25))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(index=st.integers(-1, 7))
    def person_skips(self, index: int) -> None:
        self.logout = skipped(self.logout, index)

    @rule()
    def person_stops(self) -> None:
        self.logout = stopped(self.logout)
        assert not [p for p in self.logout.participants if p.state in (Told.PENDING, Told.ASKED)]

    @rule(data=st.data(), success=st.booleans())
    def service_answers(self, data: st.DataObject, success: bool) -> None:
        if not self.asked:
            return
        name, request_id = data.draw(st.sampled_from(self.asked))
        before = self.logout
        self.logout = answered(before, name, request_id, success=success)
        if success and self.logout != before:
            self.succeeded.add(name)

    @rule(name=st.sampled_from(["sp0", "sp1", "other"]), request_id=st.sampled_from(["", "_r99", "None"]))
    def stranger_answers(self, name: str, request_id: str) -> None:
        assert answered(self.logout, name, request_id, success=True) == self.logout

    @invariant()
    def at_most_one_is_asked_at_a_time_and_each_once(self) -> None:
        logout = getattr(self, "logout", None)
        if logout is None:
            return
        assert sum(p.state is Told.ASKED for p in logout.participants) <= 1
        assert len({name for name, _ in self.asked}) == len(self.asked)

    @invariant()
    def left_is_said_of_those_that_answered_so_only(self) -> None:
        if hasattr(self, "logout"):
            assert {p.service_provider for p in self.logout.participants if p.state is Told.LEFT} == self.succeeded

    @invariant()
    def what_is_settled_stays_settled(self) -> None:
        for index, p in enumerate(self.logout.participants if hasattr(self, "logout") else ()):
            if index in self.final:
                assert p.state is self.final[index]
            if p.state in (Told.LEFT, Told.REFUSED, Told.UNTOLD):
                self.final[index] = p.state

    def teardown(self) -> None:
        """However far it got: coming back again and again with time passing ends it, and every service is told or marked."""
        if not hasattr(self, "logout"):
            return
        for _ in range(2 * len(self.logout.participants) + 1):
            output = self._advance()
            if isinstance(output, Finish):
                break
            self.now += WAIT
        assert isinstance(output, Finish)
        assert all(p.state in FINAL for p in self.logout.participants)
        assert self.logout.complete == all(p.state is Told.LEFT for p in self.logout.participants)


TestWalk = pytest.mark.covers("LO-07", "LO-08")(Walk.TestCase)
