"""Agents: who can be asked, how much they carry, and the capacity that a claim takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import LiteralString

from store import attendance, rotas
from store.availability import ON_SHIFT_AT, ONLINE_NOW, PRESENCE_NOW
from store.pool import Connection
from support.model import LeftCause, Presence
from support.needs import FindCandidates, FindPeople
from support.routing import Candidate, Role, WorkKind

_ONLINE: LiteralString = (
    """
select a.agent_id, a.load_units, a.capacity_units, a.idle_since,
       coalesce((a.kind_load ->> %(kind)s)::numeric, 0) as kind_load,
       (a.kind_capacity ->> %(kind)s)::numeric as kind_capacity,
       limited(a, %(at)s) as limited,
       coalesce(split_part(c.locale, '-', 1) = any(a.languages), false) as speaks,
       coalesce(a.agent_id = coalesce(nullif(%(last_owner)s, ''), h.agent_id), false) as had,
       a.skills, a.skill_levels as levels
  from agents as a
  left join claims as h on h.tenant = a.tenant and h.ticket_id = %(follow_up_of)s
  left join customers as c on c.tenant = a.tenant and c.customer_id = %(customer_id)s
 where a.tenant = %(tenant)s and (not %(insists)s or a.skills @> %(skills)s::text[]) and
"""
    + ONLINE_NOW
)

_CANDIDATES = (
    _ONLINE  # noqa: S608  constant pieces
    + """
   and a.role = %(role)s and (%(team)s::text = '' or a.team = %(team)s)
"""
    + ON_SHIFT_AT
    + """
 order by (a.load_units < a.capacity_units) desc,
          %(strategy)s = 'sticky'
              and a.agent_id = coalesce(nullif(%(last_owner)s, ''), h.agent_id) desc nulls last,
          case when %(strategy)s = 'skill_match' or not %(insists)s
               then (select sum(coalesce((a.skill_levels ->> skill)::integer, 1))
                       from unnest(%(skills)s::text[]) as skill where skill = any(a.skills))
               end desc nulls last,
          case when %(strategy)s = 'round_robin' then a.idle_since end,
          a.load_units, a.idle_since, a.agent_id
 limit 50
"""
)

# Few, and on duty outside their shifts, which is what a rota is for.
_ON_DUTY = _ONLINE + " and a.agent_id = any(%(on_duty)s::text[]) order by a.agent_id"


async def candidates(
    conn: Connection, *, tenant: str, need: FindCandidates
) -> tuple[Candidate, ...]:
    """Return at most 50 agents of the role and team who are at work, best first by strategy.

    For the role on_call, where there is a rota: those of them who are on duty, whatever their role.
    Served by the partial index agents_online, and shift_spans and customers by their keys.
    """
    duty = None
    if need.role is Role.ON_CALL:
        duty = await rotas.on_duty(conn, tenant=tenant, team=need.team, at=need.at)
    cursor = await conn.execute(
        _CANDIDATES if duty is None else _ON_DUTY,
        {
            "on_duty": list(duty or ()),
            "tenant": tenant,
            "role": str(need.role),
            "team": need.team,
            "skills": list(need.skills),
            "at": need.at,
            "kind": str(need.kind),
            "customer_id": need.customer_id,
            "strategy": str(need.strategy),
            "insists": need.insists,
            "last_owner": need.last_owner,
            "follow_up_of": need.follow_up_of,
        },
    )
    rows = await cursor.fetchall()
    return tuple(Candidate(**{**row, "skills": tuple(row["skills"])}) for row in rows)


_CLAIM = (
    """
update agents as a
   set load_units = load_units + %(units)s, idle_since = %(at)s,
       kind_load = jsonb_set(kind_load, array[%(kind)s],
                             to_jsonb(coalesce((kind_load ->> %(kind)s)::numeric, 0) + %(units)s)),
       recent_claims = case when limit_new is null then '{}'
           else (recent_claims || %(at)s::timestamptz)
                [greatest(1, cardinality(recent_claims) + 2 - limit_new):] end
 where tenant = %(tenant)s and agent_id = %(agent_id)s
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
    An agent who has gone meanwhile has their tickets told once more, in the same transaction.
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
        return False
    if row["frees_at"] is not None:
        await attendance.wake(
            conn, tenant=tenant, agent_id=agent_id, since=row["now"], due_at=row["frees_at"]
        )
    if row["left_cause"] and not forced:
        cause = LeftCause(row["left_cause"])
        await attendance.tell(conn, tenant=tenant, agent_id=agent_id, cause=cause)
    return True


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


_PEOPLE = (
    """
select a.agent_id, a.team,
"""
    + ONLINE_NOW
    + ON_SHIFT_AT
    + """
       as at_work
  from agents as a
 where a.tenant = %(tenant)s and a.role = %(role)s
 order by a.agent_id
"""
)


async def people(conn: Connection, *, tenant: str, need: FindPeople) -> tuple[str, ...]:
    """Return the ids of those with the role: of the team if it has any, else of the tenant.

    On call are those on duty by rota, and who has the role only where there is no rota. Of leads
    and managers those at work, or all of them where none is: a step must reach somebody.
    """
    if need.role is Role.ON_CALL:
        duty = await rotas.on_duty(conn, tenant=tenant, team=need.team, at=need.at)
        if duty is not None:
            return duty
    cursor = await conn.execute(_PEOPLE, {"tenant": tenant, "role": str(need.role), "at": need.at})
    rows = await cursor.fetchall()
    asked = [row for row in rows if need.team and row["team"] == need.team] or rows
    at_work = [row for row in asked if row["at_work"] and need.role is not Role.ON_CALL]
    return tuple(row["agent_id"] for row in at_work or asked)


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

    In one transaction with what comes of it (`attendance.look`).
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
    await attendance.look(conn, tenant=tenant, agent_id=agent.agent_id)


_PRESENT = (
    """
select now() as now, case when presence = 'online' then presence_until end as online_until,
       presence_since,
"""
    + PRESENCE_NOW
    + """ as presence
  from agents as a
 where tenant = %(tenant)s and agent_id = %(agent_id)s and left_at is null
   for no key update
"""
)

_SET_PRESENCE = """
update agents
   set presence = %(presence)s, presence_since = %(since)s, presence_until = %(until)s
 where tenant = %(tenant)s and agent_id = %(agent_id)s
"""


async def _present(
    conn: Connection,
    *,
    tenant: str,
    agent_id: str,
    presence: Presence,
    lasts: timedelta | None = None,
) -> tuple[bool, datetime] | None:
    """Set who is there; return whether they were already, and the instant. None: unknown agent."""
    whose = {"tenant": tenant, "agent_id": agent_id}
    row = await (await conn.execute(_PRESENT, whose)).fetchone()
    if row is None:
        return None
    now: datetime = row["now"]
    already, since = row["presence"] == presence, now
    if already:
        expired = presence is Presence.OFFLINE and row["online_until"] is not None
        since = row["online_until"] if expired else row["presence_since"]
    until = None if lasts is None else now + lasts
    values = {**whose, "presence": str(presence), "since": since, "until": until}
    await conn.execute(_SET_PRESENCE, values)
    return already, now


async def set_presence(conn: Connection, *, tenant: str, agent_id: str, presence: Presence) -> bool:
    """Set who is there until said otherwise; return False for an unknown agent.

    In one transaction with what comes of it (`attendance.look`).
    """
    known = await _present(conn, tenant=tenant, agent_id=agent_id, presence=presence)
    await attendance.look(conn, tenant=tenant, agent_id=agent_id)
    return known is not None


async def heartbeat(
    conn: Connection, *, tenant: str, agent_id: str, lasts: timedelta
) -> datetime | None:
    """Let an agent be online for `lasts`, and return until when; None for an unknown agent.

    One that only prolongs leaves the pending alarm as it is: it looks, and is set anew.
    """
    found = await _present(
        conn, tenant=tenant, agent_id=agent_id, presence=Presence.ONLINE, lasts=lasts
    )
    if found is None:
        return None
    already, now = found
    until = now + lasts
    if already:
        await attendance.wake(conn, tenant=tenant, agent_id=agent_id, since=now, due_at=until)
    else:
        await attendance.look(conn, tenant=tenant, agent_id=agent_id)
    return until


_LISTED = (
    """
select agent_id, name, email, team, role, skills, capacity_units, load_units, presence_until,
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
