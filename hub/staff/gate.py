"""Who may open a page of the staff areas. Each view says it with one decorator; a view that says nothing is closed (AD-01).

=====================  ===========================================================================================
``@open_page``         anybody: the sign-in pages
``@agent_page()``      a signed-in agent, by default with the second factor; called as ``view(agent, …)``
``@desk_page(right)``  an agent with that right at the school in the address (``<uai>``); called as ``view(desk, …)``
=====================  ===========================================================================================

Somebody else's school and a school that does not exist answer alike: no such page (AD-02).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from backends import NotFound

from ..accounts.notices import PARIS
from ..ops.logs import get_logger
from ..web.areas import is_own_path, is_staff_address
from ..web.current import current_instance
from ..web.errors import error_page
from .models import Agent
from .rights import Application, Right, Role
from .scope import AgentFacts, Desk, OutOfScope, open_desk
from .service import facts_of
from .sessions import AgentSession, StaffSessions

log = get_logger("staff")
P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]


@dataclass(frozen=True, slots=True)
class Access:
    """What a view asks of whoever opens it. The generated matrix test reads these."""

    agent: bool = False
    strong: bool = False
    right: Right | None = None
    application: Application = Application.ADMINISTRATION
    step_up: bool = False


_ATTRIBUTE = "preau_access"


def access_of(view: Callable[..., Any]) -> Access | None:
    """What the view asks; None for one that says nothing."""
    found: Access | None = getattr(view, _ATTRIBUTE, None)
    return found


def open_page(view: View[P]) -> View[P]:
    """A page of the staff areas for anybody."""
    setattr(view, _ATTRIBUTE, Access())
    return view


def agent_page(*, strong: bool = True, step_up: bool = False) -> Callable[[View[Concatenate[AgentFacts, P]]], View[P]]:
    """A page for a signed-in agent, whatever the school. ``step_up``: the second factor must be fresh."""

    def decorate(view: View[Concatenate[AgentFacts, P]]) -> View[P]:
        @wraps(view)
        def gated(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            agent = current_agent()
            if agent is None:
                return _to("staff.login")
            if strong and not is_strong(fresh=step_up):
                return _to("staff.second_factor")
            return view(agent, *args, **kwargs)

        setattr(gated, _ATTRIBUTE, Access(agent=True, strong=strong, step_up=step_up))
        return gated

    return decorate


def desk_page(
    right: Right, application: Application = Application.ADMINISTRATION, *, step_up: bool = False
) -> Callable[[View[Concatenate[Desk, P]]], Callable[..., ResponseReturnValue]]:
    """A page of one school: its address holds ``<uai>``. ``step_up``: for acts on many people, the second factor must be fresh.

    The desk answers for the school; the service asks it for the right again (``desk.require``).
    """

    def decorate(view: View[Concatenate[Desk, P]]) -> Callable[..., ResponseReturnValue]:
        @wraps(view)
        def gated(uai: str, *args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            agent = current_agent()
            if agent is None:
                return _to("staff.login")
            desk = desk_at(agent, uai, application)
            if desk is None:
                abort(404)
            if _wants_second_factor(desk) and not is_strong(fresh=step_up):
                return _to("staff.second_factor")
            desk.require(right)
            g.desk = desk
            return view(desk, *args, **kwargs)

        setattr(gated, _ATTRIBUTE, Access(agent=True, strong=True, right=right, application=application, step_up=step_up))
        return gated

    return decorate


def _wants_second_factor(desk: Desk) -> bool:
    """Always in the administration, and of whoever is more than a trouble-shooter (section 5, « Authentication »)."""
    required = current_instance().settings.troubleshooting_second_factor == "required"
    return desk.application is Application.ADMINISTRATION or required or Role.TROUBLESHOOTER not in desk.roles


def staff_session() -> AgentSession:
    """The session of this agent's browser, under its own type; only in the staff areas."""
    found = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(found, AgentSession)
    return found


def staff_sessions() -> StaffSessions:
    """What begins and ends the sessions of agents."""
    found: StaffSessions = current_app.extensions["staff_sessions"]
    return found


def current_agent() -> AgentFacts | None:
    """The agent who gave his password in this browser, as he is now; read once for a request."""
    if "agent" not in g:
        g.agent = _read_agent(staff_session().agent_id)
    found: AgentFacts | None = g.agent
    return found


def _read_agent(agent_id: str | None) -> AgentFacts | None:
    if agent_id is None:
        return None
    instance = current_instance()
    with instance.database.session() as db:
        return facts_of(db, instance.directory, db.get_one(Agent, agent_id))


def desk_at(agent: AgentFacts, uai: str, application: Application) -> Desk | None:
    """The desk of that school, None when the agent has none there or there is no such school."""
    try:
        school = current_instance().directory.school(uai)
    except NotFound:
        return None
    return open_desk(agent, school, application, today=datetime.now(PARIS).date())


def is_strong(*, fresh: bool = False) -> bool:
    """Whether the second factor was given in this session; ``fresh``: not longer ago than the settings allow for bulk acts."""
    given = staff_session().strong_at
    if given is None:
        return False
    return not fresh or datetime.now(UTC) - given <= current_instance().settings.staff_step_up


def next_address() -> str:
    """Where the page was headed: an address of the staff areas on this site, the choice of the school otherwise."""
    wanted = request.args.get("next", "")
    return wanted if is_own_path(wanted) and is_staff_address(wanted.partition("?")[0]) else url_for("school.choose")


def _to(endpoint: str) -> ResponseReturnValue:
    back = request.full_path.removesuffix("?") if request.method == "GET" else None
    return redirect(url_for(endpoint, next=back), 303)


def init_gate(app: Flask) -> None:
    """Close the staff areas to views that do not say who may open them, and answer refusals of services."""

    @app.before_request
    def _closed_by_default() -> None:
        if request.url_rule is None or not is_staff_address(request.url_rule.rule):
            return
        if access_of(app.view_functions[request.url_rule.endpoint]) is None:
            log.error("page.undeclared", endpoint=request.url_rule.endpoint)
            abort(404)

    @app.errorhandler(OutOfScope)
    def _out_of_scope(_exc: OutOfScope) -> tuple[str, int]:
        return error_page("not_allowed")

    @app.context_processor
    def _who() -> dict[str, Any]:
        return {"desk": g.get("desk"), "agent": g.get("agent")}
