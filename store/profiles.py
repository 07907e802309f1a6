"""What the roster says of an agent beside team and skills: where, what, and how much at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from store import shifts
from store.pool import Connection
from support.roster import read_home


@dataclass(frozen=True, slots=True)
class Profile:
    """`levels` are 1 to 5 by skill, `kind_capacity` units by kind of work (`WorkKind`).

    At most `limit_new` new assignments in any stretch of `limit_window`; None: no limit.
    """

    tz: str = ""
    country: str = ""
    languages: tuple[str, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    kind_capacity: Mapping[str, float] = field(default_factory=dict)
    limit_new: int | None = None
    limit_window: timedelta | None = None


_READ = """
select tz, country, languages, skill_levels as levels, kind_capacity, limit_new, limit_window
  from agents where tenant = %s and agent_id = %s
"""


async def profile(conn: Connection, *, tenant: str, agent_id: str) -> Profile:
    """Return the profile of an agent; InputError for an unknown one."""
    cursor = await conn.execute(_READ, (tenant, agent_id))
    row = await cursor.fetchone()
    if row is None:
        raise shifts.unknown_agent(tenant, agent_id)
    return Profile(**{**row, "languages": tuple(row["languages"])})


_WRITE = """
update agents
   set tz = %(tz)s, country = %(country)s, languages = %(languages)s, skill_levels = %(levels)s,
       kind_capacity = %(kind_capacity)s, limit_new = %(limit_new)s,
       limit_window = %(limit_window)s
 where tenant = %(tenant)s and agent_id = %(agent_id)s
"""


async def set_profile(
    conn: Connection, *, tenant: str, agent_id: str, profile: Profile, now: datetime
) -> None:
    """Write the profile of an agent, whom the transaction holds, and their time on shift with it.

    Raise InputError for an unknown zone or country.
    """
    read_home(profile.tz or "UTC", profile.country)
    values: dict[str, Any] = {part.name: getattr(profile, part.name) for part in fields(profile)}
    values |= {
        "languages": list(profile.languages),
        "levels": Jsonb(dict(profile.levels)),
        "kind_capacity": Jsonb(dict(profile.kind_capacity)),
    }
    await conn.execute(_WRITE, {**values, "tenant": tenant, "agent_id": agent_id})
    await shifts.rewrite(conn, tenant=tenant, agent_id=agent_id, now=now)
