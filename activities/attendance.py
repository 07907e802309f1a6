"""Acts when something about an agent falls due, and tells the tickets of those who have left."""

from collections.abc import Sequence
from datetime import UTC, datetime

import logs
from activities.couriers import Signals
from store import attendance, automation, outbox
from store.attendance import Gone
from store.outbox import OutboxRow
from store.pool import Connection
from support.handing_out import RELAY
from support.model import LEFT_PREFIX, Actor, ActorKind, EventKind, TicketEvent

MOST_TOLD = 50
"""Tickets that are told by one row; what is left is told by the next."""
_RELAY = Actor(ActorKind.SYSTEM, RELAY)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_log = logs.get(__name__)


class AgentsDue:
    """The courier of `agent_due`. It calls nobody outside, as it holds the agent.

    Its rows are dropped: of agents with a heartbeat there is one every minute or two.
    """

    async def __call__(self, conn: Connection, rows: Sequence[OutboxRow]) -> None:
        """Act upon how each agent stands now."""
        for row in rows:
            since = row.about.get("since")
            await attendance.fell_due(
                conn,
                tenant=row.tenant,
                agent_id=str(row.about["agent"]),
                since=datetime.fromisoformat(since) if since else _EVER,
            )
        await outbox.drop(conn, [row.id for row in rows])


class OwnersLeft:
    """The courier of `owner_left`: each active ticket of the agent hears of it once.

    While automation is stopped nobody would act upon it, so the row is dropped: letting automation
    run again adds it anew for all who are not at work then.
    """

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    async def __call__(self, conn: Connection, rows: Sequence[OutboxRow]) -> None:
        """Tell the tickets, unless the agent is back at work."""
        for row in rows:
            agent_id = str(row.about["agent"])
            if await automation.stopped(conn, tenant=row.tenant):
                continue
            gone = await attendance.gone(conn, tenant=row.tenant, agent_id=agent_id)
            if gone is not None:
                await self._tell(conn, row, agent_id, gone)

    async def _tell(self, conn: Connection, row: OutboxRow, agent_id: str, gone: Gone) -> None:
        tickets = await attendance.owned(
            conn,
            tenant=row.tenant,
            agent_id=agent_id,
            after=str(row.about.get("after", "")),
            most=MOST_TOLD,
        )
        event = _left(f"{LEFT_PREFIX}{row.id}", agent_id, gone)
        for ticket_id in tickets:
            await self._signals.send(row.tenant, ticket_id, event)
        if len(tickets) == MOST_TOLD:
            about = {**row.about, "after": tickets[-1]}
            await outbox.add(conn, tenant=row.tenant, kind=row.kind, about=about)
        if tickets:
            _log.info("owner left", tenant=row.tenant, outbox=row.id, told=len(tickets))


def _left(event_id: str, agent_id: str, gone: Gone) -> TicketEvent:
    return TicketEvent(
        event_id=event_id,
        kind=EventKind.OWNER_LEFT,
        occurred_at=gone.at,
        received_at=gone.at,
        actor=_RELAY,
        source=RELAY,
        left_cause=gone.cause,
        expected_owner=agent_id,
    )
