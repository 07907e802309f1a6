"""The connection pool of a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]


@asynccontextmanager
async def open_pool(url: str, *, max_size: int = 8) -> AsyncIterator[Pool]:
    """Yield an open pool on `url`; rows are dictionaries, sessions speak UTC.

    A connection of it commits each statement by itself; what belongs together is a `transaction`.
    Raises psycopg_pool.PoolTimeout when the server cannot be reached within 10 s.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=max_size,
        open=False,
        kwargs={"autocommit": True, "row_factory": dict_row, "options": "-c timezone=UTC"},
    )
    await pool.open(wait=True, timeout=10)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def snapshot(pool: Pool, *, wait_s: float | None = None) -> AsyncIterator[Connection]:
    """Yield a connection on one read-only snapshot, so that several queries agree.

    Raises psycopg_pool.PoolTimeout when none is free within `wait_s`, by default 30 s.
    """
    async with pool.connection(timeout=wait_s) as conn, conn.transaction():
        await conn.execute("set transaction isolation level repeatable read, read only")
        yield conn


@asynccontextmanager
async def transaction(pool: Pool, *, wait_s: float | None = None) -> AsyncIterator[Connection]:
    """Yield a connection whose statements are one transaction, committed at the end.

    Raises psycopg_pool.PoolTimeout when none is free within `wait_s`, by default 30 s.

    They travel in pipeline mode: `begin` with the first that is fetched from, the last ones with
    `commit`, whose errors come out of the context. So `rowcount` is not known inside: a statement
    whose effect matters must be `returning` something.
    """
    async with pool.connection(timeout=wait_s) as conn, conn.pipeline():
        await conn.execute("begin")
        yield conn
        await conn.execute("commit")


async def savepoint(conn: Connection) -> None:
    """Begin, in a transaction, what `undo` takes back."""
    await conn.execute("savepoint attempt")


async def undo(conn: Connection) -> None:
    """Take back what came after the last `savepoint`, and let go of the rows that it locked."""
    await conn.execute("rollback to savepoint attempt")
    await conn.execute("release savepoint attempt")
