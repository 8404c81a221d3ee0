"""The hub and its directory on a real PostgreSQL: contract, import, sign-on, several workers at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from backends import Kind, iterate
from backends.contract import POPULATION, DirectoryContract
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.models import DirectoryBase
from backends.sql.population import load
from hub.db import create_engine_for
from hub.db.migrate import upgrade
from hub.db.tables import Base
from hub.feeding.flow import import_delivery
from hub.feeding.generate import Plan, generate
from hub.saml.names import NAMEID_PERSISTENT
from tests.hub_kit import Hub, open_hub
from tests.logout_kit import SLO, SUCCESS, LogoutSP, Round, ask, carried, is_signed_in, visit, walk
from tests.real.postgres_kit import PostgreSQL, postgresql
from tests.saml_kit import MockSP

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """One server for this module."""
    with postgresql() as running:
        yield running


@pytest.fixture
def directory_under_test(server: PostgreSQL) -> Iterator[SqlDirectory]:
    """The fixed population of the contract suite."""
    directory = SqlDirectory(create_directory_engine(server.database()))
    DirectoryBase.metadata.create_all(directory.engine)
    load(directory, POPULATION)
    yield directory
    directory.close()


class TestPostgresql(DirectoryContract):
    """Every behaviour of the contract, on PostgreSQL."""


def test_the_migrations_give_the_declared_tables(server: PostgreSQL):
    """As on SQLite: nothing missing, nothing left over."""
    url = server.database()
    upgrade(url)
    engine = create_engine_for(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), [Base.metadata, DirectoryBase.metadata])
    engine.dispose()
    assert differences == []


@pytest.mark.covers("IM-12")
def test_an_import_gives_the_same_directory_as_on_sqlite(server: PostgreSQL, tmp_path: Path):
    """The same delivery, both databases: the same people, schools and ties; a second import changes nothing."""
    summary = generate(tmp_path / "delivery", Plan(students=150, seed=11))
    contents = []
    for url in (server.database(), f"sqlite:///{tmp_path / 'directory.sqlite'}"):
        upgrade(url)
        directory = SqlDirectory(create_directory_engine(url))
        for folder in summary.folders:
            import_delivery(folder, directory)
        contents.append(_content(directory))
        again = [import_delivery(folder, directory).to_json() for folder in summary.folders]
        assert all(_changes(report) == 0 for report in again)
        assert _content(directory) == contents[-1]
        directory.close()
    assert contents[0] == contents[1]
    assert len(contents[0]) > 300


def _content(directory: SqlDirectory) -> list[str]:
    """Everything that the contract shows, school by school."""
    with directory.engine.connect() as connection:
        table = DirectoryBase.metadata.tables["directory_school"]
        schools = sorted({row.uai for row in connection.execute(table.select()) if row.uai})
    found = []
    for uai in schools:
        for kind in Kind:
            people = sorted(iterate(directory, uai, kind), key=lambda person: person.ref)
            found += [repr(person) for person in people]
            if kind is Kind.GUARDIAN:
                found += [repr(tie) for person in people for tie in directory.ties_of(person.ref)]
    return found


def _changes(report: dict[str, Any]) -> int:
    return sum(row[what] for row in report["counts"] for what in ("created", "changed", "ended"))


@pytest.fixture(scope="module")
def template(server: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's instance on PostgreSQL."""
    from hub.demo.run import demo_settings, prepare
    from tests.hub_kit import CHEAP_HASHES, HUB_PORT, SP_URL

    folder, url = tmp_path_factory.mktemp("hub"), server.database()
    prepare(demo_settings(HUB_PORT, folder).model_copy(update={**CHEAP_HASHES, "database_url": url}), sp_base_url=SP_URL)
    return folder, url


@pytest.fixture
def hub(template: tuple[Path, str], tmp_path: Path) -> Iterator[Hub]:
    """A hub on that database."""
    folder, url = template
    opened = open_hub(folder, tmp_path / "hub", database_url=url)
    yield opened
    opened.instance.close()


@pytest.mark.covers("RQ-01", "RQ-02")
@pytest.mark.parametrize(
    ("role", "affiliation"), [("college_pupil", ["eleve2d"]), ("primary_guardian", ["resp1d"]), ("multi_guardian", ["resp2d"])]
)
def test_people_sign_in_on_postgresql(hub: Hub, role: str, affiliation: list[str]):
    """Activated and signed in through the real pages, on the real database."""
    sp = hub.register(MockSP(f"https://{role}.example/saml", acs=(f"https://{role}.example/acs",)), open_to_in_charge=True)
    browser = hub.browser()
    browser.start_by_post(sp)
    browser.sign_in(hub.people[role])
    assert hub.read(browser, sp).attributes["FrEduCtPersonAffiliation"] == affiliation


@pytest.mark.covers("RQ-29")
def test_one_request_sent_to_many_workers_serves_once(hub: Hub, template: tuple[Path, str], tmp_path: Path):
    """Eight workers get the same request at the same moment: exactly one answers it."""
    sp = hub.register(MockSP("https://race.example/saml", acs=("https://race.example/acs",)))
    browser = hub.browser()
    browser.start(sp)
    browser.sign_in(hub.people["college_pupil"])
    token = browser.client.get_cookie("preau").value  # type: ignore[union-attr]
    query = sp.redirect_query(Hub.sso_url, request_id="_same")
    others = [open_hub(template[0], tmp_path / f"worker{n}", database_url=template[1]) for n in range(8)]

    def attempt(worker: Hub) -> bool:
        client = worker.browser()
        client.client.set_cookie("preau", token)
        client.get("/saml/sso?" + query)
        return client.posts_to is not None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, others))
    for worker in others:
        worker.instance.close()
    assert answers.count(True) == 1


@pytest.mark.covers("LO-07", "LO-17", "LO-19")
def test_a_logout_goes_round_on_postgresql(hub: Hub):
    """Three services, persistent and transient identifiers, one asks: the others are told, the session is over."""
    services = [LogoutSP(f"pg{n}") for n in range(3)]
    browser = hub.browser()
    visits = []
    for n, sp in enumerate(services):
        hub.register(sp)
        for again in range(2):
            role = None if n or again else "college_pupil"
            visits.append(visit(hub, browser, sp, role, name_id_format=NAMEID_PERSISTENT if n else None))
    ask(browser, services[1], visits[2])
    tour = Round(hub, browser, services)
    found = tour.finish()
    assert found and (found[1].status, found[1].second_status) == (SUCCESS, None)
    assert [name for name, _ in tour.told] == ["pg0", "pg2"]
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-11")
def test_one_answer_sent_to_many_workers_counts_once(hub: Hub, template: tuple[Path, str], tmp_path: Path):
    """Eight workers get the same LogoutResponse while the page is reloaded: nothing is lost, nobody is told twice."""
    services = [LogoutSP(f"race{n}") for n in range(2)]
    browser = hub.browser()
    for n, sp in enumerate(services):
        hub.register(sp)
        visit(hub, browser, sp, None if n else "college_pupil")
    browser.get("/logout")
    walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})
    _, told = carried(hub, browser) or ("", None)
    assert told
    query = services[0].logout_query(services[0].logout_response(SLO, told.id), parameter="SAMLResponse")
    token = browser.client.get_cookie("preau").value  # type: ignore[union-attr]
    others = [open_hub(template[0], tmp_path / f"worker{n}", database_url=template[1]) for n in range(8)]

    def attempt(worker: Hub) -> str:
        client = worker.browser()
        client.client.set_cookie("preau", token)
        walk(client, f"/saml/slo?{query}")
        found = carried(worker, client)
        return found[1].id if found else client.page.text

    with ThreadPoolExecutor(8) as pool:
        second = set(pool.map(attempt, others))
    for worker in others:
        worker.instance.close()
    assert len(second) == 1, "all were shown the one request to the second service"
    answer = services[1].logout_response(SLO, second.pop())
    walk(browser, "/saml/slo?" + services[1].logout_query(answer, parameter="SAMLResponse"))
    assert browser.page.text.count("déconnecté</li>") == 2
