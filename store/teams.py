"""Teams: who is there, what they carry, and what waits for them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg.rows import class_row

from store.availability import ON_SHIFT_AT, ONLINE_NOW
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Team:
    """How a team stands. Counted are those whose role is `agent`; `waiting` tickets have no owner.

    An empty `team` is who belongs to none, and the tickets that anybody may take.
    """

    team: str
    agents: int
    online: int
    on_shift: int
    load_units: Decimal
    capacity_units: Decimal
    waiting: int


_STANDING = (
    """
with staff as (
    select a.team, count(*) as agents, count(*) filter (where
"""  # noqa: S608  constant pieces
    + ONLINE_NOW
    + """
           ) as online, count(*) filter (where true
"""
    + ON_SHIFT_AT
    + """
           ) as on_shift, sum(a.load_units) as load_units, sum(a.capacity_units) as capacity_units
      from agents as a
     where a.tenant = %(tenant)s and a.role = 'agent'
     group by a.team
), queue as (
    select team, count(*) as waiting from tickets
     where tenant = %(tenant)s and waits_since is not null
     group by team
)
select team, coalesce(agents, 0) as agents, coalesce(online, 0) as online,
       coalesce(on_shift, 0) as on_shift, coalesce(load_units, 0) as load_units,
       coalesce(capacity_units, 0) as capacity_units, coalesce(waiting, 0) as waiting
  from (select team from staff union select team from queue
        union select team from rotas where tenant = %(tenant)s and team <> '') as named
  left join staff using (team)
  left join queue using (team)
 order by team
"""
)


async def standing(conn: Connection, *, tenant: str, at: datetime) -> tuple[Team, ...]:
    """Return how each team stands at `at`, by name.

    Served by the primary keys of agents and shift_spans and the partial index tickets_waiting.
    """
    async with conn.cursor(row_factory=class_row(Team)) as cursor:
        await cursor.execute(_STANDING, {"tenant": tenant, "at": at})
        return tuple(await cursor.fetchall())
