"""The one decision of the front door."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.login.next_step import AskPassword, AskProfile, Denial, Deny, Finish, Ready, SignedIn, Wish, next_step

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
PUPIL = SignedIn("student", NOW)
GUARDIAN = SignedIn("guardian", NOW)


def test_nobody_signed_in_chooses_a_profile():
    """A visitor is asked who he is."""
    assert next_step(Wish(), None) == AskProfile()


def test_a_service_for_one_profile_spares_the_choice():
    """A service that takes pupils only leads straight to their form."""
    assert next_step(Wish(frozenset(("student",))), None) == AskPassword("student")


def test_a_signed_in_person_is_ready():
    """A living session answers without any question."""
    assert next_step(Wish(), PUPIL) == Ready()


@pytest.mark.covers("RQ-51", "RQ-52")
def test_a_forced_sign_in_is_answered_only_by_a_later_proof():
    """A session older than the challenge does not count; one made after it does."""
    asked = Wish(force_authn=True, challenged_at=NOW)
    assert next_step(Wish(force_authn=True), PUPIL) == AskProfile()
    assert next_step(asked, PUPIL) == AskProfile()
    assert next_step(asked, SignedIn("student", NOW + timedelta(seconds=1))) == Ready()


@pytest.mark.covers("RQ-55", "RQ-56", "RQ-57", "RQ-58")
@pytest.mark.parametrize(
    ("wish", "person", "expected"),
    [
        (Wish(is_passive=True), None, Deny(Denial.NO_PASSIVE)),
        (Wish(is_passive=True), PUPIL, Ready()),
        (Wish(is_passive=True), SignedIn("student", NOW, unfinished="activation.password"), Deny(Denial.NO_PASSIVE)),
        (Wish(is_passive=True, force_authn=True), PUPIL, Deny(Denial.NO_PASSIVE)),
    ],
)
def test_a_passive_request_shows_no_page(wish, person, expected):
    """IsPassive is answered at once, with the person or with NoPassive."""
    assert next_step(wish, person) == expected


def test_a_wrong_profile_is_told_before_anything_is_sent():
    """A guardian at a service for pupils is stopped."""
    assert next_step(Wish(frozenset(("student",))), GUARDIAN) == Deny(Denial.WRONG_PROFILE)


def test_an_unfinished_account_finishes_first():
    """Activation comes before any service."""
    assert next_step(Wish(), SignedIn("guardian", NOW, unfinished="activation.mail")) == Finish("activation.mail")


def test_a_suspended_account_goes_nowhere():
    """Suspension wins over everything that follows."""
    assert next_step(Wish(), SignedIn("student", NOW, suspended=True, unfinished="x")) == Deny(Denial.SUSPENDED)
    assert next_step(Wish(), SignedIn("student", NOW, closed=True)) == Deny(Denial.CLOSED)


people = st.none() | st.builds(
    SignedIn,
    profile=st.sampled_from(["student", "guardian"]),
    authn_instant=st.sampled_from([NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1)]),
    suspended=st.booleans(),
    closed=st.booleans(),
    unfinished=st.none() | st.just("activation.mail"),
)
wishes = st.builds(
    Wish,
    profiles=st.sets(st.sampled_from(["student", "guardian"]), min_size=1).map(frozenset),
    force_authn=st.booleans(),
    is_passive=st.booleans(),
    challenged_at=st.none() | st.just(NOW),
)


@given(wishes, people)
def test_ready_means_that_every_condition_holds(wish, person):
    """Whatever the combination, Ready is given only to an open, finished, accepted account with a fresh enough proof."""
    step = next_step(wish, person)
    fresh = person is not None and (not wish.force_authn or (wish.challenged_at is not None and person.authn_instant > wish.challenged_at))
    allowed = person is not None and not (person.suspended or person.closed or person.unfinished) and person.profile in wish.profiles
    assert (step == Ready()) == (fresh and allowed)
    if wish.is_passive:
        assert not isinstance(step, AskProfile | AskPassword | Finish)
