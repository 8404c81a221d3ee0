"""How often something may be tried."""

from .service import Blocked, Limit, clear, purge, take, throttle_key

__all__ = ["Blocked", "Limit", "clear", "purge", "take", "throttle_key"]
