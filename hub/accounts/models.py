"""The tables of accounts. People, schools and ties stay in the directory; these rows point to them by reference."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from flask_babel import gettext
from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backends import Capacity

from ..db import Base, Moment, enum_column, new_id


class AccountKind(StrEnum):
    """Whose account it is."""

    STUDENT = "student"
    GUARDIAN = "guardian"

    @property
    def label(self) -> str:
        """The profile as pages name it."""
        name: str = gettext("Élève") if self is AccountKind.STUDENT else gettext("Responsable d'élève")
        return name


class State(StrEnum):
    """The states of functional.md 4.1; the last three are final and not listed to schools."""

    KNOWN = "KNOWN"
    INFORMED = "INFORMED"
    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    MERGED = "MERGED"
    CLOSED = "CLOSED"
    PURGED = "PURGED"

    @property
    def is_final(self) -> bool:
        """Whether nobody signs in to such an account any more."""
        return self in (State.MERGED, State.CLOSED, State.PURGED)


class Origin(StrEnum):
    """How the account is or was activated."""

    UNKNOWN = "unknown"
    SCHOOL = "school"
    GUARDIAN = "guardian"
    FRANCECONNECT = "franceconnect"


class AttachmentState(StrEnum):
    """The states of an attachment (functional.md 4.8)."""

    PROPOSED = "PROPOSED"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    TO_CHECK = "TO_CHECK"
    ENDED = "ENDED"


class Account(Base):
    """One human, one account, for the whole schooling. Its state changes only through ``lifecycle``."""

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    kind: Mapped[AccountKind] = mapped_column(enum_column(AccountKind, 16))
    state: Mapped[State] = mapped_column(enum_column(State, 16), default=State.KNOWN)
    origin: Mapped[Origin] = mapped_column(enum_column(Origin, 16), default=Origin.UNKNOWN)
    identifier: Mapped[str | None] = mapped_column(String(64), unique=True)
    """``p.nomXX`` in lower case, created at the first notice or at activation (O06)."""
    ine: Mapped[str | None] = mapped_column(String(16), unique=True)
    """Of a pupil: what keeps the account through schools, degrees and academies."""
    birth_date: Mapped[date | None]
    """Of a pupil, with ``given_key``: for which child the account was made, should the source give the INE to another one."""
    given_key: Mapped[str | None] = mapped_column(String(64))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    suspended: Mapped[bool] = mapped_column(default=False)
    mail: Mapped[str | None] = mapped_column(String(254))
    mail_confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    mail_pending: Mapped[str | None] = mapped_column(String(254))
    mobile: Mapped[str | None] = mapped_column(String(20))
    """A number (E.164) that its owner proved by a code; it is confirmed as long as the directory gives it (functional.md 4.7)."""
    mobile_confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    birth_date_due: Mapped[bool] = mapped_column(default=False)
    """Of an active pupil: the birth date is asked at the next sign-in (O25)."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    informed_at: Mapped[datetime | None] = mapped_column(Moment)
    activated_at: Mapped[datetime | None] = mapped_column(Moment)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(Moment)
    expired_at: Mapped[datetime | None] = mapped_column(Moment)
    activation_ends_at: Mapped[datetime | None] = mapped_column(Moment)
    """When an activation without a letter is given up; None while there is none."""

    records: Mapped[list[AccountRecord]] = relationship(back_populates="account", order_by="AccountRecord.ref")
    attachments: Mapped[list[Attachment]] = relationship(back_populates="account", order_by="Attachment.ine")


class AccountRecord(Base):
    """A directory record that this account stands for. One human may have several; a record has one account."""

    __tablename__ = "account_record"

    ref: Mapped[str] = mapped_column(String(80), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    added_at: Mapped[datetime] = mapped_column(Moment)

    account: Mapped[Account] = relationship(back_populates="records")


class Attachment(Base):
    """Guardian account to student, by INE: proof given once for a child holds for every record of that child."""

    __tablename__ = "attachment"
    __table_args__ = (UniqueConstraint("account_id", "ine"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    ine: Mapped[str] = mapped_column(String(16), index=True)
    state: Mapped[AttachmentState] = mapped_column(enum_column(AttachmentState, 16), default=AttachmentState.PROPOSED)
    capacity: Mapped[Capacity | None] = mapped_column(enum_column(Capacity, 16))
    """What the directory last said of it, for the time when it says nothing more. Rights come from the ties of today only."""
    proposed_at: Mapped[datetime] = mapped_column(Moment)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(default=0)
    """Wrong birth dates given on ``attempts_on``."""
    attempts_on: Mapped[date | None]

    account: Mapped[Account] = relationship(back_populates="attachments")


class Notice(Base):
    """A document that told somebody about the account. Its secret is shown once and kept only hashed."""

    __tablename__ = "notice"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    secret_hash: Mapped[str | None] = mapped_column(String(255))
    """None once used, expired, replaced, or for an invitation without credentials."""
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class ReservedIdentifier(Base):
    """Every identifier ever given, so that none is given twice, even after a purge."""

    __tablename__ = "reserved_identifier"

    identifier: Mapped[str] = mapped_column(String(64), primary_key=True)
    reserved_at: Mapped[datetime] = mapped_column(Moment)


class MailToken(Base):
    """A single-use link sent by mail; only the hash of its token is kept."""

    __tablename__ = "mail_token"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
