"""AuthnRequests that lie, and the honest ones beside them."""

from __future__ import annotations

import base64
import re
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.saml import names
from hub.saml.messages import MessageRefused, ProtocolError
from hub.saml.requests import receive_post, receive_redirect
from tests.saml_hub import BASE, SSO, by_post, by_redirect, judge, rules_of
from tests.saml_kit import DS, RSA_SHA1, SHA1, MockSP, deflate, instant, make_key, sign_query, sign_xml

ACS = "https://sp.example.fr/saml/acs"
SECOND_ACS = "https://sp.example.fr/saml/second"

Send = Callable[..., object]
both_bindings = pytest.mark.parametrize("send", [by_redirect, by_post])


@pytest.fixture(scope="module")
def sp() -> MockSP:
    return MockSP(acs=(ACS, SECOND_ACS))


def refused(code: str, send: Send, *args: object, **request: object) -> MessageRefused:
    """The message is refused on the spot, with that code."""
    with pytest.raises(MessageRefused) as caught:
        send(*args, **request)
    assert caught.value.code == code
    return caught.value


def answered_no(send: Send, *args: object, **request: object) -> ProtocolError:
    """The message is answered with a status, at an address of the metadata."""
    with pytest.raises(ProtocolError) as caught:
        send(*args, **request)
    assert caught.value.acs.location in (ACS, SECOND_ACS)
    return caught.value


# Who asks, and where the answer goes ----------------------------------------------------------------------------------


@pytest.mark.covers("RQ-01", "RQ-02")
@both_bindings
def test_a_signed_request_is_read_whole(send: Send) -> None:
    """Everything that the request says reaches the typed request."""
    sp = MockSP(acs=(ACS,), sign=True)
    request = send(
        sp,
        request_id="_r1",
        force_authn=True,
        name_id_format=names.NAMEID_PERSISTENT,
        allow_create=True,
        authn_contexts=(names.AC_PASSWORD_PROTECTED_TRANSPORT,),
        comparison="minimum",
        relay_state="état",
    )
    assert (request.id, request.issuer, request.signed) == ("_r1", sp.entity_id, True)
    assert request.acs.location == ACS
    assert request.force_authn and not request.is_passive
    assert request.name_id_policy.format == names.NAMEID_PERSISTENT and request.name_id_policy.allow_create
    assert request.requested_authn_context.comparison == "minimum"
    assert request.requested_authn_context.class_refs == (names.AC_PASSWORD_PROTECTED_TRANSPORT,)


@pytest.mark.covers("RQ-03")
@both_bindings
def test_a_request_is_judged_by_the_rules_of_its_issuer_only(sp: MockSP, send: Send) -> None:
    """The rules of one service never judge the request of another."""
    refused("unknown_issuer", send, sp, issuer="https://other.example.fr")
    send(sp)


@pytest.mark.covers("RQ-04")
@both_bindings
def test_an_acs_outside_of_the_metadata_is_refused(sp: MockSP, send: Send) -> None:
    """Nothing is sent to an address that the metadata does not name."""
    refused("unknown_acs", send, sp, acs_url="https://evil.example.net/acs")
    assert send(sp, acs_url=SECOND_ACS).acs.location == SECOND_ACS


@pytest.mark.covers("RQ-05")
@pytest.mark.parametrize(
    "url",
    [
        "https://SP.example.fr/saml/acs",
        "https://sp.example.fr/SAML/acs",
        "https://sp.example.fr:443/saml/acs",
        "https://sp.example.fr/saml/acs?x=1",
        "https://sp.example.fr/saml/../saml/acs",
        "https://sp.example.fr./saml/acs",
        "https://sp.example.fr/saml/acs ",
        " https://sp.example.fr/saml/acs",
        "https://sp.example.fr/saml/%61cs",
        "https://sp.example.fr/saml/acs%2e",
        "https://sp.example.fr@evil.example.net/saml/acs",
        "https://sp.example.fr/saml/acs/",
        "https://sp.example.fr/saml/acs#x",
        "",
    ],
)
def test_an_acs_is_compared_as_it_is_written(sp: MockSP, url: str) -> None:
    """An address that differs by one character is another address."""
    refused("unknown_acs", by_redirect, sp, acs_url=url)
    by_redirect(sp, acs_url=ACS)


@pytest.mark.covers("RQ-06")
@pytest.mark.parametrize(("default", "expected"), [(None, ACS), (0, ACS), (1, SECOND_ACS)])
def test_without_acs_the_default_endpoint_is_used(default: int | None, expected: str) -> None:
    """The one marked isDefault, else the first."""
    sp = MockSP(acs=(ACS, SECOND_ACS), default_acs=default)
    assert by_redirect(sp, acs_url=None).acs.location == expected


@pytest.mark.covers("RQ-07")
def test_an_acs_index_names_its_endpoint(sp: MockSP) -> None:
    """Index 1 is the second endpoint of this metadata."""
    assert by_redirect(sp, acs_url=None, acs_index="1").acs.location == SECOND_ACS


@pytest.mark.covers("RQ-07")
@pytest.mark.parametrize("index", ["7", "-1", "1e3", "01", "", "None", "99999999999999999999", "١"])
def test_an_acs_index_that_names_nothing_is_refused(sp: MockSP, index: str) -> None:
    """No guess is made of what was meant."""
    refused("unknown_acs", by_redirect, sp, acs_url=None, acs_index=index)


@pytest.mark.covers("RQ-08")
def test_an_acs_address_together_with_an_index_is_refused(sp: MockSP) -> None:
    """They exclude each other, even when they agree."""
    refused("unknown_acs", by_redirect, sp, acs_url=ACS, acs_index="0")


@pytest.mark.covers("RQ-08")
def test_the_legacy_switch_accepts_an_address_and_an_index_that_agree(sp: MockSP) -> None:
    """One real service sends both; when they disagree it is refused like any other."""
    rules = rules_of(sp, legacy_acs_pair=True)
    assert by_redirect(sp, rules, acs_url=SECOND_ACS, acs_index="1").acs.location == SECOND_ACS
    refused("unknown_acs", by_redirect, sp, rules, acs_url=SECOND_ACS, acs_index="0")


@pytest.mark.covers("RQ-09")
@pytest.mark.parametrize(
    "binding",
    [
        "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact",
        "urn:oasis:names:tc:SAML:2.0:bindings:PAOS",
        names.BINDING_REDIRECT,
        "garbage",
        "",
    ],
)
def test_answers_travel_by_post_only(sp: MockSP, binding: str) -> None:
    """Another binding is answered UnsupportedBinding, by POST."""
    error = answered_no(by_redirect, sp, protocol_binding=binding)
    assert (error.status, error.second) == (names.STATUS_REQUESTER, names.STATUS_UNSUPPORTED_BINDING)
    assert error.acs.binding == names.BINDING_POST
    by_redirect(sp, protocol_binding=names.BINDING_POST)
    by_redirect(sp, protocol_binding=None)


# Signatures -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("RQ-10", "RQ-11")
@both_bindings
def test_an_unsigned_request_passes_only_where_no_signature_is_asked(sp: MockSP, send: Send) -> None:
    """The metadata or the registry asks, each for one service."""
    assert send(sp).signed is False
    refused("signature_required", send, sp, rules_of(sp, requests_signed=True))
    refused("signature_required", send, sp, rules_of(sp, authn_requests_signed=True))
    assert send(sp, rules_of(sp, requests_signed=True), sign=True).signed is True


@pytest.mark.covers("RQ-12", "RQ-13")
@both_bindings
def test_a_wrong_signature_is_refused_even_where_none_is_asked(sp: MockSP, send: Send) -> None:
    """Signed by somebody else, known or not: refused."""
    refused("bad_signature", send, sp, sign=True, key=make_key("another service"))
    assert send(sp, sign=True).signed is True


@pytest.mark.covers("RQ-12")
def test_a_signature_that_nothing_can_verify_is_refused(sp: MockSP) -> None:
    """A service without signing key in its metadata cannot sign."""
    rules = rules_of(sp, signing_certificates=())
    refused("bad_signature", by_redirect, sp, rules, sign=True)
    by_redirect(sp, rules)


@pytest.mark.covers("RQ-14")
@both_bindings
def test_every_key_of_the_metadata_verifies_and_a_removed_one_does_not(sp: MockSP, send: Send) -> None:
    """During a change of keys both are published; afterwards the old one is worth nothing."""
    old, new = make_key("old"), make_key("new")
    two = rules_of(sp, signing_certificates=(old.certificate, new.certificate))
    assert send(sp, two, sign=True, key=new).signed
    assert send(sp, two, sign=True, key=old).signed
    refused("bad_signature", send, sp, rules_of(sp, signing_certificates=(new.certificate,)), sign=True, key=old)


@pytest.mark.covers("RQ-15")
@pytest.mark.parametrize(
    "algorithm",
    [
        RSA_SHA1,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "urn:unknown",
        "",
    ],
)
def test_an_algorithm_outside_of_the_list_is_refused(sp: MockSP, algorithm: str) -> None:
    """Even when the octets are rightly signed with what the name hides."""
    query = sp.redirect_query(SSO)
    honest = sign_query(query, sp.key)
    lying = sign_query(query, sp.key, RSA_SHA1) if algorithm == RSA_SHA1 else honest
    lying = lying.replace(quote_plus("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"), quote_plus(algorithm))
    refused("bad_signature", lambda: judge(receive_redirect(lying), rules_of(sp)))
    assert judge(receive_redirect(honest), rules_of(sp)).signed


@pytest.mark.covers("RQ-15")
def test_an_algorithm_is_not_lent_to_a_key_of_another_kind() -> None:
    """An elliptic signature under the name of an RSA algorithm is refused, though the octets are rightly signed."""
    sp = MockSP(acs=(ACS,), key=make_key("curve", "p256"))
    lying = quote_plus("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
    octets = f"{sp.redirect_query(SSO)}&SigAlg={lying}"
    value = sp.key.private.sign(octets.encode(), ec.ECDSA(hashes.SHA256()))
    query = f"{octets}&Signature={quote_plus(base64.b64encode(value).decode())}"
    refused("bad_signature", lambda: judge(receive_redirect(query), rules_of(sp)))
    assert by_redirect(sp, sign=True).signed


@pytest.mark.covers("RQ-15")
def test_rsa_sha1_passes_only_with_the_waiver(sp: MockSP) -> None:
    """One service at a time, on both bindings."""
    rules = rules_of(sp, accept_rsa_sha1=True)
    old_style = {"sig_alg": RSA_SHA1, "digest": SHA1}
    assert by_redirect(sp, rules, sign=True, sig_alg=RSA_SHA1).signed
    assert by_post(sp, rules, sign=True, signature=old_style).signed
    refused("bad_signature", by_redirect, sp, sign=True, sig_alg=RSA_SHA1)
    refused("bad_signature", by_post, sp, sign=True, signature=old_style)


@pytest.mark.covers("RQ-17")
def test_parameters_may_travel_in_another_order(sp: MockSP) -> None:
    """Only the order of the signed text is fixed."""
    parts = sp.redirect_query(SSO, sign=True, relay_state="r").split("&")
    assert judge(receive_redirect("&".join(reversed(parts))), rules_of(sp)).signed


@pytest.mark.covers("RQ-18")
@pytest.mark.parametrize(
    "spelling",
    [
        lambda s: quote(s, safe=""),
        lambda s: quote_plus(s, safe="~"),
        lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
        lambda s: quote(s, safe="").replace("~", "%7E"),
        lambda s: quote(s, safe="/:"),
    ],
)
def test_every_percent_spelling_of_a_signed_query_is_verified_as_it_travelled(sp: MockSP, spelling: Callable[[str], str]) -> None:
    """Lower case, %20 or +, tilde escaped or not."""
    query = sp.redirect_query(SSO, sign=True, relay_state="un état ~ / é", quote=spelling)
    received = receive_redirect(query)
    assert received.relay_state == "un état ~ / é"
    assert judge(received, rules_of(sp)).signed


@pytest.mark.covers("RQ-23")
def test_relay_state_is_part_of_what_is_signed(sp: MockSP) -> None:
    """An empty one may be signed; none can be added, removed or changed afterwards."""
    rules = rules_of(sp)
    empty = sp.redirect_query(SSO, sign=True, relay_state="")
    received = receive_redirect(empty)
    assert judge(received, rules).signed and received.relay_state == ""
    for tampered in (
        empty.replace("&RelayState=", ""),
        empty.replace("&RelayState=", "&RelayState=evil"),
        sp.redirect_query(SSO, sign=True) + "&RelayState=evil",
        sp.redirect_query(SSO, sign=True) + "&RelayState=",
    ):
        refused("bad_signature", lambda query=tampered: judge(receive_redirect(query), rules))


@pytest.mark.covers("RQ-24")
@both_bindings
def test_elliptic_curve_signatures_are_accepted(send: Send) -> None:
    """P-256 with SHA-256, in the query and in the message."""
    sp = MockSP(acs=(ACS,), key=make_key("curve", "p256"), sign=True)
    signature = {} if send is by_redirect else {"signature": {"sig_alg": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"}}
    assert send(sp, **signature).signed
    refused("bad_signature", send, sp, key=make_key("other curve", "p256"), **signature)


@pytest.mark.covers("RQ-25")
def test_a_signature_inside_a_redirect_message_proves_nothing(sp: MockSP) -> None:
    """It is neither believed nor a reason to refuse."""
    xml = sign_xml(sp.authn_request(SSO), sp.key).decode()
    assert by_redirect(sp, xml=xml).signed is False
    refused("signature_required", by_redirect, sp, rules_of(sp, requests_signed=True), xml=xml)


@pytest.mark.covers("RQ-26")
@pytest.mark.parametrize(
    ("genuine", "forged"),
    [
        ("<saml:Issuer>https://sp.example.fr/saml</saml:Issuer>", "<saml:Issuer>https://sp.example.fr/saml </saml:Issuer>"),
        ('ForceAuthn="true"', 'ForceAuthn="false"'),
        (ACS, SECOND_ACS),
        ('ID="_genuine"', 'ID="_forged"'),
    ],
)
def test_a_signed_post_message_cannot_be_changed(sp: MockSP, genuine: str, forged: str) -> None:
    """Any change after signing is refused."""
    xml = sign_xml(sp.authn_request(SSO, request_id="_genuine", force_authn=True), sp.key).decode()
    assert genuine in xml
    assert by_post(sp, xml=xml).signed
    refused("bad_signature", by_post, sp, xml=xml.replace(genuine, forged))


@pytest.mark.covers("RQ-27")
@pytest.mark.parametrize("holder", ["<samlp:Extensions>{}</samlp:Extensions>", '<ds:Object xmlns:ds="' + DS + '">{}</ds:Object>'])
def test_a_genuine_request_wrapped_in_a_forged_one_signs_nothing(sp: MockSP, holder: str) -> None:
    """The forged one counts as unsigned."""
    genuine = sign_xml(sp.authn_request(SSO, request_id="_genuine"), sp.key).decode()
    forged = sp.authn_request(SSO, request_id="_forged", acs_url=SECOND_ACS, extra=holder.format(genuine))
    assert by_post(sp, xml=forged).signed is False
    refused("signature_required", by_post, sp, rules_of(sp, requests_signed=True), xml=forged)
    assert by_post(sp, rules_of(sp, requests_signed=True), xml=genuine).signed


@pytest.mark.covers("RQ-27")
def test_a_signature_that_names_a_wrapped_request_is_refused(sp: MockSP) -> None:
    """The signature of a genuine request, moved to the forged one, still names the genuine one."""
    genuine = sign_xml(sp.authn_request(SSO, request_id="_genuine"), sp.key).decode()
    signature = genuine[genuine.index("<ds:Signature") : genuine.index("</ds:Signature>") + len("</ds:Signature>")]
    bare = genuine.replace(signature, "")
    forged = sp.authn_request(SSO, request_id="_forged", extra=f"{signature}<samlp:Extensions>{bare}</samlp:Extensions>")
    refused("bad_signature", by_post, sp, xml=forged)


@pytest.mark.covers("RQ-28")
@both_bindings
def test_the_key_inside_a_message_is_never_used(sp: MockSP, send: Send) -> None:
    """A stranger's certificate in KeyInfo proves that the stranger has a key, no more."""
    stranger = make_key("stranger")
    refused("bad_signature", send, sp, xml=sign_xml(sp.authn_request(SSO), stranger).decode(), sign=send is by_redirect, key=stranger)
    honest = sign_xml(sp.authn_request(SSO), sp.key, with_certificate=False).decode()
    assert by_post(sp, xml=honest).signed


@pytest.mark.covers("RQ-28")
def test_a_pointer_to_a_key_is_not_followed(sp: MockSP) -> None:
    """Whatever KeyInfo holds, the key of the metadata decides."""
    xml = sign_xml(sp.authn_request(SSO), sp.key).decode()
    start, end = xml.index("<ds:KeyInfo>"), xml.index("</ds:KeyInfo>")
    for content in ('<ds:RetrievalMethod URI="file:///nowhere"/>', "<ds:KeyName>admin</ds:KeyName>", "<ds:KeyValue/>"):
        assert by_post(sp, xml=f"{xml[:start]}<ds:KeyInfo>{content}{xml[end:]}").signed
        refused("bad_signature", by_post, sp, xml=f"{xml[:start]}<ds:KeyInfo>{content}{xml[end:]}".replace(ACS, SECOND_ACS))


@pytest.mark.covers("RQ-42")
@pytest.mark.parametrize(
    "transform",
    [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
    ],
)
def test_no_transform_of_a_message_is_run(sp: MockSP, transform: str) -> None:
    """Refused by name, before the crypto library reads it."""
    xml = sign_xml(sp.authn_request(SSO), sp.key).decode()
    evil = xml.replace('Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"', f'Algorithm="{transform}"')
    refused("bad_signature", by_post, sp, xml=evil)
    by_post(sp, xml=xml)


# Dates, destination, version ------------------------------------------------------------------------------------------


def _ago(**delta: float) -> str:
    return instant(datetime.now(UTC) - timedelta(**delta))


@pytest.mark.covers("RQ-30", "RQ-31")
@pytest.mark.parametrize("date", [_ago(minutes=10), _ago(days=1), _ago(minutes=-10), "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_a_request_outside_of_its_lifetime_is_refused(sp: MockSP, date: str) -> None:
    """Too old, or from the future."""
    answered_no(by_redirect, sp, issue_instant=date)


@pytest.mark.covers("RQ-31")
@pytest.mark.parametrize("seconds", [-175, 0, 175, 60 * 7 + 55])
def test_a_clock_three_minutes_wrong_is_accepted(sp: MockSP, seconds: int) -> None:
    """The tolerance is three minutes on both sides; a request lives five minutes."""
    by_redirect(sp, issue_instant=_ago(seconds=seconds))


@pytest.mark.covers("RQ-32")
@pytest.mark.parametrize(
    "date",
    ["99999-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01", "now", "", "2026-01-01T25:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_not_a_date_is_answered_no(sp: MockSP, date: str) -> None:
    """No spelling of a date breaks the hub."""
    xml = sp.authn_request(SSO, issue_instant="@").replace('IssueInstant="@"', f'IssueInstant="{date}"')
    answered_no(by_redirect, sp, xml=xml)


@pytest.mark.covers("RQ-32")
def test_a_request_without_date_is_answered_no(sp: MockSP) -> None:
    """IssueInstant is required."""
    answered_no(by_redirect, sp, xml=sp.authn_request(SSO, issue_instant="@").replace(' IssueInstant="@"', ""))


@pytest.mark.covers("RQ-32")
def test_odd_spellings_of_now_are_understood(sp: MockSP) -> None:
    """Without zone, with an offset, with a fraction of thirty digits."""
    now = datetime.now(UTC)
    for text in (
        now.strftime("%Y-%m-%dT%H:%M:%S"),
        (now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00"),
        now.strftime("%Y-%m-%dT%H:%M:%S.") + "1" * 30 + "Z",
    ):
        by_redirect(sp, issue_instant=text)


@pytest.mark.covers("RQ-33", "RQ-35")
@both_bindings
@pytest.mark.parametrize("destination", [f"{BASE}/saml/other", f"{SSO}/", SSO.upper(), "https://other.example.fr/saml/sso", ""])
def test_a_request_for_another_address_is_refused(sp: MockSP, send: Send, destination: str) -> None:
    """Destination is compared as it is written."""
    answered_no(send, sp, destination=destination)
    answered_no(send, sp, destination=destination, sign=True)
    send(sp, destination=SSO)


@pytest.mark.covers("RQ-35")
def test_the_destination_is_that_of_the_binding_in_use(sp: MockSP) -> None:
    """Where the bindings have addresses of their own, one does not pass for the other."""
    received = receive_redirect(sp.redirect_query(SSO))
    answered_no(judge, received, rules_of(sp), destination=f"{BASE}/saml/sso/redirect")
    judge(received, rules_of(sp), destination=SSO)


@pytest.mark.covers("RQ-34")
@both_bindings
def test_a_signed_request_names_its_destination(sp: MockSP, send: Send) -> None:
    """Otherwise it could be replayed elsewhere; an unsigned one proves nothing anyway."""
    answered_no(send, sp, destination=None, sign=True)
    send(sp, destination=None)


@pytest.mark.covers("RQ-47")
@pytest.mark.parametrize("version", ["1.1", "3.0", "2", "", None])
def test_another_version_is_answered_version_mismatch(sp: MockSP, version: str | None) -> None:
    """Only 2.0 is spoken here."""
    assert answered_no(by_redirect, sp, version=version).status == names.STATUS_VERSION_MISMATCH
    by_redirect(sp, version="2.0")


# The text of messages -------------------------------------------------------------------------------------------------


@pytest.mark.covers("RQ-43")
@pytest.mark.parametrize("binding", [receive_redirect, receive_post])
def test_an_issuer_is_never_cut_short(sp: MockSP, binding: Callable[..., object]) -> None:
    """A comment or CDATA leaves the full text; a processing instruction or an element is refused."""

    def issuer_of(text: str) -> str:
        xml = sp.authn_request(SSO, issuer="@").replace("@", text)
        if binding is receive_redirect:
            return receive_redirect(sp.redirect_query(SSO, xml=xml)).issuer
        return receive_post(list(sp.post_form(SSO, xml=xml).items())).issuer

    assert issuer_of("https://sp.example.fr<!-- x -->.evil.net") == "https://sp.example.fr.evil.net"
    assert issuer_of("<!-- x -->https://sp.example.fr") == "https://sp.example.fr"
    assert issuer_of("https://sp.example.fr<![CDATA[.evil.net]]>") == "https://sp.example.fr.evil.net"
    assert issuer_of(" \n https://sp.example.fr \n") == "https://sp.example.fr"
    refused("malformed_message", issuer_of, "https://sp.example.fr<?x y?>.evil.net")
    refused("malformed_message", issuer_of, "https://sp.example.fr<b/>.evil.net")


@pytest.mark.covers("RQ-46")
@pytest.mark.parametrize("message_id", ["", "1abc", "a" * 257, "a" * 10_000, 'a"b', "a<b", "a\nb", "a b", "é", "#a", "a'b", "a&b"])
def test_an_id_that_could_do_harm_is_refused(sp: MockSP, message_id: str) -> None:
    """It would travel back in InResponseTo, in pages and in logs."""
    from xml.sax.saxutils import quoteattr

    xml = sp.authn_request(SSO, request_id="_@").replace('"_@"', quoteattr(message_id))
    refused("malformed_message", by_redirect, sp, xml=xml)
    by_redirect(sp, request_id="a" * 256)


@pytest.mark.covers("RQ-46")
def test_a_request_without_id_or_with_two_is_refused(sp: MockSP) -> None:
    """A second ID attribute is not XML."""
    xml = sp.authn_request(SSO, request_id="_@")
    refused("malformed_message", by_redirect, sp, xml=xml.replace(' ID="_@"', ""))
    refused("malformed_message", by_redirect, sp, xml=xml.replace(' ID="_@"', ' ID="_a" ID="_b"'))
    refused("malformed_message", by_redirect, sp, xml=xml.replace(' ID="_@"', ' id="_a"'))


@pytest.mark.covers("RQ-46")
def test_two_elements_with_the_same_id_are_refused_when_signed(sp: MockSP) -> None:
    """A signature must name one element only."""
    double = '<samlp:Extensions><x xmlns="urn:x" ID="_same"/></samlp:Extensions>'
    refused("bad_signature", by_post, sp, xml=sp.authn_request(SSO, request_id="_same", extensions=double), sign=True)
    by_post(sp, xml=sp.authn_request(SSO, request_id="_other", extensions=double), sign=True)


@pytest.mark.covers("RQ-48")
@both_bindings
@pytest.mark.parametrize("size", [0, 80, 81, 2_000])
def test_relay_state_is_kept_byte_for_byte(sp: MockSP, send: Send, size: int) -> None:
    """Up to 2,000 bytes; above 80 only while the strict setting is off."""
    state = ("é" * (size // 2)) + "x" * (size % 2)
    if send is by_redirect:
        received = receive_redirect(sp.redirect_query(SSO, relay_state=state))
    else:
        received = receive_post(list(sp.post_form(SSO, relay_state=state).items()))
    assert received.relay_state == state
    judge(received, rules_of(sp))
    if size > 80:
        answered_no(judge, received, rules_of(sp), strict_relay_state=True)
    else:
        judge(received, rules_of(sp), strict_relay_state=True)


@pytest.mark.covers("RQ-48")
@both_bindings
def test_relay_state_above_2000_bytes_is_answered_no(sp: MockSP, send: Send) -> None:
    """It is never cut."""
    answered_no(send, sp, relay_state="x" * 2_001)
    answered_no(send, sp, relay_state="é" * 1_001)


@pytest.mark.covers("RQ-49")
@pytest.mark.parametrize("state", ['"><script>alert(1)</script>', "javascript:alert(1)", "a\r\nSet-Cookie: x=1", "&quot;&#x3e;"])
def test_a_hostile_relay_state_is_kept_as_text(sp: MockSP, state: str) -> None:
    """It is the page that escapes it."""
    assert receive_redirect(sp.redirect_query(SSO, relay_state=state)).relay_state == state
    assert receive_post(list(sp.post_form(SSO, relay_state=state).items())).relay_state == state


@pytest.mark.covers("RQ-50")
@both_bindings
def test_unknown_extensions_and_attributes_change_nothing(sp: MockSP, send: Send) -> None:
    """Extensions are made to be ignored by those who do not know them."""
    request = send(
        sp,
        sign=True,
        attributes=' Consent="urn:x" xmlns:z="urn:z" z:odd="1"',
        extensions='<samlp:Extensions><z:a xmlns:z="urn:z" id="x"><z:b Id="y">t</z:b></z:a></samlp:Extensions>',
    )
    assert request.signed


def test_options_are_read_strictly(sp: MockSP) -> None:
    """A value outside of the grammar is answered, not guessed."""
    for wrong in (
        {"attributes": ' ForceAuthn="yes"'},
        {"attributes": ' AttributeConsumingServiceIndex="-1"'},
        {"attributes": ' AttributeConsumingServiceIndex="65536"'},
        {"attributes": ' AttributeConsumingServiceIndex="²"'},
        {"authn_contexts": ("urn:x",), "comparison": "about"},
        {"authn_contexts": ("urn:x",) * 51},
        {"extra": "<samlp:NameIDPolicy/><samlp:NameIDPolicy/>"},
        {"extra": "<samlp:RequestedAuthnContext/>"},
        {"extra": '<samlp:Scoping ProxyCount="-1"/>'},
        {"name_id_format": "x" * 2_000},
    ):
        assert answered_no(by_redirect, sp, **wrong).status == names.STATUS_REQUESTER
    right = by_redirect(
        sp,
        attributes=' ForceAuthn="1" IsPassive="0" AttributeConsumingServiceIndex="3" ProviderName="Nom"',
        extra='<samlp:Scoping ProxyCount="2"><samlp:IDPList><samlp:IDPEntry ProviderID="urn:a"/></samlp:IDPList>'
        "<samlp:RequesterID>urn:r</samlp:RequesterID></samlp:Scoping>",
    )
    assert right.force_authn and not right.is_passive
    assert right.attribute_consuming_service_index == 3 and right.provider_name == "Nom"
    assert right.scoping.proxy_count == 2
    assert right.scoping.idp_list == ("urn:a",) and right.scoping.requester_ids == ("urn:r",)


def test_a_named_subject_is_noticed(sp: MockSP) -> None:
    """What to do with it is the sign-on's decision."""
    assert by_redirect(sp, extra="<saml:Subject><saml:NameID>x</saml:NameID></saml:Subject>").has_subject
    assert not by_redirect(sp).has_subject


def test_another_message_is_not_a_request(sp: MockSP) -> None:
    """A LogoutRequest at the sign-on address is refused."""
    xml = sp.authn_request(SSO).replace("AuthnRequest", "LogoutRequest")
    refused("malformed_message", by_redirect, sp, xml=xml)


# Whatever comes -------------------------------------------------------------------------------------------------------

_FRAGMENTS = st.sampled_from(
    [
        "<saml:Issuer>https://sp.example.fr/saml</saml:Issuer>",
        "<samlp:NameIDPolicy/>",
        "<samlp:NameIDPolicy Format='x' AllowCreate='maybe'>t</samlp:NameIDPolicy>",
        "<samlp:Scoping ProxyCount='9999999999'><samlp:IDPList/></samlp:Scoping>",
        "<samlp:RequestedAuthnContext Comparison='exact'><saml:AuthnContextClassRef/></samlp:RequestedAuthnContext>",
        "<samlp:Extensions><x/></samlp:Extensions>",
        "<ds:Signature xmlns:ds='" + DS + "'/>",
        "<ds:Signature xmlns:ds='" + DS + "'><ds:SignedInfo/><ds:SignatureValue/></ds:Signature>",
        "<saml:Subject/>",
        "text &amp; more",
        "<!-- comment -->",
        "<?pi?>",
        "<saml:Conditions/>",
    ]
)
_FLAGS = ["ForceAuthn", "IsPassive", "ProtocolBinding", "ProviderName", "Consent"]
_INDEXES = ["AssertionConsumerServiceIndex", "AttributeConsumingServiceIndex"]
_ATTRIBUTES = st.dictionaries(
    st.sampled_from(["ID", "Version", "IssueInstant", "Destination", "AssertionConsumerServiceURL", *_FLAGS, *_INDEXES]),
    st.one_of(st.sampled_from(["2.0", "_id", SSO, ACS, "true", "1", instant(), names.BINDING_POST]), st.text(max_size=12)),
)


@st.composite
def _requests(draw: st.DrawFn) -> str:
    from xml.sax.saxutils import quoteattr

    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in draw(_ATTRIBUTES).items())
    body = "".join(draw(st.lists(_FRAGMENTS, max_size=5)))
    return (
        f'<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        f'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"{attributes}>{body}</samlp:AuthnRequest>'
    )


@settings(max_examples=300, deadline=None)
@given(_requests())
def test_no_request_breaks_the_reader(xml: str) -> None:
    """Whatever a message says, it is accepted, refused or answered: nothing else happens."""
    sp = MockSP(acs=(ACS, SECOND_ACS))
    rules = rules_of(sp)
    data = xml.encode("utf-8", "surrogatepass")
    for receive in (
        lambda: receive_redirect("SAMLRequest=" + quote_plus(deflate(data))),
        lambda: receive_post([("SAMLRequest", base64.b64encode(data).decode())]),
    ):
        try:
            judge(receive(), rules)
        except (MessageRefused, ProtocolError):
            continue


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.from_regex(r"(SAMLRequest|RelayState|SigAlg|Signature)=[%A-Za-z0-9+/=&]*")))
def test_no_query_string_breaks_the_reader(query: str) -> None:
    """Random query strings are refused cleanly."""
    with pytest.raises(MessageRefused):
        receive_redirect(query)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Random bytes are refused cleanly, inflated or not."""
    with pytest.raises(MessageRefused):
        receive_post([("SAMLRequest", base64.b64encode(data).decode())])
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = base64.b64encode(compressor.compress(data) + compressor.flush()).decode()
    with pytest.raises(MessageRefused):
        receive_redirect("SAMLRequest=" + quote_plus(packed))


@pytest.mark.covers("RQ-40")
@pytest.mark.parametrize(("namespaces", "prefixes"), [(3000, 3000), (60, 60)])
def test_a_canonicalisation_bomb_is_refused_at_once(namespaces: int, prefixes: int):
    """Thousands of namespaces and listed prefixes, canonicalised at each element, would cost minutes: refused before any work."""
    sp = MockSP()
    declared = " ".join(f'xmlns:a{n}="u:{n}"' for n in range(namespaces))
    listed = " ".join(f"a{n}" for n in range(prefixes))
    transform = f'<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="{listed}"/>'
    text = sp.post_form(SSO, sign=True)["SAMLRequest"]
    xml = base64.b64decode(text).decode()
    algorithm = 'Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"'
    xml = re.sub(rf"(<(?:\w+:)?Transform {algorithm})\s*/>", rf"\1>{transform}</ds:Transform>", xml)
    xml = xml.replace(" Version=", f" {declared} Version=", 1)
    assert listed in xml
    begin = time.process_time()
    with pytest.raises(MessageRefused):
        judge(receive_post([("SAMLRequest", base64.b64encode(xml.encode()).decode())]), rules_of(sp))
    assert time.process_time() - begin < 1
