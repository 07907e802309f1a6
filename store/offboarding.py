"""Agents who leave for good."""

from store import attendance
from store.pool import Connection
from store.shifts import unknown_agent

_LEAVE = """
update agents as a
   set left_at = coalesce(a.left_at, now()), presence = 'offline', presence_until = null,
       presence_since = case a.presence when 'offline' then a.presence_since else now() end
  from (select tenant, agent_id, left_at from agents
         where tenant = %(tenant)s and agent_id = %(agent_id)s) as before
 where a.tenant = before.tenant and a.agent_id = before.agent_id
returning before.left_at is not null as had_left
"""
_LOOK = """
select left_at is not null as had_left from agents
 where tenant = %(tenant)s and agent_id = %(agent_id)s
"""


async def leave(conn: Connection, *, tenant: str, agent_id: str, dry_run: bool = False) -> bool:
    """Note that an agent has left for good; return whether they had before.

    No claim gives them a ticket from then on: those under way are waited for. In a repeatable-read
    transaction where this is the first statement, what is read next has all their tickets, or
    psycopg.errors.SerializationFailure says to begin again. A `dry_run` writes nothing. InputError
    for an unknown agent.
    """
    about = {"tenant": tenant, "agent_id": agent_id}
    cursor = await conn.execute(_LOOK if dry_run else _LEAVE, about)
    row = await cursor.fetchone()
    if row is None:
        raise unknown_agent(tenant, agent_id)
    return bool(row["had_left"])


async def rejoin(conn: Connection, *, tenant: str, agent_id: str) -> bool:
    """Take back an agent who had left, offline and otherwise as they were; False: had not left.

    InputError for an unknown agent.
    """
    about = {"tenant": tenant, "agent_id": agent_id}
    row = await (await conn.execute(_LOOK, about)).fetchone()
    if row is None:
        raise unknown_agent(tenant, agent_id)
    if row["had_left"]:
        await conn.execute(
            "update agents set left_at = null where tenant = %(tenant)s"
            " and agent_id = %(agent_id)s",
            about,
        )
        await attendance.look(conn, tenant=tenant, agent_id=agent_id)
    return bool(row["had_left"])
