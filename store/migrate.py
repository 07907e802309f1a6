"""Applies the numbered SQL files of `store/migrations`, each once, in order."""

import hashlib
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from support.errors import LedgerError, RuntimeUnavailableError

_LOCK = 0x464C4F57  # "FLOW": one migrating process at a time, others wait
_FILES = Path(__file__).parent / "migrations"

_TABLE = """
create table if not exists migrations (
    number      integer     primary key,
    name        text        not null,
    digest      text        not null,
    applied_at  timestamptz not null default now()
)
"""


async def migrate(url: str) -> tuple[str, ...]:
    """Bring the database at `url` up to date and return the names applied now.

    Raises LedgerError if an applied file has changed since: history is not rewritten, add a file.
    """
    applied: list[str] = []
    async with await _connected(url) as conn:
        await conn.execute("select pg_advisory_lock(%s)", (_LOCK,))
        try:
            await conn.execute(_TABLE)
            cursor = await conn.execute("select number, digest from migrations")
            done: dict[int, str] = dict(await cursor.fetchall())
            for file in sorted(_FILES.glob("*.sql")):
                number = int(file.name.split("_", 1)[0])
                text = file.read_bytes()
                digest = hashlib.sha256(text).hexdigest()
                if number in done:
                    _unchanged(file.name, done[number], digest)
                    continue
                async with conn.transaction():
                    await conn.execute(text)
                    await conn.execute(
                        "insert into migrations (number, name, digest) values (%s, %s, %s)",
                        (number, file.name, digest),
                    )
                applied.append(file.name)
        finally:
            await conn.execute("select pg_advisory_unlock(%s)", (_LOCK,))
    return tuple(applied)


async def _connected(url: str) -> psycopg.AsyncConnection[TupleRow]:
    try:
        return await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise RuntimeUnavailableError(
            f"PostgreSQL does not answer ({type(error).__name__}): "
            "start it with `make run`, or see FLOWHUB_DATABASE_URL"
        ) from error


def _unchanged(name: str, recorded: str, digest: str) -> None:
    if recorded != digest:
        raise LedgerError(
            f"migration {name} was changed after it was applied: restore it and add a new file"
        )


async def create_database(server_url: str, name: str) -> None:
    """Create database `name` on the server of `server_url` if it is missing."""
    async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as conn:
        cursor = await conn.execute("select 1 from pg_database where datname = %s", (name,))
        if await cursor.fetchone() is None:
            await conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
