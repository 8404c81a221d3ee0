"""`preau audit`: reading what happened."""

from __future__ import annotations

import click
from sqlalchemy import select

from ..cli.context import echo_json, instance
from .models import AuditEvent


@click.group()
def audit() -> None:
    """What happened to accounts and to the hub."""


@audit.command("list")
@click.option("--account", "account_id", help="Only acts on that account: its id or its identifier.")
@click.option("--action", help="Only that action, e.g. account.activated; `account.` means every action that begins so.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def list_events(account_id: str | None, action: str | None, limit: int, as_json: bool) -> None:
    """The last acts, the newest first."""
    from ..accounts.models import Account

    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if account_id:
        named = select(Account.id).where(Account.identifier == account_id.lower())
        query = query.where((AuditEvent.account_id == account_id) | AuditEvent.account_id.in_(named))
    if action:
        query = query.where(AuditEvent.action.startswith(action, autoescape=True) if action.endswith(".") else AuditEvent.action == action)
    with instance().database.session() as db:
        events = db.scalars(query).all()
    if as_json:
        echo_json([_facts(event) for event in events])
        return
    for event in events:
        details = " ".join(f"{key}={value}" for key, value in event.details.items())
        whom, reference = event.account_id or "-", event.reference or "-"
        click.echo(f"{event.at:%Y-%m-%d %H:%M:%S}Z  {reference:<12}  {event.action:<32}  {event.actor:<24}  {whom:<32}  {details}")


def _facts(event: AuditEvent) -> dict[str, object]:
    return {
        "at": event.at.isoformat(),
        "action": event.action,
        "actor": event.actor,
        "account": event.account_id,
        "details": event.details,
        "reference": event.reference,
    }
