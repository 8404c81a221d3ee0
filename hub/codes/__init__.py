"""Codes sent by SMS or mail that prove a number or an address: short-lived, kept hashed, few tries, for one browser."""

from .service import Channel, Judged, Sent, Wrong, find, issue, issue_again, judge, masked, readable

__all__ = ["Channel", "Judged", "Sent", "Wrong", "find", "issue", "issue_again", "judge", "masked", "readable"]
