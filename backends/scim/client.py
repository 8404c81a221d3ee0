"""Asking a SCIM 2.0 server (RFC 7644), and nothing else: bounded in time, size and number, and never led elsewhere.

Questions go by ``POST …/.search`` (RFC 7644 section 3.4.3): an INE or a name in an address would end up in access logs.
Redirects are not followed, proxies and cookies of the environment are not used, compression is not asked for.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpcore

from .. import Refused, Unavailable
from . import network

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
BODY_MAX = 8 * 1024 * 1024
"""Bytes of one answer."""
FOUND_MAX = 20_000
"""Resources of one question, all pages together."""
TRIES = 2
"""A question changes nothing, so one that failed on the way is asked once more, in the time that is left."""

_BUSY = frozenset((429, 502, 503, 504))
_TROUBLE = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
_CONTENT = ("application/scim+json", "application/json")


class ScimClient:
    """One server. ``limit`` bounds each call of the directory, in seconds; ``page`` is the number of resources in one answer."""

    def __init__(self, url: str, token_file: Path, *, ca_file: Path | None = None, limit: float = 3.0, page: int = 200) -> None:
        self._base = checked_url(url)
        self._token_file = token_file
        self._limit = limit
        self._page = page
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(cafile=str(ca_file) if ca_file else None),
            max_connections=16,
            keepalive_expiry=30,
            network_backend=network.Network(),
        )

    def bounded(self) -> AbstractContextManager[None]:
        """Several questions in the time of one call."""
        return network.deadline(self._limit)

    def search(self, endpoint: str, filter_: str) -> list[dict[str, Any]]:
        """Every resource of ``Users`` or ``Groups`` that the filter matches. Raises Unavailable, Refused."""
        with self.bounded():
            return list(self._pages(endpoint, filter_))

    def sample(self, endpoint: str) -> tuple[int, list[dict[str, Any]]]:
        """How many resources there are, and one of them if there is any. Raises Unavailable, Refused."""
        with self.bounded():
            total, found = self._ask(endpoint, {"count": 1})
        if total and not found:
            raise Unavailable("a page without resources before the end of the list")
        return total, found

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _pages(self, endpoint: str, filter_: str) -> Iterator[dict[str, Any]]:
        start, total = 1, 1
        while start <= total:
            total, found = self._ask(endpoint, {"filter": filter_, "startIndex": start, "count": self._page})
            if total > FOUND_MAX:
                raise Refused(f"more than {FOUND_MAX} resources")
            if not found and start <= total:
                raise Unavailable("a page without resources before the end of the list")
            yield from found
            start += len(found)

    def _ask(self, endpoint: str, question: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        answer = self._post(f"{self._base}/{endpoint}/.search", {"schemas": [SEARCH], "excludedAttributes": ["members"], **question})
        total, found = answer.get("totalResults"), answer.get("Resources") or []
        if not isinstance(total, int) or not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Unavailable("the answer is no SCIM list")
        return total, found

    def _post(self, url: str, question: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(question).encode()
        headers = {
            "Authorization": f"Bearer {read_token(self._token_file)}",
            "Content-Type": "application/scim+json",
            "Accept": ", ".join(_CONTENT),
        }
        for tries_left in reversed(range(TRIES)):
            try:
                status, content_type, answer = self._exchange(url, headers, body)
            except _TROUBLE as exc:
                if not tries_left:
                    raise Unavailable(type(exc).__name__) from exc
                continue
            if status in _BUSY and tries_left:
                self._breathe()
                continue
            return _judged(status, content_type, answer)
        raise AssertionError

    def _exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        host = urlsplit(url).netloc
        pairs = [("Host", host), *headers.items(), ("Content-Length", str(len(body)))]
        with self._pool.stream("POST", url, headers=pairs, content=body, extensions={"timeout": {"pool": network.left()}}) as response:
            content_type = next((value for name, value in response.headers if name.lower() == b"content-type"), b"")
            answer = bytearray()
            for chunk in response.iter_stream():
                answer += chunk
                if len(answer) > BODY_MAX:
                    raise Unavailable(f"an answer of more than {BODY_MAX} bytes")
            return response.status, content_type.decode("latin-1").partition(";")[0].strip().lower(), bytes(answer)

    def _breathe(self) -> None:
        """A server that says it is busy gets a moment."""
        time.sleep(min(0.2, network.left() / 4))


def _judged(status: int, content_type: str, answer: bytes) -> dict[str, Any]:
    """The table in an answer. Raises Refused for what the server declined, Unavailable for everything that is no answer."""
    if status in (401, 403):
        raise Refused(f"the server does not accept the token ({status})")
    if 400 <= status < 500 and status not in _BUSY:
        raise Refused(f"the server declined the question ({status})")
    if status != 200:
        raise Unavailable(f"status {status}")
    if content_type not in _CONTENT:
        raise Unavailable("an answer that is no JSON")
    try:
        table = json.loads(answer)
    except (ValueError, RecursionError):
        raise Unavailable("an answer that is no JSON") from None
    if not isinstance(table, dict):
        raise Unavailable("the answer is no SCIM list")
    return table


def checked_url(url: str) -> str:
    """The base address without a trailing slash. Raises ValueError unless it is https, or http on loopback."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.query or parts.fragment or parts.scheme not in ("http", "https"):
        raise ValueError("url: an https address without query or password")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("url: http is only for this machine; use https")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(path: Path) -> str:
    """The bearer token in a file, read each time so that it may be replaced at any moment. Raises Refused when it is unusable."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as exc:
        raise Refused(f"token file: {type(exc).__name__}") from None
    if not token or not token.isprintable() or " " in token:
        raise Refused("token file: no token in it")
    return token
