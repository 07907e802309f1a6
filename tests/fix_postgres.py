"""Databases: one embedded PostgreSQL for the session, a fresh database for each test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from embedded.postgres import RunningPostgres, start_postgres

_TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPostgres]:
    """The session's PostgreSQL, in a folder of its own."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = start_postgres(folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: RunningPostgres) -> str:
    """URL of an empty database that the session shares; make nothing in it that others see."""
    return postgres_server.url


@pytest.fixture(scope="session")
def migrated_template(postgres_server: RunningPostgres) -> str:
    """Name of a database with every migration applied, to be copied."""
    from store.migrate import migrate  # noqa: PLC0415 - the tests of lower layers need no store

    _administer(postgres_server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
    asyncio.run(migrate(postgres_server.url_of(_TEMPLATE)))
    return _TEMPLATE


@pytest.fixture
def database_url(postgres_server: RunningPostgres, migrated_template: str) -> Iterator[str]:
    """URL of a fresh, migrated database for this test alone (a copy: about 50 ms)."""
    name = f"test_{uuid4().hex}"
    _administer(
        postgres_server,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(migrated_template)
        ),
    )
    yield postgres_server.url_of(name)
    _administer(
        postgres_server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    )


def _administer(server: RunningPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement)
