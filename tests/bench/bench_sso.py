"""CPU of one single sign-on beside the bare in-process signature of the same assertion, both RSA-2048, in one run.

A sign-on here: a browser with a living session comes by the Redirect binding and gets the signed answer, through the whole
WSGI application with its database. `python -m tests.bench.bench_sso`
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import xmlsec
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import EnvironBuilder

from hub import create_app
from hub.demo.run import demo_settings, prepare
from hub.instance import Instance
from hub.ops import logs
from hub.registry import service as registry
from hub.saml.keys import generate_key_pair, save_key_pair
from tests.saml_kit import NS, MockSP

LAYOUTS = {
    "response and assertion signed": registry.Choices(encryption_waived=True),
    "assertion signed": registry.Choices(encryption_waived=True, sign_response=False),
    "both signed, encrypted": registry.Choices(),
}


def cpu_ms(work: Callable[[], object], times: int) -> float:
    """Median process CPU of one call, in milliseconds, over batches of ten."""
    figures = []
    for _ in range(times // 10):
        begin = time.process_time()
        for _ in range(10):
            work()
        figures.append((time.process_time() - begin) * 100)
    return statistics.median(figures)


def sign_in(client: FlaskClient, identifier: str, password: str, profile: str) -> None:
    """Open a session as a browser does."""
    page = client.get(f"/login/{profile}").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    answer = client.post(f"/login/{profile}", data={"username": identifier, "password": password, "csrf_token": token[1]})
    assert answer.status_code == 303, answer.text


def arrival(client: FlaskClient, query: str) -> dict[str, object]:
    """The request of that browser as the application server hands it over."""
    cookie = client.get_cookie("preau")
    assert cookie
    return EnvironBuilder("/saml/sso", query_string=query, headers={"Cookie": f"preau={cookie.value}"}).get_environ()


def through(app: Flask, environ: dict[str, object]) -> None:
    """Send it through the application and take the whole answer."""
    statuses: list[str] = []
    body = app(environ, lambda status, _headers, _exc=None: statuses.append(status))
    page = b"".join(body)
    assert statuses[0].startswith("200"), page.decode()
    assert b"SAMLResponse" in page


def bare_signature(assertion: etree._Element, key_pem: bytes) -> Callable[[], object]:
    """Signing that assertion with python-xmlsec and nothing else."""
    for old in assertion.findall("ds:Signature", NS):
        assertion.remove(old)
    text = etree.tostring(assertion)
    id_ = assertion.get("ID")
    key = xmlsec.Key.from_memory(key_pem, xmlsec.constants.KeyDataFormatPem)

    def work() -> None:
        node = etree.fromstring(text)
        signature = xmlsec.template.create(node, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256)
        node.insert(1, signature)
        reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri=f"#{id_}")
        xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
        xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
        context = xmlsec.SignatureContext()
        context.key = key
        context.register_id(node, "ID", None)
        context.sign(signature)
        etree.tostring(node)

    return work


def main(times: int) -> None:
    """Print one line for each layout of signatures."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "hub.log").open("w") as log:
        logs.configure("info", stream=log)  # as in production: what a sign-on costs includes its log lines
        settings = demo_settings(8000, Path(folder))
        save_key_pair(settings.keys_dir, "signing", generate_key_pair("localhost", bits=2048))
        people = prepare(settings, sp_base_url="http://localhost:8001")
        pupil = next(person for person in people if person.role == "college_pupil")
        app = create_app(settings)
        instance: Instance = app.extensions["preau"]
        client = app.test_client()
        sign_in(client, pupil.identifier, pupil.password, "student")
        print("CPU of one sign-on (existing session, Redirect in, signed answer out, RSA-2048, SQLite)")
        for name, choices in LAYOUTS.items():
            _measure(client, instance, name, choices, times)


def _measure(client: FlaskClient, instance: Instance, name: str, choices: registry.Choices, times: int) -> None:
    slug = name.replace(" ", "-").replace(",", "")
    sp = MockSP(f"https://{slug}.example/sp", acs=[f"https://{slug}.example/acs"], encrypt=not choices.encryption_waived)
    with instance.database.transaction() as db:
        registry.add(db, sp.metadata(), replace(choices), actor="bench", approve=True)
    destination = f"{instance.settings.base_url}/saml/sso"
    queries = iter([sp.redirect_query(destination=destination) for _ in range(times + 20)])
    page = client.get("/saml/sso?" + next(queries))
    found = re.search(r'name="SAMLResponse"[^>]*value="([^"]+)"', page.text)
    assert found, page.text
    read = sp.read_response(found[1], instance.signing_key.certificate_pem)
    assertion = etree.fromstring(read.xml).find(".//saml:Assertion", NS)
    bare = bare_signature(etree.fromstring(etree.tostring(assertion)), instance.signing_key.private_key_pem)
    arrivals = iter([arrival(client, query) for query in queries])
    for _ in range(10):
        through(client.application, next(arrivals))
    signature = cpu_ms(bare, times)
    whole = cpu_ms(lambda: through(client.application, next(arrivals)), times)
    print(f"  {name:32} {whole:6.2f} ms   bare signature {signature:5.2f} ms   ratio {whole / signature:4.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=300, help="sign-ons for each layout")
    main(parser.parse_args().times)
