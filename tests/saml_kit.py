"""A service provider for tests: it asks, signs, decrypts and verifies by itself, without the hub's own code.

Every message is built from plain text, so that a test can also write what no library would write.
"""

from __future__ import annotations

import base64
import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from urllib.parse import quote_plus
from xml.sax.saxutils import escape, quoteattr

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
NS = {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS, "xenc": XENC}

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA512 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

_HASHES = {
    RSA_SHA1: hashes.SHA1(),
    RSA_SHA256: hashes.SHA256(),
    RSA_SHA512: hashes.SHA512(),
    ECDSA_SHA256: hashes.SHA256(),
}


# Keys ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TestKey:
    """A private key and its self-signed certificate, both PEM."""

    __test__ = False

    private_pem: bytes
    certificate_pem: bytes

    @property
    def certificate(self) -> str:
        """Base64 DER without white space, as metadata writes it."""
        return "".join(line for line in self.certificate_pem.decode().splitlines() if "-----" not in line)

    @cached_property
    def private(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        loaded = serialization.load_pem_private_key(self.private_pem, None)
        assert isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return loaded


@lru_cache(maxsize=64)
def make_key(label: str = "sp", kind: str = "rsa2048", *, days: tuple[int, int] = (-1, 365)) -> TestKey:
    """A key of its own for each label; ``kind`` is rsa<bits>, p192, p256 or p384. ``days`` bounds the certificate, from today."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind.startswith("rsa"):
        key = rsa.generate_private_key(65537, int(kind[3:]))
    else:
        key = ec.generate_private_key({"p192": ec.SECP192R1(), "p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label[:60])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .sign(key, hashes.SHA256())
    )
    return TestKey(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


# Signatures ---------------------------------------------------------------------------------------------------------


def sign_query(query: str, key: TestKey, sig_alg: str = RSA_SHA256, quote: Callable[[str], str] = quote_plus) -> str:
    """The query string followed by SigAlg and Signature (SAML bindings 3.4.4.1)."""
    signed = f"{query}&SigAlg={quote(sig_alg)}"
    private, digest = key.private, _HASHES[sig_alg]
    if isinstance(private, rsa.RSAPrivateKey):
        signature = private.sign(signed.encode(), padding.PKCS1v15(), digest)
    else:
        signature = private.sign(signed.encode(), ec.ECDSA(digest))
    return f"{signed}&Signature={quote(base64.b64encode(signature).decode())}"


def sign_xml(
    xml: str | bytes,
    key: TestKey,
    *,
    element_id: str | None = None,
    sig_alg: str = RSA_SHA256,
    digest: str = SHA256,
    transforms: Sequence[str] = (ENVELOPED, EXC_C14N),
    c14n: str = EXC_C14N,
    with_certificate: bool = True,
    reference_id: str | None = None,
) -> bytes:
    """The document with an enveloped signature of the element of that ID (the root by default), right after its Issuer."""
    root = etree.fromstring(xml.encode() if isinstance(xml, str) else xml)
    element = root if element_id is None else root.xpath("//*[@ID=$id]", id=element_id)[0]
    uri = f"#{reference_id or element.get('ID')}"
    steps = "".join(f'<ds:Transform Algorithm="{t}"/>' for t in transforms)
    info = f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{key.certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    signature = etree.fromstring(
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>'
        f'<ds:SignatureMethod Algorithm="{sig_alg}"/><ds:Reference URI="{uri}"><ds:Transforms>{steps}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/>'
        f"{info if with_certificate else ''}</ds:Signature>"
    )
    issuer = element.find("saml:Issuer", NS)
    element.insert(0 if issuer is None else element.index(issuer) + 1, signature)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(key.private_pem, xmlsec.constants.KeyDataFormatPem)
    context.register_id(element, "ID")
    context.sign(signature)
    return etree.tostring(root)


def signature_is_good(element: etree._Element, certificate_pem: bytes) -> bool:
    """Whether the element's own signature, its direct child, covers it and verifies with that certificate."""
    found = element.findall("ds:Signature", NS)
    if len(found) != 1 or [r.get("URI") for r in found[0].iterfind(".//ds:Reference", NS)] != [f"#{element.get('ID')}"]:
        return False
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(certificate_pem, xmlsec.constants.KeyDataFormatCertPem)
    context.register_id(element, "ID")
    try:
        context.verify(found[0])
    except xmlsec.Error:
        return False
    return True


# What a service provider reads --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReadResponse:
    """A Response as a careful service provider understands it. Dates stay text, as on the wire."""

    id: str
    issuer: str | None
    destination: str | None
    in_response_to: str | None
    status: str
    second_status: str | None
    status_message: str | None
    response_signed: bool
    assertion_signed: bool = False
    encrypted: bool = False
    assertion_id: str | None = None
    name_id: str | None = None
    name_id_format: str | None = None
    name_qualifier: str | None = None
    sp_name_qualifier: str | None = None
    recipient: str | None = None
    confirmed_request: str | None = None
    confirmation_not_on_or_after: str | None = None
    not_before: str | None = None
    not_on_or_after: str | None = None
    audiences: tuple[str, ...] = ()
    authn_instant: str | None = None
    session_index: str | None = None
    session_not_on_or_after: str | None = None
    authn_context: str | None = None
    attributes: dict[str, list[str]] = field(default_factory=dict)
    """Values by FriendlyName, or by Name where there is none."""
    attributes_by_name: dict[str, list[str]] = field(default_factory=dict)
    xml: bytes = b""
    """The whole Response, decrypted."""

    @property
    def ids(self) -> tuple[str, str | None]:
        return self.id, self.assertion_id


def _decrypt(holder: etree._Element, key: TestKey) -> None:
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(key.private_pem, xmlsec.constants.KeyDataFormatPem))
    context = xmlsec.EncryptionContext(manager)
    context.decrypt(holder.find("xenc:EncryptedData", NS))


def _attribute_values(assertion: etree._Element, *, friendly: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for attribute in assertion.iterfind("saml:AttributeStatement/saml:Attribute", NS):
        name = (attribute.get("FriendlyName") if friendly else None) or attribute.get("Name") or ""
        found.setdefault(name, []).extend(v.text or "" for v in attribute.iterfind("saml:AttributeValue", NS))
    return found


def read_response(saml_response_b64: str, idp_certificate: bytes, key: TestKey | None = None) -> ReadResponse:
    """Verify and read a Response; raises AssertionError on a bad signature and on anything but zero or one assertion."""
    root = etree.fromstring(base64.b64decode(saml_response_b64, validate=True))
    if root.tag != f"{{{SAMLP}}}Response":
        raise AssertionError(f"not a Response: {root.tag}")
    signed = root.find("ds:Signature", NS) is not None
    if signed and not signature_is_good(root, idp_certificate):
        raise AssertionError("the signature of the Response is wrong")
    codes = [code.get("Value") for code in root.iterfind("samlp:Status//samlp:StatusCode", NS)]
    common = {
        "id": root.get("ID"),
        "issuer": root.findtext("saml:Issuer", None, NS),
        "destination": root.get("Destination"),
        "in_response_to": root.get("InResponseTo"),
        "status": codes[0],
        "second_status": codes[1] if len(codes) > 1 else None,
        "status_message": root.findtext("samlp:Status/samlp:StatusMessage", None, NS),
        "response_signed": signed,
    }
    holders = root.findall("saml:EncryptedAssertion", NS)
    if holders:
        if key is None:
            raise AssertionError("the Response is encrypted and this service provider has no key")
        for holder in holders:
            _decrypt(holder, key)
    assertions = root.findall("saml:Assertion", NS) + root.findall("saml:EncryptedAssertion/saml:Assertion", NS)
    if not assertions:
        return ReadResponse(**common, xml=etree.tostring(root))
    (assertion,) = assertions
    assertion_signed = assertion.find("ds:Signature", NS) is not None
    if assertion_signed and not signature_is_good(assertion, idp_certificate):
        raise AssertionError("the signature of the Assertion is wrong")
    if not (signed or assertion_signed):
        raise AssertionError("nothing is signed")

    def get(path: str, attribute: str) -> str | None:
        node = assertion.find(path, NS)
        return None if node is None else node.get(attribute)

    data = "saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"
    return ReadResponse(
        **common,
        assertion_signed=assertion_signed,
        encrypted=bool(holders),
        assertion_id=assertion.get("ID"),
        name_id=assertion.findtext("saml:Subject/saml:NameID", None, NS),
        name_id_format=get("saml:Subject/saml:NameID", "Format"),
        name_qualifier=get("saml:Subject/saml:NameID", "NameQualifier"),
        sp_name_qualifier=get("saml:Subject/saml:NameID", "SPNameQualifier"),
        recipient=get(data, "Recipient"),
        confirmed_request=get(data, "InResponseTo"),
        confirmation_not_on_or_after=get(data, "NotOnOrAfter"),
        not_before=get("saml:Conditions", "NotBefore"),
        not_on_or_after=get("saml:Conditions", "NotOnOrAfter"),
        audiences=tuple(a.text or "" for a in assertion.iterfind("saml:Conditions/saml:AudienceRestriction/saml:Audience", NS)),
        authn_instant=get("saml:AuthnStatement", "AuthnInstant"),
        session_index=get("saml:AuthnStatement", "SessionIndex"),
        session_not_on_or_after=get("saml:AuthnStatement", "SessionNotOnOrAfter"),
        authn_context=assertion.findtext("saml:AuthnStatement/saml:AuthnContext/saml:AuthnContextClassRef", None, NS),
        attributes=_attribute_values(assertion, friendly=True),
        attributes_by_name=_attribute_values(assertion, friendly=False),
        xml=etree.tostring(root),
    )


# The service provider -----------------------------------------------------------------------------------------------

_FIRST_ACS = "the first ACS"


def instant(moment: datetime | None = None) -> str:
    """A date as SAML writes it; now by default."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def deflate(xml: str | bytes) -> str:
    """Base64 of the raw deflated message (SAML bindings 3.4.4.1)."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = compressor.compress(xml.encode() if isinstance(xml, str) else xml) + compressor.flush()
    return base64.b64encode(data).decode()


class MockSP:
    """A service provider of the tests.

    ``acs`` lists its addresses (indexes 0, 1…), ``default_acs`` the one marked isDefault. ``sign`` signs every request
    and says so in the metadata; ``encrypt`` publishes an encryption key. Keys are shared by all that bear one label.
    ``slo`` lists its logout addresses as (binding, Location) or (binding, Location, ResponseLocation).
    """

    def __init__(
        self,
        entity_id: str = "https://sp.example.fr/saml",
        *,
        acs: Sequence[str] = ("https://sp.example.fr/saml/acs",),
        default_acs: int | None = None,
        sign: bool = False,
        encrypt: bool = True,
        key: TestKey | None = None,
        encryption_key: TestKey | None = None,
        slo: Sequence[tuple[str, ...]] = (),
    ) -> None:
        self.entity_id = entity_id
        self.slo = tuple(slo)
        self.acs = tuple(acs)
        self.default_acs = default_acs
        self.sign = sign
        self.key = key or make_key(entity_id)
        self.encryption_key = (encryption_key or make_key(f"{entity_id} encryption")) if encrypt else None

    def metadata(
        self,
        *,
        signing_certificates: Sequence[str] | None = None,
        name_id_formats: Sequence[str] = (),
        display_name: str = "Service d’essai",
        extra: str = "",
    ) -> bytes:
        """The entity descriptor; ``extra`` is raw XML put at the end of the SPSSODescriptor."""

        def key_descriptor(use: str, certificate: str) -> str:
            return (
                f'<md:KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}'
                "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            )

        signing = [self.key.certificate] if signing_certificates is None else signing_certificates
        keys = [key_descriptor("signing", c) for c in signing]
        if self.encryption_key:
            keys.append(key_descriptor("encryption", self.encryption_key.certificate))
        formats = "".join(f"<md:NameIDFormat>{escape(f)}</md:NameIDFormat>" for f in name_id_formats)
        default = {self.default_acs: ' isDefault="true"'}
        endpoints = "".join(
            f'<md:AssertionConsumerService Binding="{POST}" Location={quoteattr(url)} index="{i}"{default.get(i, "")}/>'
            for i, url in enumerate(self.acs)
        )
        logout = "".join(
            f'<md:SingleLogoutService Binding="{binding}" Location={quoteattr(location)}'
            f"{''.join(f' ResponseLocation={quoteattr(address)}' for address in answers)}/>"
            for binding, location, *answers in self.slo
        )
        return (
            f'<md:EntityDescriptor xmlns:md="{MD}" xmlns:ds="{DS}" entityID={quoteattr(self.entity_id)}>'
            f'<md:SPSSODescriptor protocolSupportEnumeration="{SAMLP}" AuthnRequestsSigned="{str(self.sign).lower()}"'
            f' WantAssertionsSigned="true"><md:Extensions><mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui">'
            f'<mdui:DisplayName xml:lang="fr">{escape(display_name)}</mdui:DisplayName></mdui:UIInfo></md:Extensions>'
            f"{''.join(keys)}{logout}{formats}{endpoints}{extra}</md:SPSSODescriptor></md:EntityDescriptor>"
        ).encode()

    def authn_request(
        self,
        destination: str | None,
        *,
        request_id: str | None = None,
        issuer: str | None = None,
        issue_instant: str | None = None,
        version: str | None = "2.0",
        acs_url: str | None = _FIRST_ACS,
        acs_index: str | None = None,
        protocol_binding: str | None = POST,
        force_authn: bool | None = None,
        is_passive: bool | None = None,
        name_id_format: str | None = None,
        sp_name_qualifier: str | None = None,
        allow_create: bool | None = None,
        authn_contexts: Sequence[str] = (),
        comparison: str | None = None,
        attributes: str = "",
        extensions: str = "",
        extra: str = "",
    ) -> str:
        """An AuthnRequest as text. None leaves an attribute out; ``attributes`` and ``extra`` are raw XML."""
        policy = {
            "Format": name_id_format,
            "SPNameQualifier": sp_name_qualifier,
            "AllowCreate": None if allow_create is None else str(allow_create).lower(),
        }
        given = {
            "ID": request_id or "_" + secrets.token_hex(20),
            "Version": version,
            "IssueInstant": issue_instant or instant(),
            "Destination": destination,
            "AssertionConsumerServiceURL": self.acs[0] if acs_url is _FIRST_ACS else acs_url,
            "AssertionConsumerServiceIndex": acs_index,
            "ProtocolBinding": protocol_binding,
            "ForceAuthn": None if force_authn is None else str(force_authn).lower(),
            "IsPassive": None if is_passive is None else str(is_passive).lower(),
        }

        def written(pairs: dict[str, str | None]) -> str:
            return "".join(f" {k}={quoteattr(v)}" for k, v in pairs.items() if v is not None)

        policy_xml = f"<samlp:NameIDPolicy{written(policy)}/>" if any(v is not None for v in policy.values()) else ""
        classes = "".join(f"<saml:AuthnContextClassRef>{escape(c)}</saml:AuthnContextClassRef>" for c in authn_contexts)
        context = f"<samlp:RequestedAuthnContext{written({'Comparison': comparison})}>{classes}</samlp:RequestedAuthnContext>"
        return (
            f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"{written(given)}{attributes}>'
            f"<saml:Issuer>{escape(self.entity_id if issuer is None else issuer)}</saml:Issuer>"
            f"{extensions}{policy_xml}{context if authn_contexts else ''}{extra}</samlp:AuthnRequest>"
        )

    def redirect_query(
        self,
        destination: str | None,
        *,
        relay_state: str | None = None,
        sign: bool | None = None,
        sig_alg: str | None = None,
        key: TestKey | None = None,
        quote: Callable[[str], str] = quote_plus,
        xml: str | None = None,
        **request: object,
    ) -> str:
        """The query string of a request by HTTP-Redirect. ``xml`` replaces the request that the other options describe."""
        text = self.authn_request(destination, **request) if xml is None else xml  # type: ignore[arg-type]
        query = f"SAMLRequest={quote(deflate(text))}"
        if relay_state is not None:
            query += f"&RelayState={quote(relay_state)}"
        if self.sign if sign is None else sign:
            signer = key or self.key
            alg = sig_alg or (RSA_SHA256 if isinstance(signer.private, rsa.RSAPrivateKey) else ECDSA_SHA256)
            query = sign_query(query, signer, alg, quote)
        return query

    def post_form(
        self,
        destination: str | None,
        *,
        relay_state: str | None = None,
        sign: bool | None = None,
        key: TestKey | None = None,
        xml: str | bytes | None = None,
        signature: dict[str, object] | None = None,
        **request: object,
    ) -> dict[str, str]:
        """The fields of a request by HTTP-POST. ``signature`` goes to :func:`sign_xml`."""
        text: str | bytes = self.authn_request(destination, **request) if xml is None else xml  # type: ignore[arg-type]
        if self.sign if sign is None else sign:
            text = sign_xml(text, key or self.key, **(signature or {}))  # type: ignore[arg-type]
        data = text.encode() if isinstance(text, str) else text
        form = {"SAMLRequest": base64.b64encode(data).decode()}
        if relay_state is not None:
            form["RelayState"] = relay_state
        return form

    def read_response(self, saml_response_b64: str, idp_certificate: bytes) -> ReadResponse:
        """Read an answer of the hub with this service provider's key; ``idp_certificate`` is PEM."""
        return read_response(saml_response_b64, idp_certificate, self.encryption_key)
