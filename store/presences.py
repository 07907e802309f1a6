"""Who is there: as they say, or for as long as their heartbeat lasts."""

from datetime import datetime, timedelta

from store import attendance
from store.availability import PRESENCE_NOW
from store.pool import Connection
from support.model import Presence

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
    """Set who is there until said otherwise; False for an unknown agent, or one who has left.

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
