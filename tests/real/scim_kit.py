"""A small SCIM 2.0 server on loopback, over HTTP or HTTPS: a population, the filters that our back end sends, and faults on demand."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from backends import Guardian, Person, School, Staff, Student, Tie
from backends.contract import Population
from backends.scim.schema import GROUP, USER

TOKEN = "a-token-for-tests"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
Resource = dict[str, Any]


@dataclass
class ScimServer:
    """What the tests hold of a running server."""

    users: list[Resource]
    groups: list[Resource]
    url: str = ""
    fault: Callable[[BaseHTTPRequestHandler], bool] | None = None
    """Called before each answer; True when it has answered, or hung, in its place."""
    questions: list[dict[str, Any]] = field(default_factory=list)
    """Every question that was asked."""
    paths: list[str] = field(default_factory=list)


def user(person: Person, ties: tuple[Tie, ...]) -> Resource:
    """A person as a user resource."""
    more: Resource = {"academy": person.academy, "birthName": person.birth_name}
    resource: Resource = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", USER],
        "id": str(person.ref).replace("/", "-"),
        "externalId": str(person.ref),
        "userName": str(person.ref),
        "name": {"familyName": person.family_name, "givenName": person.given_name, "honorificPrefix": person.civility},
        "emails": [{"value": person.mail, "type": "other"}] if person.mail else [],
        USER: more,
    }
    match person:
        case Student():
            more["ine"] = person.ine
            more["birthDate"] = person.birth_date.isoformat() if person.birth_date else None
            more["otherGivenNames"] = list(person.other_given_names)
            more["siecleNumber"] = person.siecle_number
            more["enrolments"] = [
                {"uai": e.uai, "division": e.division, "mef": e.mef, "mefLabel": e.mef_label, "level": e.level} for e in person.enrolments
            ]
            more["guardians"] = [{"value": str(t.guardian), "capacity": t.capacity.value} for t in ties if t.student == person.ref]
        case Guardian():
            resource["phoneNumbers"] = [{"value": number, "type": "mobile"} for number in person.mobiles]
        case Staff():
            more["functions"] = [{"uai": uai, "code": code} for uai, code in person.functions]
    return resource


def group(school: School) -> Resource:
    """A school as a group resource."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", GROUP],
        "id": school.uai,
        "externalId": school.uai,
        "displayName": school.name,
        GROUP: {
            "academy": school.academy, "degree": school.degree.value, "type": school.type, "town": school.town,
            "private": school.private, "agricultural": school.agricultural,
        },
    }  # fmt: skip


# The filters: `a eq "x"`, `list.b eq "x"`, `list[b eq "x" and c eq "y"]`, joined by `and` or by `or` -------------------

_EQ = re.compile(r'\s*([\w:.]+?)\s+eq\s+("(?:[^"\\]|\\.)*")\s*')


def matches(resource: Resource, text: str) -> bool:
    """Whether the filter matches. Raises ValueError for one that is no filter."""
    if text.endswith("]"):
        path, _, inner = text[:-1].partition("[")
        return any(matches(one, inner) for one in _reach(resource, path) if isinstance(one, dict))
    verdicts, operators = [], []
    while True:
        found = _EQ.match(text)
        if not found:
            raise ValueError(text)
        wanted = json.loads(found[2])
        verdicts.append(any(isinstance(v, str) and v.casefold() == wanted.casefold() for v in _reach(resource, found[1])))
        text = text[found.end() :]
        if not text:
            return all(verdicts) if "and" in operators else any(verdicts)
        word, _, text = text.partition(" ")
        if word not in ("and", "or"):
            raise ValueError(text)
        operators.append(word)


def _reach(resource: Resource, path: str) -> list[Any]:
    values: list[Any] = [resource]
    urn = next((one for one in (USER, GROUP) if path.startswith(one + ":")), None)
    names = [urn, *path[len(urn) + 1 :].split(".")] if urn else path.split(".")
    for name in names:
        values = [v[name] for v in values if isinstance(v, dict) and v.get(name) is not None]
        values = [one for v in values for one in (v if isinstance(v, list) else [v])]
    return values


def _handler(server: ScimServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            server.paths.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if server.fault and server.fault(self):
                return
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.reply(401, {"status": "401"})
                return
            question = json.loads(body)
            server.questions.append(question)
            resources = {"/scim/v2/Users/.search": server.users, "/scim/v2/Groups/.search": server.groups}[self.path]
            try:
                wanted = question.get("filter")
                found = [one for one in resources if not wanted or matches(one, wanted)]
            except ValueError:
                self.reply(400, {"status": "400", "scimType": "invalidFilter"})
                return
            start, count = question.get("startIndex", 1), question.get("count", 100)
            page = found[start - 1 : start - 1 + count]
            self.reply(
                200, {"schemas": [LIST], "totalResults": len(found), "startIndex": start, "itemsPerPage": len(page), "Resources": page}
            )

        def reply(self, status: int, answer: Resource | bytes, content_type: str = "application/scim+json", **headers: str) -> None:
            """Send a whole answer."""
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args: object) -> None:
            """Nothing on the test's output."""

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def scim_server(population: Population, *, certificate: tuple[Path, Path] | None = None) -> Iterator[ScimServer]:
    """A server that knows the population; with ``certificate``, chain and key files, it speaks HTTPS."""
    everyone: tuple[Person, ...] = (*population.students, *population.guardians, *population.staff)
    server = ScimServer([user(person, population.ties) for person in everyone], [group(school) for school in population.schools])
    httpd = _Quiet(("127.0.0.1", 0), _handler(server))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    scheme = "https" if certificate else "http"
    server.url = f"{scheme}://localhost:{httpd.server_port}/scim/v2"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join(5)
