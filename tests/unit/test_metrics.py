"""What is counted, for whom, and that nobody is named in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers

from hub.ops.metrics import may_read
from tests.hub_kit import Hub
from tests.saml_kit import MockSP

ENT = {"entity_id": "https://ent.example.fr/saml", "acs": ("https://ent.example.fr/saml/acs",)}


def figures(hub: Hub) -> dict[str, float]:
    """Every sample of the page, by its name and labels."""
    page = hub.app.test_client().get("/metrics")
    assert page.status_code == 200, page.text
    lines = [line for line in page.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_sign_ons_and_directory_calls_are_counted(hub: Hub):
    """One sign-on: the answer, its requests, its calls of the directory with their duration."""
    sp = hub.register(MockSP(**ENT))
    before = figures(hub)
    browser = hub.browser()
    browser.start(sp)
    browser.sign_in(hub.people["college_pupil"])
    browser.start(sp, is_passive=True)
    hub.browser().start(sp, is_passive=True)
    hub.browser().get("/no-such-page")
    after = figures(hub)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more('preau_signons_total{outcome="answered"}') == 2
    assert more('preau_signons_total{outcome="NoPassive"}') == 1
    assert more('preau_error_pages_total{code="not_found"}') == 1
    assert more('preau_requests_total{status="2xx"}') >= 4
    assert more('preau_requests_total{status="4xx"}') == 1
    assert more('preau_directory_calls_total{outcome="found",source="sql"}') >= 2
    assert more('preau_directory_seconds_count{call="students_by_ine",source="sql"}') >= 2


def test_the_page_names_nobody(hub: Hub):
    """No name, no INE, no identifier, no service: only what is in closed lists."""
    sp = hub.register(MockSP(**ENT))
    person = hub.people["college_pupil"]
    browser = hub.browser()
    browser.start(sp)
    browser.sign_in(person)
    text = hub.app.test_client().get("/metrics").text
    for secret in (person.name.split()[-1], person.identifier, person.ref.split("/")[-1], "ent.example.fr"):
        assert secret not in text


LOCAL = Headers()


def test_without_a_token_only_this_machine_reads(tmp_path: Path):
    """And nobody who came by a proxy of this machine."""
    assert may_read("127.0.0.1", LOCAL, None)
    assert may_read("::1", LOCAL, None)
    for peer in ("10.0.0.5", "192.0.2.1", "", None, "unix"):
        assert not may_read(peer, LOCAL, None)
    for name in ("X-Forwarded-For", "Forwarded", "x-real-ip", "Via"):
        assert not may_read("127.0.0.1", Headers({name: "127.0.0.1"}), None)


def test_with_a_token_only_the_token_reads(tmp_path: Path):
    """From anywhere, and this machine needs it too; a file that is missing or empty lets nobody in."""
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    good = Headers({"Authorization": "Bearer s3cret"})
    assert may_read("192.0.2.1", good, path)
    for value in ("", "Bearer ", "Bearer S3cret", "s3cret", "Basic s3cret", "Bearer s3crét"):
        assert not may_read("127.0.0.1", Headers({"Authorization": value}), path)
    path.write_text("")
    assert not may_read("127.0.0.1", Headers({"Authorization": "Bearer "}), path)
    path.unlink()
    assert not may_read("127.0.0.1", good, path)


def test_for_others_there_is_no_such_page(hub: Hub):
    """404 with the usual page, not 403."""
    page = hub.app.test_client().get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
    assert page.status_code == 404
    assert "preau_" not in page.text


@pytest.mark.parametrize("module", ["hub.cli", "hub.web.server"])
def test_nothing_is_counted_before_the_workers_share(module: str):
    """The library looks at its folder when it is imported: neither the command nor the server may import it too early."""
    code = f"import {module}, sys; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
