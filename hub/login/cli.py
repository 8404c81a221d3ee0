"""`preau session`: who is signed in, and ending sessions at once on every worker."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .. import audit
from ..accounts.identifiers import canonical
from ..accounts.models import Account
from ..cli.context import actor, echo_json, instance
from ..errors import Refusal
from ..logout.models import SessionParticipant
from .models import BrowserSession
from .sessions import end_every_session, end_sessions_of


@click.group()
def session() -> None:
    """Sessions of signed-in people. They are rows: what ends here is over at the next request, on every worker."""


@session.command("list")
@click.argument("identifier", required=False)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def list_sessions(identifier: str | None, as_json: bool) -> None:
    """Living sessions, of everybody or of the account IDENTIFIER: since when, last used, how many services."""
    services = func.count(func.distinct(SessionParticipant.service_provider))
    query = (
        select(Account.identifier, BrowserSession.authn_instant, BrowserSession.last_seen_at, BrowserSession.expires_at, services)
        .join(Account, Account.id == BrowserSession.account_id)
        .outerjoin(SessionParticipant, SessionParticipant.session_index == BrowserSession.session_index)
        .where(
            BrowserSession.expires_at > datetime.now(UTC),
            BrowserSession.last_seen_at > datetime.now(UTC) - instance().settings.session_idle,
        )
        .group_by(BrowserSession.token_hash, Account.identifier)
        .order_by(BrowserSession.authn_instant)
    )
    with instance().database.session() as db:
        if identifier is not None:
            query = query.where(BrowserSession.account_id == _account(db, identifier).id)
        names = ("account", "since", "last_seen", "expires", "services")
        rows = [dict(zip(names, row, strict=True)) for row in db.execute(query)]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['account'] or '–':24} {row['since']:%Y-%m-%d %H:%M} {row['last_seen']:%H:%M} {row['services']:4} service(s)")


@session.command()
@click.argument("identifier", required=False)
@click.option("--all", "everybody", is_flag=True, help="End the sessions of everybody.")
def end(identifier: str | None, everybody: bool) -> None:
    """End the sessions of the account IDENTIFIER, or of everybody with --all."""
    if (identifier is None) is not everybody:
        raise click.UsageError("give an IDENTIFIER, or --all")
    with instance().database.transaction() as db:
        if identifier is None:
            count = end_every_session(db)
            audit.record(db, "sessions.ended", actor=actor(), count=count)
        else:
            account = _account(db, identifier)
            count = end_sessions_of(db, account.id)
            audit.record(db, "sessions.ended", actor=actor(), account_id=account.id, count=count)
    click.echo(f"{f'{identifier}: ' if identifier else ''}{count} session(s) ended")


def _account(db: Session, identifier: str) -> Account:
    found = db.scalar(select(Account).where(Account.identifier == canonical(identifier)))
    if found is None:
        raise Refusal(f"{identifier}: no account has this identifier")
    return found
