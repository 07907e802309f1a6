"""Who carries what, as a plan to balance it reads it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from store import duty
from store.availability import ON_SHIFT_AT
from store.pool import Connection
from support.routing import Role, WorkKind
from support.workload import Carrier, OwnedTicket

_CARRIERS = (
    """
select a.agent_id, a.team, a.role, a.skills, a.left_at is not null as has_left,
       case when a.presence = 'online' and a.presence_until <= %(at)s then 'offline'
            else a.presence end as presence,
       a.load_units, a.capacity_units, a.kind_load, a.kind_capacity, a.idle_since,
       case when a.limit_new is null then null
            else a.limit_new - (select count(*) from unnest(a.recent_claims) as claimed_at
                                 where claimed_at > %(at)s - a.limit_window) end as new_left,
       (true
"""  # noqa: S608  constant pieces
    + ON_SHIFT_AT
    + """
       ) as on_shift,
       (select min(s.starts_at) from shift_spans as s
         where a.scheduled and s.tenant = a.tenant and s.agent_id = a.agent_id
           and s.starts_at > %(at)s) as next_shift_at
  from agents as a
 where a.tenant = %(tenant)s and (%(team)s::text = '' or a.team = %(team)s)
 order by a.agent_id
"""
)


async def carriers(
    conn: Connection, *, tenant: str, at: datetime, team: str = ""
) -> tuple[Carrier, ...]:
    """Return all who can own tickets, of the team or all teams, as they stand at `at`.

    Who is on duty by rota outside their shifts is there for what they have, and takes no more.
    Served by the keys of agents and shift_spans.
    """
    cursor = await conn.execute(_CARRIERS, {"tenant": tenant, "at": at, "team": team})
    rows = await cursor.fetchall()
    on_duty = await duty.all_on_duty(conn, tenant=tenant, at=at)
    return tuple(_carrier(row, on_duty=row["agent_id"] in on_duty) for row in rows)


def _carrier(row: Mapping[str, Any], *, on_duty: bool) -> Carrier:
    return Carrier(
        agent_id=row["agent_id"],
        team=row["team"],
        role=Role(row["role"]),
        skills=tuple(row["skills"]),
        at_work=row["on_shift"] and row["presence"] == "online",
        there=(row["on_shift"] or on_duty) and row["presence"] != "offline",
        left=row["has_left"],
        load_units=row["load_units"],
        capacity_units=row["capacity_units"],
        kind_load=_units(row["kind_load"]),
        kind_capacity=_units(row["kind_capacity"]),
        new_left=row["new_left"],
        idle_since=row["idle_since"],
        next_shift_at=row["next_shift_at"],
    )


def _units(by_kind: Mapping[str, Any]) -> dict[str, Decimal]:
    return {kind: Decimal(str(units)) for kind, units in by_kind.items()}


_TICKETS = """
select t.ticket_id, c.agent_id, c.units, t.channel, t.team, t.skills, c.locked_until,
       t.next_due_at, (t.state #>> '{ownership,since}')::timestamptz as since,
       coalesce((t.state ->> 'reassign_count')::integer, 0) > 0
         or coalesce(t.state #>> '{ownership,last}', '') <> '' as had_others,
       array(select one ->> 'agent_id'
               from jsonb_array_elements(t.state #> '{ownership,declined}') as one
              where (one ->> 'until')::timestamptz > %(at)s) as declined
  from tickets as t
  join claims as c using (tenant, ticket_id)
  join agents as a on a.tenant = c.tenant and a.agent_id = c.agent_id
 where t.tenant = %(tenant)s and t.active
   and (%(team)s::text = '' or a.team = %(team)s)
   and (%(owner)s::text = '' or c.agent_id = %(owner)s)
 order by t.ticket_id
"""


async def owned_tickets(
    conn: Connection, *, tenant: str, at: datetime, team: str = "", owner: str = ""
) -> tuple[OwnedTicket, ...]:
    """Return the active tickets that somebody owns: of the team, of `owner`, or all.

    Served by the partial index tickets_active, and claims and agents by their keys.
    """
    about = {"tenant": tenant, "at": at, "team": team, "owner": owner}
    cursor = await conn.execute(_TICKETS, about)
    return tuple(_ticket(row) for row in await cursor.fetchall())


def _ticket(row: Mapping[str, Any]) -> OwnedTicket:
    return OwnedTicket(
        ticket_id=row["ticket_id"],
        owner=row["agent_id"],
        units=row["units"],
        kind=WorkKind.CHAT if row["channel"] == "chat" else WorkKind.TICKET,
        team=row["team"],
        skills=tuple(row["skills"]),
        since=row["since"],
        moved_at=row["since"] if row["had_others"] else None,
        locked_until=row["locked_until"],
        next_due_at=row["next_due_at"],
        declined=tuple(row["declined"]),
    )
