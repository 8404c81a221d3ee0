"""What any page may know of the sign-on that waits behind it: its reference for the log, its service for the way back."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..registry.models import ServiceProvider, ServiceState
from ..registry.service import RegisteredService
from .models import PendingSignOn
from .service import SignOn, is_id


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
    if not is_id(id_):
        return None
    row = db.execute(
        select(PendingSignOn.request, PendingSignOn.reference, ServiceProvider.name, ServiceProvider.profiles)
        .join(ServiceProvider, ServiceProvider.entity_id == PendingSignOn.service_provider)
        .where(PendingSignOn.id == id_, ServiceProvider.state == ServiceState.APPROVED)
    ).first()
    return None if row is None else Waiting(id_, row.reference, row.name, _origin(row.request["acs"]["location"]), frozenset(row.profiles))


def unkept(signon: SignOn, registered: RegisteredService) -> Waiting:
    """A sign-on that is on its way in this very request and not written down."""
    return Waiting(None, signon.reference, registered.name, _origin(signon.request.acs.location), registered.profiles)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"
