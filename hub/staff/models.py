"""The tables of agents. What an agent is at a school comes from the directory where it knows him; these rows add to it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..db import Base, Moment, enum_column, new_id
from .rights import Application
from .scope import Function


class Agent(Base):
    """Somebody who works in a school, an academy or for the nation, and signs in here."""

    __tablename__ = "agent"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    """Lower case."""
    ref: Mapped[str | None] = mapped_column(String(80), unique=True)
    """His record in the directory, which gives him his functions; None for an agent whom only the hub knows."""
    given_name: Mapped[str] = mapped_column(String(100))
    family_name: Mapped[str] = mapped_column(String(100))
    mail: Mapped[str | None] = mapped_column(String(254))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    totp_sealed: Mapped[str | None] = mapped_column(String(255))
    """Secret of the authenticator, sealed under a key of the instance."""
    totp_last_step: Mapped[int | None]
    """Time step of the last code that was taken: none serves twice."""
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(Moment)

    posts: Mapped[list[AgentPost]] = relationship(order_by="AgentPost.place", cascade="all, delete-orphan")
    passkeys: Mapped[list[Passkey]] = relationship(order_by="Passkey.created_at", cascade="all, delete-orphan")

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given_name} {self.family_name}"

    @property
    def actor(self) -> str:
        """How the audit names the agent."""
        return f"agent:{self.id}"

    @property
    def has_second_factor(self) -> bool:
        """Whether the agent has enrolled."""
        return self.totp_sealed is not None or bool(self.passkeys)


class AgentPost(Base):
    """A function given to an agent by an operator."""

    __tablename__ = "agent_post"
    __table_args__ = (UniqueConstraint("agent_id", "function", "place"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.id"), index=True)
    function: Mapped[Function] = mapped_column(enum_column(Function, 8))
    place: Mapped[str] = mapped_column(String(16))


class Delegation(Base):
    """An application of a school delegated to an agent, from a day to a day."""

    __tablename__ = "delegation"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.id"), index=True)
    uai: Mapped[str] = mapped_column(String(16), index=True)
    application: Mapped[Application] = mapped_column(enum_column(Application, 16))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    granted_by: Mapped[str | None] = mapped_column(ForeignKey("agent.id"))
    """The head who delegates, and with whom the delegation ends; None when an operator did."""
    granted_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class Passkey(Base):
    """A WebAuthn credential."""

    __tablename__ = "agent_passkey"

    credential_id: Mapped[str] = mapped_column(String(512), primary_key=True)
    """In base64url."""
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.id"), index=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int]
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(Moment)


class RecoveryCode(Base):
    """A code for the day when the telephone is lost. The row goes when the code is used."""

    __tablename__ = "agent_recovery_code"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.id"), index=True)


class Invitation(Base):
    """The one-time link by which an agent enrols. Only its hash is kept; the row goes when the link is used."""

    __tablename__ = "agent_invitation"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class StaffSession(Base):
    """One browser of an agent. The cookie holds a random token; the row holds its hash and everything else."""

    __tablename__ = "staff_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agent.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_seen_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    strong_at: Mapped[datetime | None] = mapped_column(Moment)
    """When the second factor was given last, None while it was not."""
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
