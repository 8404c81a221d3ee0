"""The hub's side of protocol tests: its key, its addresses, the rules of a mock service provider."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from hub.saml import names
from hub.saml.messages import (
    Answer,
    Attribute,
    AuthnRequest,
    KeyPair,
    NameID,
    OutgoingResponse,
    ReceivedMessage,
    ServiceProviderRules,
)
from hub.saml.metadata import read_entity_descriptor
from hub.saml.requests import check_request, receive_post, receive_redirect
from hub.saml.responses import IdentityProvider
from tests.saml_kit import MockSP, TestKey, make_key

BASE = "https://hub.example.fr"
ENTITY_ID = f"{BASE}/saml/metadata"
SSO = f"{BASE}/saml/sso"


def pair(key: TestKey) -> KeyPair:
    return KeyPair(key.private_pem, key.certificate_pem)


HUB_KEY = make_key("hub")


@lru_cache
def identity_provider() -> IdentityProvider:
    return IdentityProvider(ENTITY_ID, BASE, pair(HUB_KEY), technical_contact="assistance@hub.example.fr")


def rules_of(sp: MockSP, **switches: Any) -> ServiceProviderRules:
    """What the registry would keep of the service; a switch named like a field of the descriptor changes that one."""
    descriptor = read_entity_descriptor(sp.metadata())
    own = {name: switches.pop(name) for name in list(switches) if hasattr(descriptor, name)}
    return ServiceProviderRules(replace(descriptor, **own), **switches)


def judge(received: ReceivedMessage, rules: ServiceProviderRules, **options: Any) -> AuthnRequest:
    return check_request(received, rules, **{"destination": SSO, "now": datetime.now(UTC), **options})


def by_redirect(sp: MockSP, rules: ServiceProviderRules | None = None, **request: Any) -> AuthnRequest:
    """Send a request of the service by Redirect and judge it."""
    request.setdefault("destination", SSO)
    return judge(receive_redirect(sp.redirect_query(**request)), rules or rules_of(sp))


def by_post(sp: MockSP, rules: ServiceProviderRules | None = None, **request: Any) -> AuthnRequest:
    """Send a request of the service by POST and judge it."""
    request.setdefault("destination", SSO)
    return judge(receive_post(list(sp.post_form(**request).items())), rules or rules_of(sp))


def an_answer(sp: MockSP, attributes: tuple[Attribute, ...] | None = None, **changes: Any) -> Answer:
    given_name = Attribute("urn:oid:2.5.4.42", names.ATTRNAME_URI, ("Zoé",), "givenName")
    answer = Answer(
        name_id=NameID("_opaque", names.NAMEID_TRANSIENT, ENTITY_ID, sp.entity_id),
        attributes=(given_name,) if attributes is None else attributes,
        authn_instant=datetime.now(UTC),
        authn_context=names.AC_PASSWORD_PROTECTED_TRANSPORT,
        session_index="_session",
    )
    return replace(answer, **changes)


def respond(
    sp: MockSP, rules: ServiceProviderRules | None = None, answer: Answer | None = None, relay_state: str | None = None
) -> OutgoingResponse:
    """The hub's answer to a plain request of the service."""
    rules = rules or rules_of(sp)
    return identity_provider().respond(
        by_redirect(sp, rules),
        rules,
        answer or an_answer(sp),
        now=datetime.now(UTC),
        lifetime=timedelta(minutes=5),
        relay_state=relay_state,
    )
