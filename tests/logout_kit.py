"""A service provider that signs people out, and browsers that go round several of them, without the hub's own code."""

from __future__ import annotations

import base64
import html
import os
import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote_plus, unquote_plus, urlsplit
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from werkzeug.test import TestResponse

from tests.hub_kit import Browser, Hub
from tests.saml_kit import (
    DS,
    NS,
    POST,
    RSA_SHA256,
    SAML,
    SAMLP,
    XENC,
    MockSP,
    ReadResponse,
    TestKey,
    deflate,
    instant,
    sign_query,
    sign_xml,
    signature_is_good,
)

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"
PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
SLO = f"{Hub.sso_url.removesuffix('/sso')}/slo"


@dataclass(frozen=True)
class ReadLogout:
    """A LogoutRequest or LogoutResponse of the hub, its signature verified."""

    kind: str
    id: str
    issuer: str | None
    destination: str | None
    in_response_to: str | None
    status: str | None
    second_status: str | None
    name_id: dict[str, str]
    """Attributes of the NameID, and its text under ``value``; empty in a response."""
    session_indexes: tuple[str, ...]
    relay_state: str | None = None


def read_logout(xml: bytes, relay_state: str | None = None) -> ReadLogout:
    """The message as a careful service provider understands it. The signature is verified by the caller."""
    root = etree.fromstring(xml)
    codes = [code.get("Value") for code in root.iterfind("samlp:Status//samlp:StatusCode", NS)]
    name_id = root.find("saml:NameID", NS)
    return ReadLogout(
        kind=etree.QName(root).localname,
        id=root.get("ID"),
        issuer=root.findtext("saml:Issuer", None, NS),
        destination=root.get("Destination"),
        in_response_to=root.get("InResponseTo"),
        status=codes[0] if codes else None,
        second_status=codes[1] if len(codes) > 1 else None,
        name_id={} if name_id is None else {**name_id.attrib, "value": name_id.text},
        session_indexes=tuple(e.text or "" for e in root.iterfind("samlp:SessionIndex", NS)),
        relay_state=relay_state,
    )


def read_logout_redirect(url: str, idp_certificate: bytes) -> ReadLogout:
    """A message of the hub by HTTP-Redirect; AssertionError unless the whole query is signed."""
    query = urlsplit(url).query
    signed, _, signature = query.partition("&Signature=")
    start = signed.find("SAML")
    public = x509.load_pem_x509_certificate(idp_certificate).public_key()
    assert isinstance(public, rsa.RSAPublicKey) and signature, "the query is not signed"
    public.verify(base64.b64decode(unquote_plus(signature)), signed[start:].encode(), padding.PKCS1v15(), hashes.SHA256())
    fields = parse_qs(signed[start:], keep_blank_values=True)
    (name,) = [name for name in ("SAMLRequest", "SAMLResponse") if name in fields]
    xml = zlib.decompress(base64.b64decode(fields[name][0]), -15)
    read = read_logout(xml, fields.get("RelayState", [None])[0])  # type: ignore[list-item]
    assert read.kind == name.replace("SAML", "Logout")
    return read


def read_logout_post(value: str, idp_certificate: bytes, relay_state: str | None = None) -> ReadLogout:
    """A message of the hub by HTTP-POST; AssertionError unless it is signed."""
    xml = base64.b64decode(value, validate=True)
    if not signature_is_good(etree.fromstring(xml), idp_certificate):
        raise AssertionError("the logout message is not signed")
    return read_logout(xml, relay_state)


def encrypt_element(xml: str, certificate_pem: bytes, *, inside: str = "") -> str:
    """The EncryptedData of an element for that certificate; ``inside`` is raw XML put into its KeyInfo."""
    public = x509.load_pem_x509_certificate(certificate_pem).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    key, vector = os.urandom(32), os.urandom(12)
    content = vector + AESGCM(key).encrypt(vector, xml.encode(), None)
    wrapped = public.encrypt(key, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))

    def data(value: bytes) -> str:
        return f"<xenc:CipherData><xenc:CipherValue>{base64.b64encode(value).decode()}</xenc:CipherValue></xenc:CipherData>"

    return (
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element">'
        f'<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/><ds:KeyInfo xmlns:ds="{DS}">{inside}'
        f'<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{XENC}rsa-oaep-mgf1p"/>{data(wrapped)}</xenc:EncryptedKey>'
        f"</ds:KeyInfo>{data(content)}</xenc:EncryptedData>"
    )


class LogoutSP(MockSP):
    """A service of the name ``name``, with logout addresses for the given bindings, that makes logout messages."""

    def __init__(self, name: str = "ent", *, bindings: Sequence[str] = (REDIRECT,), answer_elsewhere: bool = False, **options: Any) -> None:
        base = f"https://{name}.example.fr"
        elsewhere = (f"{base}/slo/done",) if answer_elsewhere else ()
        options.setdefault("slo", [(binding, f"{base}/slo", *elsewhere) for binding in bindings])
        super().__init__(f"{base}/saml", acs=(f"{base}/acs",), **options)
        self.name = name

    def logout_request(
        self,
        destination: str | None,
        visit: ReadResponse,
        *,
        request_id: str | None = None,
        issuer: str | None = None,
        issue_instant: str | None = None,
        not_on_or_after: str | None = None,
        version: str = "2.0",
        name_id: dict[str, str | None] | None = None,
        identifier: str | None = None,
        session_indexes: Sequence[str] | None = None,
        asynchronous: bool = False,
        extra: str = "",
    ) -> str:
        """A LogoutRequest for what the hub said in ``visit``.

        ``name_id`` changes attributes of the NameID (``value`` its text, None leaves out), ``identifier`` is raw XML instead
        of it, ``session_indexes`` defaults to the index of the visit.
        """
        given = {
            "Format": visit.name_id_format,
            "NameQualifier": visit.name_qualifier,
            "SPNameQualifier": visit.sp_name_qualifier,
            "value": visit.name_id,
        } | (name_id or {})
        value = given.pop("value") or ""
        attributes = "".join(f" {k}={quoteattr(v)}" for k, v in given.items() if v is not None)
        own = {
            "ID": request_id or "_" + secrets.token_hex(20),
            "Version": version,
            "IssueInstant": issue_instant or instant(),
            "Destination": destination,
            "NotOnOrAfter": not_on_or_after,
        }
        head = "".join(f" {k}={quoteattr(v)}" for k, v in own.items() if v is not None)
        extension = '<a:Asynchronous xmlns:a="urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo"/>'
        indexes = [visit.session_index or ""] if session_indexes is None else session_indexes
        return (
            f'<samlp:LogoutRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"{head}>'
            f"<saml:Issuer>{escape(issuer or self.entity_id)}</saml:Issuer>"
            f"{f'<samlp:Extensions>{extension}</samlp:Extensions>' if asynchronous else ''}"
            f"{identifier or f'<saml:NameID{attributes}>{escape(value)}</saml:NameID>'}"
            f"{''.join(f'<samlp:SessionIndex>{escape(index)}</samlp:SessionIndex>' for index in indexes)}{extra}</samlp:LogoutRequest>"
        )

    def logout_response(
        self,
        destination: str | None,
        in_response_to: str | None,
        *,
        status: str = SUCCESS,
        second: str | None = None,
        issue_instant: str | None = None,
    ) -> str:
        """A LogoutResponse as text."""
        own = {
            "ID": "_" + secrets.token_hex(20),
            "Version": "2.0",
            "IssueInstant": issue_instant or instant(),
            "Destination": destination,
            "InResponseTo": in_response_to,
        }
        head = "".join(f" {k}={quoteattr(v)}" for k, v in own.items() if v is not None)
        inner = f'<samlp:StatusCode Value="{second}"/>' if second else ""
        return (
            f'<samlp:LogoutResponse xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"{head}><saml:Issuer>{escape(self.entity_id)}</saml:Issuer>'
            f'<samlp:Status><samlp:StatusCode Value="{status}">{inner}</samlp:StatusCode></samlp:Status></samlp:LogoutResponse>'
        )

    def logout_query(
        self,
        xml: str,
        *,
        parameter: str = "SAMLRequest",
        relay_state: str | None = None,
        sign: bool = True,
        key: TestKey | None = None,
        sig_alg: str = RSA_SHA256,
    ) -> str:
        """The query string of a logout message by HTTP-Redirect, signed unless ``sign`` says no."""
        query = f"{parameter}={quote_plus(deflate(xml))}" + (f"&RelayState={quote_plus(relay_state)}" if relay_state is not None else "")
        return sign_query(query, key or self.key, sig_alg) if sign else query

    def logout_form(
        self, xml: str, *, parameter: str = "SAMLRequest", relay_state: str | None = None, sign: bool = True, key: TestKey | None = None
    ) -> dict[str, str]:
        """The fields of a logout message by HTTP-POST, signed unless ``sign`` says no."""
        data = sign_xml(xml, key or self.key) if sign else xml.encode()
        form = {parameter: base64.b64encode(data).decode()}
        return form if relay_state is None else form | {"RelayState": relay_state}


# Browsers -----------------------------------------------------------------------------------------------------------

LOCAL = Hub.sso_url.removesuffix("/saml/sso")


def walk(browser: Browser, url: str, data: dict[str, str] | None = None, *, cookies: bool = True) -> TestResponse:
    """Open an address (a form with ``data``) and follow redirects as long as they stay at the hub.

    ``cookies=False`` sends none with the first request, as browsers do with the form of another site.
    """
    kept = list(browser.client._cookies.items()) if not cookies else []  # type: ignore[union-attr]
    if not cookies:
        browser.client._cookies.clear()  # type: ignore[union-attr]
    page = browser.client.get(url) if data is None else browser.client.post(url, data=data)
    if not cookies:
        browser.client._cookies.update({**dict(kept), **browser.client._cookies})  # type: ignore[union-attr, arg-type]
    while page.status_code in (302, 303) and page.location.removeprefix(LOCAL).startswith("/"):
        page = browser.client.get(page.location.removeprefix(LOCAL))
    browser.page = page
    return page


def carried(hub: Hub, browser: Browser) -> tuple[str, ReadLogout] | None:
    """Address and content of the logout message that the current page brings to a service; None when it brings none."""
    page = browser.page
    if page.status_code == 303:
        return page.location.split("?")[0], read_logout_redirect(page.location, hub.certificate)
    link = re.search(r'href="(https://[^"]*SAML(?:Request|Response)=[^"]*)"', page.text)
    if link:
        url = html.unescape(link[1])
        return url.split("?")[0], read_logout_redirect(url, hub.certificate)
    form = re.search(r'<form method="post" action="(https://[^"]+)"', page.text)
    value = browser.field("SAMLRequest") or browser.field("SAMLResponse")
    if form and value:
        return html.unescape(form[1]), read_logout_post(value, hub.certificate, browser.field("RelayState"))
    return None


@dataclass
class Round:
    """A browser that carries the hub's logout messages to the services, which answer as they are told."""

    hub: Hub
    browser: Browser
    services: Sequence[LogoutSP]
    silent: Sequence[str] = ()
    """Names of services that never answer: the person goes on without."""
    refusing: Sequence[str] = ()
    told: list[tuple[str, ReadLogout]] = field(default_factory=list)
    """Name of each service that received a LogoutRequest, with it, in order."""

    def finish(self) -> tuple[str, ReadLogout] | None:
        """Go round until no service is asked any more. Returns the LogoutResponse that the last page carries, if any."""
        for _ in range(2 * len(self.services) + 5):
            found = carried(self.hub, self.browser)
            if found is None or found[1].kind == "LogoutResponse":
                return found
            self._answer(*found)
        raise AssertionError("the round does not end")

    def _answer(self, address: str, message: ReadLogout) -> None:
        (service,) = [sp for sp in self.services if address in (location for _, location, *_ in sp.slo)]
        assert message.destination == address and message.issuer == f"{LOCAL}/saml/metadata"
        self.told.append((service.name, message))
        if service.name in self.silent:
            skip = re.search(r'href="(/logout/progress\?skip=[^"]+)"', self.browser.page.text)
            assert skip
            walk(self.browser, html.unescape(skip[1]))
            return
        status = RESPONDER if service.name in self.refusing else SUCCESS
        xml = service.logout_response(SLO, message.id, status=status)
        if "<form" in self.browser.page.text:
            walk(self.browser, "/saml/slo", service.logout_form(xml, parameter="SAMLResponse"), cookies=False)
        else:
            walk(self.browser, "/saml/slo?" + service.logout_query(xml, parameter="SAMLResponse"))


def visit(hub: Hub, browser: Browser, sp: MockSP, role: str | None = None, **options: Any) -> ReadResponse:
    """Arrive at a service; with ``role`` after signing in as that person of the demo."""
    browser.start(sp, **options)
    if role:
        browser.sign_in(hub.people[role])
    return hub.read(browser, sp)


def is_signed_in(browser: Browser) -> bool:
    """Whether the hub still knows this browser."""
    return browser.client.get("/account").status_code == 200


def ask(
    browser: Browser, sp: LogoutSP, visit: ReadResponse, *, by: str = REDIRECT, relay_state: str | None = None, **request: Any
) -> TestResponse:
    """The service sends the browser with its LogoutRequest."""
    options = {name: request.pop(name) for name in ("sign", "key", "sig_alg") if name in request}
    xml = sp.logout_request(request.pop("destination", SLO), visit, **request)
    if by == POST:
        return walk(browser, "/saml/slo", sp.logout_form(xml, relay_state=relay_state, **options), cookies=False)
    return walk(browser, "/saml/slo?" + sp.logout_query(xml, relay_state=relay_state, **options))
