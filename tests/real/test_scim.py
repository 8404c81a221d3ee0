"""The SCIM back end on a real HTTP server: the contract, and every way in which a server may be sick or hostile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backends import Kind, NotFound, Ref, Refused, Unavailable
from backends.contract import LEA, NOE, POPULATION, DirectoryContract
from backends.scim import ScimDirectory, open_directory
from backends.scim.client import FOUND_MAX
from backends.scim.schema import GROUP, USER
from tests.real.scim_kit import TOKEN, ScimServer, scim_server

LIMIT = 0.8
"""Seconds of a call in the tests of sick servers."""


@pytest.fixture
def server() -> Iterator[ScimServer]:
    """A server with the population of the contract suite."""
    with scim_server(POPULATION) as running:
        yield running


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The token that the server accepts."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def directory_under_test(server: ScimServer, token_file: Path) -> Iterator[ScimDirectory]:
    """Pages of two, so that every list is read in several."""
    directory = open_directory(None, url=server.url, token_file=token_file, page=2)
    yield directory
    directory.close()


@pytest.fixture
def hasty(server: ScimServer, token_file: Path) -> Iterator[ScimDirectory]:
    """A directory that waits little."""
    directory = open_directory(None, url=server.url, token_file=token_file, limit=LIMIT)
    yield directory
    directory.close()


class TestScim(DirectoryContract):
    """Every behaviour of the contract, over HTTP."""


def test_no_question_is_in_an_address(directory_under_test: ScimDirectory, server: ScimServer):
    """An INE, a name or a mail in an address would end up in the access logs of the server and of every proxy."""
    directory_under_test.students_by_ine("123456789AB")
    directory_under_test.find_guardians("Zola", "Paul", mail="paul@exemple.fr")
    assert set(server.paths) == {"/scim/v2/Users/.search"}
    assert any("123456789AB" in question["filter"] for question in server.questions)


def test_a_text_is_never_grammar(directory_under_test: ScimDirectory, server: ScimServer):
    """A quote in a value stays inside of its value."""
    hostile = 'x" or externalId eq "10/2D/student/501'
    with pytest.raises(NotFound):
        directory_under_test.person(Ref("10", LEA.ref.degree, Kind.STUDENT, hostile.replace("/", "")))
    assert directory_under_test.find_guardians("Zola", "Paul", mail=hostile) == ()
    assert all(question["filter"].count(" or ") == question["filter"].count('" or ') for question in server.questions)


def test_more_than_the_question_is_not_taken(directory_under_test: ScimDirectory, server: ScimServer, monkeypatch: pytest.MonkeyPatch):
    """A server that ignores the filter makes nobody somebody else."""
    monkeypatch.setattr("tests.real.scim_kit.matches", lambda *_: True)
    server.users = [one for one in server.users if "/student/" in one["externalId"]]
    assert directory_under_test.person(NOE.ref) == NOE
    assert directory_under_test.students_by_ine("123456789CD") == (NOE,)
    with pytest.raises(NotFound):
        directory_under_test.person(Ref("10", LEA.ref.degree, Kind.STUDENT, "999"))


# Servers that are sick ------------------------------------------------------------------------------------------------


def _hang(_handler: BaseHTTPRequestHandler) -> bool:
    time.sleep(LIMIT * 6)
    return True


def _drip_headers(handler: BaseHTTPRequestHandler) -> bool:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    return _drip(handler)


def _drip_body(handler: BaseHTTPRequestHandler) -> bool:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\nContent-Length: 100000\r\n\r\n")
    return _drip(handler)


def _drip(handler: BaseHTTPRequestHandler) -> bool:
    for _ in range(80):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(LIMIT / 10)
    return True


def _break_off(handler: BaseHTTPRequestHandler) -> bool:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
    return True


def _endless(handler: Any) -> bool:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(2000):
        handler.wfile.write(chunk)
    return True


def _says(
    status: int, answer: bytes | dict[str, Any], content_type: str = "application/scim+json", **headers: str
) -> Callable[[Any], bool]:
    def fault(handler: Any) -> bool:
        handler.reply(status, answer, content_type, **headers)
        return True

    return fault


SICK: dict[str, Callable[[Any], bool]] = {
    "hangs": _hang,
    "drips headers": _drip_headers,
    "drips the body": _drip_body,
    "breaks off": _break_off,
    "never ends": _endless,
    "500": _says(500, b"{}"),
    "503": _says(503, b"{}"),
    "html": _says(200, b"<html>captive portal</html>", "text/html"),
    "no json": _says(200, b'{"totalResults": 1, "Resou'),
    "deep json": _says(200, b"[" * 100_000),
    "another schema": _says(200, {"totalResults": 1, "Resources": [{"uid": "lea"}]}),
    "a list without list": _says(200, {"totalResults": 1, "Resources": {"a": 1}}),
    "a total that lies": _says(200, {"totalResults": 5, "Resources": []}),
}


@pytest.mark.covers("FT-04")
@pytest.mark.parametrize("fault", SICK.values(), ids=SICK.keys())
def test_a_sick_server_is_unavailable_within_the_bound(hasty: ScimDirectory, server: ScimServer, fault: Callable[[Any], bool]):
    """Whatever it does, the answer is "try later", in time, and the next call finds it well again."""
    server.fault = fault
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        hasty.students_by_ine("123456789AB")
    assert time.monotonic() - begun < LIMIT + 1.5
    assert not hasty.health().ok
    server.fault = None
    assert hasty.students_by_ine("123456789CD") == (NOE,)
    assert hasty.health().ok


@pytest.mark.covers("FT-04", "FT-19")
def test_a_server_that_is_not_there_is_unavailable(token_file: Path):
    """A closed port, and a host without an address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        for url in (f"http://127.0.0.1:{taken.getsockname()[1]}", "https://no-such-host.invalid"):
            directory = open_directory(None, url=url, token_file=token_file, limit=LIMIT)
            with pytest.raises(Unavailable):
                directory.person(LEA.ref)
            directory.close()


def test_half_open_connections_are_unavailable(token_file: Path):
    """A port that takes connections and never reads: the backlog of a frozen server."""
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen(8)
        directory = open_directory(None, url=f"http://127.0.0.1:{frozen.getsockname()[1]}", token_file=token_file, limit=LIMIT)
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            directory.person(LEA.ref)
        assert time.monotonic() - begun < LIMIT + 1.5
        directory.close()


def test_a_question_that_failed_once_is_asked_again(hasty: ScimDirectory, server: ScimServer):
    """One broken connection or one "busy" is not felt; the second one is."""
    for fault in (_break_off, _says(503, b"{}"), _says(429, b"{}")):
        left = [fault]
        server.fault = lambda handler, left=left: bool(left) and left.pop()(handler)
        assert hasty.person(NOE.ref) == NOE


def test_an_answer_has_a_greatest_size(hasty: ScimDirectory, monkeypatch: pytest.MonkeyPatch):
    """A right answer that is too large is not read to its end; below the bound it is."""
    monkeypatch.setattr("backends.scim.client.BODY_MAX", 100)
    with pytest.raises(Unavailable, match="100 bytes"):
        hasty.person(LEA.ref)
    monkeypatch.setattr("backends.scim.client.BODY_MAX", 10_000)
    assert hasty.person(LEA.ref) == LEA


def test_redirects_are_not_followed(hasty: ScimDirectory, server: ScimServer):
    """The token goes to the server of the settings and to no other."""
    with scim_server(POPULATION) as elsewhere:
        server.fault = _says(307, b"", Location=elsewhere.url + "/Users/.search")
        with pytest.raises(Unavailable):
            hasty.person(LEA.ref)
        assert elsewhere.paths == []


def test_a_refusal_is_told_apart(hasty: ScimDirectory, server: ScimServer, token_file: Path):
    """A token that the server does not accept, an empty one, a missing file: Refused; a new token works at once."""
    assert hasty.person(LEA.ref) == LEA
    for text in ("wrong", "", "two words", "é"):
        token_file.write_text(text)
        with pytest.raises(Refused):
            hasty.person(LEA.ref)
    token_file.unlink()
    with pytest.raises(Refused):
        hasty.person(LEA.ref)
    token_file.write_text(TOKEN)
    assert hasty.person(LEA.ref) == LEA
    server.fault = _says(200, {"totalResults": FOUND_MAX + 1, "Resources": [{}]})
    with pytest.raises(Refused):
        hasty.students_by_ine("123456789AB")


def test_two_threads_have_a_bound_each(hasty: ScimDirectory, server: ScimServer):
    """A call that waits in one thread takes nothing from the time of another."""
    gate = threading.Event()
    server.fault = lambda handler: gate.set() or _hang(handler) if not gate.is_set() else False
    errors: list[BaseException] = []

    def slow() -> None:
        try:
            hasty.person(LEA.ref)
        except Unavailable as exc:
            errors.append(exc)

    thread = threading.Thread(target=slow)
    thread.start()
    assert gate.wait(5)
    assert hasty.person(NOE.ref) == NOE
    thread.join(5)
    assert len(errors) <= 1


# TLS and settings -----------------------------------------------------------------------------------------------------


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A self-signed certificate for that host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{host}.crt", folder / f"{host}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


def test_the_certificate_of_the_server_is_checked(tmp_path: Path, token_file: Path):
    """A known authority and the right name: read. An unknown authority, or another name: unavailable, and the token is not sent."""
    right, wrong = certificate(tmp_path, "localhost"), certificate(tmp_path, "elsewhere.example")
    for chain, ca_file, good in ((right, right[0], True), (right, None, False), (right, wrong[0], False), (wrong, wrong[0], False)):
        with scim_server(POPULATION, certificate=chain) as server:
            directory = open_directory(None, url=server.url, token_file=token_file, ca_file=ca_file)
            if good:
                assert directory.person(LEA.ref) == LEA
            else:
                with pytest.raises(Unavailable):
                    directory.person(LEA.ref)
                assert server.paths == []
            directory.close()


@pytest.mark.parametrize(
    "url", ["http://scim.example.fr", "ftp://localhost", "localhost", "https://u:p@scim.example.fr", "https://a.fr/?x=1"]
)
def test_an_address_that_would_leak_is_not_opened(url: str, token_file: Path):
    """The token never travels in clear, nor does a password in an address."""
    with pytest.raises(ValueError, match="url"):
        open_directory(None, url=url, token_file=token_file)


@pytest.mark.parametrize("values", [{"limit": 0}, {"limit": 60}, {"page": 0}, {"page": "many"}])
def test_options_out_of_their_range_are_refused(values: dict[str, Any], token_file: Path):
    """A limit that is no limit is not accepted."""
    with pytest.raises(ValueError, match="validation error"):
        open_directory(None, url="https://scim.example.fr", token_file=token_file, **values)


def test_resources_are_read_by_type_not_by_luck(hasty: ScimDirectory, server: ScimServer):
    """Each attribute of the wrong type makes the resource unreadable, and the error does not repeat its value."""
    (noe,) = (one for one in server.users if one["externalId"] == str(NOE.ref))
    for table, name, value in (
        (noe, "externalId", str(NOE.ref) + "/x"), (noe, "name", "Zola"), (noe["name"], "familyName", 7), (noe, USER, None),
        (noe[USER], "ine", 5), (noe[USER], "birthDate", "2/1/2012"), (noe[USER], "enrolments", ["0690001B"]),
        (noe[USER], "otherGivenNames", [1]), (noe[USER], "guardians", [{"value": str(LEA.ref), "capacity": "LEGAL"}]),
        (noe[USER], "guardians", [{"value": "10/2D/guardian/601", "capacity": "ADMIN"}]),
    ):  # fmt: skip
        server.fault = None
        kept, table[name] = table[name], value
        server.fault = _says(200, {"totalResults": 1, "Resources": [noe]})
        with pytest.raises(Unavailable) as refused:
            hasty.guardians_of(NOE.ref)
        assert "Zola" not in str(refused.value)
        assert "2/1/2012" not in str(refused.value)
        table[name] = kept
    assert server.groups[0][GROUP]["degree"] == "2D"
    server.groups[0][GROUP]["degree"] = "3D"
    server.fault = None
    with pytest.raises(Unavailable):
        hasty.school(server.groups[0]["externalId"])
