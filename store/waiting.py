"""Tickets that wait for an owner, and who has room for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from psycopg.rows import class_row

from store import duty
from store.availability import ON_SHIFT_NOW, ONLINE_NOW
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


_ROOM: LiteralString = """
select a.agent_id, a.team, a.skills, a.capacity_units - a.load_units as units, a.capacity_units,
       (a.kind_capacity ->> 'chat')::numeric
           - coalesce((a.kind_load ->> 'chat')::numeric, 0) as chat_units,
       (a.kind_capacity ->> 'ticket')::numeric
           - coalesce((a.kind_load ->> 'ticket')::numeric, 0) as ticket_units
"""

_ROOMY: LiteralString = (
    """
   and a.load_units < a.capacity_units and not limited(a, now()) and
"""
    + ONLINE_NOW
)

_FREE: LiteralString = (
    _ROOM
    + " from agents as a where a.tenant = %(tenant)s and a.role = 'agent' "
    + _ROOMY
    + ON_SHIFT_NOW
)

# What is read of tickets that wait, and which of them are offered.
_WAITING: LiteralString = """
select t.ticket_id, t.channel, t.status, t.team, t.skills, t.next_due_at, t.created_at,
       t.sought_teams, t.declined_by, t.sought_roles
  from tickets as t
 where t.tenant = %(tenant)s and t.waits_since is not null and t.halted = '' and not t.passed_by
   and t.ticket_id <> all(%(without)s::text[])
   and not exists (select from parkings as p
                    where p.tenant = t.tenant and p.ticket_id = t.ticket_id)
   and (%(after_id)s::text is null
        or (coalesce(t.next_due_at, 'infinity'), t.created_at, t.ticket_id)
           > (coalesce(%(after_due)s::timestamptz, 'infinity'), %(after_created)s::timestamptz,
              %(after_id)s))
"""
_IN_ORDER: LiteralString = """
 order by t.next_due_at nulls last, t.created_at, t.ticket_id
 limit %(page)s
"""

# What waits asks for few different things: each is found by one step in an index and compared with
# the room that there is once, not for each ticket. Where none fits, the queue is not read at all.
_TICKETS = (
    """
with recursive need as (
    (select team, skills, hash_array_extended(skills, 0) as hashed, channel = 'chat' as chat
       from tickets
      where tenant = %(tenant)s and waits_since is not null
      order by team, hashed, chat limit 1)
    union all
    select further.* from need cross join lateral (
        select t.team, t.skills, hash_array_extended(t.skills, 0) as hashed,
               t.channel = 'chat' as chat
          from tickets as t
         where t.tenant = %(tenant)s and t.waits_since is not null
           and (t.team, hash_array_extended(t.skills, 0), t.channel = 'chat')
               > (need.team, need.hashed, need.chat)
         order by t.team, hashed, chat limit 1) as further
), room as materialized (
    select team, skills, max(least(units, ticket_units)) as units,
           max(least(units, chat_units)) as chat_units
      from ("""  # noqa: S608  constant pieces
    + _FREE
    + """) as free group by team, skills
), fitting as materialized (
    select team, skills, chat from need
     where exists (select from room
                    where need.team in ('', room.team) and room.skills @> need.skills
                      and case when chat then room.chat_units >= 4 else room.units >= 1 end)
), sought as materialized (
    select ticket_id from tickets as t
     where tenant = %(tenant)s and waits_since is not null and sought_teams <> '{}'
       and exists (select from room
                    where room.team = any(t.sought_teams) and room.skills @> t.skills
                      and case when t.channel = 'chat' then room.chat_units >= 4
                               else room.units >= 1 end)
)
"""
    + _WAITING
    + """
   and (exists (select from fitting) or exists (select from sought))
   and (((t.team, t.skills, t.channel = 'chat') in (select team, skills, chat from fitting)) is true
        or t.ticket_id in (select ticket_id from sought))
"""
    + _IN_ORDER
)

_CALLED = _WAITING + " and t.sought_roles <> '{}' " + _IN_ORDER


async def tickets(
    conn: Connection, *, tenant: str, without: Sequence[str] = (), after: Place | None = None
) -> tuple[WaitingTicket, ...]:
    """Return at most `PAGE` tickets that somebody who is there could take, in their order.

    Left out are those on which automation is halted, those that were passed by, those of which
    something cannot be decided, and `without`.
    Served by the partial indexes tickets_waiting, tickets_needs, tickets_sought and agents_online,
    and by the key of parkings.
    """
    return await _read(conn, _TICKETS, tenant, without, after)


async def called(
    conn: Connection, *, tenant: str, without: Sequence[str] = (), after: Place | None = None
) -> tuple[WaitingTicket, ...]:
    """Return of such tickets those for which others than agents were asked, whoever is there.

    Served by the partial index tickets_sought_roles.
    """
    return await _read(conn, _CALLED, tenant, without, after)


async def _read(
    conn: Connection,
    query: LiteralString,
    tenant: str,
    without: Sequence[str],
    after: Place | None,
) -> tuple[WaitingTicket, ...]:
    async with conn.cursor(row_factory=class_row(WaitingTicket)) as cursor:
        await cursor.execute(
            query,
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


_ROOMS = _FREE + " order by a.agent_id limit %(most)s"

# On duty is who is on duty by rota, shift or not, and whose role it is, should a team have no rota.
_ALL_ROOMS = (
    _ROOM
    + """,
       array_remove(array[case when here.on_shift then a.role end,
                          case when a.agent_id = any(%(on_duty)s::text[]) then 'on_call' end],
                    null) as roles
  from agents as a cross join lateral (select true
"""
    + ON_SHIFT_NOW
    + """ as on_shift) as here
 where a.tenant = %(tenant)s and (here.on_shift or a.agent_id = any(%(on_duty)s::text[]))
"""
    + _ROOMY
    + " order by a.role = 'agent', a.agent_id limit %(most)s"
)


async def rooms(conn: Connection, *, tenant: str) -> tuple[Room, ...]:
    """Return who could be given work now: as `roster.candidates`, of all teams."""
    async with conn.cursor(row_factory=class_row(Room)) as cursor:
        await cursor.execute(_ROOMS, {"tenant": tenant, "most": _MOST_ROOMS})
        return tuple(await cursor.fetchall())


async def rooms_of_all(conn: Connection, *, tenant: str) -> tuple[Room, ...]:
    """Return the same with leads, managers and who is on call, for tickets that are `called`."""
    on_duty = await duty.all_on_duty_now(conn, tenant=tenant)
    async with conn.cursor(row_factory=class_row(Room)) as cursor:
        about = {"tenant": tenant, "most": _MOST_ROOMS, "on_duty": sorted(on_duty)}
        await cursor.execute(_ALL_ROOMS, about)
        return tuple(await cursor.fetchall())
