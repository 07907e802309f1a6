"""Agents: who can be asked, how much they carry, and the capacity that a claim takes."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from store import attendance, duty
from store.availability import ONLINE_NOW, PRESENCE_NOW
from store.pool import Connection
from support.errors import InputError
from support.model import LeftCause
from support.routing import WorkKind

_CLAIM = (
    """
update agents as a
   set load_units = load_units + %(units)s, idle_since = %(at)s,
       kind_load = jsonb_set(kind_load, array[%(kind)s],
                             to_jsonb(coalesce((kind_load ->> %(kind)s)::numeric, 0) + %(units)s)),
       recent_claims = case when limit_new is null then '{}'
           else (recent_claims || %(at)s::timestamptz)
                [greatest(1, cardinality(recent_claims) + 2 - limit_new):] end
 where tenant = %(tenant)s and agent_id = %(agent_id)s and left_at is null
   and (%(forced)s
        or (
"""
    + ONLINE_NOW
    + """
            and load_units + %(units)s <= capacity_units
            and coalesce((kind_load ->> %(kind)s)::numeric, 0) + %(units)s
                <= coalesce((kind_capacity ->> %(kind)s)::numeric, 'infinity')
            and not limited(a, %(at)s)))
returning now() as now, left_cause,
          case when limited(a, now())
               then recent_claims[cardinality(recent_claims) - limit_new + 1] + limit_window
               end as frees_at
"""
)


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
    kind: WorkKind = WorkKind.TICKET,
    owner: str = "",
) -> bool:
    """Take `units` of the agent's capacity in one conditional update; return whether it was done.

    Not forced, it never exceeds the capacity, in all and of the kind of work, nor the limit of new
    assignments, however many workers race. `at`: idle no more.
    `owner` is who gives the ticket up later in the transaction: both are locked here in the order
    of their ids, so that two tickets which exchange their owners wait instead of deadlocking.
    An agent who has gone meanwhile has their tickets told once more, in the same transaction; not
    one who is on duty by rota, for whom nights are work.
    InputError where it is forced for somebody who has left.
    """
    if owner and owner != agent_id:
        await conn.execute(_LOCK, (tenant, [agent_id, owner]))
    cursor = await conn.execute(
        _CLAIM,
        {
            "tenant": tenant,
            "agent_id": agent_id,
            "units": units,
            "at": at,
            "forced": forced,
            "kind": str(kind),
        },
    )
    row = await cursor.fetchone()
    if row is None:
        if forced:
            await refuse_left(conn, tenant, agent_id)
        return False
    if row["frees_at"] is not None:
        await attendance.wake(
            conn, tenant=tenant, agent_id=agent_id, since=row["now"], due_at=row["frees_at"]
        )
    if row["left_cause"] and not forced and not await _on_duty(conn, tenant, agent_id, row["now"]):
        cause = LeftCause(row["left_cause"])
        await attendance.tell(conn, tenant=tenant, agent_id=agent_id, cause=cause)
    return True


async def _on_duty(conn: Connection, tenant: str, agent_id: str, now: datetime) -> bool:
    return agent_id in await duty.all_on_duty(conn, tenant=tenant, at=now)


async def refuse_left(conn: Connection, tenant: str, agent_id: str) -> None:
    """Raise InputError where the agent has left for good."""
    cursor = await conn.execute(
        "select from agents where tenant = %s and agent_id = %s and left_at is not null",
        (tenant, agent_id),
    )
    if await cursor.fetchone() is not None:
        raise InputError(
            f"{agent_id} has left: `flowhub roster rejoin {agent_id}` takes them back",
            field="agent",
        )


_ADJUST = """
update agents
   set load_units = greatest(load_units + %(units)s, 0),
       kind_load = jsonb_set(kind_load, array[%(kind)s], to_jsonb(greatest(
           coalesce((kind_load ->> %(kind)s)::numeric, 0) + %(units)s, 0)))
 where tenant = %(tenant)s and agent_id = %(agent_id)s
"""


async def adjust_load(
    conn: Connection,
    *,
    tenant: str,
    agent_id: str,
    units: Decimal,
    kind: WorkKind = WorkKind.TICKET,
) -> None:
    """Add `units` (negative: give back) of a kind of work to what the agent carries."""
    await conn.execute(
        _ADJUST, {"tenant": tenant, "agent_id": agent_id, "units": units, "kind": str(kind)}
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


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as the roster shows them. `name` and `email` never leave the store and the hub.

    `presence_until`: a heartbeat ends then, or has ended.
    """

    agent_id: str
    name: str = ""
    email: str = ""
    team: str = ""
    role: str = "agent"
    skills: tuple[str, ...] = ()
    presence: str = "offline"
    capacity_units: Decimal = Decimal(12)
    load_units: Decimal = Decimal(0)
    presence_until: datetime | None = None
    left_at: datetime | None = None


_ADD = """
insert into agents (tenant, agent_id, name, email, team, role, skills, presence, capacity_units)
values (%(tenant)s, %(agent_id)s, %(name)s, %(email)s, %(team)s, %(role)s, %(skills)s,
        %(presence)s, %(capacity_units)s)
on conflict (tenant, agent_id) do update
   set name = excluded.name, email = excluded.email, team = excluded.team, role = excluded.role,
       skills = excluded.skills, capacity_units = excluded.capacity_units
 where agents.left_at is null
returning agent_id
"""


async def add(conn: Connection, *, tenant: str, agent: Agent) -> None:
    """Add an agent, or change all but the presence and load of one who is there.

    In one transaction with what comes of it (`attendance.look`). InputError for who has left.
    """
    cursor = await conn.execute(
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
    if await cursor.fetchone() is None:
        await refuse_left(conn, tenant, agent.agent_id)
    await attendance.look(conn, tenant=tenant, agent_id=agent.agent_id)


_LISTED = (
    """
select agent_id, name, email, team, role, skills, capacity_units, load_units, presence_until,
       left_at,
"""
    + PRESENCE_NOW
    + """ as presence
  from agents as a where tenant = %s order by team, agent_id
"""
)


async def listed(conn: Connection, *, tenant: str) -> tuple[Agent, ...]:
    """Return the tenant's agents by team and id."""
    cursor = await conn.execute(_LISTED, (tenant,))
    rows = await cursor.fetchall()
    return tuple(Agent(**{**row, "skills": tuple(row["skills"])}) for row in rows)
