"""Signed responses rearranged by an attacker (XSW and kin), judged by the hub's own verification."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from hub.saml import crypto, xml
from hub.saml.messages import MessageRefused
from tests.saml_kit import DS, NS, RSA_SHA1, RSA_SHA256, SAML, SAMLP, SHA1, TestKey, make_key, sign_xml

IDP = make_key("upstream idp")
EVIL = make_key("evil idp")

Element = etree._Element


def response_text(*, assertion_extra: str = "", name: str = "genuine") -> str:
    return (
        f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_response" Version="2.0">'
        f"<saml:Issuer>https://idp.example.fr</saml:Issuer><samlp:Status/>"
        f'<saml:Assertion ID="_assertion" Version="2.0"><saml:Issuer>https://idp.example.fr</saml:Issuer>'
        f"<saml:Subject><saml:NameID>{name}</saml:NameID></saml:Subject>{assertion_extra}</saml:Assertion></samlp:Response>"
    )


def signed_assertion(**options: object) -> Element:
    """A Response whose Assertion alone is signed."""
    return xml.parse(sign_xml(response_text(), IDP, element_id="_assertion", **options))  # type: ignore[arg-type]


def signed_response(**options: object) -> Element:
    """A Response that is signed as a whole."""
    return xml.parse(sign_xml(response_text(), IDP, **options))  # type: ignore[arg-type]


def name_read(root: Element, *, key: TestKey = IDP) -> str | None:
    """What a reader of the one direct assertion takes for the name, reading only what is verified."""
    assertions = root.findall("saml:Assertion", NS)
    if len(assertions) != 1:
        raise MessageRefused("bad_signature", "not exactly one assertion")
    verified = crypto.verify(assertions[0], [key.certificate]).element
    return verified.findtext("saml:Subject/saml:NameID", None, NS)


def response_name_read(root: Element) -> str | None:
    """The same where the Response carries the signature."""
    verified = crypto.verify(root, [IDP.certificate]).element
    found = verified.findall("saml:Assertion", NS)
    if len(found) != 1:
        raise MessageRefused("bad_signature", "not exactly one assertion")
    return found[0].findtext("saml:Subject/saml:NameID", None, NS)


def forged_copy(assertion: Element, identifier: str = "_forged", *, keep_signature: bool = False) -> Element:
    forged = copy.deepcopy(assertion)
    forged.set("ID", identifier)
    forged.find("saml:Subject/saml:NameID", NS).text = "admin"
    if not keep_signature:
        forged.remove(forged.find("ds:Signature", NS))
    return forged


def refused(read: Callable[..., object], *args: object) -> None:
    with pytest.raises(MessageRefused) as caught:
        read(*args)
    assert caught.value.code in ("bad_signature", "malformed_message")


def before_crypto(read: Callable[..., object], *args: object) -> None:
    """Refused for its shape, before the crypto library reads a byte of it."""
    with pytest.raises(MessageRefused) as caught:
        read(*args)
    assert caught.value.code == "bad_signature"
    assert "no trusted key" not in caught.value.detail


@pytest.mark.covers("RS-01", "RS-02", "RS-03", "RS-13")
def test_honest_signatures_are_verified() -> None:
    """The control of every test below."""
    assert name_read(signed_assertion()) == "genuine"
    assert response_name_read(signed_response()) == "genuine"
    both = sign_xml(sign_xml(response_text(), IDP, element_id="_assertion"), IDP)
    assert name_read(xml.parse(both)) == response_name_read(xml.parse(both)) == "genuine"


# Wrapping -------------------------------------------------------------------------------------------------------------


def _forged_response(root: Element) -> tuple[Element, Element, Element]:
    """A forged Response, the genuine one without signature, and its signature."""
    signature = root.find("ds:Signature", NS)
    genuine = copy.deepcopy(root)
    genuine.remove(genuine.find("ds:Signature", NS))
    forged = copy.deepcopy(genuine)
    forged.set("ID", "_forged")
    forged.find("saml:Assertion", NS).set("ID", "_forged_assertion")
    forged.find("saml:Assertion/saml:Subject/saml:NameID", NS).text = "admin"
    return forged, genuine, copy.deepcopy(signature)


def xsw1(root: Element) -> Element:
    forged, genuine, signature = _forged_response(root)
    signature.append(genuine)
    forged.insert(1, signature)
    return forged


def xsw2(root: Element) -> Element:
    forged, genuine, signature = _forged_response(root)
    forged.insert(1, genuine)
    forged.insert(2, signature)
    return forged


def xsw3(root: Element) -> Element:
    assertion = root.find("saml:Assertion", NS)
    assertion.addprevious(forged_copy(assertion))
    return root


def xsw4(root: Element) -> Element:
    assertion = root.find("saml:Assertion", NS)
    forged = forged_copy(assertion)
    root.replace(assertion, forged)
    forged.append(assertion)
    return root


def xsw5(root: Element) -> Element:
    assertion = root.find("saml:Assertion", NS)
    forged = forged_copy(assertion, keep_signature=True)
    assertion.remove(assertion.find("ds:Signature", NS))
    root.replace(assertion, forged)
    root.append(assertion)
    return root


def xsw6(root: Element) -> Element:
    assertion = root.find("saml:Assertion", NS)
    forged = forged_copy(assertion, keep_signature=True)
    assertion.remove(assertion.find("ds:Signature", NS))
    root.replace(assertion, forged)
    forged.find("ds:Signature", NS).append(assertion)
    return root


def xsw7(root: Element) -> Element:
    assertion = root.find("saml:Assertion", NS)
    forged = forged_copy(assertion)
    root.replace(assertion, forged)
    extensions = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    extensions.append(assertion)
    return root


def xsw8(root: Element) -> Element:
    assertion = root.find("saml:Assertion", NS)
    forged = forged_copy(assertion, keep_signature=True)
    assertion.remove(assertion.find("ds:Signature", NS))
    root.replace(assertion, forged)
    etree.SubElement(forged.find("ds:Signature", NS), f"{{{DS}}}Object").append(assertion)
    return root


@pytest.mark.covers("RS-01", "RS-02")
@pytest.mark.parametrize("attack", [xsw1, xsw2])
def test_a_wrapped_response_is_refused(attack: Callable[[Element], Element]) -> None:
    """XSW1 and XSW2: the genuine Response rides inside or beside the signature of a forged one."""
    refused(response_name_read, xml.parse(etree.tostring(attack(signed_response()))))


@pytest.mark.covers("RS-03", "RS-04", "RS-05", "RS-06", "RS-07", "RS-08")
@pytest.mark.parametrize("attack", [xsw3, xsw4, xsw5, xsw6, xsw7, xsw8])
def test_a_wrapped_assertion_is_refused(attack: Callable[[Element], Element]) -> None:
    """XSW3 to XSW8: the genuine assertion rides beside, around or inside a forged one."""
    refused(name_read, xml.parse(etree.tostring(attack(signed_assertion()))))


@pytest.mark.covers("RS-05", "RS-11", "RS-25")
@pytest.mark.parametrize("attack", [xsw5, xsw6, xsw7, xsw8])
def test_a_forged_assertion_cannot_share_the_genuine_id(attack: Callable[[Element], Element]) -> None:
    """With the same ID twice, the signature would cover one and be believed for the other."""
    root = attack(signed_assertion())
    for element in root.iter(f"{{{SAML}}}Assertion"):
        element.set("ID", "_assertion")
    refused(name_read, xml.parse(etree.tostring(root)))


@pytest.mark.covers("RS-09")
@pytest.mark.parametrize("position", [1, -1])
def test_an_extra_unsigned_assertion_is_refused(position: int) -> None:
    """Before or after the signed one."""
    root = signed_assertion()
    root.insert(position if position > 0 else len(root), forged_copy(root.find("saml:Assertion", NS)))
    refused(name_read, xml.parse(etree.tostring(root)))


@pytest.mark.covers("RS-12")
def test_a_signed_error_with_a_second_signature_is_refused() -> None:
    """One Response carries one signature."""
    root = signed_response()
    signature = copy.deepcopy(root.find("ds:Signature", NS))
    root.insert(2, signature)
    refused(response_name_read, xml.parse(etree.tostring(root)))


def test_only_a_copy_of_the_covered_element_is_returned() -> None:
    """From what is verified, no path leads to what surrounds it."""
    root = signed_assertion()
    verified = crypto.verify(root.find("saml:Assertion", NS), [IDP.certificate]).element
    assert verified.getparent() is None and verified.tail is None
    assert verified.get("ID") == "_assertion"


# The signature itself -------------------------------------------------------------------------------------------------


@pytest.mark.covers("RS-13")
def test_without_signature_nothing_is_read() -> None:
    """Removed, or emptied."""
    root = signed_assertion()
    assertion = root.find("saml:Assertion", NS)
    signature = assertion.find("ds:Signature", NS)
    for child in list(signature):
        signature.remove(child)
    refused(name_read, xml.parse(etree.tostring(root)))
    assertion.remove(signature)
    refused(name_read, xml.parse(etree.tostring(root)))


@pytest.mark.covers("RS-14", "RS-15")
def test_a_key_of_the_message_is_never_believed() -> None:
    """A stranger's certificate, or one that imitates the genuine names, is worth nothing."""
    clone = make_key("upstream idp", "rsa3072")
    for key in (EVIL, clone):
        forged = xml.parse(sign_xml(response_text(name="admin"), key, element_id="_assertion"))
        refused(name_read, forged)
        assert name_read(forged, key=key) == "admin"


@pytest.mark.covers("RS-16")
def test_an_hmac_keyed_with_the_public_certificate_is_refused() -> None:
    """A verifier that takes the public key for a secret would believe it."""
    text = etree.tostring(signed_assertion()).decode().replace(RSA_SHA256, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    root = xml.parse(text.encode())
    signed_info = root.find(".//ds:SignedInfo", NS)
    octets = etree.tostring(signed_info, method="c14n", exclusive=True)
    value = hmac.new(IDP.certificate_pem, octets, hashlib.sha256).digest()
    root.find(".//ds:SignatureValue", NS).text = base64.b64encode(value).decode()
    refused(name_read, root)


def _tampered(change: Callable[[Element], None]) -> Element:
    root = signed_assertion()
    change(root.find("saml:Assertion/ds:Signature", NS))
    return xml.parse(etree.tostring(root))


def _double(path: str) -> Callable[[Element], None]:
    def change(signature: Element) -> None:
        element = signature if path == "." else signature.find(path, NS)
        element.addnext(copy.deepcopy(element))

    return change


def _remove(path: str) -> Callable[[Element], None]:
    def change(signature: Element) -> None:
        element = signature.find(path, NS)
        element.getparent().remove(element)

    return change


@pytest.mark.covers("RS-17")
@pytest.mark.parametrize("path", [".", "ds:SignedInfo", "ds:SignedInfo/ds:Reference", "ds:SignatureValue", ".//ds:Transforms"])
def test_two_parts_where_one_is_expected_are_refused(path: str) -> None:
    """Readers would not agree on which one counts."""
    before_crypto(name_read, _tampered(_double(path)))


@pytest.mark.covers("RS-17")
@pytest.mark.parametrize("path", ["ds:SignedInfo", ".//ds:Reference", "ds:SignatureValue", ".//ds:Transforms", ".//ds:DigestValue"])
def test_a_missing_part_is_refused(path: str) -> None:
    """No part has a default."""
    before_crypto(name_read, _tampered(_remove(path)))


@pytest.mark.covers("RS-18")
def test_a_comment_in_a_digest_is_harmless() -> None:
    """With genuine content the full digest is compared; with forged content it is refused."""
    text = etree.tostring(signed_assertion()).decode()
    start = text.index("<ds:DigestValue>") + len("<ds:DigestValue>")
    commented = f"{text[:start]}<!-- x -->{text[start:]}"
    assert name_read(xml.parse(commented.encode())) == "genuine"
    refused(name_read, xml.parse(commented.replace("genuine", "admin").encode()))
    forged = base64.b64encode(b"0" * 32).decode()
    refused(name_read, xml.parse(f"{text[:start]}{forged}<!--{text[start : start + 44]}-->{text[start + 44 :]}".encode()))


@pytest.mark.covers("RS-19")
@pytest.mark.parametrize(
    "uri",
    ["", "#", "#_response", "#xpointer(/)", "#xpointer(id('_assertion'))", "_assertion", "http://127.0.0.1:9/x", "@file", " #_assertion"],
)
def test_a_reference_to_anything_but_its_own_element_is_refused(uri: str, tmp_path: Path) -> None:
    """Nothing is fetched or opened: the file that is named does not even need to be readable."""
    target = tmp_path / "secret"
    target.write_text("<x/>")
    address = target.as_uri() if uri == "@file" else uri
    before_crypto(name_read, _tampered(lambda signature: signature.find(".//ds:Reference", NS).set("URI", address)))


@pytest.mark.covers("RS-19")
def test_a_reference_without_uri_is_refused() -> None:
    """It would mean the whole document."""
    before_crypto(name_read, _tampered(lambda signature: signature.find(".//ds:Reference", NS).attrib.pop("URI")))


INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@pytest.mark.covers("RS-20")
@pytest.mark.parametrize(
    "options",
    [
        {"transforms": ("http://www.w3.org/2000/09/xmldsig#enveloped-signature", INCLUSIVE)},
        {"transforms": ("http://www.w3.org/2000/09/xmldsig#enveloped-signature",)},
        {"c14n": INCLUSIVE},
        {"c14n": "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"},
    ],
)
def test_other_canonicalisations_are_refused(options: dict[str, object]) -> None:
    """Rightly signed, but outside of the closed list."""
    before_crypto(name_read, signed_assertion(**options))


@pytest.mark.covers("RS-20")
@pytest.mark.parametrize(
    "algorithm",
    ["http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/TR/1999/REC-xslt-19991116", f"{DS}base64", "urn:unknown", ""],
)
@pytest.mark.parametrize("path", [".//ds:Transform", ".//ds:CanonicalizationMethod"])
def test_other_transforms_are_refused(algorithm: str, path: str) -> None:
    """By name: none is run."""
    before_crypto(name_read, _tampered(lambda signature: signature.find(path, NS).set("Algorithm", algorithm)))


@pytest.mark.covers("RS-20")
def test_a_canonicalisation_that_fails_is_refused() -> None:
    """A relative namespace makes libxml2 give up: an empty digest must not be believed."""
    text = etree.tostring(signed_assertion()).decode()
    broken = text.replace("<saml:Subject>", '<x:y xmlns:x="relative/../name"/><saml:Subject>')
    empty = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    start = broken.index("<ds:DigestValue>") + len("<ds:DigestValue>")
    refused(name_read, xml.parse((broken[:start] + empty + broken[broken.index("</ds:DigestValue>") :]).encode()))


@pytest.mark.covers("RS-21", "RS-22")
@pytest.mark.parametrize(
    "prologue",
    [
        '<!DOCTYPE x [<!ENTITY e "_assertion">]>',
        "<!DOCTYPE x>",
        '<!DOCTYPE x [<!ATTLIST samlp:Response xmlns CDATA "urn:evil">]>',
        "<!-- <!DOCTYPE x> -->",
    ],
)
def test_a_doctype_is_refused_before_anything_is_verified(prologue: str) -> None:
    """Even where it only seems to be one: parsers have disagreed about that."""
    text = etree.tostring(signed_assertion()).decode()
    refused(lambda: name_read(xml.parse((prologue + text).encode())))


@pytest.mark.covers("RS-22")
def test_a_doctype_inside_of_cdata_is_refused() -> None:
    """A polyglot is nobody's honest message."""
    text = etree.tostring(signed_assertion()).decode().replace("genuine", "<![CDATA[<!DOCTYPE x>]]>")
    refused(lambda: name_read(xml.parse(text.encode())))


@pytest.mark.covers("RS-23")
def test_a_comment_added_after_signing_never_cuts_a_name() -> None:
    """Canonicalisation ignores comments: the signature stays right and the full text is read."""
    text = etree.tostring(signed_assertion()).decode()
    assert name_read(xml.parse(text.replace("genuine", "gen<!-- x -->uine").encode())) == "genuine"
    refused(lambda: name_read(xml.parse(text.replace("genuine", "gen<?x y?>uine").encode())))


@pytest.mark.covers("RS-24")
def test_a_comment_signed_by_the_upstream_never_cuts_a_name() -> None:
    """admin<!-- -->.evil is admin.evil."""
    signed = sign_xml(response_text(name="admin<!-- x -->.evil"), IDP, element_id="_assertion")
    assert name_read(xml.parse(signed)) == "admin.evil"


@pytest.mark.covers("RS-25")
@pytest.mark.parametrize(
    "attribute",
    ['Id="_x"', 'id="_x"', 'xml:id="_x"', 'x:ID="_assertion" xmlns:x="urn:x"'],
)
def test_an_id_in_another_spelling_is_refused(attribute: str) -> None:
    """On the signed element itself, even when the upstream signed it so."""
    text = response_text().replace('<saml:Assertion ID="_assertion"', f'<saml:Assertion ID="_assertion" {attribute}')
    refused(lambda: name_read(xml.parse(sign_xml(text, IDP, element_id="_assertion"))))


@pytest.mark.covers("RS-25")
@pytest.mark.parametrize("attribute", ['ID="_assertion"', 'Id="_assertion"', 'xml:id="_assertion"', 'x:ID="_assertion"'])
def test_an_id_that_an_unsigned_neighbour_repeats_is_refused(attribute: str) -> None:
    """The signature still verifies: what it names has become ambiguous."""
    text = etree.tostring(signed_assertion()).decode()
    neighbour = f'<samlp:Extensions><x:y xmlns:x="urn:x" {attribute}/></samlp:Extensions><samlp:Status/>'
    before_crypto(name_read, xml.parse(text.replace("<samlp:Status/>", neighbour).encode()))
    plain = neighbour.replace(attribute, 'Id="_other"')
    assert name_read(xml.parse(text.replace("<samlp:Status/>", plain).encode())) == "genuine"


@pytest.mark.covers("RS-25")
def test_a_prefix_that_is_bound_again_changes_nothing() -> None:
    """Names are read with their namespace, whatever the prefix; an impostor namespace is not SAML."""
    odd = response_text().replace("xmlns:saml=", "xmlns:s=").replace("<saml:", "<s:").replace("</saml:", "</s:")
    assert name_read(xml.parse(sign_xml(odd, IDP, element_id="_assertion"))) == "genuine"
    impostor = response_text().replace("<saml:Subject>", '<saml:Subject xmlns:saml="urn:evil">')
    assert name_read(xml.parse(sign_xml(impostor, IDP, element_id="_assertion"))) is None


@pytest.mark.covers("RS-26")
@pytest.mark.parametrize("options", [{"sig_alg": RSA_SHA1}, {"digest": SHA1}])
def test_sha1_is_refused(options: dict[str, object]) -> None:
    """The waiver of one service is for its requests."""
    root = signed_assertion(**options)
    before_crypto(name_read, root)
    assert crypto.verify(root.find("saml:Assertion", NS), [IDP.certificate], accept_sha1=True)


@pytest.mark.covers("RS-26")
def test_md5_and_short_keys_are_refused() -> None:
    """A trusted certificate with a weak key is no key."""
    refused(
        name_read,
        _tampered(lambda s: s.find(".//ds:SignatureMethod", NS).set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5")),
    )
    weak = make_key("weak", "rsa1024")
    root = xml.parse(sign_xml(response_text(), weak, element_id="_assertion"))
    refused(lambda: name_read(root, key=weak))


def test_a_key_of_the_other_kind_is_not_tried() -> None:
    """RSA signatures are verified with RSA keys, elliptic ones with elliptic keys."""
    curve = make_key("curve upstream", "p256")
    root = xml.parse(
        sign_xml(response_text(), curve, element_id="_assertion", sig_alg="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
    )
    assertion = root.find("saml:Assertion", NS)
    refused(lambda: crypto.verify(assertion, [IDP.certificate]))
    assert crypto.verify(assertion, [IDP.certificate, curve.certificate]).element.get("ID") == "_assertion"
    refused(lambda: crypto.verify(assertion, ["not a certificate", ""]))
