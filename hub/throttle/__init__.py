"""How often something may be tried, or done: counted in the database, so that all workers share it (AC-08)."""

from .sending import take_send
from .service import Blocked, Limit, Rate, clear, give_back, key_of, purge, spend, take
from .visitor import Visitor, take_request

__all__ = [
    "Blocked", "Limit", "Rate", "Visitor", "clear", "give_back", "key_of", "purge", "spend", "take", "take_request", "take_send",
]  # fmt: skip
