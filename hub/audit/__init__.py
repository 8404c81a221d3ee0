"""What happened: append-only rows, written in the transaction of the act itself."""

from .models import AuditEvent, SignOnRecord
from .service import record

__all__ = ["AuditEvent", "SignOnRecord", "record"]
