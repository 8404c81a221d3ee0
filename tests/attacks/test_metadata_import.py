"""Metadata of service providers that would do harm once imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.paths import resources
from hub.saml import names
from hub.saml.metadata import MAX_CERTIFICATES, MetadataRefused, read_entity_descriptor
from tests.saml_kit import MockSP, TestKey, make_key

ACS = "https://sp.example.fr/saml/acs"


@pytest.fixture(scope="module")
def sp() -> MockSP:
    return MockSP(acs=(ACS,))


def refused(document: bytes, **options: bool) -> str:
    with pytest.raises(MetadataRefused) as caught:
        read_entity_descriptor(document, **options)
    return str(caught.value)


def changed(sp: MockSP, change: Callable[[str], str], **options: object) -> bytes:
    before = sp.metadata(**options).decode()  # type: ignore[arg-type]
    after = change(before)
    assert after != before
    return after.encode()


def test_everything_that_the_hub_keeps_is_read() -> None:
    """The control of every test below."""
    sp = MockSP("urn:fi:ent:prod:1.0", acs=(ACS, "https://sp.example.fr/second"), default_acs=1, sign=True)
    logout = f'<md:SingleLogoutService Binding="{names.BINDING_REDIRECT}" Location="https://sp.example.fr/slo" ResponseLocation="https://sp.example.fr/done"/>'
    asked = (
        '<md:AttributeConsumingService index="1"><md:ServiceName xml:lang="fr">x</md:ServiceName>'
        '<md:RequestedAttribute Name="urn:a" FriendlyName="a" isRequired="true"/></md:AttributeConsumingService>'
    )
    read = read_entity_descriptor(sp.metadata(name_id_formats=(names.NAMEID_TRANSIENT,), display_name="Mon service", extra=logout + asked))
    assert read.entity_id == "urn:fi:ent:prod:1.0"
    assert [(e.location, e.index, e.is_default) for e in read.acs] == [
        (ACS, 0, None),
        ("https://sp.example.fr/second", 1, True),
    ]
    assert read.slo[0].response_location == "https://sp.example.fr/done"
    assert read.signing_certificates == (sp.key.certificate,)
    assert sp.encryption_key and read.encryption_certificates == (sp.encryption_key.certificate,)
    assert read.authn_requests_signed and read.want_assertions_signed
    assert read.name_id_formats == (names.NAMEID_TRANSIENT,)
    assert read.display_name == "Mon service"
    assert [(a.name, a.friendly_name, a.required) for a in read.requested_attributes] == [("urn:a", "a", True)]


@pytest.mark.covers("MD-07")
def test_the_entity_identifier_is_kept_as_it_is_written(sp: MockSP) -> None:
    """Case and trailing slash included: it is the registry that refuses a look-alike."""
    for entity_id in ("https://SP.example.fr/saml", "https://sp.example.fr/saml/", "SNU"):
        assert read_entity_descriptor(MockSP(entity_id, acs=(ACS,)).metadata()).entity_id == entity_id


@pytest.mark.covers("MD-08")
@pytest.mark.parametrize(
    "address",
    [
        "http://sp.example.fr/acs",
        "http://localhost:8001/acs",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//sp.example.fr/acs",
        "/acs",
        "",
        "https://",
        "https:///acs",
        "https://user@sp.example.fr/acs",
        "https://sp.example.fr@evil.example.net/acs",
        "https://user:secret@sp.example.fr/acs",
        "https://sp.example.fr/acs\nX-Evil: 1",
        "https://sp.example.fr/a cs",
        " https://sp.example.fr/acs",
        "https://sp.example.fr/acs\t",
        "https://sp.example.fr/\u202eacs",
        "https://\u0440.example.fr/acs",
        'https://sp.example.fr/"onload="x',
        "https://sp.example.fr\\@evil.example.net/acs",
        "https://sp.example.fr/acs#fragment",
        "https://sp.example.fr:99999/acs",
        "https://sp.example.fr:0/acs",
        "https://[::1/acs",
        "ftp://sp.example.fr/acs",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(address: str) -> None:
    """For assertions as for logout."""
    sp = MockSP(acs=(ACS, address))
    refused(sp.metadata().replace(b"\nX-Evil", b"&#10;X-Evil").replace(b"\t", b"&#9;"))
    from xml.sax.saxutils import quoteattr

    logout = f'<md:SingleLogoutService Binding="{names.BINDING_REDIRECT}" Location="https://sp.example.fr/slo" ResponseLocation=%s/>'
    honest = MockSP(acs=(ACS,))
    refused(honest.metadata(extra=logout % quoteattr(address, {"\n": "&#10;", "\t": "&#9;"})))
    read_entity_descriptor(honest.metadata(extra=logout % '"https://sp.example.fr/done"'))


@pytest.mark.covers("MD-08")
@pytest.mark.parametrize("address", ["http://localhost:8001/acs", "http://127.0.0.1:8001/acs", "http://[::1]:8001/acs"])
def test_the_demo_may_speak_http_with_the_machine_itself(address: str) -> None:
    """With the flag, and with no other host."""
    document = MockSP(acs=(address,)).metadata()
    assert read_entity_descriptor(document, allow_insecure_loopback=True).acs[0].location == address
    refused(document)
    for other in ("http://localhost.evil.net/acs", "http://127.0.0.2/acs", "http://evil@localhost/acs"):
        refused(MockSP(acs=(other,)).metadata(), allow_insecure_loopback=True)


@pytest.mark.covers("MD-12")
@pytest.mark.parametrize(
    "prologue",
    [
        "<!DOCTYPE md:EntityDescriptor>",
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        "<?xml-stylesheet href='x'?>",
    ],
)
def test_a_doctype_is_refused(sp: MockSP, prologue: str) -> None:
    """Nothing is fetched nor expanded."""
    refused(prologue.encode() + sp.metadata())
    read_entity_descriptor(b'<?xml version="1.0" encoding="UTF-8"?>\n' + sp.metadata())


@pytest.mark.covers("MD-12")
def test_an_inclusion_is_left_alone(sp: MockSP) -> None:
    """XInclude is an unknown element like any other: it includes nothing."""
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    document = changed(sp, lambda text: text.replace("Service d’essai", f"Nom{include}"))
    assert "elements inside" in refused(document)


def _certificate(public: object, signer: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)  # type: ignore[arg-type]
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )
    import base64

    return base64.b64encode(built.public_bytes(serialization.Encoding.DER)).decode()


@pytest.mark.covers("MD-13")
@pytest.mark.parametrize("kind", ["rsa1024", "p192"])
def test_a_weak_key_is_refused(sp: MockSP, kind: str) -> None:
    """For signing as for encryption."""
    weak = make_key("weak", kind)
    assert "too weak" in refused(sp.metadata(signing_certificates=(sp.key.certificate, weak.certificate)))
    assert "too weak" in refused(MockSP(acs=(ACS,), encryption_key=weak).metadata())
    read_entity_descriptor(sp.metadata(signing_certificates=(sp.key.certificate, make_key("curve", "p256").certificate)))


@pytest.mark.covers("MD-13")
def test_a_key_of_another_kind_or_with_a_small_exponent_is_refused(sp: MockSP) -> None:
    """DSA, and RSA with the exponent three."""
    signer = rsa.generate_private_key(65537, 2048)
    odd_keys = [dsa.generate_private_key(2048).public_key(), rsa.generate_private_key(3, 2048).public_key()]
    for public in odd_keys:
        assert "too weak" in refused(sp.metadata(signing_certificates=(_certificate(public, signer),)))
    read_entity_descriptor(sp.metadata(signing_certificates=(_certificate(signer.public_key(), signer),)))


@pytest.mark.covers("MD-13")
@pytest.mark.parametrize("text", ["", "AAAA", "not base64 !", "MIIC"])
def test_a_damaged_certificate_is_refused(sp: MockSP, text: str) -> None:
    """It is not skipped: a service would wonder why nothing verifies."""
    assert "cannot be read" in refused(sp.metadata(signing_certificates=(text,)))


@pytest.mark.covers("MD-14")
@pytest.mark.parametrize(("days", "remark"), [((-20, -10), "expired"), ((10, 20), "not valid yet"), ((-1, 365), "self-signed")])
def test_the_dates_of_a_certificate_only_give_a_warning(sp: MockSP, days: tuple[int, int], remark: str) -> None:
    """Only the key counts; what looks odd is told."""
    key = make_key(f"dated {days}", days=days)
    read = read_entity_descriptor(sp.metadata(signing_certificates=(key.certificate,)))
    assert read.signing_certificates == (key.certificate,)
    assert any(warning.endswith(remark) for warning in read.warnings)
    assert ("expired" in "".join(read.warnings)) == (remark == "expired")


@pytest.mark.covers("MD-15")
def test_a_key_without_use_serves_both() -> None:
    """SAML metadata 2.4.1.1."""
    sp = MockSP(acs=(ACS,), encrypt=False)
    read = read_entity_descriptor(changed(sp, lambda text: text.replace(' use="signing"', "")))
    assert read.signing_certificates == read.encryption_certificates == (sp.key.certificate,)
    assert read_entity_descriptor(sp.metadata()).encryption_certificates == ()


@pytest.mark.covers("MD-15")
def test_several_keys_are_kept_once_each(sp: MockSP) -> None:
    """In the order of the document; a key without certificate is left out and told; too many are refused."""
    one, two = make_key("one").certificate, make_key("two").certificate
    spaced = "\n".join(two[i : i + 64] for i in range(0, len(two), 64))
    assert read_entity_descriptor(sp.metadata(signing_certificates=(one, spaced, one))).signing_certificates == (one, two)
    bare = changed(
        sp,
        lambda text: text.replace(
            "</md:Extensions>", '</md:Extensions><md:KeyDescriptor use="signing"><ds:KeyInfo><ds:KeyValue/></ds:KeyInfo></md:KeyDescriptor>'
        ),
    )
    assert "a key without certificate is ignored" in read_entity_descriptor(bare).warnings
    many = [make_key(f"many {i}", "p256").certificate for i in range(MAX_CERTIFICATES + 1)]
    assert "more than" in refused(sp.metadata(signing_certificates=many))
    refused(changed(sp, lambda text: text.replace('use="signing"', 'use="other"')))


def test_a_key_that_is_announced_for_other_ciphers_gives_a_warning(sp: MockSP) -> None:
    """The operator decides on the waiver; without announcement the default holds."""

    def announced(*ciphers: str) -> tuple[str, ...]:
        methods = "".join(f'<md:EncryptionMethod Algorithm="{cipher}"/>' for cipher in ciphers)
        document = changed(sp, lambda text: text.replace("</md:KeyDescriptor><md:Ass", f"{methods}</md:KeyDescriptor><md:Ass"))
        return tuple(w for w in read_entity_descriptor(document).warnings if "AES-256-GCM" in w)

    cbc, gcm = "http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2009/xmlenc11#aes256-gcm"
    assert len(announced(cbc, "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p")) == 1
    assert announced(cbc, gcm) == announced("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p") == ()


@pytest.mark.covers("MD-17")
def test_what_a_service_claims_of_its_own_rights_is_not_read(sp: MockSP) -> None:
    """Entity attributes change nothing of what is kept."""
    claim = (
        '<md:Extensions><mdattr:EntityAttributes xmlns:mdattr="urn:oasis:names:tc:SAML:metadata:attribute">'
        '<saml:Attribute xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Name="http://macedir.org/entity-category">'
        "<saml:AttributeValue>http://refeds.org/category/research-and-scholarship</saml:AttributeValue>"
        "</saml:Attribute></mdattr:EntityAttributes></md:Extensions><md:SPSSODescriptor"
    )
    claiming = read_entity_descriptor(changed(sp, lambda text: text.replace("<md:SPSSODescriptor", claim, 1)))
    assert claiming == read_entity_descriptor(sp.metadata())


@pytest.mark.covers("MD-21")
@pytest.mark.parametrize("entity_id", ["a" * 256, "https://sp.example.fr/%C3%A9", "urn:fi:ent:x:1.0", "SNU", "https://é.example.fr"])
def test_any_visible_name_is_an_entity_identifier(entity_id: str) -> None:
    """URL, URN or plain word, never dereferenced."""
    assert read_entity_descriptor(MockSP(entity_id, acs=(ACS,), key=make_key("x")).metadata()).entity_id == entity_id


@pytest.mark.covers("MD-21")
def test_the_length_of_an_entity_identifier_is_bounded() -> None:
    """Above 256 characters a warning, above 1,024 a refusal; no spaces."""

    def document(entity_id: str) -> bytes:
        return MockSP(entity_id, acs=(ACS,), key=make_key("x"), encryption_key=make_key("y")).metadata()

    assert any("longer" in warning for warning in read_entity_descriptor(document("urn:" + "a" * 253)).warnings)
    assert not any("longer" in warning for warning in read_entity_descriptor(document("urn:" + "a" * 252)).warnings)
    read_entity_descriptor(document("urn:" + "a" * 1_020))
    for wrong in ("urn:" + "a" * 1_021, "", "a b", " a", "a\u202eb", "a\u200bb"):
        refused(document(wrong))


def test_expired_metadata_is_refused(sp: MockSP) -> None:
    """A document that says that it is past is past."""

    def dated(text: str) -> bytes:
        return changed(sp, lambda document: document.replace("<md:EntityDescriptor", f'<md:EntityDescriptor validUntil="{text}"'))

    refused(dated("2020-01-01T00:00:00Z"))
    refused(dated("some day"))
    read_entity_descriptor(dated("2099-01-01T00:00:00Z"))


def test_exactly_one_service_provider_is_read(sp: MockSP) -> None:
    """Another root, no role, or two, is refused with a sentence that says so."""
    document = sp.metadata().decode()
    wrapped = f'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{document}</md:EntitiesDescriptor>'
    assert "root" in refused(wrapped.encode())
    start, end = document.index("<md:SPSSODescriptor"), document.index("</md:EntityDescriptor>")
    assert "2 found" in refused(changed(sp, lambda text: text[:end] + text[start:]))
    assert "0 found" in refused(changed(sp, lambda text: text[:start] + text[end:]))
    assert "0 found" in refused(changed(sp, lambda text: text.replace("SAML:2.0:protocol", "SAML:1.1:protocol")))
    assert "HTTP-POST" in refused(changed(sp, lambda text: text.replace("bindings:HTTP-POST", "bindings:HTTP-Artifact")))
    assert "no signing certificate" in refused(MockSP(acs=(ACS,), sign=True).metadata(signing_certificates=()))


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ('index="0"', 'index="-1"'),
        ('index="0"', 'index="65536"'),
        ('AuthnRequestsSigned="false"', 'AuthnRequestsSigned="no"'),
    ],
)
def test_odd_values_are_refused(sp: MockSP, attribute: str, wrong: str) -> None:
    """Rather than guessed."""
    refused(changed(sp, lambda text: text.replace(attribute, wrong)))


def test_ambiguous_endpoints_give_a_warning(sp: MockSP) -> None:
    """Two defaults, or one index twice: the first one counts."""
    sp = MockSP(acs=(ACS, "https://sp.example.fr/second"), default_acs=0)
    document = changed(sp, lambda text: text.replace('index="1"', 'index="0" isDefault="true"'))
    assert len([w for w in read_entity_descriptor(document).warnings if "the first one counts" in w]) == 2


@pytest.mark.covers("RQ-71")
def test_a_display_name_is_plain_text(sp: MockSP) -> None:
    """Kept as text, without marks that turn it around; French before other languages."""
    assert read_entity_descriptor(sp.metadata(display_name="<b>Nom\u202e</b> \n & co")).display_name == "<b>Nom</b> & co"
    other = '<mdui:DisplayName xml:lang="en">English</mdui:DisplayName><mdui:DisplayName xml:lang="fr">'
    document = changed(sp, lambda text: text.replace('<mdui:DisplayName xml:lang="fr">', other))
    assert read_entity_descriptor(document).display_name == "Service d’essai"
    english = changed(sp, lambda text: text.replace('xml:lang="fr"', 'xml:lang="en"'))
    assert read_entity_descriptor(english).display_name == "Service d’essai"
    assert read_entity_descriptor(sp.metadata(display_name=" ")).display_name is None


def test_what_is_read_can_be_kept_as_data(sp: MockSP) -> None:
    """The registry keeps it as JSON."""
    import json

    assert json.loads(json.dumps(dataclasses.asdict(read_entity_descriptor(sp.metadata()))))["entity_id"] == sp.entity_id


_KEYS: list[TestKey] = [make_key("fuzz")]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_breaks_the_reader(data: st.DataObject) -> None:
    """Cut, doubled or altered anywhere, a document is read or refused: nothing else happens."""
    document = MockSP(acs=(ACS,), key=_KEYS[0], encrypt=False).metadata()
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, min(len(document), start + 60)))
    middle = data.draw(st.one_of(st.binary(max_size=8), st.just(document[start:end] * 2)))
    try:
        read_entity_descriptor(document[:start] + middle + document[end:])
    except MetadataRefused:
        return


def test_the_sample_that_the_documentation_offers_is_accepted():
    """A service's engineer who copies it gets what the page says."""
    descriptor = read_entity_descriptor((resources("metadata") / "sample-service-provider.xml").read_bytes())
    assert descriptor.entity_id == "https://service.example.fr/saml/metadata"
    assert descriptor.authn_requests_signed
    assert descriptor.encryption_certificates
