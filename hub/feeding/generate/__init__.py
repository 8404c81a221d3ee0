"""Synthetic AAF deliveries that look like real ones, for demos, tests and measures. Everybody in them is invented."""

from __future__ import annotations

from backends.sdet.records import Generation

from .flow import generate
from .plan import BOTH, CastMember, Child, Plan, Summary
from .quirks import ALL, QUIRKS

__all__ = ["ALL", "BOTH", "QUIRKS", "CastMember", "Child", "Generation", "Plan", "Summary", "generate"]
