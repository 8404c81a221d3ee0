"""`preau account`: notices, a look at one account, and what an operator orders for its safety."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from backends import Directory, Ref

from ..cli.context import actor, echo_json, instance, say
from ..errors import Refusal
from . import safety
from .identifiers import canonical
from .lifecycle import latest_notice
from .models import Account
from .notices import find_account, notify
from .pupil import students_of


@click.group()
def account() -> None:
    """Accounts of pupils and guardians. WHO is an identifier (l.martin) or a record (13/2D/student/1234)."""


@account.command()
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def notice(who: str, as_json: bool) -> None:
    """Make a provisional password for WHO and print it, this once. The former one is void; an activation in progress starts again."""
    parts = instance()
    with parts.database.transaction() as db:
        document = notify(db, parts.directory, parts.settings, _record(db, parts.directory, who), actor=actor(), now=datetime.now(UTC))
    if as_json:
        echo_json(
            {
                "identifier": document.identifier,
                "secret": document.secret,
                "expires_at": document.expires_at.isoformat(),
                "starts_again": document.starts_again,
            }
        )
    else:
        if document.starts_again:
            click.echo("The activation in progress starts again.")
        click.echo(document.display_name)
        click.echo(f"identifier  {document.identifier}\npassword    {document.secret}\nlast day    {document.last_day}")


@account.command()
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def show(who: str, as_json: bool) -> None:
    """State, dates and attachments of the account of WHO; never a secret."""
    parts = instance()
    with parts.database.session() as db:
        facts = _facts(db, _existing(db, parts.directory, who))
    if as_json:
        echo_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:<20}  {_in_words(value)}")


@account.command()
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def suspend(who: str, as_json: bool) -> None:
    """Let nobody sign in to the account of WHO, and end its sessions."""
    parts = instance()
    with parts.database.transaction() as db:
        found = _existing(db, parts.directory, who)
        ended = safety.suspend(db, found, actor=actor())
        answer = {"identifier": found.identifier, "suspended": True, "sessions_ended": ended}
    say(answer, as_json, f"{answer['identifier']}: suspended, {ended} session(s) ended")


@account.command()
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def resume(who: str, as_json: bool) -> None:
    """Open the suspended account of WHO again."""
    parts = instance()
    with parts.database.transaction() as db:
        found = _existing(db, parts.directory, who)
        safety.resume(db, found, actor=actor())
        answer = {"identifier": found.identifier, "suspended": False}
    say(answer, as_json, f"{answer['identifier']}: open again")


@account.command()
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def require_new_password(who: str, as_json: bool) -> None:
    """Make WHO choose a new password before anything else."""
    parts = instance()
    with parts.database.transaction() as db:
        found = _existing(db, parts.directory, who)
        safety.require_new_password(db, found, actor=actor())
        answer = {"identifier": found.identifier, "must_change_password": True}
    say(answer, as_json, f"{answer['identifier']}: must choose a new password")


@account.command()
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def confirm_pupil(who: str, as_json: bool) -> None:
    """Say that the account of WHO is still that pupil's, after the school corrected a name or a birth date."""
    parts = instance()
    with parts.database.transaction() as db:
        found = _existing(db, parts.directory, who)
        student = safety.confirm_pupil(db, found, parts.directory, actor=actor())
        answer = {
            "identifier": found.identifier,
            "ref": str(student.ref),
            "given_name": student.given_name,
            "family_name": student.family_name,
        }
    say(answer, as_json, f"{found.identifier}: confirmed for {student.given_name} {student.family_name} ({student.ref})")


def _existing(db: Session, directory: Directory, who: str) -> Account:
    found = _account(db, directory, who)
    if found is None:
        raise Refusal(f"{who}: no account (a person without account is not informed yet)")
    return found


def _account(db: Session, directory: Directory, who: str) -> Account | None:
    ref = _ref(who)
    if ref is not None:
        return find_account(db, directory, ref)
    return db.scalar(select(Account).where(Account.identifier == canonical(who)))


def _record(db: Session, directory: Directory, who: str) -> Ref:
    """A directory record of WHO: the one named, or one of the account of that identifier."""
    ref = _ref(who)
    if ref is not None:
        return ref
    found = _account(db, directory, who)
    if found is None:
        raise Refusal(f"{who}: no account has this identifier")
    if found.ine:
        students = students_of(found, directory)
        if students:
            return students[0].ref
    if found.records:
        return Ref.parse(found.records[0].ref)
    raise Refusal(f"{who}: the directory no longer knows this person")


def _ref(who: str) -> Ref | None:
    try:
        return Ref.parse(who)
    except ValueError:
        return None


def _facts(db: Session, account: Account) -> dict[str, Any]:
    last = latest_notice(db, account)
    dates = ("created_at", "informed_at", "activated_at", "last_sign_in_at", "expired_at")
    return {
        "id": account.id,
        "identifier": account.identifier,
        "kind": account.kind.value,
        "state": account.state.value,
        "origin": account.origin.value,
        "suspended": account.suspended,
        "must_change_password": account.must_change_password,
        "mail": "confirmed" if account.mail_confirmed_at else "pending" if account.mail_pending else "none",
        **{name: value.isoformat() if (value := getattr(account, name)) else None for name in dates},
        "notice_expires_at": last.expires_at.isoformat() if last and last.ended_at is None else None,
        "records": [record.ref for record in account.records],
        "attachments": [{"ine": a.ine, "state": a.state.value} for a in account.attachments],
    }


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(" ".join(item.values()) if isinstance(item, dict) else str(item) for item in value) or "-"
    return "-" if value is None else str(value)
