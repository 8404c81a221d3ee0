"""The contract on a federation of real servers: one academy on PostgreSQL, the other on a SCIM server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import Features, Unavailable, missing_from
from backends.contract import ANNE_1D, LEA, LEA_1D, NOE, POPULATION, DirectoryContract
from backends.federated import FederatedDirectory, SourceSettings, federate
from backends.scim import open_directory as open_scim
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.models import DirectoryBase
from backends.sql.population import load
from tests.directory_kit import of_academy
from tests.real.postgres_kit import PostgreSQL, postgresql
from tests.real.scim_kit import TOKEN, ScimServer, scim_server

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgreSQL]:
    """One server for this module."""
    with postgresql() as running:
        yield running


@pytest.fixture
def scim() -> Iterator[ScimServer]:
    """A SCIM server with academy 02."""
    with scim_server(of_academy(POPULATION, "02")) as running:
        yield running


@pytest.fixture
def directory_under_test(postgres: PostgreSQL, scim: ScimServer, tmp_path: Path) -> Iterator[FederatedDirectory]:
    """Academy 10 from PostgreSQL, which has no academies of its own in the settings; 02 from SCIM."""
    sql = SqlDirectory(create_directory_engine(postgres.database()))
    DirectoryBase.metadata.create_all(sql.engine)
    load(sql, of_academy(POPULATION, "10"))
    assert Features.LOCAL not in sql.features
    (tmp_path / "token").write_text(TOKEN)
    sources = [SourceSettings(name="aix", backend="scim", academies={"02"}, limit=0.5), SourceSettings(name="rest", backend="sql")]
    directory = federate(sources, {"aix": open_scim(None, url=scim.url, token_file=tmp_path / "token"), "rest": sql})
    yield directory
    directory.close()


class TestMix(DirectoryContract):
    """Every behaviour of the contract, over two real servers."""


@pytest.mark.covers("FT-04")
def test_one_server_that_stops_takes_nothing_of_the_other(directory_under_test: FederatedDirectory, scim: ScimServer):
    """The SCIM server breaks every connection; academy 10 goes on, and what is missing is said."""
    assert directory_under_test.students_by_ine("123456789AB") == (LEA_1D, LEA)

    def stopped(handler: object) -> bool:
        handler.close_connection = True  # type: ignore[attr-defined]
        handler.connection.close()  # type: ignore[attr-defined]
        return True

    scim.fault = stopped
    partial = directory_under_test.students_by_ine("123456789AB")
    assert (partial, missing_from(partial)) == ((LEA,), ("aix",))
    assert directory_under_test.person(NOE.ref) == NOE
    with pytest.raises(Unavailable):
        directory_under_test.ties_of(ANNE_1D.ref)
