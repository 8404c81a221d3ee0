"""`preau sp`: service providers."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from ..accounts.models import Account
from ..cli.context import actor, echo_json, instance
from ..errors import Refusal
from ..release.identifiers import Pseudonyms
from ..release.policy import Occasion, release
from ..saml import names
from ..signon.subject import resolve
from . import service
from .models import ServiceProvider, ServiceState


@click.group()
def sp() -> None:
    """Service providers: add, look at, preview, disable."""


@sp.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--dialect", default="educonnect", show_default=True, help="Attribute dialect that the service reads.")
@click.option("--profiles", default="student,guardian", show_default=True, help="Profiles accepted, separated by commas.")
@click.option("--attributes", help="Friendly names to release, separated by commas. Default: all but the sensitive ones.")
@click.option("--open-to-persons-in-charge", is_flag=True, help="Let persons in charge in, and tell the service about them.")
@click.option("--name-id", type=click.Choice(["transient", "persistent"]), default="transient", show_default=True)
@click.option("--require-signed-requests", is_flag=True, help="Refuse unsigned requests, even if the metadata do not ask it.")
@click.option("--sign", type=click.Choice(["both", "response", "assertion"]), default="both", show_default=True)
@click.option("--waive-encryption", is_flag=True, help="Accept metadata without encryption key: assertions go unencrypted.")
@click.option("--accept-sha1-requests", is_flag=True, help="Waiver: accept requests signed with rsa-sha1.")
@click.option("--allow-cbc", is_flag=True, help="Waiver: encrypt with AES-CBC where the metadata announce no AES-GCM.")
@click.option("--legacy-acs-pair", is_flag=True, help="Waiver: accept an ACS URL together with an index when both agree.")
@click.option("--approve", is_flag=True, help="Approve at once.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def add(
    file: Path, dialect: str, profiles: str, attributes: str | None, name_id: str, sign: str, approve: bool, as_json: bool, **flags: bool
) -> None:
    """Register the service provider whose metadata are in FILE (`-` reads standard input)."""
    choices = service.Choices(
        dialect=dialect,
        profiles=_split(profiles),
        attributes=_split(attributes) if attributes else None,
        open_to_in_charge=flags["open_to_persons_in_charge"],
        name_id_format=names.NAMEID_PERSISTENT if name_id == "persistent" else names.NAMEID_TRANSIENT,
        requests_signed=flags["require_signed_requests"],
        sign_response=sign != "assertion",
        sign_assertion=sign != "response",
        accept_rsa_sha1=flags["accept_sha1_requests"],
        legacy_acs_pair=flags["legacy_acs_pair"],
        encryption_waived=flags["waive_encryption"],
        allow_cbc=flags["allow_cbc"],
    )
    loopback = instance().settings.profile != "production"
    with instance().database.transaction() as db:
        row = service.add(db, _read(file), choices, actor=actor(), approve=approve, allow_insecure_loopback=loopback)
    for warning in row.descriptor["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        echo_json(_summary(row))
    else:
        click.echo(f"{row.entity_id}: {row.state.value}" + ("" if approve else ". Approve it with `preau sp approve`."))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


METADATA_LIMIT = 1024 * 1024
"""Largest metadata document of one service provider, in bytes."""


def _read(file: Path) -> bytes:
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as source:
            xml = source.read(METADATA_LIMIT + 1)
    except OSError as exc:
        raise Refusal(f"{file}: {exc.strerror}") from None
    if len(xml) > METADATA_LIMIT:
        raise Refusal(f"{file}: larger than {METADATA_LIMIT // 1024} KiB; give the metadata of one service provider")
    return xml


@sp.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def list_(as_json: bool) -> None:
    """All service providers, by name."""
    with instance().database.session() as db:
        rows = [_summary(row) for row in db.scalars(select(ServiceProvider).order_by(ServiceProvider.name))]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['state']:9} {row['dialect']:11} {row['name']}  {row['entity_id']}")
    if not rows:
        click.echo("No service provider yet. Add one with `preau sp add FILE`.")


@sp.command()
@click.argument("entity_id")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
@click.option("--xml", "as_xml", is_flag=True, help="The metadata as they were registered, and nothing else.")
def show(entity_id: str, as_json: bool, as_xml: bool) -> None:
    """Everything that the registry knows of ENTITY_ID."""
    if as_json and as_xml:
        raise click.UsageError("--json and --xml exclude each other")
    with instance().database.session() as db:
        row = service.get(db, entity_id)
        if as_xml:
            click.echo(row.metadata_xml)
            return
        details = _summary(row) | {
            "acs": [endpoint["location"] for endpoint in row.descriptor["acs"]],
            "encryption_keys": len(row.descriptor["encryption_certificates"]),
            "signing_keys": len(row.descriptor["signing_certificates"]),
            "attributes": row.attributes,
            "name_id_format": row.name_id_format,
            "open_to_persons_in_charge": row.open_to_in_charge,
            "requests_signed": row.requests_signed or row.descriptor["authn_requests_signed"],
            "sign_response": row.sign_response,
            "sign_assertion": row.sign_assertion,
            "waivers": service.waivers(row),
            "approved_at": row.approved_at.isoformat(timespec="seconds") if row.approved_at else None,
            "warnings": row.descriptor["warnings"],
        }
    if as_json:
        echo_json(details)
    else:
        for key, value in details.items():
            click.echo(f"{key.replace('_', ' '):26} {_plain(value)}")


def _summary(row: ServiceProvider) -> dict[str, Any]:
    return {
        "entity_id": row.entity_id,
        "name": row.name,
        "state": row.state.value,
        "dialect": row.dialect,
        "profiles": row.profiles,
        "added_at": row.added_at.isoformat(timespec="seconds"),
    }


def _plain(value: Any) -> str:
    match value:
        case None:
            return "default"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


@sp.command()
@click.argument("entity_id")
def approve(entity_id: str) -> None:
    """Let ENTITY_ID be answered."""
    _change(entity_id, ServiceState.APPROVED)


@sp.command()
@click.argument("entity_id")
def disable(entity_id: str) -> None:
    """Stop answering ENTITY_ID, within two seconds on every worker."""
    _change(entity_id, ServiceState.DISABLED)


def _change(entity_id: str, state: ServiceState) -> None:
    with instance().database.transaction() as db:
        service.set_state(db, service.get(db, entity_id), state, actor=actor())
    click.echo(f"{entity_id}: {state.value}")


@sp.command()
@click.argument("entity_id")
@click.option("--account", "identifier", required=True, help="Identifier of the account, e.g. l.martin.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def preview(entity_id: str, identifier: str, as_json: bool) -> None:
    """Print what ENTITY_ID would be told of an account, and why each attribute is or is not sent."""
    parts = instance()
    with parts.database.session() as db:
        registered = service.registered(service.get(db, entity_id))
        account = db.scalar(select(Account).where(Account.identifier == identifier.strip().lower()))
        if account is None:
            raise Refusal(f"{identifier}: no such account")
        subject = resolve(account, parts.directory)
    if subject is None:
        raise Refusal(f"{identifier}: the directory has no current record of this person; nothing would be sent")
    occasion = Occasion(datetime.now(UTC), f"{parts.settings.base_url}/logout?token=…")
    released = release(registered.policy, subject, occasion, Pseudonyms(parts.derive("pseudonyms")))
    if account.kind.value not in registered.profiles:
        click.echo(f"The profile {account.kind.value} is not accepted by this service: nothing would be sent.", err=True)
    rows = [{"attribute": d.friendly_name, "values": list(d.values), "reason": d.reason} for d in released.decisions]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['attribute']:26} {row['reason']:14} {' | '.join(row['values'])}")
