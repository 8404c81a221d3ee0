"""HTTP-Redirect and HTTP-POST: from what travelled to the bytes of a message, and back (SAML bindings 3.4, 3.5)."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from .crypto import PrivateKey, sign_query
from .messages import MessageRefused
from .xml import MAX_MESSAGE

MAX_QUERY = 64 * 1024
"""Bytes of a query string."""
RELAY_STATE_LIMIT = 2_000
RELAY_STATE_STRICT_LIMIT = 80
"""Bytes of RelayState in UTF-8 (security.md, decision 6)."""

_MESSAGES = ("SAMLRequest", "SAMLResponse")
_PARAMETERS = frozenset((*_MESSAGES, "RelayState", "SigAlg", "Signature"))
_LINE_BREAKS = re.compile(r"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message as bytes, still judged by nobody."""

    xml: bytes
    relay_state: str | None


def _refused(detail: str) -> MessageRefused:
    return MessageRefused("malformed_message", detail)


def raw_parameters(raw_query: str) -> dict[str, str]:
    """The SAML parameters of a query string, values still percent-encoded as they travelled.

    Others are ignored. Refuses (:class:`MessageRefused`) a parameter that comes twice or whose name is itself encoded,
    a request together with a response, and a signature without algorithm or the reverse (RQ-16, RQ-19, RQ-20).
    """
    if len(raw_query) > MAX_QUERY or not raw_query.isascii():
        raise _refused("query string too long or not ASCII")
    found: dict[str, str] = {}
    for part in raw_query.split("&"):
        raw_name, _, value = part.partition("=")
        name = unquote_plus(raw_name)
        if name not in _PARAMETERS:
            continue
        if name in found or raw_name != name:
            raise _refused(f"{name} given twice or under another spelling")
        found[name] = value
    if all(name in found for name in _MESSAGES):
        raise _refused("SAMLRequest together with SAMLResponse")
    if ("Signature" in found) != ("SigAlg" in found):
        raise _refused("Signature without SigAlg, or the reverse")
    return found


def decode_redirect(raw_query: str, parameter: str = "SAMLRequest") -> Decoded:
    """The message of a Redirect query string, inflated with a cap (RQ-36, RQ-45). Its signature is not verified here."""
    found = raw_parameters(raw_query)
    if parameter not in found:
        raise _refused(f"no {parameter}")
    relay_state = found.get("RelayState")
    return Decoded(
        xml=_inflate(_strict_base64(_percent_decoded(found[parameter]))),
        relay_state=None if relay_state is None else _relay_state(_percent_decoded(relay_state)),
    )


def decode_post(form: Iterable[tuple[str, str]], raw_query: str = "", parameter: str = "SAMLRequest") -> Decoded:
    """The message of a POST form, whose address may carry no SAML parameter (RQ-21). It is never inflated (RQ-38)."""
    if raw_parameters(raw_query):
        raise _refused("SAML parameters in the address of a form")
    found: dict[str, str] = {}
    for name, value in form:
        if name not in _PARAMETERS:
            continue
        if name in found:
            raise _refused(f"{name} given twice")
        found[name] = value
    if parameter not in found or any(name in found for name in _MESSAGES if name != parameter):
        raise _refused(f"not exactly one {parameter}")
    relay_state = found.get("RelayState")
    return Decoded(
        xml=_strict_base64(found[parameter]),
        relay_state=None if relay_state is None else _relay_state(relay_state),
    )


def encode_redirect(
    address: str,
    xml: bytes,
    *,
    relay_state: str | None = None,
    key: PrivateKey | None = None,
    parameter: str = "SAMLRequest",
) -> str:
    """The address to send the browser to; signed when ``key`` is given. The address may have a query of its own."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    message = compressor.compress(xml) + compressor.flush()
    query = f"{parameter}={quote(base64.b64encode(message), safe='')}"
    if relay_state is not None:
        query += f"&RelayState={quote(relay_state, safe='')}"
    if key is not None:
        query = sign_query(query, key)
    return f"{address}{'&' if '?' in address else '?'}{query}"


def encode_post(xml: bytes) -> str:
    """The value of the form field SAMLRequest or SAMLResponse."""
    return base64.b64encode(xml).decode("ascii")


def _percent_decoded(value: str) -> str:
    try:
        return unquote_plus(value, errors="strict")
    except UnicodeDecodeError:
        raise _refused("a parameter is not UTF-8") from None


def _relay_state(value: str) -> str:
    """Kept as it came. NUL and lone surrogates cannot travel back in a form: refused rather than altered (RQ-48)."""
    if "\0" in value:
        raise _refused("NUL in RelayState")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused("RelayState is not UTF-8") from None
    return value


def _strict_base64(value: str) -> bytes:
    """Base64 of the standard alphabet; line feeds are tolerated, as MIME encoders write them."""
    if len(value) > MAX_MESSAGE * 2:
        raise _refused("too long")
    try:
        return base64.b64decode(_LINE_BREAKS.sub("", value), validate=True)
    except (binascii.Error, ValueError):
        raise _refused("not base64") from None


def _inflate(data: bytes) -> bytes:
    """Raw deflate, whole and alone, up to the size of a message: memory never grows beyond it."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        message = inflater.decompress(data, MAX_MESSAGE + 1)
    except zlib.error:
        raise _refused("not deflated") from None
    if len(message) > MAX_MESSAGE or not inflater.eof or inflater.unused_data:
        raise _refused("deflated data too long, cut short or followed by something")
    return message
