"""Who of the roster could ever take a ticket, and when the next of them comes."""

from psycopg.rows import class_row

from store import rotas
from store.pool import Connection
from support.needs import FindOutlook, Outlook
from support.routing import Role

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
    duty = None
    if need.role is Role.ON_CALL:
        duty = await rotas.on_duty(conn, tenant=tenant, team=need.team, at=need.at)
    async with conn.cursor(row_factory=class_row(Outlook)) as cursor:
        await cursor.execute(
            _OUTLOOK,
            {
                "tenant": tenant,
                "role": str(need.role),
                "on_duty": list(duty or ()),
                "team": need.team,
                "skills": list(need.skills),
                "at": need.at,
            },
        )
        return await cursor.fetchone() or Outlook(0)
