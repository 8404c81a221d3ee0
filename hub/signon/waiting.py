"""What any page may know of the sign-on that waits behind it: its reference for the log, its service for the way back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import g, request, session
from sqlalchemy import select
from sqlalchemy.orm import Session

from ..ops.logs import bind_reference
from ..registry.models import ServiceProvider, ServiceState
from ..registry.service import RegisteredService
from ..web.current import current_instance
from .models import PendingSignOn
from .service import SignOn

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-on as pages show it."""

    id: str | None
    """What its addresses carry as ``s``; None when it is not kept, so that no address can lead to it."""
    reference: str
    service_name: str
    service_url: str
    """Where a person goes back to the service: the origin of the registered ACS, never an address of the request."""
    profiles: frozenset[str]
    """Profiles that the service accepts."""


def find(db: Session, id_: str) -> Waiting | None:
    """The kept sign-on of that id, in whatever browser and answered or not; None when it or its service is unknown or closed."""
    if not _ID.fullmatch(id_):
        return None
    row = db.execute(
        select(PendingSignOn.request, PendingSignOn.reference, ServiceProvider.name, ServiceProvider.profiles)
        .join(ServiceProvider, ServiceProvider.entity_id == PendingSignOn.service_provider)
        .where(PendingSignOn.id == id_, ServiceProvider.state == ServiceState.APPROVED)
    ).first()
    return None if row is None else Waiting(id_, row.reference, row.name, _origin(row.request["acs"]["location"]), frozenset(row.profiles))


def recognise() -> None:
    """Before each request: know the sign-on that the address names, or that this browser left for a page to finish.

    From here on everything is logged, audited and shown under its reference.
    """
    id_ = request.args.get("s") or session.get("signon")
    if not id_:
        return
    with current_instance().database.session() as db:
        found = find(db, id_)
    if found is not None:
        g.waiting = found
        bind_reference(found.reference)


def show_as_waiting(signon: SignOn, registered: RegisteredService) -> None:
    """Let the pages of this request know a sign-on that is not kept anywhere."""
    url = _origin(signon.request.acs.location)
    g.waiting = Waiting(None, signon.reference, registered.name, url, registered.profiles)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"
