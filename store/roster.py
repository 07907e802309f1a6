"""Agents: who can be asked, how much they carry, and the capacity that a claim takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg.rows import class_row

from store import outbox
from store.pool import Connection
from support.model import Presence
from support.routing import Candidate, Role

_CANDIDATES = """
select agent_id, load_units, capacity_units, idle_since
  from agents
 where tenant = %s and presence = 'online' and role = %s
   and (%s::text = '' or team = %s) and skills @> %s::text[]
 order by (load_units < capacity_units) desc, load_units, idle_since, agent_id
 limit 50
"""


async def candidates(
    conn: Connection, *, tenant: str, role: Role, team: str, skills: Sequence[str]
) -> tuple[Candidate, ...]:
    """Return at most 50 online agents of the role and team with all `skills`, least loaded first.

    Served by the partial index agents_online.
    """
    async with conn.cursor(row_factory=class_row(Candidate)) as cursor:
        await cursor.execute(_CANDIDATES, (tenant, str(role), team, team, list(skills)))
        return tuple(await cursor.fetchall())


_CLAIM = """
update agents
   set load_units = load_units + %(units)s, idle_since = %(at)s
 where tenant = %(tenant)s and agent_id = %(agent_id)s
   and (%(forced)s or (presence = 'online' and load_units + %(units)s <= capacity_units))
returning agent_id
"""


_LOCK = """
select from agents where tenant = %s and agent_id = any(%s) order by agent_id for no key update
"""


async def claim(
    conn: Connection,
    *,
    tenant: str,
    agent_id: str,
    units: Decimal,
    at: datetime,
    forced: bool,
    owner: str = "",
) -> bool:
    """Take `units` of the agent's capacity in one conditional update; return whether it was done.

    Not forced, it never exceeds the capacity, however many workers race. `at`: idle no more.
    `owner` is who gives the ticket up later in the transaction: both are locked here in the order
    of their ids, so that two tickets which exchange their owners wait instead of deadlocking.
    """
    if owner and owner != agent_id:
        await conn.execute(_LOCK, (tenant, [agent_id, owner]))
    cursor = await conn.execute(
        _CLAIM,
        {"tenant": tenant, "agent_id": agent_id, "units": units, "at": at, "forced": forced},
    )
    return await cursor.fetchone() is not None


async def adjust_load(conn: Connection, *, tenant: str, agent_id: str, units: Decimal) -> None:
    """Add `units` (negative: give back) to what the agent carries."""
    await conn.execute(
        "update agents set load_units = greatest(load_units + %s, 0)"
        " where tenant = %s and agent_id = %s",
        (units, tenant, agent_id),
    )


_SET_CLAIM = """
insert into claims (tenant, ticket_id, agent_id, units, excess, locked_until, claimed_at,
                    decision_seq)
select %(tenant)s, %(ticket_id)s, agent_id, %(units)s, load_units > capacity_units,
       %(locked_until)s, %(at)s, %(seq)s
  from agents where tenant = %(tenant)s and agent_id = %(agent_id)s
on conflict (tenant, ticket_id) do update
   set agent_id = excluded.agent_id, units = excluded.units, excess = excluded.excess,
       locked_until = excluded.locked_until, decision_seq = excluded.decision_seq,
       claimed_at = case when claims.agent_id = excluded.agent_id
                         then claims.claimed_at else excluded.claimed_at end
"""


async def set_claim(
    conn: Connection,
    *,
    tenant: str,
    ticket_id: str,
    agent_id: str,
    units: Decimal,
    locked_until: datetime | None,
    at: datetime,
    seq: int,
) -> None:
    """Write who owns the ticket, marked as excess where it is beyond the agent's capacity."""
    await conn.execute(
        _SET_CLAIM,
        {
            "tenant": tenant,
            "ticket_id": ticket_id,
            "agent_id": agent_id,
            "units": units,
            "locked_until": locked_until,
            "at": at,
            "seq": seq,
        },
    )


async def drop_claim(conn: Connection, *, tenant: str, ticket_id: str) -> None:
    """Leave the ticket without an owner."""
    await conn.execute(
        "delete from claims where tenant = %s and ticket_id = %s", (tenant, ticket_id)
    )


async def people(conn: Connection, *, tenant: str, role: Role, team: str) -> tuple[str, ...]:
    """Return the ids of those with the role: of the team if it has any, else of the tenant."""
    cursor = await conn.execute(
        "select agent_id, team from agents where tenant = %s and role = %s order by agent_id",
        (tenant, str(role)),
    )
    rows = await cursor.fetchall()
    of_team = tuple(r["agent_id"] for r in rows if team and r["team"] == team)
    return of_team or tuple(r["agent_id"] for r in rows)


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as the roster shows them. `name` and `email` never leave the store and the hub."""

    agent_id: str
    name: str = ""
    email: str = ""
    team: str = ""
    role: str = "agent"
    skills: tuple[str, ...] = ()
    presence: str = "offline"
    capacity_units: Decimal = Decimal(12)
    load_units: Decimal = Decimal(0)


_ADD = """
insert into agents (tenant, agent_id, name, email, team, role, skills, presence, capacity_units)
values (%(tenant)s, %(agent_id)s, %(name)s, %(email)s, %(team)s, %(role)s, %(skills)s,
        %(presence)s, %(capacity_units)s)
on conflict (tenant, agent_id) do update
   set name = excluded.name, email = excluded.email, team = excluded.team, role = excluded.role,
       skills = excluded.skills, capacity_units = excluded.capacity_units
"""


async def add(conn: Connection, *, tenant: str, agent: Agent) -> None:
    """Add an agent, or change all but the presence and load of one who is there.

    In one transaction with the wake-up of what the agent can take now.
    """
    await conn.execute(
        _ADD,
        {
            "tenant": tenant,
            "agent_id": agent.agent_id,
            "name": agent.name,
            "email": agent.email,
            "team": agent.team,
            "role": agent.role,
            "skills": list(agent.skills),
            "presence": agent.presence,
            "capacity_units": agent.capacity_units,
        },
    )
    await outbox.agent_has_room(conn, tenant=tenant, agent_id=agent.agent_id)


async def set_presence(conn: Connection, *, tenant: str, agent_id: str, presence: Presence) -> bool:
    """Set who is there; return False for an unknown agent.

    In one transaction with the wake-up of what the agent can take now.
    """
    cursor = await conn.execute(
        "update agents set presence = %s, presence_since = now()"
        " where tenant = %s and agent_id = %s returning agent_id",
        (str(presence), tenant, agent_id),
    )
    known = await cursor.fetchone() is not None
    await outbox.agent_has_room(conn, tenant=tenant, agent_id=agent_id)
    return known


async def listed(conn: Connection, *, tenant: str) -> tuple[Agent, ...]:
    """Return the tenant's agents by team and id."""
    async with conn.cursor(row_factory=class_row(Agent)) as cursor:
        await cursor.execute(
            "select agent_id, name, email, team, role, skills, presence, capacity_units,"
            " load_units from agents where tenant = %s order by team, agent_id",
            (tenant,),
        )
        return tuple(await cursor.fetchall())
