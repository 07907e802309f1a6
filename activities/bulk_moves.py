"""Sends the moves of bulk changes to their tickets, which decide."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import logs
from activities.couriers import Signals
from store import bulk_changes, outbox
from store.bulk_changes import ChangeKind, Decided, PendingMove
from store.outbox import OutboxRow
from store.pool import Connection
from support.model import Actor, ActorKind, EventKind, LeftCause, TicketEvent

MOST_SENT = 50
"""Moves that are sent for one row; the rest goes on by the next."""
LOOK_AGAIN_FIRST, LOOK_AGAIN_MAX = timedelta(seconds=30), timedelta(minutes=5)
"""When moves that are still not decided are sent again: doubled from the first to the last."""
CLOSED_SINCE = "closed since: its workflow has ended"
_log = logs.get(__name__)


class BulkMoves:
    """The courier of `bulk_change`: sends what is not decided, and ends what is.

    A move that is sent twice is one event, whose id is that of the change.
    """

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    async def __call__(self, conn: Connection, rows: Sequence[OutboxRow]) -> None:
        """Send the next moves of the change, or see whether the last one is decided."""
        row = rows[-1]
        change_id = str(row.about.get("settles") or row.about["change_id"])
        about = {"tenant": row.tenant, "change_id": change_id}
        sent: tuple[PendingMove, ...] = ()
        if "settles" not in row.about:
            after = str(row.about.get("after", ""))
            sent = await bulk_changes.pending(conn, **about, after=after, most=MOST_SENT)
            await self._send(conn, row.tenant, change_id, sent)
        if len(sent) == MOST_SENT:
            on = {**row.about, "after": sent[-1].ticket_id}
            await outbox.add(conn, tenant=row.tenant, kind=row.kind, about=on)
            return
        done = await bulk_changes.finish(conn, **about, at=datetime.now(UTC))
        if done:
            _log.info("bulk change done", tenant=row.tenant, change=change_id)
        elif "settles" not in row.about:
            times = int(row.about.get("again", 0))
            again = {"change_id": change_id, "again": times + 1}
            wait = min(LOOK_AGAIN_FIRST * 2 ** min(times, 10), LOOK_AGAIN_MAX)
            await outbox.add(conn, tenant=row.tenant, kind=row.kind, about=again, after=wait)

    async def _send(
        self, conn: Connection, tenant: str, change_id: str, moves: Sequence[PendingMove]
    ) -> None:
        now = datetime.now(UTC)
        for move in moves:
            event = _reassign(change_id, move, now)
            if not await self._signals.send(tenant, move.ticket_id, event):
                await bulk_changes.record(
                    conn,
                    tenant=tenant,
                    change_id=change_id,
                    ticket_id=move.ticket_id,
                    decided=Decided("skipped", CLOSED_SINCE),
                )
        if moves:
            _log.info("moves sent", tenant=tenant, change=change_id, moves=len(moves))


def _reassign(change_id: str, move: PendingMove, now: datetime) -> TicketEvent:
    return TicketEvent(
        event_id=change_id,
        kind=EventKind.REASSIGN,
        occurred_at=now,
        received_at=now,
        actor=Actor(ActorKind(move.actor_kind), move.actor),
        source="bulk",
        assignee=move.after_owner,
        expected_owner=move.before_owner,
        expected_since=move.expected_since,
        change_id=change_id,
        forced=move.kind == ChangeKind.UNDO,
        left_cause=LeftCause.OFFBOARDED if move.owner_left else None,
    )
