"""A database for one replay, gone afterwards."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from embedded.postgres import start_postgres
from hub.progress import Progress, Shown
from settings import Settings
from store.migrate import create_database, migrate
from support.errors import RuntimeUnavailableError


@asynccontextmanager
async def scratch_database(settings: Settings, progress: Progress) -> AsyncIterator[str]:
    """Yield the URL of a fresh, migrated database: on the server of the settings, else embedded.

    The embedded server is one of its own, so that a running hub is not in the way.
    """
    if settings.database_url is not None:
        async with _on_server(settings.database_url.get_secret_value()) as url:
            yield url
        return
    progress("Starting a database for this replay alone", 0, 0)
    with tempfile.TemporaryDirectory(prefix="flowhub-replay-") as folder:
        shown = Shown(progress)
        server = await asyncio.to_thread(start_postgres, Path(folder), progress=shown)
        try:
            await migrate(server.url)
            yield server.url
        finally:
            await asyncio.to_thread(server.stop)


@asynccontextmanager
async def _on_server(server_url: str) -> AsyncIterator[str]:
    name = f"flowhub_replay_{uuid4().hex[:12]}"
    try:
        await create_database(server_url, name)
    except psycopg.OperationalError as error:
        raise RuntimeUnavailableError(
            "the database server of FLOWHUB_DATABASE_URL does not answer: start it, or unset the "
            "variable to use the embedded one"
        ) from error
    try:
        url = make_conninfo(server_url, dbname=name)
        await migrate(url)
        yield url
    finally:
        async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as conn:
            await conn.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )
