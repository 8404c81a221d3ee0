"""The SMS gateway: one HTTP request for each message, written as the operator's documentation says (docs/how-to/send-sms.md).

The address comes from the settings alone, no redirect is followed, and a message takes a bounded time.
"""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import httpcore
from pydantic import BaseModel, ConfigDict, Field, field_validator

from backends.scim.network import Network, deadline

TIMEOUT = 20.0
"""Seconds for one message, connection included."""
LONGEST_ANSWER = 64 * 1024

_LOCAL = ("localhost", "127.0.0.1", "::1")


class SmsGateway(BaseModel):
    """How an operator wants to be asked. ``{to}``, ``{text}``, ``{id}`` and ``{secret}`` are filled in, in ``headers`` and ``body``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="Address of the gateway: https, or http on this machine.")
    method: Literal["POST", "PUT", "GET"] = Field("POST", description="GET sends the fields of `body` in the address.")
    headers: dict[str, str] = Field({}, description='For example `Authorization = "Bearer {secret}"`.')
    encoding: Literal["json", "form"] = Field("json", description="How `body` is written.")
    body: dict[str, Any] = Field(description="The fields, each a text with placeholders; with `json` they may hold tables and lists.")
    secret_file: Path | None = Field(None, description="File with what `{secret}` stands for, so that it is not among the settings.")
    plus: bool = Field(True, description="Whether numbers keep their plus: `+33639980010` or `33639980010`.")
    success_status: frozenset[int] = Field(frozenset((200, 201, 202, 204)), description="HTTP statuses of a message that was taken.")
    success_text: str = Field("", description="Regular expression that the answer of a message that was taken holds. Empty: any.")

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or parts.username or parts.fragment:
            raise ValueError("must be an absolute address without name and password")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise ValueError("must begin with https://")
        return value

    @field_validator("success_text")
    @classmethod
    def _expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as exc:
            raise ValueError(f"is no regular expression: {exc}") from None
        return value

    def __hash__(self) -> int:
        """By the address: a table has no hash."""
        return hash(self.url)


class GatewayRefused(OSError):
    """The gateway answered, and did not take the message. Says the status only: an answer may repeat number and text."""


def deliver(gateway: SmsGateway, *, to: str, text: str, id_: str) -> None:
    """Hand one message over. Raises GatewayRefused, or another OSError when there is no answer in time or the secret is missing."""
    request = compose(gateway, to=to, text=text, id_=id_, secret=_secret(gateway))
    try:
        with (
            deadline(TIMEOUT),
            httpcore.ConnectionPool(ssl_context=ssl.create_default_context(), network_backend=Network(), retries=0) as pool,
            pool.stream(request.method, request.url, headers=request.headers, content=request.content) as answer,
        ):
            status, body = answer.status, _first_part(answer)
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as exc:
        raise ConnectionError(type(exc).__name__) from None
    if status not in gateway.success_status or not re.search(gateway.success_text, body.decode("utf-8", "replace")):
        raise GatewayRefused(f"status {status}")


class Request(BaseModel):
    """One request, ready to go."""

    model_config = ConfigDict(frozen=True)

    method: str
    url: str
    headers: dict[bytes | str, bytes | str] = Field(repr=False)
    content: bytes = Field(repr=False)


def compose(gateway: SmsGateway, *, to: str, text: str, id_: str, secret: str) -> Request:
    """The request of one message. Pure. What is filled in is encoded where it stands: no text can add a field or a header."""
    values = {"to": to if gateway.plus else to.lstrip("+"), "text": text, "id": id_, "secret": secret}
    fields = _fill(gateway.body, values)
    headers: dict[bytes | str, bytes | str] = {name: _one_line(_fill(value, values)) for name, value in gateway.headers.items()}
    if gateway.method == "GET":
        separator = "&" if urlsplit(gateway.url).query else "?"
        return Request(method="GET", url=f"{gateway.url}{separator}{urlencode(fields)}", headers=headers, content=b"")
    if gateway.encoding == "form":
        content, type_ = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    else:
        content, type_ = json.dumps(fields, ensure_ascii=False).encode(), "application/json"
    return Request(method=gateway.method, url=gateway.url, headers={"Content-Type": type_, **headers}, content=content)


_PLACEHOLDER = re.compile(r"\{(to|text|id|secret)\}")


def _fill(template: Any, values: dict[str, str]) -> Any:
    """One pass: a placeholder inside of what is filled in stays as it is."""
    match template:
        case str():
            return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
        case dict():
            return {name: _fill(value, values) for name, value in template.items()}
        case list():
            return [_fill(value, values) for value in template]
        case _:
            return template


def _one_line(value: str) -> str:
    return re.sub(r"[\r\n\x00]", " ", value)


def _secret(gateway: SmsGateway) -> str:
    return gateway.secret_file.read_text().strip() if gateway.secret_file else ""


def _first_part(answer: httpcore.Response) -> bytes:
    found = b""
    for part in answer.iter_stream():
        found += part
        if len(found) >= LONGEST_ANSWER:
            break
    return found[:LONGEST_ANSWER]
