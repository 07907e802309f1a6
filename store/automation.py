"""The stop switch of automation: read by every decision, and again when an effect executes."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store import attendance, outbox
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Switch:
    """How the switch of a tenant stands, and who last moved it."""

    stopped: bool
    reason: str
    changed_by: str
    changed_at: datetime


async def read(conn: Connection, *, tenant: str) -> Switch | None:
    """Return the switch, or None where nobody ever moved it: automation runs."""
    async with conn.cursor(row_factory=class_row(Switch)) as cursor:
        await cursor.execute(
            "select stopped, reason, changed_by, changed_at from automation where tenant = %s",
            (tenant,),
        )
        return await cursor.fetchone()


async def stopped(conn: Connection, *, tenant: str) -> bool:
    """Whether automation does nothing for this tenant now."""
    switch = await read(conn, tenant=tenant)
    return switch is not None and switch.stopped


async def move(conn: Connection, *, tenant: str, stopped: bool, by: str, reason: str) -> None:
    """Stop automation, or let it run again; it counts from the next decision and effect on.

    In one transaction with the wake-up of what has waited, and of the tickets of who has left.
    """
    await conn.execute(
        "insert into automation (tenant, stopped, reason, changed_by) values (%s, %s, %s, %s)"
        " on conflict (tenant) do update set stopped = excluded.stopped,"
        "    reason = excluded.reason, changed_by = excluded.changed_by, changed_at = now()",
        (tenant, stopped, reason, by),
    )
    if not stopped:
        about = {"automation": "runs"}
        await outbox.add(conn, tenant=tenant, kind=outbox.HAND_OUT, about=about)
        await attendance.tell_again(conn, tenant=tenant)
