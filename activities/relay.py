"""Delivers the outbox: wakes the workflows of tickets that somebody can take now.

PostgreSQL says when a transaction that added a row has committed. Nothing is polled, but for a slow
look every minute, should a notification have been lost with its connection.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

import logs
from store import automation, outbox, waiting
from store.outbox import OutboxRow
from store.pool import Connection, Pool
from store.waiting import PAGE, Place
from support.handing_out import MOST_OFFERS, OFFER_PREFIX, WaitingTicket, chosen, offer
from support.model import workflow_id

SAFETY_S = 60.0
"""How often the outbox is looked at though nobody told of a row."""
AT_ONCE = 100
"""Rows that are taken in one transaction; those of one tenant are one hand-out."""
_TAKEN_ELSEWHERE_S = 1.0
_CONNECT_AGAIN_S = 1.0
_SIGNAL_LIMIT = timedelta(seconds=10)
_log = logs.get(__name__)


class Relay:
    """Delivers what is due, and waits to be told. Any number of them may run beside each other.

    `url` is of the database, for a connection of its own that listens; it is not for a pooler that
    shares sessions.
    """

    def __init__(self, pool: Pool, url: str, client: Client) -> None:
        self._pool = pool
        self._url = url
        self._client = client

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
                ids = [row.id for row in one]
                try:
                    async with conn.transaction():
                        await self._hand_out(conn, one)
                        await outbox.delivered(conn, ids)
                except Exception as error:  # noqa: BLE001  one tenant's trouble is not another's
                    why = error.status.name if isinstance(error, RPCError) else str(error)
                    _log.warning("hand-out failed", tenant=one[0].tenant, error=why, outbox=ids[-1])
                    await outbox.failed(conn, ids, f"{type(error).__name__}: {why}")
            return len(rows)

    async def _hand_out(self, conn: Connection, rows: Sequence[OutboxRow]) -> None:
        """Offer waiting tickets to themselves: as many as those who are there have room for."""
        newest = rows[-1]
        tenant = newest.tenant
        if await automation.stopped(conn, tenant=tenant):
            return
        rooms = await waiting.rooms(conn, tenant=tenant)
        if not rooms:
            return
        found = await waiting.tickets(
            conn, tenant=tenant, without=_spared(rows), after=_place(newest.about.get("after"))
        )
        offered = chosen(found, rooms)
        event = offer(f"{OFFER_PREFIX}{newest.id}", datetime.now(UTC))
        for ticket in offered:
            handle = self._client.get_workflow_handle(workflow_id(tenant, ticket.ticket_id))
            try:
                await handle.signal("deliver", event, rpc_timeout=_SIGNAL_LIMIT)
            except RPCError as error:
                # It has been closed since, which leaves nothing to do.
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
        if len(offered) == MOST_OFFERS:
            await _go_on(conn, newest, offered[-1])
        elif len(found) == PAGE:
            await _go_on(conn, newest, found[-1])
        if offered:
            _log.info("handed out", tenant=tenant, outbox=newest.id, offered=len(offered))


def _grouped(rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
    """Put together what one look at the queue answers: a tenant's causes, from one place on."""
    groups: dict[tuple[str, str], list[OutboxRow]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        groups.setdefault((row.tenant, str(row.about.get("after"))), []).append(row)
    return list(groups.values())


def _spared(rows: Sequence[OutboxRow]) -> list[str]:
    """Return the ticket that all causes spare: one that was released does not come back at once."""
    spared = {str(row.about.get("ticket", "")) for row in rows}
    return sorted(spared) if len(spared) == 1 else []


async def _go_on(conn: Connection, row: OutboxRow, last: WaitingTicket) -> None:
    due = last.next_due_at
    after = [due.isoformat() if due else None, last.created_at.isoformat(), last.ticket_id]
    about = {**row.about, "after": after}
    await outbox.add(conn, tenant=row.tenant, kind=row.kind, about=about)


def _place(after: Any) -> Place | None:  # noqa: ANN401  JSON of `_go_on`
    if after is None:
        return None
    due, created_at, ticket_id = after
    due_at = datetime.fromisoformat(due) if due else None
    return Place(due_at, datetime.fromisoformat(created_at), ticket_id)
