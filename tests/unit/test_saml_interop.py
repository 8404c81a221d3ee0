"""Another implementation judges what the hub reads and emits: python3-saml as a strict service provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response

from hub.saml import names
from hub.saml.messages import AuthnRequest, ServiceProviderRules
from hub.saml.metadata import read_entity_descriptor
from hub.saml.requests import receive_redirect
from tests.saml_hub import ENTITY_ID, HUB_KEY, SSO, an_answer, identity_provider, judge
from tests.saml_kit import MockSP, make_key

KEY = make_key("interop")
SP = "https://sp.example.fr"
ACS = f"{SP}/acs"
HTTP = {"https": "on", "http_host": "sp.example.fr", "script_name": "/acs", "get_data": {}, "post_data": {}}


def service(**security: Any) -> OneLogin_Saml2_Auth:
    """The other implementation, configured from our own metadata."""
    data = OneLogin_Saml2_IdPMetadataParser.parse(identity_provider().metadata(valid_until=datetime.now(UTC) + timedelta(days=1)))
    data |= {
        "strict": True,
        "sp": {
            "entityId": SP,
            "assertionConsumerService": {"url": ACS, "binding": names.BINDING_POST},
            "x509cert": KEY.certificate,
            "privateKey": KEY.private_pem.decode(),
        },
        "security": {
            "authnRequestsSigned": True,
            "wantMessagesSigned": True,
            "wantAssertionsSigned": True,
            "wantAssertionsEncrypted": True,
            "signatureAlgorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            **security,
        },
    }
    return OneLogin_Saml2_Auth(HTTP, data)


def asked(auth: OneLogin_Saml2_Auth) -> tuple[AuthnRequest, ServiceProviderRules]:
    """Its metadata registered and its request checked."""
    metadata = auth.get_settings().get_sp_metadata()
    rules = ServiceProviderRules(read_entity_descriptor(metadata if isinstance(metadata, bytes) else metadata.encode()))
    return judge(receive_redirect(urlsplit(auth.login(return_to=f"{SP}/état?a=b&c")).query), rules), rules


def test_our_metadata_are_read() -> None:
    """Entity, address and certificate."""
    idp = service().get_settings().get_idp_data()
    assert (idp["entityId"], idp["singleSignOnService"]["url"]) == (ENTITY_ID, SSO)
    assert HUB_KEY.certificate in "".join(idp["x509cert"].split())


@pytest.mark.covers("RQ-01")
def test_its_signed_request_is_accepted_and_our_answer_is_valid_for_it() -> None:
    """In strict mode: both signatures, encryption, dates, audience, addresses; with another request id it is not."""
    auth = service()
    request, rules = asked(auth)
    assert request.signed and request.acs.location == ACS
    outgoing = identity_provider().respond(
        request,
        rules,
        an_answer(MockSP(SP, acs=(ACS,), key=KEY)),
        now=datetime.now(UTC),
        lifetime=timedelta(minutes=5),
        relay_state=None,
    )
    response = OneLogin_Saml2_Response(auth.get_settings(), outgoing.saml_response)
    assert response.is_valid(HTTP, request_id=request.id), response.get_error()
    assert response.get_attributes() == {"urn:oid:2.5.4.42": ["Zoé"]}
    assert (response.get_nameid(), response.get_session_index()) == ("_opaque", "_session")
    assert not OneLogin_Saml2_Response(auth.get_settings(), outgoing.saml_response).is_valid(HTTP, request_id="_other")


def test_its_unsigned_request_is_accepted_where_no_signature_is_asked() -> None:
    """And its metadata say so."""
    request, rules = asked(service(authnRequestsSigned=False))
    assert not request.signed and not rules.descriptor.authn_requests_signed
