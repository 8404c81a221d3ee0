"""Options of a request that are agreed to before anybody is asked anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.saml import names
from hub.saml.messages import AuthnRequest, Endpoint, EntityID, MessageID, NameIDPolicy, ProtocolError, RequestedAuthnContext, Scoping
from hub.signon.terms import CONTEXTS, agree, context_satisfies

SP = EntityID("https://sp.example")
IDP = "https://hub.example/saml/metadata"
PASSWORD, PROTECTED = CONTEXTS


def request(**options: Any) -> AuthnRequest:
    acs = Endpoint(names.BINDING_POST, "https://sp.example/acs")
    return AuthnRequest(MessageID("_1"), SP, datetime(2026, 11, 25, tzinfo=UTC), acs, False, **options)


def outcome(**options: Any) -> str | None:
    """The NameID format agreed to, or the second-level status of the refusal."""
    try:
        return agree(request(**options), idp_entity_id=IDP, default_name_id_format=names.NAMEID_TRANSIENT)
    except ProtocolError as error:
        return error.second


@pytest.mark.covers("RQ-62", "RQ-63")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, names.NAMEID_TRANSIENT),
        (NameIDPolicy(), names.NAMEID_TRANSIENT),
        (NameIDPolicy(names.NAMEID_UNSPECIFIED), names.NAMEID_TRANSIENT),
        (NameIDPolicy(names.NAMEID_TRANSIENT), names.NAMEID_TRANSIENT),
        (NameIDPolicy(names.NAMEID_PERSISTENT, SP), names.NAMEID_PERSISTENT),
        (NameIDPolicy("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"), names.STATUS_INVALID_NAMEID_POLICY),
        (NameIDPolicy(names.NAMEID_PERSISTENT, "https://other.example"), names.STATUS_INVALID_NAMEID_POLICY),
    ],
)
def test_name_id_policy(policy, expected):
    """As asked, transient when nothing is asked, never another service's identifier."""
    assert outcome(name_id_policy=policy) == expected


@pytest.mark.covers("RQ-59", "RQ-60")
@pytest.mark.parametrize(
    ("comparison", "asked", "actual", "met"),
    [
        ("exact", [PROTECTED], PROTECTED, True),
        ("exact", [PASSWORD], PROTECTED, False),
        ("exact", [PASSWORD, PROTECTED], PROTECTED, True),
        ("exact", ["urn:unknown"], PROTECTED, False),
        ("minimum", [PASSWORD], PROTECTED, True),
        ("minimum", [PROTECTED], PASSWORD, False),
        ("maximum", [PASSWORD], PROTECTED, False),
        ("maximum", [PROTECTED], PASSWORD, True),
        ("better", [PASSWORD], PROTECTED, True),
        ("better", [PROTECTED], PROTECTED, False),
        ("better", [PASSWORD, "urn:unknown"], PROTECTED, False),
        ("nonsense", [PROTECTED], PROTECTED, False),
    ],
)
def test_authentication_contexts_by_an_ordered_list(comparison, asked, actual, met):
    """The four comparisons; what the hub cannot judge is never said to be met."""
    assert context_satisfies(RequestedAuthnContext(comparison, tuple(asked)), actual) is met


def test_declarations_are_never_met():
    """Declaration references are not supported."""
    assert not context_satisfies(RequestedAuthnContext("exact", (), has_declarations=True), PROTECTED)


def test_an_identity_provider_list_must_name_us():
    """Scoping to others is refused, to us accepted."""
    assert outcome(scoping=Scoping(idp_list=("https://elsewhere.example",))) == names.STATUS_NO_SUPPORTED_IDP
    assert outcome(scoping=Scoping(idp_list=("https://elsewhere.example", IDP))) == names.NAMEID_TRANSIENT


def test_a_subject_in_the_request_is_refused():
    """Never an answer about somebody else than the one who was named (RQ-66 comes with the full protocol)."""
    assert outcome(has_subject=True) == names.STATUS_REQUEST_UNSUPPORTED
