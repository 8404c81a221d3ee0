"""How many mails and SMS may go to one number or address, whoever asks (`code.max_sends`, AC-12)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ..instance import Instance
from .service import Blocked, Rate, key_of, spend

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def take_send(db: Session, instance: Instance, target: str, *, now: datetime, times: int = 1) -> Blocked | None:
    """Count one message to ``target``, in the caller's transaction; Blocked when it may not be sent.

    ``times`` widens the limit for a target that stands for several, such as an account that corrects its address.
    """
    settings = instance.settings
    for period, most in ((HOUR, settings.sends_per_hour), (DAY, settings.sends_per_day)):
        counted = spend(db, key_of(instance, f"send-{period}", target.lower()), Rate(times * most, period), now=now)
        if isinstance(counted, Blocked):
            return counted
    return None
