"""Scope and rights of agents, for every school and any set of posts and delegations."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import Degree, School
from hub.staff.delegations import Term, end_of_school_year, why_not
from hub.staff.rights import MATRIX, MEANING, OF_TROUBLESHOOTING, Application, Right, Role, rights_at_desk
from hub.staff.scope import AgentFacts, Delegated, Function, OutOfScope, Post, open_desk, roles_at

DAY = date(2026, 11, 25)
COLLEGE = School("0690001B", "COLLEGE DES TILLEULS", "10", Degree.SECONDARY)
SCHOOL_1D = School("0010002X", "ECOLE DU PONT", "02", Degree.PRIMARY)
LEGTA = School("0690003C", "LEGTA", "10", Degree.SECONDARY, agricultural=True)
SCHOOLS = (COLLEGE, SCHOOL_1D, LEGTA)
uais = st.sampled_from([school.uai for school in SCHOOLS] + ["0999999Z"])
schools = st.sampled_from(SCHOOLS)
days = st.dates(DAY - timedelta(days=3), DAY + timedelta(days=3))
school_posts = st.builds(Post, st.sampled_from([Function.HEAD, Function.TEACHER, Function.OTHER]), uais)
delegations = st.builds(Delegated, st.sampled_from(Application), uais, days, days)
local_agents = st.builds(
    AgentFacts,
    st.just("a"),
    st.just("Ada"),
    st.frozensets(school_posts, max_size=4),
    st.lists(delegations, max_size=4).map(tuple),
)


def delegate(starts: date = DAY, ends: date = DAY) -> AgentFacts:
    """An agent of the collège to whom the administration is lent."""
    post, lent = Post(Function.OTHER, COLLEGE.uai), Delegated(Application.ADMINISTRATION, COLLEGE.uai, starts, ends)
    return AgentFacts("a", "Ada", frozenset((post,)), (lent,))


@given(local_agents, schools, st.sampled_from(Application))
def test_no_desk_where_one_has_no_post(agent: AgentFacts, school: School, application: Application):
    """Whatever delegations say, a school where an agent does not work is closed (AD-02, AD-05)."""
    desk = open_desk(agent, school, application, today=DAY)
    if desk is not None:
        assert agent.works_at(school.uai) and desk.school is school


@given(local_agents, schools)
def test_posts_and_delegations_elsewhere_change_nothing_here(agent: AgentFacts, school: School):
    """Rights at a school come from what is said of that school, and from nothing else."""
    here = replace(
        agent,
        posts=frozenset(post for post in agent.posts if post.place == school.uai),
        delegations=tuple(one for one in agent.delegations if one.uai == school.uai),
    )
    for application in Application:
        found, alone = (open_desk(one, school, application, today=DAY) for one in (agent, here))
        assert (found and found.rights) == (alone and alone.rights)


@given(local_agents, schools)
def test_troubleshooting_gives_nobody_more_than_it_can_do(agent: AgentFacts, school: School):
    """Not even a head, and never anything on guardians; and a troubleshooter has no administration."""
    desk = open_desk(agent, school, Application.TROUBLESHOOTING, today=DAY)
    assert desk is None or desk.rights <= OF_TROUBLESHOOTING
    if roles_at(agent, school, today=DAY) == {Role.TROUBLESHOOTER}:
        assert open_desk(agent, school, Application.ADMINISTRATION, today=DAY) is None


@given(local_agents, schools)
def test_only_heads_of_secondary_schools_delegate(agent: AgentFacts, school: School):
    """Not by delegation, not in a primary school, not in an agricultural one (section 5, notes 2 and 3)."""
    desk = open_desk(agent, school, Application.ADMINISTRATION, today=DAY)
    may = desk is not None and desk.may(Right.DELEGATE)
    assert may == (Post(Function.HEAD, school.uai) in agent.posts and school.degree is Degree.SECONDARY and not school.agricultural)


@given(days, days)
def test_a_delegation_counts_from_its_first_day_to_its_last(starts: date, ends: date):
    """Both included."""
    agent = AgentFacts(
        "a", "Ada", frozenset((Post(Function.OTHER, COLLEGE.uai),)), (Delegated(Application.ADMINISTRATION, COLLEGE.uai, starts, ends),)
    )
    assert (open_desk(agent, COLLEGE, Application.ADMINISTRATION, today=DAY) is not None) == (starts <= DAY <= ends)


def test_academies_and_the_nation_read_no_list_of_a_school():
    """Their figures are aggregates and their glass must be broken: neither opens a page by itself."""
    for role in (Role.ACADEMY, Role.NATIONAL):
        rights = rights_at_desk(frozenset((role,)))
        assert not rights & {Right.FIND_STUDENT, Right.READ_GUARDIAN, Right.STATISTICS, Right.INFORM, Right.RESET_STUDENTS}
        assert Right.READ_JOURNAL in rights


def test_the_matrix_names_every_right():
    """No right without a row and a meaning."""
    assert set(MATRIX) == set(MEANING) == set(Right)


def test_a_service_refuses_the_right_that_the_desk_has_not():
    """The delegate of the administration may inform, and may not delegate."""
    desk = open_desk(delegate(), COLLEGE, Application.ADMINISTRATION, today=DAY)
    assert desk is not None
    desk.require(Right.INFORM)
    with pytest.raises(OutOfScope):
        desk.require(Right.DELEGATE)


@pytest.mark.parametrize(("day", "end"), [(date(2026, 8, 31), date(2026, 8, 31)), (date(2026, 9, 1), date(2027, 8, 31))])
def test_a_school_year_ends_on_31_august(day: date, end: date):
    """And a delegation no later."""
    assert end_of_school_year(day) == end
    assert why_not(Term(Application.ADMINISTRATION, day, end), today=day) is None
    assert why_not(Term(Application.ADMINISTRATION, day, end + timedelta(days=1)), today=day) == "ends_after_the_school_year"
