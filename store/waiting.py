"""Tickets that wait for an owner, and who has room for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from store.availability import ON_SHIFT_NOW
from store.pool import Connection
from support.handing_out import Room, WaitingTicket

PAGE = 500
"""Tickets that are looked at for one wake-up."""
_MOST_ROOMS = 1000


class Place(NamedTuple):
    """Where in the queue to go on: after this ticket."""

    next_due_at: datetime | None
    created_at: datetime
    ticket_id: str


_TICKETS = (
    """
select t.ticket_id, t.channel, t.status, t.team, t.skills, t.next_due_at, t.created_at
  from tickets as t
 where t.tenant = %(tenant)s and t.waits_since is not null and t.halted = '' and not t.passed_by
   and t.ticket_id <> all(%(without)s::text[])
   and (%(after_id)s::text is null
        or (coalesce(t.next_due_at, 'infinity'), t.created_at, t.ticket_id)
           > (coalesce(%(after_due)s::timestamptz, 'infinity'), %(after_created)s::timestamptz,
              %(after_id)s))
   and exists (select from agents as a
                where a.tenant = t.tenant and a.presence = 'online' and a.role = 'agent'
                  and a.left_at is null
                  and not limited(a, now())
"""
    + ON_SHIFT_NOW
    + """
                  and (t.team = '' or a.team = t.team) and a.skills @> t.skills
                  and a.load_units + case t.channel when 'chat' then 4 else 1 end
                      <= a.capacity_units)
 order by t.next_due_at nulls last, t.created_at, t.ticket_id
 limit %(page)s
"""
)


async def tickets(
    conn: Connection, *, tenant: str, without: Sequence[str] = (), after: Place | None = None
) -> tuple[WaitingTicket, ...]:
    """Return at most `PAGE` tickets that somebody who is there could take, in their order.

    Left out are those on which automation is halted, those that were passed by, and `without`.
    Served by the partial indexes tickets_waiting and agents_online.
    """
    async with conn.cursor(row_factory=class_row(WaitingTicket)) as cursor:
        await cursor.execute(
            _TICKETS,
            {
                "tenant": tenant,
                "without": list(without),
                "after_id": after.ticket_id if after else None,
                "after_due": after.next_due_at if after else None,
                "after_created": after.created_at if after else None,
                "page": PAGE,
            },
        )
        return tuple(await cursor.fetchall())


_ROOMS = (
    """
select agent_id, team, skills, capacity_units - load_units as units, capacity_units
  from agents as a
 where tenant = %s and presence = 'online' and role = 'agent' and load_units < capacity_units
   and left_at is null and not limited(a, now())
"""
    + ON_SHIFT_NOW
    + """
 order by agent_id
 limit %s
"""
)


async def rooms(conn: Connection, *, tenant: str) -> tuple[Room, ...]:
    """Return who could be given work now: as `roster.candidates`, of all teams."""
    async with conn.cursor(row_factory=class_row(Room)) as cursor:
        await cursor.execute(_ROOMS, (tenant, _MOST_ROOMS))
        return tuple(await cursor.fetchall())
