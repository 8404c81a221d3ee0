"""Encrypted assertions that try to be read when they should not."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

import pytest
import xmlsec
from lxml import etree

from hub.saml import crypto, xml
from hub.saml.encryption import MAX_ENCRYPTED_KEYS, decrypt_assertion, encrypt_assertion
from hub.saml.messages import MessageRefused
from tests.saml_hub import pair
from tests.saml_kit import NS, SAML, SAMLP, XENC, TestKey, make_key, sign_xml

IDP = make_key("upstream idp")
OURS = make_key("hub decryption")
OLD = make_key("hub decryption, old")

ASSERTION = (
    f'<saml:Assertion xmlns:saml="{SAML}" ID="_assertion"><saml:Issuer>https://idp.example.fr</saml:Issuer>'
    "<saml:Subject><saml:NameID>genuine</saml:NameID></saml:Subject></saml:Assertion>"
)
AES256_GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
OAEP = f"{XENC}rsa-oaep-mgf1p"


def encrypted(plaintext: str | bytes = ASSERTION, key: TestKey = OURS) -> str:
    """The text of an EncryptedAssertion for that key."""
    public = crypto.trusted_key(key.certificate)
    assert public is not None
    data = plaintext.encode() if isinstance(plaintext, str) else plaintext
    return etree.tostring(encrypt_assertion(data, public.public)).decode()  # type: ignore[arg-type]


def response(content: str, *, key: TestKey | None = IDP) -> bytes:
    """A Response around the content, signed unless ``key`` is None."""
    text = (
        f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_response">'
        f"<saml:Issuer>https://idp.example.fr</saml:Issuer><samlp:Status/>{content}</samlp:Response>"
    )
    return sign_xml(text, key) if key else text.encode()


def read(message: bytes, *keys: TestKey, allow_cbc: bool = False) -> etree._Element:
    """What the hub does with a Response: verify, then decrypt."""
    verified = crypto.verify(xml.parse(message), [IDP.certificate])
    return decrypt_assertion(verified, [crypto.private_key(pair(key)) for key in keys or (OURS,)], allow_cbc=allow_cbc)


def name(assertion: etree._Element) -> str | None:
    return assertion.findtext("saml:Subject/saml:NameID", None, NS)


def refused(message: bytes, *keys: TestKey, allow_cbc: bool = False) -> str:
    with pytest.raises(MessageRefused) as caught:
        read(message, *keys, allow_cbc=allow_cbc)
    return caught.value.detail


def changed(change: Callable[[str], str], content: str | None = None) -> bytes:
    """A rightly signed Response whose encrypted part was altered before it was signed."""
    before = content or encrypted()
    after = change(before)
    assert after != before
    return response(after)


def test_an_encrypted_assertion_is_read() -> None:
    """The control of every test below."""
    assert name(read(response(encrypted()))) == "genuine"


@pytest.mark.covers("RS-50")
def test_both_decryption_keys_are_tried() -> None:
    """During a change of keys, messages for the old one still arrive."""
    message = response(encrypted(key=OLD))
    assert name(read(message, OURS, OLD)) == "genuine"
    assert refused(message, OURS) == "cannot be decrypted"


@pytest.mark.covers("RS-45", "RS-52")
@pytest.mark.parametrize("signer", [None, make_key("evil idp")])
def test_nothing_is_decrypted_outside_of_a_verified_response(signer: TestKey | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when the assertion inside is signed: no private key is touched."""
    inner = sign_xml(ASSERTION, IDP).decode()
    assert name(read(response(encrypted(inner)))) == "genuine"

    def touched(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a private key was used")

    monkeypatch.setattr("hub.saml.encryption._session_key", touched)
    refused(response(encrypted(inner), key=signer))
    with pytest.raises(RuntimeError):
        read(response(encrypted(inner)))


@pytest.mark.covers("RS-45")
@pytest.mark.parametrize(
    "pointer",
    [
        '<xenc:CipherReference xmlns:xenc="{x}" URI="http://127.0.0.1:9/"/>',
        '<ds:RetrievalMethod xmlns:ds="{d}" URI="#_k"/>',
        '<dsig11:KeyInfoReference xmlns:dsig11="http://www.w3.org/2009/xmldsig11#" URI="#_k"/>',
        '<xenc:AgreementMethod xmlns:xenc="{x}" Algorithm="urn:x"/>',
        '<CipherReference xmlns="" URI="file:///etc/passwd"/>',
    ],
)
@pytest.mark.parametrize("place", ["</ds:KeyInfo>", "</xenc:CipherData>", "</xenc:EncryptedKey>", "</xenc:EncryptedData>"])
def test_a_pointer_is_refused_before_anything_is_decrypted(pointer: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it stands, and whether or not the rest is right."""
    monkeypatch.setattr("hub.saml.encryption._session_key", lambda *args: pytest.fail("a private key was used"))
    element = pointer.format(x=XENC, d=NS["ds"])
    assert "in an encrypted element" in refused(changed(lambda text: text.replace(place, element + place)))


@pytest.mark.covers("RS-46")
@pytest.mark.parametrize(
    "cipher",
    [f"{XENC}tripledes-cbc", f"{XENC}aes128-cbc", f"{XENC}aes256-cbc", "http://www.w3.org/2009/xmlenc11#aes192-gcm", "urn:ecb", ""],
)
def test_a_cipher_outside_of_the_list_is_refused(cipher: str) -> None:
    """By name, before anything is decrypted."""
    assert refused(changed(lambda text: text.replace(AES256_GCM, cipher))) == "content cipher not accepted"


@pytest.mark.covers("RS-46")
@pytest.mark.parametrize("transport", [f"{XENC}rsa-1_5", "http://www.w3.org/2009/xmlenc11#rsa-oaep", f"{XENC}kw-aes256", ""])
def test_a_key_transport_outside_of_the_list_is_refused(transport: str) -> None:
    """RSA 1.5 above all."""
    assert refused(changed(lambda text: text.replace(OAEP, transport))) == "key transport not accepted"


@pytest.mark.covers("RS-46")
@pytest.mark.parametrize("digest", ["http://www.w3.org/2001/04/xmldsig-more#md5", "", "urn:x"])
def test_oaep_with_another_digest_is_refused(digest: str) -> None:
    """SHA-1 inside OAEP is the compatible choice, MD5 is not one."""

    def with_digest(uri: str) -> Callable[[str], str]:
        method = f'<ds:DigestMethod xmlns:ds="{NS["ds"]}" Algorithm="{uri}"/>'
        return lambda text: text.replace(f'Algorithm="{OAEP}"/>', f'Algorithm="{OAEP}">{method}</xenc:EncryptionMethod>')

    assert refused(changed(with_digest(digest))) == "key transport not accepted"
    assert name(read(changed(with_digest("http://www.w3.org/2000/09/xmldsig#sha1")))) == "genuine"


@pytest.mark.covers("RS-46")
def test_cbc_is_read_with_the_waiver_only() -> None:
    """Encrypted by another implementation, in CBC."""
    public = crypto.trusted_key(OURS.certificate)
    assert public is not None
    content = etree.tostring(encrypt_assertion(ASSERTION.encode(), public.public, cbc=True)).decode()  # type: ignore[arg-type]
    assert name(read(response(content), allow_cbc=True)) == "genuine"
    assert refused(response(content)) == "content cipher not accepted"


def test_what_another_implementation_encrypts_is_read() -> None:
    """xmlsec encrypts, the hub decrypts."""
    root = etree.fromstring(f'<saml:EncryptedAssertion xmlns:saml="{SAML}">{ASSERTION}</saml:EncryptedAssertion>')
    data = xmlsec.template.encrypted_data_create(root, xmlsec.constants.TransformAes128Gcm, type=xmlsec.constants.TypeEncElement, ns="xenc")
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    key_info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    key = xmlsec.template.add_encrypted_key(key_info, xmlsec.constants.TransformRsaOaep)
    xmlsec.template.encrypted_data_ensure_cipher_value(key)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(OURS.certificate_pem, xmlsec.constants.KeyDataFormatCertPem))
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, 128, xmlsec.constants.KeyDataTypeSession)
    context.encrypt_xml(data, root[0])
    assert name(read(response(etree.tostring(root).decode()))) == "genuine"


@pytest.mark.covers("RS-47")
def test_every_corruption_gives_the_same_answer() -> None:
    """Neither key nor padding nor structure can be guessed from the error."""
    root = etree.fromstring(encrypted())
    details = set()
    for value in root.iter(f"{{{XENC}}}CipherValue"):
        original = base64.b64decode(value.text or "")
        for position in range(0, len(original), max(1, len(original) // 20)):
            corrupted = bytearray(original)
            corrupted[position] ^= 1
            value.text = base64.b64encode(corrupted).decode()
            details.add(refused(response(etree.tostring(root).decode())))
        for wrong in (b"", b"x", original[:-1], os.urandom(len(original))):
            value.text = base64.b64encode(wrong).decode()
            details.add(refused(response(etree.tostring(root).decode())))
        value.text = base64.b64encode(original).decode()
    assert details == {"cannot be decrypted"}
    assert name(read(response(etree.tostring(root).decode()))) == "genuine"


@pytest.mark.covers("RS-48")
@pytest.mark.parametrize(
    "plaintext",
    [
        f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{ASSERTION}",
        f'<samlp:Response xmlns:samlp="{SAMLP}" ID="_x">{ASSERTION}</samlp:Response>',
        ASSERTION + ASSERTION,
        f"<?x y?>{ASSERTION}",
        "plain text",
        "",
        ASSERTION.replace("genuine", "x" * 200_000),
    ],
    ids=["doctype", "response", "two", "instruction", "text", "empty", "large"],
)
def test_what_comes_out_must_be_one_plain_assertion(plaintext: str) -> None:
    """The decrypted text goes through the same small parser as every message."""
    refused(response(encrypted(plaintext)))


@pytest.mark.covers("RS-49")
def test_the_number_of_encrypted_keys_is_bounded() -> None:
    """A few recipients are fine, a thousand are not; a key inside of a key is not looked for."""
    text = encrypted()
    start, end = text.index("<xenc:EncryptedKey"), text.index("</xenc:EncryptedKey>") + len("</xenc:EncryptedKey>")
    key = text[start:end]
    other = encrypted(key=OLD)
    stranger = other[other.index("<xenc:EncryptedKey") : other.index("</xenc:EncryptedKey>") + len("</xenc:EncryptedKey>")]
    several = text.replace(key, stranger * (MAX_ENCRYPTED_KEYS - 1) + key)
    assert name(read(response(several))) == "genuine"
    assert "too many" in refused(response(text.replace(key, stranger * MAX_ENCRYPTED_KEYS + key)))
    nested = key.replace("</xenc:EncryptedKey>", f'<ds:KeyInfo xmlns:ds="{NS["ds"]}">{key}</ds:KeyInfo></xenc:EncryptedKey>')
    assert name(read(response(text.replace(key, nested)))) == "genuine"


@pytest.mark.covers("RS-49")
def test_encryption_inside_of_encryption_is_not_unwrapped() -> None:
    """One layer, no more."""
    assert refused(response(encrypted(encrypted()))) == "the encrypted element is no Assertion"


@pytest.mark.covers("RS-10", "RS-51")
@pytest.mark.parametrize("order", [1, -1])
def test_a_plain_assertion_beside_an_encrypted_one_is_refused(order: int) -> None:
    """Exactly one assertion, or none is read."""
    parts = [encrypted(), sign_xml(ASSERTION, IDP).decode()]
    assert "exactly one" in refused(response("".join(parts[::order])))
    assert "exactly one" in refused(response(encrypted() + encrypted()))
    assert "exactly one" in refused(response(""))
