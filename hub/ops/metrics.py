"""What is counted for Prometheus: requests, sign-ons, error pages, calls of each directory source. Nothing personal.

Under gunicorn every worker counts in files of one folder (``PROMETHEUS_MULTIPROC_DIR``), and whichever worker is asked adds
them up; that variable must be set before this module is imported, which :mod:`hub.web.server` does.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from werkzeug.datastructures import Headers

REGISTRY = CollectorRegistry()

REQUESTS = Counter("preau_requests", "Requests by class of the HTTP status.", ["status"], registry=REGISTRY)
SIGNONS = Counter(
    "preau_signons",
    "Sign-ons by outcome: answered, the SAML status of a refusal, or the code of the page shown.",
    ["outcome"],
    registry=REGISTRY,
)
ERROR_PAGES = Counter("preau_error_pages", "Error pages by code of the error catalogue.", ["code"], registry=REGISTRY)
DIRECTORY_CALLS = Counter(
    "preau_directory_calls", "Calls of a directory source by outcome (backends.watched.Observer).", ["source", "outcome"], registry=REGISTRY
)
DIRECTORY_SECONDS = Histogram(
    "preau_directory_seconds",
    "Duration of the calls that a directory source took, late ones included.",
    ["source", "call"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10),
    registry=REGISTRY,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")


def directory_call(source: str, call: str, outcome: str, seconds: float) -> None:
    """Count a call of a directory source; see :data:`backends.watched.Observer`."""
    DIRECTORY_CALLS.labels(source, outcome).inc()
    if outcome != "paused":
        DIRECTORY_SECONDS.labels(source, call).observe(seconds)


def render() -> bytes:
    """Everything that was counted, by all workers, in the text format of Prometheus."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    everyone = CollectorRegistry()
    multiprocess.MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
    return generate_latest(everyone)


def may_read(peer: str | None, headers: Headers, token_file: Path | None) -> bool:
    """Whether the figures are for this request: with the token when there is one, else from this machine by no proxy."""
    if token_file is not None:
        try:
            token = token_file.read_bytes().strip()
        except OSError:
            return False
        given = headers.get("Authorization", "").encode("utf-8", "replace")
        return bool(token) and hmac.compare_digest(given, b"Bearer " + token)
    if any(name in headers for name in FORWARDING):
        return False
    try:
        return ipaddress.ip_address(peer or "").is_loopback
    except ValueError:
        return False
