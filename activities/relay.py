"""Delivers the outbox: each wake-up goes to the courier of its kind.

PostgreSQL says when a transaction that added a row has committed. Nothing is polled, but for a slow
look every minute, should a notification have been lost with its connection.
"""

import asyncio
from collections.abc import Mapping, Sequence

import psycopg
from temporalio.client import Client
from temporalio.service import RPCError

import logs
from activities.attendance import AgentsDue, OwnersLeft
from activities.bulk_moves import BulkMoves
from activities.couriers import Courier, Signals
from activities.hand_outs import HandOuts
from store import outbox
from store.outbox import OutboxRow
from store.pool import Pool

SAFETY_S = 60.0
"""How often the outbox is looked at though nobody told of a row."""
AT_ONCE = 100
"""Rows that are taken in one transaction; hand-outs of one tenant are one."""
_TAKEN_ELSEWHERE_S = 1.0
_CONNECT_AGAIN_S = 1.0
_log = logs.get(__name__)


class Relay:
    """Delivers what is due, and waits to be told. Any number of them may run beside each other.

    `url` is of the database, for a connection of its own that listens; it is not for a pooler that
    shares sessions.
    """

    def __init__(self, pool: Pool, url: str, client: Client) -> None:
        self._pool = pool
        self._url = url
        signals = Signals(client)
        self._couriers: Mapping[str, Courier] = {
            outbox.HAND_OUT: HandOuts(signals),
            outbox.OWNER_LEFT: OwnersLeft(signals),
            outbox.BULK_CHANGE: BulkMoves(signals),
            outbox.AGENT_DUE: AgentsDue(),
        }

    async def run(self) -> None:
        """Deliver until cancelled; a database that does not answer is asked again."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=10
                ) as listening:
                    await listening.execute(outbox.LISTEN)
                    while True:
                        wait_s = await self._work_off()
                        async for _ in listening.notifies(timeout=wait_s, stop_after=1):
                            pass
            except psycopg.Error as error:
                _log.warning("outbox cannot be read", error=type(error).__name__)
                await asyncio.sleep(_CONNECT_AGAIN_S)

    async def _work_off(self) -> float:
        """Deliver all that is due; return the seconds until something may be due again."""
        while await self.deliver():
            pass
        async with self._pool.connection() as conn:
            left_s = await outbox.next_due_s(conn)
        if left_s is None:
            return SAFETY_S
        return min(left_s, SAFETY_S) if left_s > 0 else _TAKEN_ELSEWHERE_S

    async def deliver(self) -> int:
        """Deliver what is due, at most `AT_ONCE` rows, in one transaction; return how many.

        Where it ends early the rows are still there, and unlocked.
        """
        async with self._pool.connection() as conn, conn.transaction():
            rows = await outbox.take(conn, AT_ONCE)
            for one in _grouped(rows):
                ids, kind = [row.id for row in one], one[0].kind
                try:
                    async with conn.transaction():
                        # First, so that a courier can set the same alarm anew.
                        await outbox.delivered(conn, ids)
                        await self._couriers[kind](conn, one)
                except Exception as error:  # noqa: BLE001  one tenant's trouble is not another's
                    why = error.status.name if isinstance(error, RPCError) else str(error)
                    _log.warning(
                        "delivery failed",
                        tenant=one[0].tenant,
                        kind=kind,
                        error=why,
                        outbox=ids[-1],
                    )
                    await outbox.failed(conn, ids, f"{type(error).__name__}: {why}")
            return len(rows)


def _grouped(rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
    """Put together what one look at the queue answers: a tenant's causes, from one place on.

    What holds agents comes last, so that no signal is waited for meanwhile.
    """
    groups: dict[tuple[str, str], list[OutboxRow]] = {}
    for row in sorted(rows, key=lambda row: (row.kind == outbox.AGENT_DUE, row.id)):
        place = str(row.about.get("settles", row.id))
        if row.kind == outbox.HAND_OUT:
            place = str(row.about.get("after"))
        groups.setdefault((row.tenant, f"{row.kind} {place}"), []).append(row)
    return list(groups.values())
