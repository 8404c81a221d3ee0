"""The errors that people may see. Each has a code of the error catalogue (``docs/reference/errors.md``)."""

from __future__ import annotations


class PreauError(Exception):
    """Root of the hub's own errors: a plain sentence for the person who meets it."""


class ConfigurationError(PreauError):
    """The instance cannot start with these settings or files."""


class Refusal(PreauError):
    """A command or action was understood and declined; the sentence says why and what to do."""
