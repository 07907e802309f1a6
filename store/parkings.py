"""Triggers that cannot be decided, until somebody mends the cause."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection

_PARK = """
insert into parkings (tenant, ticket_id, trigger_id, error) values (%s, %s, %s, %s)
on conflict (tenant, ticket_id, trigger_id) do update set error = excluded.error
"""
_UNPARK = "delete from parkings where tenant = %s and ticket_id = %s and trigger_id = %s"


async def park(
    conn: Connection, *, tenant: str, ticket_id: str, trigger_id: str, error: str
) -> None:
    """Record that a trigger cannot be decided, and why."""
    await conn.execute(_PARK, (tenant, ticket_id, trigger_id, error))


async def unpark(conn: Connection, *, tenant: str, ticket_id: str, trigger_id: str) -> None:
    """Forget a parked trigger, now that it is decided."""
    await conn.execute(_UNPARK, (tenant, ticket_id, trigger_id))


@dataclass(frozen=True, slots=True)
class Parked:
    """A trigger that waits for a person."""

    ticket_id: str
    trigger_id: str
    error: str
    parked_at: datetime


async def parked(conn: Connection, *, tenant: str, limit: int = 500) -> tuple[Parked, ...]:
    """Return what cannot be decided, longest first."""
    async with conn.cursor(row_factory=class_row(Parked)) as cursor:
        await cursor.execute(
            "select ticket_id, trigger_id, error, parked_at from parkings where tenant = %s"
            " order by parked_at limit %s",
            (tenant, limit),
        )
        return tuple(await cursor.fetchall())
