"""Agents: who they are at this moment, signing in, enrolling, and what an operator orders."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backends import Directory, NotFound, Ref, Staff

from .. import audit, throttle
from ..accounts.identifiers import canonical
from ..accounts.passwords import Owner, problems
from ..accounts.service import passwords_of
from ..errors import Refusal
from ..instance import Instance
from ..ops.logs import get_logger
from ..throttle import Blocked
from ..throttle.door import login_limit
from ..web.kept_sessions import token_hash
from . import factors
from .models import Agent, AgentPost, Delegation, Invitation, RecoveryCode
from .scope import AgentFacts, Delegated, Function, Post
from .sessions import end_sessions_of_agent

log = get_logger("staff")

LOGIN_LENGTH = 64


def facts_of(db: Session, directory: Directory, agent: Agent) -> AgentFacts:
    """The agent as he is now: the directory's functions and his posts here, delegations of those who may still delegate.

    Read at each request, so that what was taken away is gone at the next one (AD-07). Raises DirectoryError when the directory
    does not answer: without it nobody knows what an agent may do.
    """
    given = db.scalars(select(Delegation).where(Delegation.agent_id == agent.id, Delegation.revoked_at.is_(None))).all()
    return AgentFacts(
        id=agent.id,
        name=agent.name,
        posts=posts_of(directory, agent),
        delegations=tuple(
            Delegated(one.application, one.uai, one.starts_on, one.ends_on) for one in given if _still_granted(db, directory, one)
        ),
    )


def posts_of(directory: Directory, agent: Agent) -> frozenset[Post]:
    """Functions of the directory and posts here."""
    return frozenset(Post(post.function, post.place) for post in agent.posts) | _functions(directory, agent)


def _functions(directory: Directory, agent: Agent) -> frozenset[Post]:
    if agent.ref is None:
        return frozenset()
    try:
        record = directory.person(Ref.parse(agent.ref))
    except NotFound:
        return frozenset()
    known = {Function.HEAD, Function.TEACHER}
    functions = record.functions if isinstance(record, Staff) else ()
    return frozenset(Post(Function(code), uai) for uai, code in functions if code in known)


def _still_granted(db: Session, directory: Directory, delegation: Delegation) -> bool:
    """A delegation ends with the head who gave it (AD-05)."""
    if delegation.granted_by is None:
        return True
    head = db.get_one(Agent, delegation.granted_by)
    return not head.disabled and Post(Function.HEAD, delegation.uai) in posts_of(directory, head)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The password was right. ``agent_id`` is None when it was not, or when it came too early: one answer for both and for nobody."""

    agent_id: str | None


def sign_in(db: Session, instance: Instance, typed_login: str, password: str, *, now: datetime) -> SignedIn:
    """Check login and password of an agent: the same work and the same answer whatever is wrong (AC-01).

    Commits the count of the try before it looks at the password; the rest belongs to the caller's transaction.
    """
    login = canonical(typed_login)
    key = throttle.key_of(instance, "staff-login", login)
    counted = throttle.take(db, key, login_limit(instance.settings), now=now)
    db.commit()
    agent = _by_login(db, login)
    right = passwords_of(instance.settings).verify(agent.password_hash if agent else None, password)
    if agent is None or agent.disabled or not right or isinstance(counted, Blocked):
        log.info("staff.login_failed", typed=key, agent=agent.id if agent else None, blocked=isinstance(counted, Blocked))
        return SignedIn(None)
    throttle.clear(db, key)
    agent.last_sign_in_at = now
    audit.record(db, "agent.signed_in", actor=agent.actor)
    return SignedIn(agent.id)


def _by_login(db: Session, login: str) -> Agent | None:
    possible = len(login) <= LOGIN_LENGTH and login.isprintable()
    return db.scalar(select(Agent).where(Agent.login == (login if possible else "")))


def agent_named(db: Session, login: str) -> Agent:
    """The agent of that login. Raises Refusal when there is none."""
    found = _by_login(db, canonical(login))
    if found is None:
        raise Refusal(f"{login}: no agent has this login")
    return found


def add_agent(
    db: Session, directory: Directory, login: str, *, ref: Ref | None = None, name: tuple[str, str] | None = None, mail: str | None = None,
    actor: str, now: datetime,
) -> Agent:  # fmt: skip
    """A new agent, without password yet: from the directory's record ``ref``, or with the given and family name in ``name``.

    Raises Refusal when the login or the record is another agent's, NotFound when the directory does not know the record.
    """
    login = canonical(login)
    if not login or len(login) > LOGIN_LENGTH or not login.isprintable() or " " in login:
        raise Refusal("a login is one word of 64 characters or less")
    if _by_login(db, login) is not None:
        raise Refusal(f"{login}: this login is taken")
    if ref is not None:
        record = directory.person(ref)
        if not isinstance(record, Staff):
            raise Refusal(f"{ref}: not an agent of the directory")
        if db.scalar(select(Agent.id).where(Agent.ref == str(ref))) is not None:
            raise Refusal(f"{ref}: this record is an agent's already")
        name, mail = (record.given_name, record.family_name), mail or record.mail
    if name is None:
        raise Refusal("an agent needs a record of the directory or a name")
    agent = Agent(login=login, ref=str(ref) if ref else None, given_name=name[0], family_name=name[1], mail=mail, created_at=now)
    db.add(agent)
    db.flush()
    audit.record(db, "agent.added", actor=actor, agent=agent.id, ref=agent.ref)
    return agent


def give_post(db: Session, agent: Agent, post: Post, *, actor: str) -> None:
    """Add a post; giving it twice changes nothing."""
    if any((one.function, one.place) == (post.function, post.place) for one in agent.posts):
        return
    agent.posts.append(AgentPost(function=post.function, place=post.place))
    audit.record(db, "agent.post_given", actor=actor, agent=agent.id, function=post.function.value, place=post.place)


def take_post(db: Session, agent: Agent, post: Post, *, actor: str) -> None:
    """Take a post away. Raises Refusal when it is not one that was given here."""
    found = next((one for one in agent.posts if (one.function, one.place) == (post.function, post.place)), None)
    if found is None:
        raise Refusal(f"{agent.login} has not this post here")
    agent.posts.remove(found)
    audit.record(db, "agent.post_taken", actor=actor, agent=agent.id, function=post.function.value, place=post.place)


def set_disabled(db: Session, agent: Agent, disabled: bool, *, actor: str) -> None:
    """Close the account of an agent, and end his sessions; or open it again."""
    agent.disabled = disabled
    if disabled:
        end_sessions_of_agent(db, agent.id)
        db.execute(delete(Invitation).where(Invitation.agent_id == agent.id))
    audit.record(db, "agent.disabled" if disabled else "agent.enabled", actor=actor, agent=agent.id)


def invite(db: Session, instance: Instance, agent: Agent, *, forget_password: bool = False, actor: str, now: datetime) -> str:
    """A one-time link to enrol, as an address. The former link, the second factor and, if asked, the password are void from now on.

    Raises Refusal for a disabled agent.
    """
    if agent.disabled:
        raise Refusal(f"{agent.login} is disabled")
    db.execute(delete(Invitation).where(Invitation.agent_id == agent.id))
    db.execute(delete(RecoveryCode).where(RecoveryCode.agent_id == agent.id))
    agent.totp_sealed = agent.totp_last_step = None
    agent.passkeys.clear()
    if forget_password:
        agent.password_hash = None
    end_sessions_of_agent(db, agent.id)
    token = secrets.token_urlsafe(32)
    db.add(Invitation(token_hash=token_hash(token), agent_id=agent.id, expires_at=now + instance.settings.staff_invitation))
    audit.record(db, "agent.invited", actor=actor, agent=agent.id)
    return f"{instance.settings.base_url}/staff/enrol/{token}"


def invited(db: Session, token: str, *, now: datetime) -> Agent | None:
    """Whose living link that is."""
    whose = select(Agent).join(Invitation, Invitation.agent_id == Agent.id)
    return db.scalar(whose.where(Invitation.token_hash == token_hash(token), Invitation.expires_at > now, ~Agent.disabled))


def set_password(instance: Instance, agent: Agent, password: str) -> None:
    """Keep an accepted password."""
    agent.password_hash = passwords_of(instance.settings).hash(password)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an agent sends to enrol."""

    password: str
    confirmation: str
    """Not needed by one who has a password already and proves it."""
    code: str


def enrolment_problems(
    db: Session, instance: Instance, agent: Agent, given: Enrolment, secret: str, *, now: datetime
) -> dict[str, list[str]]:
    """What is wrong, by field; empty when the enrolment may be kept. A present password is tried under the limits of the door."""
    found: dict[str, list[str]] = {}
    if agent.password_hash is None:
        owner = Owner(None, agent.login, (agent.given_name, agent.family_name))
        if wrong := problems(given.password, given.confirmation, owner, instance.settings):
            found["password"] = wrong
    elif sign_in(db, instance, agent.login, given.password, now=now).agent_id is None:
        found["password"] = ["wrong_password"]
    if factors.matching_step(secret, given.code, now=now) is None:
        found["code"] = ["wrong_code"]
    return found


def enrol(db: Session, instance: Instance, token: str, given: Enrolment, secret: str, *, now: datetime) -> list[str] | None:
    """Keep password and authenticator, use the link up. Returns the recovery codes, or None when the link was used meanwhile."""
    used = db.execute(
        delete(Invitation).where(Invitation.token_hash == token_hash(token), Invitation.expires_at > now).returning(Invitation.agent_id)
    ).first()
    if used is None:
        return None
    agent = db.get_one(Agent, used.agent_id)
    if agent.password_hash is None:
        set_password(instance, agent, given.password)
    agent.totp_sealed = factors.seal(instance, secret)
    agent.totp_last_step = factors.matching_step(secret, given.code, now=now)
    end_sessions_of_agent(db, agent.id)
    audit.record(db, "agent.enrolled", actor=agent.actor)
    return factors.new_recovery_codes(db, instance, agent)
