"""Wake-ups of other workflows: written with what causes them, taken and delivered by a relay.

A row is delivered at least once: it is taken under a lock that ends with the transaction, so a
relay that dies gives it back, and who receives it tells repeats by its id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from store.availability import ON_SHIFT_NOW, ONLINE_NOW
from store.pool import Connection

LISTEN: LiteralString = "listen outbox"
"""How a relay hears when a transaction that added a row has committed."""
HAND_OUT = "hand_out"
AGENT_DUE = "agent_due"
OWNER_LEFT = "owner_left"
BULK_CHANGE = "bulk_change"
_BACKOFF_MAX_S = 60.0
_ERROR_SHOWN = 300


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One wake-up. `about` says what caused it, by reference; `attempts` failed before."""

    id: int
    tenant: str
    kind: str
    about: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0


# In the same statement, so that whoever adds a row cannot forget to tell of it.
_ADD = """
insert into outbox (tenant, kind, about, due_at)
values (%(tenant)s, %(kind)s, %(about)s, now() + %(after)s)
returning pg_notify('outbox', '')
"""


async def add(
    conn: Connection,
    *,
    tenant: str,
    kind: str,
    about: Mapping[str, Any],
    after: timedelta = timedelta(0),
) -> None:
    """Add a wake-up to the caller's transaction, due `after` it began; relays hear of it then."""
    await conn.execute(
        _ADD, {"tenant": tenant, "kind": kind, "about": Jsonb(dict(about)), "after": after}
    )


# The look for a pending one first, as an insert would wait for the relay that has taken it.
_SET_ALARM = """
insert into outbox (tenant, kind, about, alarm, due_at)
select %(tenant)s, %(kind)s, %(about)s, %(alarm)s, %(due_at)s
 where not exists (select from outbox
                    where tenant = %(tenant)s and alarm = %(alarm)s and delivered_at is null
                      and due_at <= %(due_at)s)
on conflict (tenant, alarm) where alarm is not null and delivered_at is null do update
   set due_at = excluded.due_at where outbox.due_at > excluded.due_at
returning pg_notify('outbox', '')
"""


async def set_alarm(
    conn: Connection,
    *,
    tenant: str,
    alarm: str,
    kind: str,
    about: Mapping[str, Any],
    due_at: datetime,
) -> None:
    """Have one wake-up pending under the name `alarm`, due at `due_at` or earlier.

    A pending one keeps what it is `about`. Who delivers it looks again, and sets it anew.
    Served by the partial index outbox_alarm.
    """
    await conn.execute(
        _SET_ALARM,
        {
            "tenant": tenant,
            "alarm": alarm,
            "kind": kind,
            "about": Jsonb(dict(about)),
            "due_at": due_at,
        },
    )


_WAITS: LiteralString = """
exists (select from tickets as t
         where t.tenant = %(tenant)s and t.waits_since is not null and not t.passed_by
           and t.ticket_id <> %(ticket_id)s)
"""
# Few, and for others than agents on shift: who is on duty by rota, leads, managers.
_CALLED: LiteralString = """
exists (select from tickets as t
         where t.tenant = %(tenant)s and t.waits_since is not null and not t.passed_by
           and t.sought_roles <> '{}' and t.ticket_id <> %(ticket_id)s)
"""

_FREED = (
    """
insert into outbox (tenant, kind, about)
select tenant, 'hand_out',
       jsonb_build_object('agent', agent_id, 'team', team, 'ticket', %(ticket_id)s::text,
                          'seq', %(seq)s::bigint)
  from agents as a
 where tenant = %(tenant)s and agent_id = %(agent_id)s
   and load_units < capacity_units and
"""
    + ONLINE_NOW
    + " and ((a.role = 'agent' "
    + ON_SHIFT_NOW
    + " and "
    + _WAITS
    + ") or "
    + _CALLED
    + """)
returning pg_notify('outbox', '')
"""
)


async def capacity_freed(
    conn: Connection, *, tenant: str, agent_id: str, ticket_id: str, seq: int
) -> None:
    """Hand out what waits beside the ticket that freed capacity, if anything does.

    Served by the primary key of agents and the partial indexes tickets_waiting and
    tickets_sought_roles.
    """
    await conn.execute(
        _FREED, {"tenant": tenant, "agent_id": agent_id, "ticket_id": ticket_id, "seq": seq}
    )


_UNUSED = (
    """
insert into outbox (tenant, kind, about)
select %(tenant)s, 'hand_out', %(about)s
 where (exists (select from agents as a
                 where a.tenant = %(tenant)s and a.role = 'agent'
                   and a.load_units < a.capacity_units and
"""  # noqa: S608  constant pieces
    + ONLINE_NOW
    + ON_SHIFT_NOW
    + ") and "
    + _WAITS
    + """)
    or (exists (select from agents as a
                 where a.tenant = %(tenant)s and a.load_units < a.capacity_units and
"""
    + ONLINE_NOW
    + ") and "
    + _CALLED
    + """)
returning pg_notify('outbox', '')
"""
)


async def room_unused(
    conn: Connection, *, tenant: str, ticket_id: str, seq: int, after: Sequence[str | None] = ()
) -> None:
    """Hand out to others the room that the ticket may have been offered for, and did not take.

    `after` is its place in the queue, behind which that goes on; empty: from the beginning. Nothing
    is written where nobody has room or nothing else waits. Served by the partial indexes
    agents_online, tickets_waiting and tickets_sought_roles.
    """
    about: dict[str, Any] = {"unused": ticket_id, "seq": seq}
    if after:
        about["after"] = list(after)
    await conn.execute(_UNUSED, {"tenant": tenant, "ticket_id": ticket_id, "about": Jsonb(about)})


_TAKE = """
select id, tenant, kind, about, attempts from outbox
 where delivered_at is null and due_at <= now()
 order by due_at, id
 limit %s
   for update skip locked
"""


async def take(conn: Connection, limit: int) -> tuple[OutboxRow, ...]:
    """Lock what is due, oldest first, until the transaction ends; what others have is passed over.

    Served by the partial index outbox_due.
    """
    async with conn.cursor(row_factory=class_row(OutboxRow)) as cursor:
        await cursor.execute(_TAKE, (limit,))
        return tuple(await cursor.fetchall())


async def delivered(conn: Connection, ids: Sequence[int]) -> None:
    """Note that rows have been delivered, in the transaction that took them."""
    await conn.execute(
        "update outbox set delivered_at = clock_timestamp(), last_error = '' where id = any(%s)",
        (list(ids),),
    )


async def drop(conn: Connection, ids: Sequence[int]) -> None:
    """Drop rows that nobody will ask for, in the transaction that delivers them."""
    await conn.execute("delete from outbox where id = any(%s)", (list(ids),))


_FAILED = """
update outbox
   set attempts = attempts + 1, last_error = %(error)s,
       due_at = clock_timestamp()
                + least(power(2, least(attempts, 10)), %(max_s)s) * interval '1 second'
 where id = any(%(ids)s)
"""


async def failed(conn: Connection, ids: Sequence[int], error: str) -> None:
    """Note what went wrong; the rows are due again after 1 s, 2 s, 4 s, at most 60 s."""
    await conn.execute(
        _FAILED, {"ids": list(ids), "error": error[:_ERROR_SHOWN], "max_s": _BACKOFF_MAX_S}
    )


async def next_due_s(conn: Connection) -> float | None:
    """Return the seconds until the next row is due, not positive: one is; None: there is none."""
    cursor = await conn.execute(
        "select extract(epoch from min(due_at) - clock_timestamp())::float8 as left_s"
        "  from outbox where delivered_at is null"
    )
    row = await cursor.fetchone()
    return row["left_s"] if row else None


_DROP = """
delete from outbox where id in (
    select id from outbox where delivered_at < clock_timestamp() - %(older_than)s::interval
     order by delivered_at limit %(most)s for update skip locked)
"""


async def drop_old(conn: Connection, *, older_than: timedelta, most: int) -> int:
    """Drop at most so many rows delivered long ago, whosever they are; return how many went."""
    cursor = await conn.execute(_DROP, {"older_than": older_than, "most": most})
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class Overdue:
    """What relays should have delivered, of all tenants: how many, since when, and why not."""

    count: int
    oldest_due_at: datetime | None
    last_error: str


async def overdue(conn: Connection, *, by: timedelta) -> Overdue:
    """Count the undelivered rows that were added, and due, more than `by` ago."""
    async with conn.cursor(row_factory=class_row(Overdue)) as cursor:
        await cursor.execute(
            "select count(*) as count, min(due_at) as oldest_due_at,"
            "       coalesce((array_agg(last_error order by id)"
            "                 filter (where last_error <> ''))[1], '') as last_error"
            "  from outbox where delivered_at is null and created_at < now() - %(by)s"
            "   and (due_at < now() - %(by)s or attempts > 0)",
            {"by": by},
        )
        return await cursor.fetchone() or Overdue(0, None, "")
