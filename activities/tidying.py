"""Drops what is kept for a time only: comparisons of shadows, faults of engines, old wake-ups."""

import asyncio
from datetime import timedelta

import psycopg

import logs
from store import engine_faults, outbox, shadows
from store.pool import Pool

KEPT = timedelta(days=30)
OUTBOX_KEPT = timedelta(days=7)
"""How long a delivered row stays, for whoever asks why a ticket was offered."""
EVERY_S = 3600.0
MOST_AT_ONCE = 5_000
"""Rows of one statement, so that nobody waits long for it."""
_DROPS = (
    (shadows.drop_old, KEPT),
    (engine_faults.drop_old, KEPT),
    (outbox.drop_old, OUTBOX_KEPT),
)
_log = logs.get(__name__)


async def tidy(pool: Pool, *, at_once: int = MOST_AT_ONCE) -> int:
    """Drop what has been kept for long enough, and return how many rows went."""
    dropped = 0
    for drop, kept in _DROPS:
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
