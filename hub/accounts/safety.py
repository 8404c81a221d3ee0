"""What an operator orders for the safety of one account: flags beside its state (functional.md 4.1), each with an audit row."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backends import Directory, Student

from .. import audit
from ..errors import Refusal
from ..login.sessions import end_sessions_of
from .models import Account, State
from .pupil import given_key, is_of, refuse_half


def suspend(db: Session, account: Account, *, actor: str) -> int:
    """Nobody signs in to this account until :func:`resume` (M24). Returns how many sessions ended.

    Raises Refusal when it is suspended already, or closed.
    """
    if account.suspended:
        raise Refusal(f"{account.identifier}: the account is suspended already")
    if account.state.is_final:
        raise Refusal(f"{account.identifier}: the account is {account.state.value}, nobody signs in to it any more")
    account.suspended = True
    ended = end_sessions_of(db, account.id)
    audit.record(db, "account.suspended", actor=actor, account_id=account.id, sessions_ended=ended)
    return ended


def resume(db: Session, account: Account, *, actor: str) -> None:
    """Open a suspended account again; password and attachments are as before. Raises Refusal when it is not suspended."""
    if not account.suspended:
        raise Refusal(f"{account.identifier}: the account is not suspended")
    account.suspended = False
    audit.record(db, "account.resumed", actor=actor, account_id=account.id)


def require_new_password(db: Session, account: Account, *, actor: str) -> None:
    """The owner chooses a new password before anything else, in open sessions too (U-14). Again and again is once.

    Raises Refusal for an account that is not active: an activation asks for a new password anyway.
    """
    if account.state is not State.ACTIVE:
        raise Refusal(f"{account.identifier}: the account is {account.state.value}, only an active one has a password to change")
    account.must_change_password = True
    audit.record(db, "account.new_password_required", actor=actor, account_id=account.id)


def confirm_pupil(db: Session, account: Account, directory: Directory, *, actor: str) -> Student:
    """Say that an account is still that of the child to whom the source now gives its INE, under another name or birth date.

    Raises Refusal when the source knows nobody, or nobody else, under that INE; raises the directory's Unavailable, also
    while an academy does not answer that may dispute it.
    """
    found = directory.students_by_ine(account.ine) if account.ine else ()
    if not found:
        raise Refusal(f"{account.identifier}: the directory knows nobody, or more than one child, under the INE of this account")
    refuse_half(found)
    if all(is_of(account, student) for student in found):
        raise Refusal(f"{account.identifier}: the directory and the account agree already")
    student = found[0]
    account.birth_date, account.given_key = student.birth_date, given_key(student)
    audit.record(db, "account.pupil_confirmed", actor=actor, account_id=account.id, ref=str(student.ref))
    return student
