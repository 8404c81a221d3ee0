"""An account as a sign-on reads it: immutable, with what the next step and the release depend on, in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backends import Capacity

from .models import Account, AccountKind, AccountRecord, Attachment, AttachmentState, Origin, State


class HasRef(Protocol):
    """A directory record of an account."""

    @property
    def ref(self) -> str: ...


class HasAttachmentState(Protocol):
    """An attachment of an account."""

    @property
    def ine(self) -> str: ...
    @property
    def state(self) -> AttachmentState: ...
    @property
    def capacity(self) -> Capacity | None: ...


class AccountView(Protocol):
    """What reading code needs of an account: a row of the database or a snapshot of one."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> AccountKind: ...
    @property
    def state(self) -> State: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def ine(self) -> str | None: ...
    @property
    def birth_date(self) -> date | None: ...
    @property
    def given_key(self) -> str | None: ...
    @property
    def password_hash(self) -> str | None: ...
    @property
    def must_change_password(self) -> bool: ...
    @property
    def birth_date_due(self) -> bool: ...
    @property
    def mail(self) -> str | None: ...
    @property
    def mail_pending(self) -> str | None: ...
    @property
    def records(self) -> Sequence[HasRef]: ...
    @property
    def attachments(self) -> Sequence[HasAttachmentState]: ...


@dataclass(frozen=True, slots=True)
class RecordSnapshot:
    """A directory record."""

    ref: str


@dataclass(frozen=True, slots=True)
class AttachmentSnapshot:
    """An attachment."""

    ine: str
    state: AttachmentState
    capacity: Capacity | None


COLUMNS = (
    Account.id,
    Account.kind,
    Account.state,
    Account.ine,
    Account.birth_date,
    Account.given_key,
    Account.password_hash,
    Account.must_change_password,
    Account.suspended,
    Account.mail,
    Account.mail_pending,
    Account.origin,
    Account.birth_date_due,
)
"""The columns of the account that a snapshot takes, in the order of its fields."""


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """The account at one moment."""

    id: str
    kind: AccountKind
    state: State
    ine: str | None
    birth_date: date | None
    given_key: str | None
    password_hash: str | None
    must_change_password: bool
    suspended: bool
    mail: str | None
    mail_pending: str | None
    origin: Origin
    birth_date_due: bool
    records: tuple[RecordSnapshot, ...] = ()
    attachments: tuple[AttachmentSnapshot, ...] = ()


_RECORDS = select(AccountRecord.ref).where(AccountRecord.account_id == bindparam("account")).order_by(AccountRecord.ref)
_ATTACHMENTS = (
    select(Attachment.ine, Attachment.state, Attachment.capacity)
    .where(Attachment.account_id == bindparam("account"))
    .order_by(Attachment.ine)
)


def snapshot(db: Session, values: Sequence[Any]) -> AccountSnapshot:
    """The snapshot from the values of :data:`COLUMNS`. A pupil has neither records nor attachments: nothing more is read."""
    head = AccountSnapshot(*values)
    if head.kind is AccountKind.STUDENT:
        return head
    connection = db.connection()
    return replace(
        head,
        records=tuple(RecordSnapshot(ref) for (ref,) in connection.execute(_RECORDS, {"account": head.id})),
        attachments=tuple(AttachmentSnapshot(*row) for row in connection.execute(_ATTACHMENTS, {"account": head.id})),
    )
