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

    Raises psycopg_pool.PoolTimeout when the server cannot be reached within 10 s.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=max_size,
        open=False,
        kwargs={"row_factory": dict_row, "options": "-c timezone=UTC"},
    )
    await pool.open(wait=True, timeout=10)
    try:
        yield pool
    finally:
        await pool.close()
