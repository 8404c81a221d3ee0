"""`preau agent`: agents of schools and academies, their posts, delegations and second factors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from backends import NotFound, Ref, School

from ..accounts.notices import PARIS
from ..cli.context import actor, echo_json, instance, say
from ..errors import Refusal
from ..instance import Instance
from ..messaging.service import queue_mail
from . import delegations, service
from .delegations import Term, end_of_school_year
from .models import Agent, Delegation
from .rights import Application
from .scope import Function, Post

REASONS = {
    "begins_in_the_past": "a delegation begins today or later",
    "ends_before_it_begins": "the last day comes before the first",
    "ends_after_the_school_year": "a delegation ends with the school year, on 31 August",
    "no_delegation_there": "nobody delegates in a primary or an agricultural school",
    "does_not_work_there": "the agent has no post at that school",
    "has_it_already": "the agent has this delegation already in those days",
    "no_such_delegation": "that school has no such delegation",
}
_FUNCTIONS = {
    "head": Function.HEAD,
    "teacher": Function.TEACHER,
    "other": Function.OTHER,
    "academy": Function.ACADEMY,
    "national": Function.NATIONAL,
}
_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
_day = click.DateTime(["%Y-%m-%d"])


@click.group()
def agent() -> None:
    """Agents of schools and academies. They sign in at /staff/login, apart from families."""


@agent.command()
@click.argument("login")
@click.option("--ref", help="The agent's record in the directory (13/2D/staff/1234): functions follow it.")
@click.option("--given-name", help="Given name of an agent whom the directory does not know.")
@click.option("--family-name", help="Family name of an agent whom the directory does not know.")
@click.option("--mail", help="Address for the invitation; by default the one of the directory.")
@click.option("--send", is_flag=True, help="Send the link by mail instead of printing it.")
@_json
def add(login: str, ref: str | None, given_name: str | None, family_name: str | None, mail: str | None, send: bool, as_json: bool) -> None:
    """Add an agent and make the one-time link by which he or she enrols."""
    parts, now = instance(), datetime.now(UTC)
    name = (given_name, family_name) if given_name and family_name else None
    with parts.database.transaction() as db:
        record = _parsed(ref) if ref else None
        try:
            made = service.add_agent(db, parts.directory, login, ref=record, name=name, mail=mail, actor=actor(), now=now)
        except NotFound:
            raise Refusal(f"{ref}: no such record in the directory") from None
        answer = _invitation(db, parts, made, send=send, forget_password=False)
    _tell_invitation(answer, as_json)


@agent.command("list")
@_json
def list_agents(as_json: bool) -> None:
    """Every agent, by login."""
    with instance().database.session() as db:
        rows = [
            {"login": a.login, "name": a.name, "disabled": a.disabled, "enrolled": a.password_hash is not None and a.has_second_factor}
            for a in db.scalars(select(Agent).order_by(Agent.login))
        ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        state = "disabled" if row["disabled"] else "enrolled" if row["enrolled"] else "not enrolled"
        click.echo(f"{row['login']:<32}  {state:<12}  {row['name']}")


@agent.command()
@click.argument("login")
@_json
def show(login: str, as_json: bool) -> None:
    """Posts, delegations and state of an agent; never a secret."""
    parts = instance()
    with parts.database.session() as db:
        found = service.agent_named(db, login)
        now = service.facts_of(db, parts.directory, found)
        facts: dict[str, Any] = {
            "id": found.id,
            "login": found.login,
            "name": found.name,
            "ref": found.ref,
            "disabled": found.disabled,
            "has_password": found.password_hash is not None,
            "authenticator": found.totp_sealed is not None,
            "passkeys": len(found.passkeys),
            "last_sign_in_at": found.last_sign_in_at.isoformat() if found.last_sign_in_at else None,
            "posts": [f"{post.function.value} {post.place}".strip() for post in sorted(now.posts)],
            "delegations": [f"{d.application.value} {d.uai} {d.starts_on} {d.ends_on}" for d in now.delegations],
        }
    if as_json:
        echo_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:<18}  {', '.join(value) or '-' if isinstance(value, list) else '-' if value is None else value}")


@agent.command()
@click.argument("login")
@click.argument("function", type=click.Choice(list(_FUNCTIONS)))
@click.argument("place", default="")
@click.option("--remove", is_flag=True, help="Take the post away.")
@_json
def role(login: str, function: str, place: str, remove: bool, as_json: bool) -> None:
    """Give an agent a post: head, teacher or other at a school (PLACE: its UAI), academy (PLACE: its code), or national."""
    parts = instance()
    post = _post(parts, _FUNCTIONS[function], place)
    change = service.take_post if remove else service.give_post
    with parts.database.transaction() as db:
        found = service.agent_named(db, login)
        change(db, found, post, actor=actor())
        answer = {"login": found.login, "function": function, "place": post.place, "removed": remove}
    say(answer, as_json, f"{found.login}: {function} {post.place} {'taken away' if remove else 'given'}")


@agent.command()
@click.argument("login")
@click.argument("application", type=click.Choice([one.value for one in Application]))
@click.argument("uai")
@click.option("--from", "starts", type=_day, help="First day; by default today.")
@click.option("--until", "ends", type=_day, help="Last day; by default the end of the school year.")
@_json
def delegate(login: str, application: str, uai: str, starts: datetime | None, ends: datetime | None, as_json: bool) -> None:
    """Delegate an application of a secondary school to an agent who works there."""
    parts, now = instance(), datetime.now(UTC)
    today = now.astimezone(PARIS).date()
    term = Term(Application(application), _date(starts) or today, _date(ends) or end_of_school_year(today))
    with parts.database.transaction() as db:
        found = service.agent_named(db, login)
        school = _school(parts, uai)
        kept = _explained(lambda: delegations.delegate_as_operator(db, parts.directory, school.uai, found, term, actor=actor(), now=now))
        answer = {"id": kept.id, "login": found.login, "application": application, "uai": school.uai, "until": term.ends_on.isoformat()}
    say(answer, as_json, f"{found.login}: {application} of {school.uai} until {term.ends_on} (delegation {kept.id})")


@agent.command()
@click.argument("uai")
@click.argument("delegation")
@_json
def revoke(uai: str, delegation: str, as_json: bool) -> None:
    """Take DELEGATION (its id) of the school UAI back; `preau agent delegations UAI` lists them."""
    with instance().database.transaction() as db:
        _explained(lambda: delegations.revoke(db, uai.upper(), delegation, actor=actor(), now=datetime.now(UTC)))
    say({"id": delegation, "revoked": True}, as_json, f"{delegation}: taken back")


@agent.command("delegations")
@click.argument("uai")
@_json
def list_delegations(uai: str, as_json: bool) -> None:
    """Delegations of a school that nobody took back."""
    with instance().database.session() as db:
        rows = [
            {
                "id": one.id,
                "login": db.get_one(Agent, one.agent_id).login,
                "application": one.application.value,
                "from": one.starts_on.isoformat(),
                "until": one.ends_on.isoformat(),
            }
            for one in delegations.living(db, uai.upper())
        ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo("  ".join(row.values()))


@agent.command()
@click.argument("login")
@click.option("--forget-password", is_flag=True, help="Let the agent choose a new password too.")
@click.option("--send", is_flag=True, help="Send the link by mail instead of printing it.")
@_json
def totp(login: str, forget_password: bool, send: bool, as_json: bool) -> None:
    """Void the second factor of an agent, end his sessions, and make a one-time link to enrol again."""
    parts = instance()
    with parts.database.transaction() as db:
        found = service.agent_named(db, login)
        answer = _invitation(db, parts, found, send=send, forget_password=forget_password)
    _tell_invitation(answer, as_json)


@agent.command()
@click.argument("login")
@_json
def disable(login: str, as_json: bool) -> None:
    """Close the account of an agent and end his sessions."""
    _set_disabled(login, True, as_json)


@agent.command()
@click.argument("login")
@_json
def enable(login: str, as_json: bool) -> None:
    """Open the account of an agent again."""
    _set_disabled(login, False, as_json)


def _set_disabled(login: str, disabled: bool, as_json: bool) -> None:
    with instance().database.transaction() as db:
        found = service.agent_named(db, login)
        service.set_disabled(db, found, disabled, actor=actor())
    say({"login": found.login, "disabled": disabled}, as_json, f"{found.login}: {'disabled' if disabled else 'open again'}")


def _invitation(db: Session, parts: Instance, who: Agent, *, send: bool, forget_password: bool) -> dict[str, Any]:
    if send and not who.mail:
        raise Refusal(f"{who.login} has no mail address: leave --send out and hand the link over")
    link = service.invite(db, parts, who, forget_password=forget_password, actor=actor(), now=datetime.now(UTC))
    hours = int(parts.settings.staff_invitation.total_seconds() // 3600)
    if send and who.mail:
        queue_mail(db, parts.settings, "agent_invitation", who.mail, login=who.login, link=link, hours=hours)
    return {"login": who.login, "link": None if send else link, "sent": send, "hours": hours}


def _tell_invitation(answer: dict[str, Any], as_json: bool) -> None:
    where = "sent by mail" if answer["sent"] else answer["link"]
    say(answer, as_json, f"{answer['login']}: one-time link, {answer['hours']} hours: {where}")


def _post(parts: Instance, function: Function, place: str) -> Post:
    if function is Function.NATIONAL:
        return Post(function)
    if not place:
        raise click.UsageError("this post needs a PLACE")
    return Post(function, place if function is Function.ACADEMY else _school(parts, place).uai)


def _school(parts: Instance, uai: str) -> School:
    try:
        return parts.directory.school(uai)
    except NotFound:
        raise Refusal(f"{uai}: no such school in the directory") from None


def _parsed(ref: str) -> Ref:
    try:
        return Ref.parse(ref)
    except ValueError:
        raise Refusal(f"{ref}: not a record (13/2D/staff/1234)") from None


def _date(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _explained(act: Callable[[], Delegation]) -> Delegation:
    """The act, its refusal as a sentence."""
    try:
        return act()
    except Refusal as exc:
        raise Refusal(REASONS.get(str(exc), str(exc))) from None
