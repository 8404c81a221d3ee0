"""The figures of several gunicorn workers are added up, whichever of them is asked."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.real.demo_kit import Demo

pytestmark = pytest.mark.real


def _get(url: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return str(answer.read().decode())


def _answered(demo: Demo) -> float:
    found = re.search(r'^preau_requests_total\{status="2xx"\} (\S+)$', _get(demo.hub + "/metrics"), re.M)
    return float(found[1]) if found else 0.0


def test_figures_of_all_workers_are_added_up(demo: Demo):
    """Requests until both workers have had some: that many more, and each look at the page counts itself."""
    before, sent = _answered(demo), 0
    with ThreadPoolExecutor(16) as pool:
        while len(list((demo.folder / "metrics").glob("counter_*.db"))) < 2:
            assert sent < 8000, "one worker answers everything"
            list(pool.map(lambda _: _get(demo.hub + "/login/student"), range(80)))
            sent += 80
    looks = [_answered(demo) - before for _ in range(6)]
    assert looks == [sent + 1.0 + n for n in range(6)]


def test_a_proxy_in_front_does_not_open_the_page(demo: Demo):
    """Who comes by a proxy of this machine has its address, and is told that there is no such page."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(demo.hub + "/metrics", **{"X-Forwarded-For": "192.0.2.7"})
    assert refused.value.code == 404
    refused.value.close()
