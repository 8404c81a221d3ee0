"""The people of the demo. Each goes through the pages of the hub as a family would: notice, first sign-in, activation."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from backends import Ref

from ..accounts.attachments import offers
from ..accounts.models import Account, AccountKind, State
from ..accounts.notices import NoticeDocument, find_account, notify
from ..cli.context import actor
from ..errors import PreauError
from ..feeding.generate import CastMember
from ..instance import Instance
from ..messaging.models import OutgoingMail

CHOSEN = "(the one that was chosen since)"
PASSWORDS = {"student": "tartine au miel", "guardian": "trois velos dans la cour"}
"""Passwords of the demo's activated people."""


@dataclass(frozen=True)
class Role:
    """Somebody to try, played by a member of the generator's cast."""

    role: str
    cast: str
    title: str
    profile: str
    activated: bool = True


ROLES = (
    Role("college_pupil", "college_pupil", "A pupil of a collège", "student"),
    Role("primary_guardian", "primary_guardian", "A guardian of a primary-school pupil", "guardian"),
    Role(
        "multi_guardian",
        "guardian_of_three",
        "A legal guardian of two children in two academies, in charge of a third child",
        "guardian",
    ),
    Role("not_activated_pupil", "new_pupil", "A pupil whose account is not activated yet", "student", activated=False),
)


@dataclass(frozen=True)
class DemoPerson:
    """How one of them signs in."""

    role: str
    title: str
    name: str
    profile: str
    ref: str
    identifier: str
    password: str
    birth_date: date | None = None
    """Of a pupil: asked at the first sign-in."""
    provisional_until: str | None = None
    """Last day of a provisional password, ISO 8601; None once the account is activated."""

    @property
    def profile_label(self) -> str:
        """The profile as the sign-in page names it."""
        return AccountKind(self.profile).label


def prepare_people(app: Flask, instance: Instance, folder: Path, cast: dict[str, CastMember]) -> None:
    """Make the accounts and write ``people.json``, readable by its owner only."""
    _write(folder, [_prepare(app, instance, role, cast[role.cast]) for role in ROLES])


def load_people(instance: Instance, folder: Path) -> list[DemoPerson]:
    """The people as they are now: an account that was activated meanwhile says so, an expired notice is made again."""
    rows: list[dict[str, Any]] = json.loads((folder / "people.json").read_text())
    people = []
    for row in rows:
        born = date.fromisoformat(row["birth_date"]) if row["birth_date"] else None
        people.append(_as_of_now(instance, DemoPerson(**{**row, "birth_date": born})))
    _write(folder, people)
    return people


def _write(folder: Path, people: list[DemoPerson]) -> None:
    path = folder / "people.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps([asdict(person) for person in people], ensure_ascii=False, indent=2, default=str))


def _as_of_now(instance: Instance, person: DemoPerson) -> DemoPerson:
    if not person.provisional_until:
        return person
    with instance.database.session() as db:
        chosen = db.scalars(select(Account.password_hash).where(Account.identifier == person.identifier)).one()
    if chosen is not None:
        return replace(person, password=CHOSEN, provisional_until=None)
    if date.fromisoformat(person.provisional_until) < datetime.now(UTC).date():
        document = _notify(instance, Ref.parse(person.ref))
        return replace(person, password=document.secret, provisional_until=document.last_day.isoformat())
    return person


def _notify(instance: Instance, ref: Ref) -> NoticeDocument:
    with instance.database.transaction() as db:
        return notify(db, instance.directory, instance.settings, ref, actor=actor(), now=datetime.now(UTC))


def _prepare(app: Flask, instance: Instance, role: Role, member: CastMember) -> DemoPerson:
    """Make one person's account; one that an interrupted start left active is kept as it is."""
    with instance.database.session() as db:
        account = find_account(db, instance.directory, member.ref)
        finished = account.identifier if account and account.state is State.ACTIVE else None
    password, until = PASSWORDS[role.profile], None
    if finished is None:
        document = _notify(instance, member.ref)
        finished = document.identifier
        if role.activated:
            _activate(app, instance, role, member, document.identifier, document.secret)
        else:
            password, until = document.secret, document.last_day.isoformat()
    return DemoPerson(
        role=role.role,
        title=role.title,
        name=f"{member.given_name} {member.family_name}",
        profile=role.profile,
        ref=str(member.ref),
        identifier=finished,
        password=password,
        birth_date=member.birth_date,
        provisional_until=until,
    )


def _activate(app: Flask, instance: Instance, role: Role, member: CastMember, identifier: str, secret: str) -> None:
    """Walk through the activation in a browser of its own."""
    walk = _Walk(app.test_client())
    walk.open(f"/login/{role.profile}")
    walk.send(username=identifier, password=secret)
    new = {"new_password": PASSWORDS[role.profile], "confirmation": PASSWORDS[role.profile]}
    if role.profile == "student":
        walk.send(**new, mail="")
        walk.send(**_birth_fields(member.birth_date))
    else:
        walk.send(**_children_fields(instance, identifier, member))
        walk.send(**new, mail=f"{identifier}@famille.example")
        walk.open(_confirmation_link(instance, f"{identifier}@famille.example"))
        walk.send()
    walk.open("/account")
    if identifier not in walk.page:
        raise PreauError(f"the demo could not activate {identifier}; remove the instance folder and start again")


def _birth_fields(born: date | None, prefix: str = "") -> dict[str, str]:
    assert born is not None
    return {f"{prefix}day": str(born.day), f"{prefix}month": str(born.month), f"{prefix}year": str(born.year)}


def _children_fields(instance: Instance, identifier: str, member: CastMember) -> dict[str, str]:
    """The birth date of every proposed child."""
    fields: dict[str, str] = {}
    with instance.database.session() as db:
        account = db.scalars(select(Account).where(Account.identifier == identifier)).one()
        born = {child.ine: child.birth_date for child in member.children}
        ines = {attachment.id: attachment.ine for attachment in account.attachments}
        for offer in offers(db, account, instance.directory):
            fields |= _birth_fields(born[ines[offer.attachment_id]], f"{offer.attachment_id}-")
    return fields


def _confirmation_link(instance: Instance, address: str) -> str:
    """The link in the latest mail to that address, as its reader would click it."""
    with instance.database.session() as db:
        text = db.scalars(select(OutgoingMail.text).where(OutgoingMail.to == address).order_by(OutgoingMail.created_at.desc())).first()
    found = re.search(rf"{re.escape(instance.settings.base_url)}(/activation/mail/\S+)", text or "")
    if found is None:
        raise PreauError(f"no confirmation mail to {address}")
    return found[1]


class _Walk:
    """A browser that fills in the form of its page."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._address = "/"
        self.page = ""

    def open(self, address: str) -> None:
        """Open an address of the hub."""
        self._took(self._client.get(address, follow_redirects=True))

    def send(self, **values: str) -> None:
        """Send the form of the page with these values."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.page)
        data = values | ({"csrf_token": token[1]} if token else {})
        self._took(self._client.post(self._address, data=data, follow_redirects=True))

    def _took(self, response: Any) -> None:
        self.page, self._address = response.text, response.request.full_path.rstrip("?")
