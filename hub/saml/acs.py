"""Where an answer goes: always an address of the metadata, byte for byte (SDP-IDP06, SAML core 3.4.1)."""

from __future__ import annotations

from collections.abc import Sequence

from .messages import Endpoint, MessageRefused, ServiceProviderRules
from .names import BINDING_POST


def resolve_acs(rules: ServiceProviderRules, *, url: str | None, index: str | None) -> Endpoint:
    """The endpoint that a request means by an address, an index, or neither (RQ-04 to RQ-08).

    Addresses are compared as they are written. Both together are refused, unless the service holds the legacy switch
    and both name the same endpoint. Only endpoints of HTTP-POST count.

    Raises :class:`MessageRefused` (``unknown_acs``).
    """
    endpoints = [endpoint for endpoint in rules.descriptor.acs if endpoint.binding == BINDING_POST]
    if url is None and index is None:
        return default_endpoint(endpoints)
    if url is not None and index is not None and not rules.legacy_acs_pair:
        raise MessageRefused("unknown_acs", "an ACS address together with an index; they exclude each other")
    for endpoint in endpoints:
        same_index = index is None or (endpoint.index is not None and index == str(endpoint.index))
        if same_index and url in (None, endpoint.location):
            return endpoint
    raise MessageRefused("unknown_acs", f"address {(url or '')[:200]!r}, index {(index or '')[:20]!r}")


def default_endpoint(endpoints: Sequence[Endpoint]) -> Endpoint:
    """The one marked default, else the first not marked otherwise, else the first (SAML metadata 2.2.3).

    Raises :class:`MessageRefused` (``unknown_acs``) when there is none.
    """
    for wanted in (True, None, False):
        for endpoint in endpoints:
            if endpoint.is_default is wanted:
                return endpoint
    raise MessageRefused("unknown_acs", "the metadata has no HTTP-POST endpoint")
