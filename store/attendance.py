"""Acts upon whether an agent is at work: hands out, tells tickets, and notes when to look again.

In the transaction of every change of presence, shifts, leave or profile, and by an alarm at the
instant at which something about the agent falls due.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from store import duty, outbox
from store.pool import Connection
from support.attendance import AgentTime, Attendance, attendance, frees_at, takes_up, tells
from support.model import LeftCause, Presence
from support.roster import Span
from support.shifts import Leave

AGAIN = timedelta(seconds=1)
"""When an agent is looked at who was being changed."""
CLOCKS_APART = timedelta(seconds=0.5)
"""How late tickets are told, as decisions go by Temporal's clock and shifts by the database's."""

_OWNS_ACTIVE: LiteralString = """
exists (select from claims as c join tickets as t using (tenant, ticket_id)
         where c.tenant = a.tenant and c.agent_id = a.agent_id and t.active)
"""

_READ = (
    """
select a.team, a.role, a.presence, a.presence_since, a.presence_until, a.left_cause, a.scheduled,
       s.starts_at, s.ends_at, a.recent_claims, a.limit_new, a.limit_window,
       a.load_units < a.capacity_units as has_room, now() as now,
"""  # noqa: S608  constant pieces
    + _OWNS_ACTIVE
    + """ as owns,
       exists (select from tickets as t
                where t.tenant = a.tenant and t.waits_since is not null
                  and t.sought_roles <> '{}') as called
  from agents as a
  left join lateral (select starts_at, ends_at from shift_spans
                      where tenant = a.tenant and agent_id = a.agent_id and ends_at > now()
                      order by starts_at limit 1) as s on a.scheduled
 where a.tenant = %(tenant)s and a.agent_id = %(agent_id)s and a.left_at is null
"""
)

_LEAVES = """
select starts_at, ends_at from leaves
 where tenant = %s and agent_id = %s and (ends_at is null or ends_at > now())
"""

_KEEP = """
update agents
   set presence = %(presence)s, presence_since = %(since)s, left_cause = %(left_cause)s,
       presence_until = case when %(presence)s = 'online' then presence_until end
 where tenant = %(tenant)s and agent_id = %(agent_id)s
"""


async def look(
    conn: Connection, *, tenant: str, agent_id: str, since: datetime | None = None
) -> None:
    """Act upon how the agent stands, whom the transaction holds; nothing for who has left for good.

    By an alarm, `since` is when they were last looked at: then only what has fallen due meanwhile
    hands out; after a change, whatever they can take.
    """
    row = await (await conn.execute(_READ, {"tenant": tenant, "agent_id": agent_id})).fetchone()
    if row is None:
        return
    now: datetime = row["now"]
    leaves = await _leaves(conn, tenant, agent_id) if row["scheduled"] else ()
    on_duty = await duty.spans(conn, tenant=tenant, agent_id=agent_id, now=now)
    agent = _time(row, leaves, on_duty or ())
    found = attendance(agent, now)
    was = LeftCause(row["left_cause"]) if row["left_cause"] else None
    if (found.left, found.presence) != (was, agent.presence):
        await _keep(conn, tenant, agent_id, found)
    takes = found.takes_work if since is None else takes_up(agent, found, was, since, now)
    if takes and row["has_room"] and (row["role"] == "agent" or row["called"]):
        about = {"agent": agent_id, "team": row["team"]}
        await outbox.add(conn, tenant=tenant, kind=outbox.HAND_OUT, about=about)
    if found.left is not None and tells(was, found.left) and row["owns"]:
        await tell(conn, tenant=tenant, agent_id=agent_id, cause=found.left)
    ahead = [found.next_at, None if on_duty is None else now + duty.AROUND]
    due_at = min((at for at in ahead if at is not None), default=None)
    if due_at is not None:
        await wake(conn, tenant=tenant, agent_id=agent_id, since=now, due_at=due_at)


async def tell(conn: Connection, *, tenant: str, agent_id: str, cause: LeftCause) -> None:
    """Have all active tickets of an agent told why their owner is not at work."""
    about = {"agent": agent_id, "cause": str(cause)}
    await outbox.add(conn, tenant=tenant, kind=outbox.OWNER_LEFT, about=about, after=CLOCKS_APART)


async def _leaves(conn: Connection, tenant: str, agent_id: str) -> tuple[Leave, ...]:
    cursor = await conn.execute(_LEAVES, (tenant, agent_id))
    return tuple(Leave(row["starts_at"], row["ends_at"]) for row in await cursor.fetchall())


def _time(
    row: Mapping[str, Any], leaves: tuple[Leave, ...], on_duty: tuple[Span, ...]
) -> AgentTime:
    spans = None
    if row["scheduled"]:
        spans = ((row["starts_at"], row["ends_at"]),) if row["starts_at"] is not None else ()
    return AgentTime(
        presence=Presence(row["presence"]),
        since=row["presence_since"],
        until=row["presence_until"],
        spans=spans,
        leaves=leaves,
        frees_at=frees_at(row["recent_claims"], row["limit_new"], row["limit_window"]),
        duty=on_duty,
    )


async def _keep(conn: Connection, tenant: str, agent_id: str, found: Attendance) -> None:
    await conn.execute(
        _KEEP,
        {
            "tenant": tenant,
            "agent_id": agent_id,
            "presence": str(found.presence),
            "since": found.since,
            "left_cause": str(found.left or ""),
        },
    )


async def wake(
    conn: Connection, *, tenant: str, agent_id: str, since: datetime, due_at: datetime
) -> None:
    """Have the agent looked at not later than `due_at`; the transaction holds them.

    `since` is what has been acted upon so far.
    """
    await outbox.set_alarm(
        conn,
        tenant=tenant,
        alarm=f"agent/{agent_id}",
        kind=outbox.AGENT_DUE,
        about={"agent": agent_id, "since": since.isoformat()},
        due_at=due_at,
    )


async def fell_due(conn: Connection, *, tenant: str, agent_id: str, since: datetime) -> None:
    """Look at an agent whose alarm went off, in the transaction that delivers it.

    It waits for nobody who changes the agent: that transaction may be about to set this alarm, and
    would wait for this one.
    """
    whose = (tenant, agent_id)
    known = await conn.execute(
        "select now() as now from agents where tenant = %s and agent_id = %s", whose
    )
    row = await known.fetchone()
    if row is None:
        return
    held = await conn.execute(
        "select from agents where tenant = %s and agent_id = %s for no key update skip locked",
        whose,
    )
    if await held.fetchone() is None:
        await wake(conn, tenant=tenant, agent_id=agent_id, since=since, due_at=row["now"] + AGAIN)
    else:
        await look(conn, tenant=tenant, agent_id=agent_id, since=since)


@dataclass(frozen=True, slots=True)
class Gone:
    """What the tickets of an agent who is not at work are told: why, at which instant."""

    cause: LeftCause
    at: datetime


async def gone(conn: Connection, *, tenant: str, agent_id: str) -> Gone | None:
    """Return why an agent is not at work; None: they are again, or have left for good."""
    cursor = await conn.execute(
        "select left_cause, now() as now from agents"
        " where tenant = %s and agent_id = %s and left_cause <> '' and left_at is null",
        (tenant, agent_id),
    )
    row = await cursor.fetchone()
    return Gone(LeftCause(row["left_cause"]), row["now"]) if row else None


_OWNED = """
select ticket_id from claims as c join tickets as t using (tenant, ticket_id)
 where c.tenant = %(tenant)s and c.agent_id = %(agent_id)s and t.active
   and ticket_id > %(after)s
 order by ticket_id
 limit %(most)s
"""


async def owned(
    conn: Connection, *, tenant: str, agent_id: str, after: str, most: int
) -> tuple[str, ...]:
    """Return at most so many active tickets of an agent by id, behind `after`.

    Served by the index claims_agent.
    """
    cursor = await conn.execute(
        _OWNED, {"tenant": tenant, "agent_id": agent_id, "after": after, "most": most}
    )
    return tuple(row["ticket_id"] for row in await cursor.fetchall())


_TELL_AGAIN = (
    """
insert into outbox (tenant, kind, about)
select tenant, 'owner_left', jsonb_build_object('agent', agent_id, 'cause', left_cause)
  from agents as a
 where tenant = %(tenant)s and left_cause <> '' and left_at is null
   and (%(agent_id)s::text is null or agent_id = %(agent_id)s) and
"""
    + _OWNS_ACTIVE
    + "returning pg_notify('outbox', '')"
)


async def tell_again(conn: Connection, *, tenant: str, agent_id: str | None = None) -> None:
    """Tell the tickets of all who are not at work, or of one of them.

    Nobody did, or nothing came of it, while automation was stopped or halted.
    """
    await conn.execute(_TELL_AGAIN, {"tenant": tenant, "agent_id": agent_id})
