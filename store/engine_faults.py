"""Each time a rules engine had to be replaced: what a healthy hub has none of."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from store.pool import Connection


async def add(
    conn: Connection, *, tenant: str, version: str, name: str, kind: str, reason: str
) -> None:
    """Write that the engine of a pack was replaced while it decided for the tenant."""
    await conn.execute(
        "insert into engine_faults (tenant, version, name, kind, reason)"
        " values (%s, %s, %s, %s, %s)",
        (tenant, version, name, kind, reason),
    )


@dataclass(frozen=True, slots=True)
class FaultCount:
    """How often engines of one pack had one kind of fault, and the last of them."""

    name: str
    version: str
    kind: str
    count: int
    last_at: datetime
    last_reason: str


async def counted(conn: Connection, *, within: timedelta) -> tuple[FaultCount, ...]:
    """Return the faults of all tenants within the last `within`, for whoever runs the hub.

    Served by the index engine_faults_recent.
    """
    async with conn.cursor(row_factory=class_row(FaultCount)) as cursor:
        await cursor.execute(
            "select name, version, kind, count(*) as count, max(at) as last_at,"
            "       (array_agg(reason order by at desc))[1] as last_reason"
            "  from engine_faults where at > clock_timestamp() - %s::interval"
            " group by name, version, kind order by count desc, name, version, kind",
            (within,),
        )
        return tuple(await cursor.fetchall())


_DROP = """
delete from engine_faults
 where ctid = any (array(select ctid from engine_faults
                          where at < clock_timestamp() - %(older_than)s::interval
                          order by at limit %(most)s for update skip locked))
"""


async def drop_old(conn: Connection, *, older_than: timedelta, most: int) -> int:
    """Drop at most so many old faults, whosever they are, and return how many went.

    Served by the index engine_faults_recent.
    """
    cursor = await conn.execute(_DROP, {"older_than": older_than, "most": most})
    return cursor.rowcount
