"""Who of the roster could ever take a ticket, and when the next of them comes."""

from psycopg.rows import class_row

from store.pool import Connection
from support.needs import FindOutlook, Outlook

_OUTLOOK = """
select count(*) as agents, min(s.starts_at) as next_shift_at
  from agents as a
  left join lateral (select min(starts_at) as starts_at from shift_spans
                      where tenant = a.tenant and agent_id = a.agent_id
                        and starts_at > %(at)s) as s on a.scheduled
 where a.tenant = %(tenant)s and a.role = %(role)s and a.left_at is null
   and (%(team)s::text = '' or a.team = %(team)s) and a.skills @> %(skills)s::text[]
"""


async def outlook(conn: Connection, *, tenant: str, need: FindOutlook) -> Outlook:
    """Return how many suit, and when the next shift of one of them begins after `need.at`.

    Served by the primary keys of agents and shift_spans.
    """
    async with conn.cursor(row_factory=class_row(Outlook)) as cursor:
        await cursor.execute(
            _OUTLOOK,
            {
                "tenant": tenant,
                "role": str(need.role),
                "team": need.team,
                "skills": list(need.skills),
                "at": need.at,
            },
        )
        return await cursor.fetchone() or Outlook(0)
