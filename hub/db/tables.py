"""Every table of an instance, imported in one place for migrations and for the embedded database."""

from ..accounts import models as accounts
from ..audit import models as audit
from ..codes import models as codes
from ..feeding import models as feeding
from ..login import models as login
from ..logout import models as logout
from ..messaging import models as messaging
from ..recovery import models as recovery
from ..registry import models as registry
from ..signon import models as signon
from ..staff import models as staff
from ..throttle import models as throttle
from .base import Base

__all__ = [
    "Base", "accounts", "audit", "codes", "feeding", "login", "logout", "messaging", "recovery", "registry", "signon", "staff", "throttle",
]  # fmt: skip
