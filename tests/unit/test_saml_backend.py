"""The crypto back end under pysaml2's own SecurityContext."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
import xmlsec
from lxml import etree
from saml2 import saml, samlp
from saml2.sigver import DecryptError, EncryptError, SecurityContext, SignatureError, pre_signature_part

from hub.saml import crypto
from hub.saml.backend import PreauCryptoBackend
from tests.saml_hub import pair
from tests.saml_kit import NS, TestKey, make_key, signature_is_good

OURS, OTHER = make_key("backend"), make_key("backend other")
RESPONSE = "urn:oasis:names:tc:SAML:2.0:protocol:Response"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process may be started and no temporary file made."""

    def forbidden(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a process was started, or a temporary file made")

    for owner, name in ((subprocess, "Popen"), (subprocess, "run"), (os, "fork"), (os, "posix_spawn"), (os, "system")):
        monkeypatch.setattr(owner, name, forbidden)
    for name in ("NamedTemporaryFile", "mkstemp", "TemporaryFile", "TemporaryDirectory"):
        monkeypatch.setattr(tempfile, name, forbidden)
    monkeypatch.setattr("saml2.sigver.Popen", forbidden)
    monkeypatch.setattr("saml2.sigver.NamedTemporaryFile", forbidden)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    paths = {}
    for name, key in (("ours", OURS), ("other", OTHER)):
        (tmp_path / f"{name}.crt").write_bytes(key.certificate_pem)
        (tmp_path / f"{name}.key").write_bytes(key.private_pem)
        paths[name] = str(tmp_path / f"{name}.crt")
        paths[f"{name} key"] = str(tmp_path / f"{name}.key")
    return paths


def backend(**options: object) -> PreauCryptoBackend:
    return PreauCryptoBackend(pair(OURS), **options)  # type: ignore[arg-type]


def context(files: dict[str, str], crypto_backend: PreauCryptoBackend | None = None) -> SecurityContext:
    return SecurityContext(crypto_backend or backend(), key_file=files["ours key"], cert_file=files["ours"])


def response() -> samlp.Response:
    assertion = saml.Assertion(
        id="_assertion",
        version="2.0",
        issue_instant="2026-11-25T10:00:00Z",
        issuer=saml.Issuer(text="https://idp.example.fr"),
        subject=saml.Subject(name_id=saml.NameID(text="somebody")),
    )
    return samlp.Response(
        id="_response",
        version="2.0",
        issue_instant="2026-11-25T10:00:00Z",
        issuer=saml.Issuer(text="https://idp.example.fr"),
        status=samlp.Status(status_code=samlp.StatusCode(value="urn:oasis:names:tc:SAML:2.0:status:Success")),
        assertion=assertion,
    )


@pytest.mark.covers("FT-17")
@pytest.mark.usefixtures("alone")
def test_pysaml2_signs_and_verifies_without_process_nor_file(files: dict[str, str]) -> None:
    """The template asks for SHA-1; the list decides."""
    message = response()
    message.assertion.signature = pre_signature_part("_assertion", OURS.certificate)
    signed = context(files).sign_statement(message, ASSERTION, node_id="_assertion")
    root = etree.fromstring(signed.encode())
    assertion = root.find("saml:Assertion", NS)
    assert signature_is_good(assertion, OURS.certificate_pem)
    assert assertion.find(".//ds:SignatureMethod", NS).get("Algorithm").endswith("rsa-sha256")
    assert context(files).verify_signature(signed, files["ours"], node_name=ASSERTION, node_id="_assertion") is True
    with pytest.raises(SignatureError):
        context(files).verify_signature(signed, files["other"], node_name=ASSERTION, node_id="_assertion")
    with pytest.raises(SignatureError):
        context(files).verify_signature(signed.replace("somebody", "admin"), files["ours"], node_name=ASSERTION, node_id="_assertion")


@pytest.mark.usefixtures("alone")
def test_both_elements_can_be_signed_by_name(files: dict[str, str]) -> None:
    """As pysaml2 does for one message: the assertion first, then the Response around it."""
    security = context(files)
    once = security.sign_statement(response(), ASSERTION, node_id="_assertion")
    twice = security.sign_statement(once, RESPONSE, node_id="_response")
    for name, id_ in ((ASSERTION, "_assertion"), (RESPONSE, "_response")):
        assert security.verify_signature(twice, files["ours"], node_name=name, node_id=id_)


@pytest.mark.usefixtures("alone")
def test_an_element_that_is_not_there_is_not_signed() -> None:
    """Neither a wrong name, nor a wrong identifier, nor a broken document."""
    for document, name, id_ in (
        (str(response()), ASSERTION, "_other"),
        (str(response()), "urn:x:Assertion", "_assertion"),
        ("<a>", ASSERTION, ""),
        ("<!DOCTYPE a><a/>", ASSERTION, ""),
    ):
        with pytest.raises(SignatureError):
            backend().sign_statement(document, name, node_id=id_)
        with pytest.raises(SignatureError):
            backend().validate_signature(document, "", "pem", name, id_)


@pytest.mark.covers("FT-17")
@pytest.mark.usefixtures("alone")
def test_an_assertion_is_encrypted_and_read_back_from_a_signed_response(files: dict[str, str]) -> None:
    """The three rules hold under pysaml2 too."""
    reader = backend(decryption_keys=[pair(OTHER)], certificates=lambda issuer: [OURS.certificate])
    encrypted = backend().encrypt_assertion(response(), files["other"], template=None)
    assert "somebody" not in encrypted and "aes256-gcm" in encrypted
    signed = backend().sign_statement(encrypted, RESPONSE, node_id="_response")
    clear = etree.fromstring(SecurityContext(reader, enc_key_files=["unused"]).decrypt(signed).encode())
    assert clear.findtext("saml:EncryptedAssertion/saml:Assertion/saml:Subject/saml:NameID", None, NS) == "somebody"
    for message, reading in (
        (encrypted, reader),
        (signed, backend(decryption_keys=[pair(OTHER)])),
        (signed, backend(decryption_keys=[pair(OURS)], certificates=lambda issuer: [OURS.certificate])),
        (signed.replace("_response", "_changed"), reader),
    ):
        with pytest.raises(DecryptError):
            reading.decrypt(message)


@pytest.mark.usefixtures("alone")
def test_an_element_is_encrypted_by_its_path(files: dict[str, str]) -> None:
    """One element, no more; for a key that can."""
    text = str(response())
    assert b"somebody" not in backend().encrypt(text, files["other"], None, "aes-256", "//*[local-name()='NameID']")
    assert etree.fromstring(backend().encrypt(text, files["other"], None, "aes-256")).tag.endswith("EncryptedData")
    with pytest.raises(EncryptError):
        backend().encrypt(text, files["other"], None, "aes-256", "//*")


def test_a_key_that_cannot_encrypt_is_told(tmp_path: Path) -> None:
    """An elliptic key."""
    curve: TestKey = make_key("curve", "p256")
    (tmp_path / "curve.crt").write_bytes(curve.certificate_pem)
    with pytest.raises(EncryptError):
        backend().encrypt(str(response()), str(tmp_path / "curve.crt"), None, "aes-256")


@pytest.mark.covers("FT-17")
def test_a_failing_crypto_library_never_means_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is an error, not a yes."""
    signed = backend().sign_statement(response(), ASSERTION, node_id="_assertion")
    assertion = etree.fromstring(signed.encode()).find("saml:Assertion", NS)
    assert crypto.verify(assertion, [OURS.certificate])

    class Broken:
        key = None

        def register_id(self, *args: object) -> None:
            raise RuntimeError("library trouble")

    monkeypatch.setattr(xmlsec, "SignatureContext", Broken)
    with pytest.raises(RuntimeError):
        crypto.verify(assertion, [OURS.certificate])
