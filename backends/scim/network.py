"""A network whose every operation takes what is left of the call's time, so that no server can stretch a call byte by byte."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

_current = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound the network operations of this thread as a whole. Inside of another one, the outer bound holds."""
    if hasattr(_current, "until"):
        yield
        return
    _current.until = time.monotonic() + seconds
    try:
        yield
    finally:
        del _current.until


def left() -> float:
    """Seconds left of the current call. Raises httpcore.ReadTimeout when there are none."""
    seconds: float = _current.until - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout("the time of the call is over")
    return seconds


class Stream(httpcore.NetworkStream):
    """A connection that answers within the deadline or not at all."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, left())

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> Stream:
        return Stream(self._inner.start_tls(ssl_context, server_hostname, left()))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()


class Network(httpcore.NetworkBackend):
    """Connects within the deadline; the addresses of a host share what is left (FT-19: one that swallows packets)."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Stream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as exc:
            raise httpcore.ConnectError("no such host") from exc
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        failure: Exception = httpcore.ConnectError("no address")
        for number, address in enumerate(addresses):
            try:
                share = left() / (len(addresses) - number)
                return Stream(self._inner.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure
