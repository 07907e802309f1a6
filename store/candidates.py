"""Who can be asked: for a ticket now, ever, and by role."""

from typing import LiteralString

from psycopg.rows import class_row

from store import duty
from store.availability import ON_SHIFT_AT, ONLINE_NOW
from store.pool import Connection
from support.needs import FindCandidates, FindOutlook, FindPeople, Outlook
from support.routing import Candidate, Role

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
 order by (a.load_units + %(units)s <= a.capacity_units
           and coalesce((a.kind_load ->> %(kind)s)::numeric, 0) + %(units)s
               <= coalesce((a.kind_capacity ->> %(kind)s)::numeric, 'infinity')
           and not limited(a, %(at)s)) desc,
          %(strategy)s = 'sticky'
              and a.agent_id = coalesce(nullif(%(last_owner)s, ''), h.agent_id) desc nulls last,
          case when %(strategy)s = 'skill_match' or not %(insists)s
               then (select sum(coalesce((a.skill_levels ->> skill)::integer, 1))
                       from unnest(%(skills)s::text[]) as skill where skill = any(a.skills))
               end desc nulls last,
          case when %(strategy)s = 'round_robin' then a.idle_since end,
          (a.load_units + %(units)s) / nullif(a.capacity_units, 0), speaks desc, a.idle_since,
          a.agent_id
 limit 50
"""
)

# Few, and on duty outside their shifts, which is what a rota is for.
_ON_DUTY = _ONLINE + " and a.agent_id = any(%(on_duty)s::text[]) order by a.agent_id"


async def find(conn: Connection, *, tenant: str, need: FindCandidates) -> tuple[Candidate, ...]:
    """Return at most 50 agents of the role and team who are at work: who has room comes first.

    Then who is best by the strategy.
    For the role on_call, where there is a rota: those of them who are on duty, whatever their role.
    Served by the partial index agents_online, and shift_spans and customers by their keys.
    """
    on_duty = None
    if need.role is Role.ON_CALL:
        on_duty = await duty.on_duty(conn, tenant=tenant, team=need.team, at=need.at)
    cursor = await conn.execute(
        _CANDIDATES if on_duty is None else _ON_DUTY,
        {
            "on_duty": list(on_duty or ()),
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
            "units": need.units,
        },
    )
    rows = await cursor.fetchall()
    return tuple(Candidate(**{**row, "skills": tuple(row["skills"])}) for row in rows)


_OUTLOOK = """
select count(*) as agents, min(s.starts_at) as next_shift_at
  from agents as a
  left join lateral (select min(starts_at) as starts_at from shift_spans
                      where tenant = a.tenant and agent_id = a.agent_id
                        and starts_at > %(at)s) as s on a.scheduled
 where a.tenant = %(tenant)s and a.left_at is null
   and (a.role = %(role)s or a.agent_id = any(%(on_duty)s::text[]))
   and (%(team)s::text = '' or a.team = %(team)s) and a.skills @> %(skills)s::text[]
"""


async def outlook(conn: Connection, *, tenant: str, need: FindOutlook) -> Outlook:
    """Return how many suit, and when the next shift of one of them begins after `need.at`.

    Served by the primary keys of agents and shift_spans.
    """
    on_duty = None
    if need.role is Role.ON_CALL:
        on_duty = await duty.on_duty(conn, tenant=tenant, team=need.team, at=need.at)
    async with conn.cursor(row_factory=class_row(Outlook)) as cursor:
        await cursor.execute(
            _OUTLOOK,
            {
                "tenant": tenant,
                "role": str(need.role),
                "on_duty": list(on_duty or ()),
                "team": need.team,
                "skills": list(need.skills),
                "at": need.at,
            },
        )
        return await cursor.fetchone() or Outlook(0)


_PEOPLE = (
    """
select a.agent_id, a.team,
"""
    + ONLINE_NOW
    + ON_SHIFT_AT
    + """
       as at_work
  from agents as a
 where a.tenant = %(tenant)s and a.role = %(role)s and a.left_at is null
 order by a.agent_id
"""
)


async def people(conn: Connection, *, tenant: str, need: FindPeople) -> tuple[str, ...]:
    """Return the ids of those with the role: of the team if it has any, else of the tenant.

    On call are those on duty by rota, and who has the role only where there is no rota. Of leads
    and managers those at work, or all of them where none is: a step must reach somebody.
    """
    if need.role is Role.ON_CALL:
        on_duty = await duty.on_duty(conn, tenant=tenant, team=need.team, at=need.at)
        if on_duty is not None:
            return on_duty
    cursor = await conn.execute(_PEOPLE, {"tenant": tenant, "role": str(need.role), "at": need.at})
    rows = await cursor.fetchall()
    asked = [row for row in rows if need.team and row["team"] == need.team] or rows
    at_work = [row for row in asked if row["at_work"] and need.role is not Role.ON_CALL]
    return tuple(row["agent_id"] for row in at_work or asked)
