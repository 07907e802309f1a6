"""What must hold of ownership in the ledger at any instant, told by one snapshot."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from store.pool import Connection, Pool, snapshot

_AGENTS: LiteralString = """
select a.agent_id, a.load_units, a.capacity_units, a.kind_capacity,
       coalesce(c.units, 0) as claimed, coalesce(c.chat, 0) as chat, coalesce(c.other, 0) as other,
       coalesce((a.kind_load ->> 'chat')::numeric, 0) as chat_load,
       coalesce((a.kind_load ->> 'ticket')::numeric, 0) as other_load,
       coalesce((a.kind_capacity ->> 'chat')::numeric, 'infinity') as chat_capacity,
       coalesce((a.kind_capacity ->> 'ticket')::numeric, 'infinity') as other_capacity
  from agents as a
  left join (select c.tenant, c.agent_id, sum(c.units) as units,
                    sum(c.units) filter (where t.channel = 'chat') as chat,
                    sum(c.units) filter (where t.channel <> 'chat') as other
               from claims as c join tickets as t using (tenant, ticket_id)
              where c.tenant = %(tenant)s
              group by c.tenant, c.agent_id) as c using (tenant, agent_id)
 where a.tenant = %(tenant)s
"""
_WRONG: LiteralString = (
    "select agent_id || ' carries ' || load_units || ' of claims of ' || claimed || ', '"  # noqa: S608
    " || chat_load || ' of chats of ' || chat || ', '"
    " || other_load || ' of tickets of ' || other as wrong"
    "  from ("
    + _AGENTS
    + ") as a where (load_units, chat_load, other_load) <> (claimed, chat, other)"
)
_OVER: LiteralString = (
    "select agent_id || ' carries ' || load_units || ' of ' || capacity_units as wrong"  # noqa: S608
    "  from (" + _AGENTS + ") as a where load_units > capacity_units"
    "           or chat_load > chat_capacity or other_load > other_capacity"
)
_OWNERS: LiteralString = """
select t.ticket_id || ' is of ' || coalesce(c.agent_id, 'nobody') || ' by its claim and of '
       || coalesce(t.state ->> 'owner', 'nobody') || ' by its state' as wrong
  from tickets as t
  left join claims as c using (tenant, ticket_id)
 where t.tenant = %(tenant)s
   and (coalesce(t.state ->> 'owner', '') <> coalesce(c.agent_id, '')
        or (t.waits_since is not null) <> (t.active and c.agent_id is null))
"""
_KEPT_WAITING: LiteralString = """
select t.ticket_id || ' though ' || a.agent_id || ' has had room since ' || a.idle_since
  from tickets as t
 cross join lateral (select case t.channel when 'chat' then 'chat' else 'ticket' end as kind,
                            case t.channel when 'chat' then 4 else 1 end as units) as u
  join agents as a
       on a.tenant = t.tenant and a.presence = 'online' and a.role = 'agent'
      and (t.team = '' or a.team = t.team) and a.skills @> t.skills
      and a.load_units + u.units <= a.capacity_units
      and coalesce((a.kind_load ->> u.kind)::numeric, 0) + u.units
          <= coalesce((a.kind_capacity ->> u.kind)::numeric, 'infinity')
 where t.tenant = %(tenant)s and t.waits_since is not null and t.halted = ''
   and not exists (
       select from jsonb_array_elements(
           coalesce(t.state -> 'ownership' -> 'declined', '[]')) as d
        where d ->> 'agent_id' = a.agent_id
          and (d ->> 'until')::timestamptz > coalesce(%(at)s, now()))
"""
_DECISIONS: LiteralString = """
select t.ticket_id || ' has decisions 1 to ' || max(d.decision_seq) || ', ' || count(*)
       || ' of them, and is at ' || t.decision_seq as wrong
  from tickets as t join decisions as d using (tenant, ticket_id)
 where t.tenant = %(tenant)s
 group by t.ticket_id, t.decision_seq
having count(*) <> max(d.decision_seq) or min(d.decision_seq) <> 1
    or max(d.decision_seq) <> t.decision_seq
"""
_EVENTS: LiteralString = """
select e.ticket_id || ' took ' || e.event_id || ' ' || count(d.decision_seq) || ' times' as wrong
  from events as e
  left join decisions as d on d.tenant = e.tenant and d.ticket_id = e.ticket_id
                          and d.trigger_id = e.event_id
 where e.tenant = %(tenant)s
 group by e.ticket_id, e.event_id, e.outcome
having count(d.decision_seq) <> case e.outcome when 'accepted' then 1 else 0 end
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one snapshot shows. `wrong` must be empty always.

    `kept_waiting` are waiting tickets and who has room for them, and has been given nothing since:
    where the same is seen again, the room was there all the time.
    """

    wrong: tuple[str, ...]
    kept_waiting: frozenset[str]


async def _said(
    conn: Connection, query: LiteralString, tenant: str, at: datetime | None = None
) -> list[str]:
    cursor = await conn.execute(query, {"tenant": tenant, "at": at})
    return [next(iter(row.values())) for row in await cursor.fetchall()]


async def look(
    pool: Pool, tenant: str, *, at: datetime | None = None, excess: bool = False
) -> Seen:
    """Look once, `at` an instant or now. `excess`: people have assigned beyond capacity."""
    queries = (_WRONG, _OWNERS) if excess else (_WRONG, _OVER, _OWNERS)
    async with snapshot(pool) as conn:
        wrong = [said for query in queries for said in await _said(conn, query, tenant)]
        return Seen(tuple(wrong), frozenset(await _said(conn, _KEPT_WAITING, tenant, at)))


async def audit(pool: Pool, tenant: str) -> tuple[str, ...]:
    """Return what was not decided exactly once."""
    async with snapshot(pool) as conn:
        found = [said for q in (_DECISIONS, _EVENTS) for said in await _said(conn, q, tenant)]
    return tuple(found)
