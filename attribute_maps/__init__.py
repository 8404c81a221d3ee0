"""Attribute dialects: names, formats and value grammars, one module per dialect, as data.

A dialect says how an attribute is written; what a service may know of a person is the policy's business
(``hub.release``). Knows nothing of Flask, SQLAlchemy or the hub. Sources: ``spec/saml.md`` section 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"


@dataclass(frozen=True, slots=True)
class AttributeDefinition:
    """One attribute of a dialect."""

    friendly_name: str
    name: str
    name_format: str
    grammar: re.Pattern[str]
    """What every value matches in full; a value that does not is a fault of ours and is never sent."""
    meaning: str
    """For the documentation of service providers."""
    multiple: bool = False
    sensitive: bool = False
    """Released only to a service provider that was granted it by name."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A named set of attributes; a service provider speaks one."""

    name: str
    attributes: tuple[AttributeDefinition, ...]

    def __getitem__(self, friendly_name: str) -> AttributeDefinition:
        """The attribute of that friendly name. Raises ``KeyError``."""
        for attribute in self.attributes:
            if attribute.friendly_name == friendly_name:
                return attribute
        raise KeyError(friendly_name)

    def names(self) -> tuple[str, ...]:
        """Friendly names of all attributes, in the order of emission."""
        return tuple(attribute.friendly_name for attribute in self.attributes)


def dialect(name: str) -> Dialect:
    """The dialect of that name. Raises ``KeyError`` for an unknown one."""
    return dialects()[name]


def dialects() -> dict[str, Dialect]:
    """All dialects by name."""
    from . import educonnect

    return {educonnect.DIALECT.name: educonnect.DIALECT}
