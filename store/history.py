"""What happened to the tickets of a tenant, in the order in which it was taken up."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection

_AT_ONCE = 2000

_EVENTS = """
with taken as (
    select e.ticket_id, coalesce(e.decision_seq, e.refused_seq) as seq,
           e.decision_seq is not null as accepted, e.event_id, e.event::text as event,
           e.nominal_at + coalesce(d.lateness_s, 0) * interval '1 second' as at
      from tickets t
      join events e on e.tenant = t.tenant and e.ticket_id = t.ticket_id
      left join decisions d on d.tenant = e.tenant and d.ticket_id = e.ticket_id
                           and d.decision_seq = e.decision_seq
     where t.tenant = %(tenant)s
       and (%(since)s::timestamptz is null or t.created_at >= %(since)s)
       and (%(until)s::timestamptz is null or t.created_at < %(until)s)
), ordered as (
    select *, max(at) over (partition by ticket_id, seq is null order by seq, accepted, at,
                            event_id) as taken_at
      from taken
)
select ticket_id, event, taken_at from ordered
 order by taken_at, ticket_id, seq nulls last, accepted, event_id
"""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event as JSON, and when it was taken up; late ones come when they were told."""

    ticket_id: str
    event: str
    taken_at: datetime


async def events(
    conn: Connection, *, tenant: str, since: datetime | None, until: datetime | None
) -> AsyncIterator[Happened]:
    """Yield the events of tickets created in [since, until), refused ones too.

    A ticket's events come in the order in which they were decided. Served by the primary keys and
    decisions_of_ticket; read through a cursor, so `conn` is in a transaction.
    """
    arguments = {"tenant": tenant, "since": since, "until": until}
    async with conn.cursor("history", row_factory=class_row(Happened)) as cursor:
        cursor.itersize = _AT_ONCE
        await cursor.execute(_EVENTS, arguments)
        async for row in cursor:
            yield row
