"""Keeps the shifts of all agents written out ahead, however long a worker runs."""

import asyncio
from datetime import UTC, datetime

import psycopg
from psycopg_pool import PoolTimeout

from logs import get
from store import shifts
from store.pool import Pool, transaction

EVERY_S = 12 * 3600.0
_log = get(__name__)


async def extend_all(pool: Pool, *, now: datetime, tenant: str = "") -> int:
    """Write anew what is to run out, in small transactions; return how many agents that were.

    With `tenant` all the agents of that tenant who have shifts or leave.
    """
    total = 0
    while True:
        async with transaction(pool) as conn:
            written = await shifts.extend(conn, now=now, every=tenant)
        total += written
        if not written:
            return total


async def keep_ahead(pool: Pool) -> None:
    """Extend at once and then every twelve hours; weeks are left when the database is away."""
    while True:
        try:
            written = await extend_all(pool, now=datetime.now(UTC))
        except (psycopg.Error, PoolTimeout) as error:
            _log.warning("shifts not extended", error=type(error).__name__)
        else:
            _log.info("shifts extended", agents=written)
        await asyncio.sleep(EVERY_S)
