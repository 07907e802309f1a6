"""What people look at: lists of tickets, one ticket, and all that happened to it, in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from store.pool import Connection
from support.errors import InputError, UnknownTicketError
from support.lanes import LANES
from support.model import TicketStatus

MAX_LISTED = 500


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket as lists and its page show it. `owner` is empty while nobody has claimed it.

    `halted` is why automation on it stands still until somebody looks, `no_owner` why it found none
    (`support.ownership.NoOwnerWhy`), and `next_shift_at` when somebody comes who could take it.
    """

    ticket_id: str
    run_id: str
    channel: str
    priority: str
    status: str
    team: str
    customer_id: str
    subject: str
    owner: str
    locked_until: datetime | None
    follow_up_of: str
    created_at: datetime
    changed_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    active: bool
    breached: bool
    breached_held: bool
    escalation_due: bool
    sla_state: str
    next_due_at: datetime | None
    next_deadline: datetime | None
    next_deadline_is: str
    parked: str
    halted: str
    no_owner: str
    next_shift_at: datetime | None
    decision_seq: int
    pack_version: str


_SELECT = """
select t.ticket_id, t.run_id, t.channel, t.priority, t.status, t.team, t.customer_id,
       coalesce(m.subject, '') as subject, coalesce(c.agent_id, '') as owner, c.locked_until,
       t.follow_up_of, t.created_at, t.changed_at, t.resolved_at, t.closed_at, t.active,
       t.breached, t.breached_held, t.escalation_due, t.sla_state, t.next_due_at,
       t.next_deadline, t.next_deadline_is, t.decision_seq, t.pack_version, t.halted,
       t.no_owner, t.next_shift_at,
       coalesce((select string_agg(p.error, '; ') from parkings as p
                  where p.tenant = t.tenant and p.ticket_id = t.ticket_id), '') as parked
  from tickets as t
  left join claims as c using (tenant, ticket_id)
  left join messages as m on m.tenant = t.tenant and m.ticket_id = t.ticket_id
       and m.message_ref = t.opening_ref
"""

# What is overdue has the earliest dues, so one order serves both: the index tickets_active.
_ACTIVE = (
    _SELECT
    + """
 where t.tenant = %(tenant)s and t.active
   and (%(status)s::text is null or t.status = %(status)s)
   and case coalesce(%(lane)s::text, '')
         when '' then true
         when 'sla_breached' then t.breached
         when 'escalation_due' then t.escalation_due
         when 'unassigned' then c.agent_id is null
         when 'assignment' then t.status = 'waiting_internal'
         when 'priority_queue' then t.priority in ('high', 'urgent')
         else false
       end
 order by t.next_due_at nulls last, t.created_at, t.ticket_id
 limit %(limit)s
"""
)
# The index tickets_halted; a finished one is there as well, until somebody looks.
_HALTED = (
    _SELECT
    + """
 where t.tenant = %(tenant)s and t.halted <> ''
   and (%(status)s::text is null or t.status = %(status)s)
 order by t.next_due_at nulls last, t.created_at, t.ticket_id
 limit %(limit)s
"""
)
_FINISHED = (
    _SELECT
    + """
 where t.tenant = %(tenant)s and not t.active and t.status = %(status)s
 order by t.changed_at desc, t.ticket_id
 limit %(limit)s
"""
)


async def list_tickets(
    conn: Connection,
    *,
    tenant: str,
    lane: str | None = None,
    status: TicketStatus | None = None,
    limit: int = 50,
    halted: bool = False,
) -> tuple[TicketView, ...]:
    """Return at most `limit` active tickets: overdue first, then by due, then by age.

    `lane` keeps the members of one lane (those of callbacks have no tickets); a resolved or closed
    `status` lists those instead, latest first. `halted` lists, in place of a lane, those on which
    automation is halted, finished or not. InputError for an unknown lane, a lane of what is halted,
    or a limit outside 1 to 500.
    """
    if lane is not None and lane not in {known.id for known in LANES}:
        raise InputError(
            f"there is no lane {lane[:80]!r}: use one of {', '.join(known.id for known in LANES)}",
            field="lane",
        )
    if not 1 <= limit <= MAX_LISTED:
        raise InputError(f"limit {limit} is out of range: use 1 to {MAX_LISTED}", field="limit")
    if halted and lane is not None:
        raise InputError(
            "a lane is counted without regard to what is halted: choose one of the two"
        )
    finished = status is not None and not status.active
    if finished and lane is not None:
        return ()
    async with conn.cursor(row_factory=class_row(TicketView)) as cursor:
        await cursor.execute(
            _HALTED if halted else _FINISHED if finished else _ACTIVE,
            {
                "tenant": tenant,
                "lane": lane,
                "status": str(status) if status else None,
                "limit": limit,
            },
        )
        return tuple(await cursor.fetchall())


async def ticket(conn: Connection, *, tenant: str, ticket_id: str) -> TicketView:
    """Return the projection of one ticket with its owner; UnknownTicketError without one."""
    async with conn.cursor(row_factory=class_row(TicketView)) as cursor:
        await cursor.execute(
            _SELECT + " where t.tenant = %s and t.ticket_id = %s", (tenant, ticket_id)
        )
        found = await cursor.fetchone()
    if found is None:
        raise UnknownTicketError(f"there is no ticket {ticket_id} in {tenant}")
    return found


async def tags(conn: Connection, *, tenant: str, ticket_id: str) -> tuple[str, ...]:
    """Return the tags that a ticket has."""
    cursor = await conn.execute(
        "select state->'tags' as tags from tickets where tenant = %s and ticket_id = %s",
        (tenant, ticket_id),
    )
    row = await cursor.fetchone()
    return tuple(row["tags"] or ()) if row else ()


async def clocks(conn: Connection, *, tenant: str, ticket_id: str) -> tuple[Mapping[str, Any], ...]:
    """Return the clocks of a ticket as its last decision left them."""
    cursor = await conn.execute(
        "select clocks from decisions where tenant = %s and ticket_id = %s"
        " order by decision_seq desc limit 1",
        (tenant, ticket_id),
    )
    row = await cursor.fetchone()
    return tuple(row["clocks"]) if row else ()


_TENANTS = """
with recursive known (tenant) as (
    (select tenant from tickets order by tenant limit 1)
    union all
    select (select t.tenant from tickets as t where t.tenant > k.tenant order by t.tenant limit 1)
      from known as k where k.tenant is not null
)
select tenant from known where tenant is not null
union
select tenant from agents
"""


async def tenants(conn: Connection) -> tuple[str, ...]:
    """Return every tenant that has an agent or a ticket, sorted.

    It leaps from tenant to tenant in the primary key, however many tickets there are.
    """
    cursor = await conn.execute(_TENANTS)
    return tuple(sorted(row["tenant"] for row in await cursor.fetchall()))


async def halted_everywhere(conn: Connection) -> int:
    """Return on how many tickets automation is halted, whosever they are, for who runs the hub.

    Served by the index tickets_halted.
    """
    cursor = await conn.execute("select count(*) as halted from tickets where halted <> ''")
    row = await cursor.fetchone()
    return int(row["halted"]) if row else 0
