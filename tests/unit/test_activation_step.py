"""Which page comes before the account may be used."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from hub.accounts.models import AccountKind, State
from hub.activation.next_step import Facts, Step, activation_step, may_visit

PUPIL = Facts(AccountKind.STUDENT, State.ACTIVATING)
PARENT = Facts(AccountKind.GUARDIAN, State.ACTIVATING)
ACTIVE = replace(PARENT, state=State.ACTIVE, has_password=True, has_mail=True, confirmed=1)


@pytest.mark.covers("AC-22")
@pytest.mark.parametrize(
    ("facts", "step"),
    [
        (PUPIL, Step.STUDENT_CREDENTIALS),
        (replace(PUPIL, has_password=True), Step.STUDENT_BIRTH_DATE),
        (PARENT, Step.CHILDREN),
        (replace(PARENT, proposed=2), Step.CHILDREN),
        (replace(PARENT, has_password=True, has_mail=True), Step.CHILDREN),
        (replace(PARENT, confirmed=1, proposed=1), Step.CREDENTIALS),
        (replace(PARENT, confirmed=1, has_password=True), Step.CREDENTIALS),
        (replace(PARENT, confirmed=1, has_mail=True), Step.CREDENTIALS),
        (replace(PARENT, confirmed=1, has_password=True, has_mail=True), Step.MAIL),
        (replace(PARENT, confirmed=1, proposed=1, policy="all"), Step.CHILDREN),
        (replace(PARENT, confirmed=1, to_check=1, policy="all"), Step.CHILDREN),
        (replace(PARENT, confirmed=2, policy="all"), Step.CREDENTIALS),
        (ACTIVE, None),
        (replace(ACTIVE, proposed=1), Step.NEW_CHILDREN),
        (replace(ACTIVE, proposed=1, postponed=True), None),
        (replace(ACTIVE, to_check=1), None),
        (replace(ACTIVE, confirmed=0), None),
        (replace(ACTIVE, must_change_password=True, proposed=1), Step.FORCED_CHANGE),
        (replace(PARENT, state=State.KNOWN), Step.START_OVER),
        (replace(PUPIL, state=State.INFORMED, has_password=True), Step.START_OVER),
    ],
)
def test_the_step_that_is_due(facts: Facts, step: Step | None):
    """From what the account shows, nothing else."""
    assert activation_step(facts) is step


@pytest.mark.covers("AC-22")
def test_only_the_due_step_and_earlier_ones_may_be_visited():
    """Never a later one, never one of the other profile, never one once the account is active."""
    assert may_visit(Step.CHILDREN, replace(PARENT, confirmed=1))
    assert may_visit(Step.STUDENT_CREDENTIALS, replace(PUPIL, has_password=True))
    assert not may_visit(Step.MAIL, replace(PARENT, confirmed=1))
    assert not may_visit(Step.STUDENT_BIRTH_DATE, PUPIL)
    assert not may_visit(Step.STUDENT_CREDENTIALS, PARENT)
    assert not any(may_visit(step, ACTIVE) for step in Step)


@pytest.mark.covers("AC-22")
def test_nobody_half_activated_is_let_through():
    """Whatever the rest, an account that is not active has a page to finish."""
    for kind, state, *flags in product(AccountKind, (State.KNOWN, State.INFORMED, State.ACTIVATING), *[(False, True)] * 3):
        facts = Facts(kind, state, has_password=flags[0], has_mail=flags[1], postponed=flags[2], confirmed=1)
        assert activation_step(facts) is not None
