"""Drops what is kept for a time only: comparisons of shadows, and faults of engines."""

import asyncio
from datetime import timedelta

import psycopg

import logs
from store import engine_faults, shadows
from store.pool import Pool

KEPT = timedelta(days=30)
EVERY_S = 3600.0
MOST_AT_ONCE = 5_000
"""Rows of one statement, so that nobody waits long for it."""
_log = logs.get(__name__)


async def tidy(pool: Pool, *, kept: timedelta = KEPT, at_once: int = MOST_AT_ONCE) -> int:
    """Drop what is older than `kept`, and return how many rows went."""
    dropped = 0
    for drop in (shadows.drop_old, engine_faults.drop_old):
        gone = at_once
        while gone == at_once:
            async with pool.connection() as conn:
                gone = await drop(conn, older_than=kept, most=at_once)
            dropped += gone
    return dropped


async def keep_tidy(pool: Pool) -> None:
    """Tidy now and every hour, until cancelled. Any number of workers may do so at once."""
    while True:
        try:
            dropped = await tidy(pool)
        except psycopg.Error as error:
            _log.warning("old rows are not dropped", error=type(error).__name__)
        else:
            if dropped:
                _log.info("old rows dropped", rows=dropped)
        await asyncio.sleep(EVERY_S)
