"""Hands out: wakes the workflows of waiting tickets that somebody can take now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import logs
from activities.couriers import Signals
from store import automation, outbox, waiting
from store.outbox import OutboxRow
from store.pool import Connection
from store.waiting import PAGE, Place
from support.handing_out import MOST_OFFERS, Room, WaitingTicket, behind, chosen, offer
from support.model import OFFER_PREFIX

_log = logs.get(__name__)


class HandOuts:
    """The courier of `hand_out`: what caused it is in the rows, what is offered in the ledger."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    async def __call__(self, conn: Connection, rows: Sequence[OutboxRow]) -> None:
        """Offer waiting tickets to themselves: as many as those who are there have room for."""
        newest = rows[-1]
        tenant = newest.tenant
        if await automation.stopped(conn, tenant=tenant):
            return
        found, rooms, last = await _waiting(conn, rows)
        offered = await self._offer(tenant, newest.id, found, rooms)
        if len(offered) == MOST_OFFERS:
            await _go_on(conn, newest, offered[-1])
        elif last is not None:
            await _go_on(conn, newest, last)
        if offered:
            _log.info("handed out", tenant=tenant, outbox=newest.id, offered=len(offered))

    async def _offer(
        self, tenant: str, row_id: int, found: Sequence[WaitingTicket], rooms: Sequence[Room]
    ) -> tuple[WaitingTicket, ...]:
        """Return what has been offered; the room of one without a workflow is for the others."""
        event = offer(f"{OFFER_PREFIX}{row_id}", datetime.now(UTC))
        told: set[str] = set()
        gone: set[str] = set()
        while True:
            offered = chosen((one for one in found if one.ticket_id not in gone), rooms)
            left = [one.ticket_id for one in offered if one.ticket_id not in told]
            if not left:
                return offered
            for ticket_id in left:
                there = await self._signals.send(tenant, ticket_id, event)
                (told if there else gone).add(ticket_id)


async def _waiting(
    conn: Connection, rows: Sequence[OutboxRow]
) -> tuple[Sequence[WaitingTicket], Sequence[Room], WaitingTicket | None]:
    """Return what waits, who has room, and the last that was read where there may be more."""
    tenant, spared = rows[-1].tenant, _spared(rows)
    after = _place(rows[-1].about.get("after"))
    called = await waiting.called(conn, tenant=tenant, without=spared, after=after)
    rooms = await (waiting.rooms_of_all if called else waiting.rooms)(conn, tenant=tenant)
    if not rooms:
        return (), (), None
    found = await waiting.tickets(conn, tenant=tenant, without=spared, after=after)
    ends = [page[-1] for page in (called, found) if len(page) == PAGE]
    last = min(ends, key=lambda ticket: ticket.place, default=None)
    both = {ticket.ticket_id: ticket for ticket in (*called, *found)}
    return tuple(both.values()), rooms, last


def _spared(rows: Sequence[OutboxRow]) -> list[str]:
    """Return the ticket that all causes spare: one that was released does not come back at once."""
    spared = {str(row.about.get("ticket", "")) for row in rows}
    return sorted(spared) if len(spared) == 1 else []


async def _go_on(conn: Connection, row: OutboxRow, last: WaitingTicket) -> None:
    after = behind(last.ticket_id, last.next_due_at, last.created_at)
    about = {**row.about, "after": list(after)}
    await outbox.add(conn, tenant=row.tenant, kind=row.kind, about=about)


def _place(after: Any) -> Place | None:  # noqa: ANN401  JSON of `_go_on`
    if after is None:
        return None
    due, created_at, ticket_id = after
    due_at = datetime.fromisoformat(due) if due else None
    return Place(due_at, datetime.fromisoformat(created_at), ticket_id)
