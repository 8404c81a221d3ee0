"""What the hub answers: Responses, refusals, its own metadata, and the keys behind them."""

from __future__ import annotations

import base64
import stat
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from saml2 import md, saml
from saml2.validate import valid_instance
from saml2.xml.schema import XMLSchemaError
from saml2.xml.schema import validate as validate_doc_with_schema

from hub.saml import crypto, names, xml
from hub.saml.bindings import raw_parameters
from hub.saml.instants import format_instant
from hub.saml.keys import UnusableKey, generate_key_pair, load_key_pair, save_key_pair
from hub.saml.messages import Attribute, KeyPair, MessageID, ProtocolError
from hub.saml.responses import IdentityProvider
from tests.saml_hub import BASE, ENTITY_ID, HUB_KEY, SSO, an_answer, by_redirect, identity_provider, pair, respond, rules_of
from tests.saml_kit import NS, MockSP, instant, make_key, read_response, signature_is_good

CERTIFICATE = HUB_KEY.certificate_pem


@pytest.fixture(scope="module")
def sp() -> MockSP:
    return MockSP(sign=True)


def algorithms(document: bytes) -> set[str]:
    return {value for value in etree.fromstring(document).xpath("//@Algorithm") if isinstance(value, str)}


@pytest.mark.covers("RQ-01")
def test_an_answer_says_everything_that_the_profile_wants(sp: MockSP) -> None:
    """Both signed, encrypted, tied to the request, to the service and to its address."""
    rules = rules_of(sp)
    now = datetime(2026, 11, 25, 10, 0, 0, tzinfo=UTC)
    request = by_redirect(sp, rules, request_id="_request")
    answer = an_answer(sp, authn_instant=now - timedelta(minutes=1), session_not_on_or_after=now + timedelta(hours=8))
    outgoing = identity_provider().respond(request, rules, answer, now=now, lifetime=timedelta(minutes=5), relay_state="état")
    read = sp.read_response(outgoing.saml_response, CERTIFICATE)
    assert (read.response_signed, read.assertion_signed, read.encrypted) == (True, True, True)
    assert (outgoing.encrypted, outgoing.relay_state, outgoing.destination) == (True, "état", sp.acs[0])
    assert read.ids == (outgoing.id, outgoing.assertion_id)
    assert (read.issuer, read.status, read.second_status) == (ENTITY_ID, names.STATUS_SUCCESS, None)
    assert read.destination == read.recipient == sp.acs[0]
    assert read.in_response_to == read.confirmed_request == "_request"
    assert read.audiences == (sp.entity_id,)
    assert (read.name_id, read.name_id_format) == ("_opaque", names.NAMEID_TRANSIENT)
    assert (read.name_qualifier, read.sp_name_qualifier) == (ENTITY_ID, sp.entity_id)
    assert (read.not_before, read.not_on_or_after) == ("2026-11-25T09:59:00Z", "2026-11-25T10:05:00Z")
    assert read.confirmation_not_on_or_after == "2026-11-25T10:05:00Z"
    assert (read.authn_instant, read.session_not_on_or_after) == ("2026-11-25T09:59:00Z", "2026-11-25T18:00:00Z")
    assert (read.session_index, read.authn_context) == ("_session", names.AC_PASSWORD_PROTECTED_TRANSPORT)
    assert read.attributes == {"givenName": ["Zoé"]} and read.attributes_by_name == {"urn:oid:2.5.4.42": ["Zoé"]}


@pytest.mark.parametrize(
    ("response", "assertion", "expected"),
    [(True, True, (True, True)), (True, False, (True, False)), (False, True, (False, True)), (False, False, (True, False))],
)
@pytest.mark.parametrize("encrypt", [True, False])
def test_a_service_chooses_what_is_signed(response: bool, assertion: bool, expected: tuple[bool, bool], encrypt: bool) -> None:
    """Response, Assertion or both; never nothing."""
    sp = MockSP(encrypt=encrypt)
    rules = rules_of(sp, sign_response=response, sign_assertion=assertion, encryption_waived=not encrypt)
    read = sp.read_response(respond(sp, rules).saml_response, CERTIFICATE)
    assert (read.response_signed, read.assertion_signed) == expected
    assert read.attributes == {"givenName": ["Zoé"]}


def test_attributes_keep_their_values_and_their_order(sp: MockSP) -> None:
    """One element for each value, typed as text; without attribute there is no statement."""
    attributes = (
        Attribute("urn:a", names.ATTRNAME_URI, ("one", "two"), "a"),
        Attribute("b", "urn:oasis:names:tc:SAML:2.0:attrname-format:basic", ("three",)),
    )
    read = sp.read_response(respond(sp, answer=an_answer(sp, attributes)).saml_response, CERTIFICATE)
    assert read.attributes == {"a": ["one", "two"], "b": ["three"]}
    root = etree.fromstring(read.xml)
    assert root.xpath("count(//saml:AttributeStatement)", namespaces=NS) == 1
    assert set(root.xpath("//saml:AttributeValue/@xsi:type", namespaces={**NS, "xsi": names.NS_XSI})) == {"xs:string"}
    assert root.find(".//saml:AttributeValue", NS).nsmap["xs"] == names.NS_XS
    bare = sp.read_response(respond(sp, answer=an_answer(sp, ())).saml_response, CERTIFICATE)
    assert b"AttributeStatement" not in bare.xml and bare.name_id == "_opaque"


@pytest.mark.covers("RQ-80")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("&<>\"'", "&<>\"'"),
        ("]]>", "]]>"),
        ("</saml:AttributeValue><saml:AttributeValue>admin", "</saml:AttributeValue><saml:AttributeValue>admin"),
        ("&#0;&lt;<!-- x -->", "&#0;&lt;<!-- x -->"),
        ("a\0b\x01\x1fc\x7f", "abc\x7f"),
        ("line\nfeed\ttab\rreturn", "line\nfeed\ttab\rreturn"),
        ("😀 𝒵", "😀 𝒵"),
        ("Zoe\u0301 N\u0303", "Zoe\u0301 N\u0303"),
        ("\u202egnirts\u202c שלום", "\u202egnirts\u202c שלום"),
        ("\ud800x\ufffe\uffff", "x"),
        ("", ""),
    ],
)
def test_no_value_of_a_person_becomes_markup(sp: MockSP, value: str, expected: str) -> None:
    """Exact text; only the characters that XML cannot carry are dropped."""
    attribute = Attribute("urn:a", names.ATTRNAME_URI, (value,), "a")
    for service in (sp, MockSP(encrypt=False)):
        rules = rules_of(service, encryption_waived=True)
        read = service.read_response(respond(service, rules, an_answer(service, (attribute,))).saml_response, CERTIFICATE)
        assert read.attributes == {"a": [expected]}


@pytest.mark.covers("RQ-80")
@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_asserted(value: str, name: str) -> None:
    """In values and in attributes of elements, and the signatures still hold."""
    sp = MockSP(encrypt=False)
    attribute = Attribute(f"urn:{name}", names.ATTRNAME_URI, (value,))
    rules = rules_of(sp, encryption_waived=True)
    read = sp.read_response(respond(sp, rules, an_answer(sp, (attribute,))).saml_response, CERTIFICATE)
    assert read.attributes == {f"urn:{xml.clean(name)}": [xml.clean(value)]}


@pytest.mark.covers("RQ-81")
@pytest.mark.parametrize("cbc", [False, True])
def test_only_algorithms_of_the_list_are_emitted(sp: MockSP, cbc: bool) -> None:
    """SHA-256 everywhere, AES-256-GCM, and CBC for the one service that holds the waiver."""
    outgoing = respond(sp, rules_of(sp, allow_cbc=cbc))
    seen = algorithms(base64.b64decode(outgoing.saml_response)) | algorithms(sp.read_response(outgoing.saml_response, CERTIFICATE).xml)
    cipher = "http://www.w3.org/2001/04/xmlenc#aes256-cbc" if cbc else "http://www.w3.org/2009/xmlenc11#aes256-gcm"
    assert seen == {
        cipher,
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    }


@pytest.mark.covers("RQ-83")
def test_the_same_answer_never_looks_the_same_twice(sp: MockSP) -> None:
    """Other identifiers, another vector, another key."""
    seen = set()
    for _ in range(5):
        root = etree.fromstring(base64.b64decode(respond(sp).saml_response))
        for value in root.iter("{http://www.w3.org/2001/04/xmlenc#}CipherValue"):
            data = base64.b64decode(value.text or "")
            seen |= {data, data[:12]}
    assert len(seen) == 5 * 2 * 2


@pytest.mark.covers("RQ-84")
def test_any_usable_encryption_key_is_taken() -> None:
    """An elliptic key is passed over, an expired certificate still holds a good key."""
    expired = make_key("expired", days=(-20, -10))
    sp = MockSP(encryption_key=expired)
    rules = rules_of(sp, encryption_certificates=(make_key("curve", "p256").certificate, expired.certificate))
    assert sp.read_response(respond(sp, rules).saml_response, CERTIFICATE).encrypted


@pytest.mark.covers("RQ-84")
@pytest.mark.parametrize(
    "certificates", [(), (make_key("curve", "p256").certificate,), ("damaged",), (make_key("weak", "rsa1024").certificate,)]
)
def test_nothing_leaves_in_clear_without_the_waiver(certificates: tuple[str, ...]) -> None:
    """Without usable key the service gets an error, unless plain text was decided."""
    sp = MockSP(encrypt=False)
    with pytest.raises(ProtocolError) as caught:
        respond(sp, rules_of(sp, encryption_certificates=certificates))
    assert (caught.value.status, caught.value.acs.location) == (names.STATUS_RESPONDER, sp.acs[0])
    outgoing = respond(sp, rules_of(sp, encryption_certificates=certificates, encryption_waived=True))
    assert not outgoing.encrypted and not sp.read_response(outgoing.saml_response, CERTIFICATE).encrypted


def test_the_waiver_does_not_keep_a_key_from_being_used(sp: MockSP) -> None:
    """Encryption is on whenever the metadata has a key."""
    assert respond(sp, rules_of(sp, encryption_waived=True)).encrypted


@pytest.mark.covers("RQ-85")
def test_identifiers_are_long_and_never_repeat(sp: MockSP) -> None:
    """160 random bits behind an underscore."""
    outgoing = [respond(sp, rules_of(sp)) for _ in range(20)]
    ids = [id_ for out in outgoing for id_ in (out.id, out.assertion_id)]
    assert len(set(ids)) == 40
    assert all(id_ and len(id_) == 41 and crypto.is_message_id(id_) for id_ in ids)


def test_a_refusal_is_signed_and_carries_no_assertion(sp: MockSP) -> None:
    """A status, where the metadata says."""
    rules = rules_of(sp, sign_response=False)
    error = ProtocolError(
        names.STATUS_RESPONDER, names.STATUS_NO_PASSIVE, "no\0 session", request_id=MessageID("_r"), acs=rules.descriptor.acs[0]
    )
    outgoing = identity_provider().refuse(error, rules, now=datetime.now(UTC), relay_state="r")
    read = sp.read_response(outgoing.saml_response, CERTIFICATE)
    assert (read.status, read.second_status, read.status_message) == (names.STATUS_RESPONDER, names.STATUS_NO_PASSIVE, "no session")
    assert read.response_signed and read.assertion_id is None and outgoing.assertion_id is None
    assert (read.in_response_to, read.destination, outgoing.relay_state) == ("_r", sp.acs[0], "r")


def test_a_refusal_never_goes_outside_of_the_metadata(sp: MockSP) -> None:
    """The error of one service is not sent with the rules of another."""
    other = MockSP("urn:other", acs=("https://other.example.fr/acs",))
    error = ProtocolError(names.STATUS_RESPONDER, None, "x", request_id=MessageID("_r"), acs=rules_of(other).descriptor.acs[0])
    with pytest.raises(ValueError, match="not one of the service"):
        identity_provider().refuse(error, rules_of(sp), now=datetime.now(UTC), relay_state=None)


def test_an_elliptic_key_signs_too(sp: MockSP) -> None:
    """Another implementation verifies it."""
    key = make_key("hub curve", "p256")
    idp = IdentityProvider(ENTITY_ID, BASE, pair(key))
    rules = rules_of(sp)
    outgoing = idp.respond(
        by_redirect(sp, rules), rules, an_answer(sp), now=datetime.now(UTC), lifetime=timedelta(minutes=5), relay_state=None
    )
    read = sp.read_response(outgoing.saml_response, key.certificate_pem)
    assert read.response_signed and read.assertion_signed


@pytest.mark.parametrize("prefix", ["xmlns:d", "xmlns", "xmlns:ds"])
def test_a_document_that_has_its_own_prefix_for_signatures_is_signed(prefix: str) -> None:
    """The signature follows the prefix of the document, otherwise it would be renamed and broken."""
    root = etree.fromstring(f'<x:a xmlns:x="urn:x" {prefix}="{names.NS_DSIG}" ID="_a"><x:b/></x:a>')
    crypto.sign(root, crypto.private_key(pair(HUB_KEY)))
    assert signature_is_good(etree.fromstring(etree.tostring(root)), CERTIFICATE)


def test_a_pysaml2_reader_finds_the_assertion_in_the_encrypted_text(sp: MockSP) -> None:
    """The plain text stands alone: every prefix in use is declared inside."""
    read = sp.read_response(respond(sp).saml_response, CERTIFICATE)
    assertion = etree.fromstring(read.xml).find(".//saml:Assertion", NS)
    assert assertion.nsmap["saml"] == NS["saml"]
    parsed = saml.assertion_from_string(etree.tostring(assertion))
    assert parsed.subject.name_id.text == "_opaque"


def test_our_messages_follow_the_schema(sp: MockSP) -> None:
    """The schemas of the standard, as pysaml2 ships them: answers in clear and encrypted, refusals, metadata."""
    rules = rules_of(sp)
    plain = rules_of(sp, encryption_waived=True, encryption_certificates=())
    error = ProtocolError(names.STATUS_REQUESTER, None, "no", request_id=MessageID("_r"), acs=rules.descriptor.acs[0])
    refusal = identity_provider().refuse(error, rules, now=datetime.now(UTC), relay_state=None)
    for outgoing in (respond(sp, rules), respond(sp, plain), refusal):
        validate_doc_with_schema(base64.b64decode(outgoing.saml_response).decode())
    validate_doc_with_schema(identity_provider().metadata(valid_until=datetime.now(UTC)).decode())
    with pytest.raises(XMLSchemaError):
        validate_doc_with_schema(base64.b64decode(refusal.saml_response).decode().replace("samlp:Status>", "samlp:State>"))


# Metadata -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("MD-18")
def test_our_metadata_say_what_we_serve() -> None:
    """One role, two bindings, signed, dated, with people to write to."""
    document = identity_provider().metadata(valid_until=datetime(2026, 12, 9, tzinfo=UTC))
    root = etree.fromstring(document)
    assert signature_is_good(root, CERTIFICATE)
    assert (root.get("entityID"), root.get("validUntil")) == (ENTITY_ID, "2026-12-09T00:00:00Z")
    role = root.find("md:IDPSSODescriptor", NS)
    assert [etree.QName(child).localname for child in root] == ["Signature", "IDPSSODescriptor", "Organization", "ContactPerson"]
    assert [(e.get("Binding"), e.get("Location")) for e in role.findall("md:SingleSignOnService", NS)] == [
        (names.BINDING_REDIRECT, SSO),
        (names.BINDING_POST, SSO),
    ]
    assert [(e.get("Binding"), e.get("Location")) for e in role.findall("md:SingleLogoutService", NS)] == [
        (names.BINDING_REDIRECT, f"{BASE}/saml/slo"),
        (names.BINDING_POST, f"{BASE}/saml/slo"),
    ]
    assert role.findall("md:ArtifactResolutionService", NS) == []
    assert [e.text for e in role.findall("md:NameIDFormat", NS)] == [names.NAMEID_TRANSIENT, names.NAMEID_PERSISTENT]
    assert role.get("WantAuthnRequestsSigned") == "false" and role.get("errorURL", "").startswith(BASE)
    assert role.findtext(".//{urn:oasis:names:tc:SAML:metadata:ui}DisplayName") == "Préau"
    assert [e.text for e in role.findall(".//ds:X509Certificate", NS)] == [HUB_KEY.certificate]
    assert root.findtext("md:ContactPerson/md:EmailAddress", None, NS) == "mailto:assistance@hub.example.fr"


@pytest.mark.covers("MD-18")
def test_a_second_certificate_is_published_before_it_is_used() -> None:
    """During a change of keys services find both."""
    coming = make_key("hub coming")
    idp = IdentityProvider(ENTITY_ID, BASE, pair(HUB_KEY), published_certificates=[coming.certificate_pem])
    root = etree.fromstring(idp.metadata(valid_until=datetime.now(UTC) + timedelta(days=14)))
    found = [e.text for e in root.findall("md:IDPSSODescriptor/md:KeyDescriptor//ds:X509Certificate", NS)]
    assert found == [HUB_KEY.certificate, coming.certificate]


@pytest.mark.covers("MD-18")
def test_our_metadata_are_valid_for_pysaml2() -> None:
    """Its own validation finds the required parts in place."""
    assert valid_instance(md.entity_descriptor_from_string(identity_provider().metadata(valid_until=datetime.now(UTC))))


# Keys -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fresh() -> KeyPair:
    return generate_key_pair("hub.example.fr")


def test_a_fresh_key_is_strong_and_lives_ten_years(fresh: KeyPair) -> None:
    """RSA of 3,072 bits, self-signed, unlike the one before."""
    certificate = x509.load_pem_x509_certificate(fresh.certificate_pem)
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey) and public.key_size == 3072
    assert certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=3650)
    assert "PRIVATE" not in repr(fresh)


@pytest.mark.covers("FT-15")
def test_a_key_is_kept_for_its_owner_only_and_read_back(fresh: KeyPair, tmp_path: Path) -> None:
    """Mode 0600, never replaced; a key that others can read is refused."""
    folder = tmp_path / "keys"
    save_key_pair(folder, "signing", fresh)
    assert load_key_pair(folder, "signing") == fresh
    assert stat.S_IMODE((folder / "signing.key").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        save_key_pair(folder, "signing", fresh)
    (folder / "signing.key").chmod(0o640)
    with pytest.raises(UnusableKey, match=r"signing\.key: others can read"):
        load_key_pair(folder, "signing")


@pytest.mark.covers("FT-15")
@pytest.mark.parametrize(
    ("key", "certificate", "message"),
    [
        (None, b"", r"signing\.key: No such file"),
        (b"garbage", make_key("a").certificate_pem, r"signing\.key: not a private key"),
        (make_key("a").private_pem, None, r"signing\.crt: No such file"),
        (make_key("a").private_pem, b"garbage", r"signing\.crt: not a certificate"),
        (make_key("a").private_pem, make_key("b").certificate_pem, r"signing\.crt: this certificate does not belong"),
        (make_key("weak", "rsa1024").private_pem, make_key("weak", "rsa1024").certificate_pem, r"signing\.key: RSA of 1024 bits"),
    ],
)
def test_a_wrong_key_is_told_with_its_file(key: bytes | None, certificate: bytes | None, message: str, tmp_path: Path) -> None:
    """Missing, damaged, weak, or of another certificate."""
    for name, content in (("signing.key", key), ("signing.crt", certificate)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
            (tmp_path / name).chmod(0o600)
    with pytest.raises(UnusableKey, match=message):
        load_key_pair(tmp_path, "signing")


@pytest.mark.covers("FT-16")
def test_two_identities_signing_in_parallel_never_mix_their_keys(sp: MockSP) -> None:
    """Responses of one key and query strings of another, in four threads that switch often."""
    other = make_key("hub as service")
    other_key = crypto.private_key(pair(other))
    rules = rules_of(sp, encryption_waived=True, encryption_certificates=())
    request, answer, now = by_redirect(sp, rules), an_answer(sp), datetime.now(UTC)
    responses: list[str] = []
    queries: list[str] = []

    def sign_responses() -> None:
        for _ in range(60):
            outgoing = identity_provider().respond(request, rules, answer, now=now, lifetime=timedelta(minutes=5), relay_state=None)
            responses.append(outgoing.saml_response)

    def sign_queries() -> None:
        queries.extend(crypto.sign_query(f"SAMLRequest={i}", other_key) for i in range(120))

    threads = [threading.Thread(target=job) for job in (sign_responses, sign_queries) * 2]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(responses) == 120 and len(queries) == 240
    for response in responses:
        read_response(response, CERTIFICATE)
    for query in queries:
        crypto.verify_query(raw_parameters(query), [other.certificate])
    with pytest.raises(AssertionError):
        read_response(responses[0], other.certificate_pem)


def test_an_instant_of_the_kit_is_the_one_of_the_hub() -> None:
    """Both sides of these tests write dates alike."""
    now = datetime.now(UTC)
    assert instant(now) == format_instant(now)
