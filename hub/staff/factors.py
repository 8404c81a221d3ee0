"""The second factor: codes of an authenticator (TOTP, RFC 6238), recovery codes. Passkeys are in :mod:`hub.staff.passkeys`.

Every code serves once: the time step of a TOTP code is taken in the statement that checks it, a recovery code goes.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta

import pyotp
import segno
from cryptography.fernet import Fernet
from markupsafe import Markup
from sqlalchemy import CursorResult, delete, or_, update
from sqlalchemy.orm import Session

from .. import audit, throttle
from ..accounts.passwords import new_secret
from ..instance import Instance
from ..throttle import Blocked, Limit
from .models import Agent, RecoveryCode

STEP = 30
"""Seconds of one code."""
DRIFT = 1
"""Steps by which the clock of a telephone may be wrong."""
CODE_LIMIT = Limit(lock_after=5, lock=timedelta(minutes=15))
"""Wrong codes of one agent before he has to wait."""
RECOVERY_CODES = 10
RECOVERY_LENGTH = 10
"""Signs of a recovery code: 50 bits."""


def new_totp_secret() -> str:
    """A fresh secret for an authenticator, in base32."""
    return pyotp.random_base32()


def _box(instance: Instance) -> Fernet:
    return Fernet(urlsafe_b64encode(instance.derive("staff-totp")))


def seal(instance: Instance, secret: str) -> str:
    """The secret as the database keeps it."""
    return _box(instance).encrypt(secret.encode()).decode()


def opened(instance: Instance, sealed: str) -> str:
    """The secret behind :func:`seal`."""
    return _box(instance).decrypt(sealed.encode()).decode()


def provisioning_uri(secret: str, login: str, product_name: str) -> str:
    """What the QR code says to the authenticator."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=product_name)


def qr_image(text: str) -> Markup:
    """A QR code as SVG that stands in the page itself: no request leaves with the secret in its address."""
    return Markup(segno.make(text, error="m").svg_inline(scale=5, border=4, light="#fff"))  # noqa: S704 - the library's own drawing


def matching_step(secret: str, code: str, *, now: datetime) -> int | None:
    """The time step whose code this is, None for a wrong one."""
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    totp, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP
    steps = range(current - DRIFT, current + DRIFT + 1)
    return next((step for step in steps if hmac.compare_digest(totp.generate_otp(step), digits)), None)


def check_code(db: Session, instance: Instance, agent: Agent, typed: str, *, now: datetime) -> bool:
    """Whether ``typed`` is the code of the moment or a recovery code not used yet. Commits the count of the try.

    During a wait nothing is right. A recovery code that opens is gone, and is written down in the audit.
    """
    key = throttle.key_of(instance, "staff-code", agent.id)
    counted = throttle.take(db, key, CODE_LIMIT, now=now)
    db.commit()
    if isinstance(counted, Blocked):
        return False
    right = _take_totp(db, instance, agent, typed, now=now) or _take_recovery(db, instance, agent, typed)
    if right:
        throttle.clear(db, key)
    return right


def _take_totp(db: Session, instance: Instance, agent: Agent, typed: str, *, now: datetime) -> bool:
    if agent.totp_sealed is None:
        return False
    step = matching_step(opened(instance, agent.totp_sealed), typed, now=now)
    if step is None:
        return False
    later = or_(Agent.totp_last_step.is_(None), Agent.totp_last_step < step)
    return _one(db.execute(update(Agent).where(Agent.id == agent.id, later).values(totp_last_step=step)))  # type: ignore[arg-type]


def _take_recovery(db: Session, instance: Instance, agent: Agent, typed: str) -> bool:
    mine = RecoveryCode.agent_id == agent.id
    code_hash = _recovery_hash(instance, agent.id, typed)
    taken = _one(db.execute(delete(RecoveryCode).where(mine, RecoveryCode.code_hash == code_hash)))  # type: ignore[arg-type]
    if taken:
        audit.record(db, "agent.recovery_code_used", actor=agent.actor)
    return taken


def _one(result: CursorResult[object]) -> bool:
    return result.rowcount == 1


def new_recovery_codes(db: Session, instance: Instance, agent: Agent) -> list[str]:
    """Replace the recovery codes of the agent by fresh ones, shown this once."""
    codes = [new_secret(RECOVERY_LENGTH) for _ in range(RECOVERY_CODES)]
    db.execute(delete(RecoveryCode).where(RecoveryCode.agent_id == agent.id))
    db.add_all(RecoveryCode(code_hash=_recovery_hash(instance, agent.id, code), agent_id=agent.id) for code in codes)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _recovery_hash(instance: Instance, agent_id: str, typed: str) -> str:
    code = typed[:64].upper().replace(" ", "").replace("-", "")
    return instance.keyed_hash("staff-recovery", agent_id, code)
