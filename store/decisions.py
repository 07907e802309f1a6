"""One decision of a ticket, found by time."""

from datetime import datetime

from store import views
from store.pool import Connection
from store.views import DecisionEntry
from support.errors import InputError

_LATEST = (
    views.DECISIONS
    + """
   and nominal_at <= coalesce(%(at)s::timestamptz, 'infinity')
 order by nominal_at desc, decision_seq desc
 limit 1
"""
)


async def decision_at(
    conn: Connection, *, tenant: str, ticket_id: str, at: datetime | None = None
) -> DecisionEntry:
    """Return the last decision that counts at or before `at`, the latest of all without it.

    Raises UnknownTicketError without such a ticket, InputError where nothing was decided by then.
    """
    key = {"tenant": tenant, "ticket_id": ticket_id, "since": 0, "at": at}
    row = await (await conn.execute(_LATEST, key)).fetchone()
    if row is None:
        ticket = await views.ticket(conn, tenant=tenant, ticket_id=ticket_id)
        raise InputError(
            f"nothing was decided about ticket {ticket_id} by then: it was created at "
            f"{ticket.created_at.isoformat()}"
        )
    return DecisionEntry(**row)
