"""Shifts and leave of agents, and the spans made of them that decisions ask.

`shift_spans` reaches from a week before a change, for what is decided late, to eight weeks after
it. It is written again in the transaction of every change, and by `extend` before it runs out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from store import attendance
from store.pool import Connection
from support.errors import InputError
from support.roster import Schedule, Span, read_home
from support.shifts import Leave, Shift

BEHIND, AHEAD = timedelta(days=7), timedelta(weeks=8)
EXTEND_BELOW = timedelta(weeks=6)
"""How much of the way ahead must be left, else `extend` writes the spans again."""
_ELSEWHERE = "UTC"


@dataclass(frozen=True, slots=True)
class KeptShift:
    """A shift with the number it is removed by."""

    shift_id: int
    shift: Shift


@dataclass(frozen=True, slots=True)
class KeptLeave:
    """A leave with the number it is ended by."""

    leave_id: int
    leave: Leave


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the roster says of an agent's time."""

    tz: str
    country: str
    shifts: tuple[KeptShift, ...]
    leaves: tuple[KeptLeave, ...]

    @property
    def schedule(self) -> Schedule:
        """The same, to reckon with."""
        return Schedule(
            read_home(self.tz or _ELSEWHERE, self.country),
            tuple(kept.shift for kept in self.shifts),
            tuple(kept.leave for kept in self.leaves),
        )


async def kept(conn: Connection, *, tenant: str, agent_id: str) -> Kept:
    """Return what the roster says of an agent's time; InputError for an unknown agent."""
    cursor = await conn.execute(
        "select tz, country from agents where tenant = %s and agent_id = %s", (tenant, agent_id)
    )
    agent = await cursor.fetchone()
    if agent is None:
        raise unknown_agent(tenant, agent_id)
    shifts = await conn.execute(
        "select shift_id, starts, ends, weekdays, first, last, on_holidays from shifts"
        " where tenant = %s and agent_id = %s order by shift_id",
        (tenant, agent_id),
    )
    leaves = await conn.execute(
        "select leave_id, starts_at, ends_at from leaves"
        " where tenant = %s and agent_id = %s order by starts_at, leave_id",
        (tenant, agent_id),
    )
    return Kept(
        agent["tz"],
        agent["country"],
        tuple(
            KeptShift(
                row["shift_id"],
                Shift(
                    row["starts"],
                    row["ends"],
                    tuple(row["weekdays"]),
                    row["first"],
                    row["last"],
                    row["on_holidays"],
                ),
            )
            for row in await shifts.fetchall()
        ),
        tuple(
            KeptLeave(row["leave_id"], Leave(row["starts_at"], row["ends_at"]))
            for row in await leaves.fetchall()
        ),
    )


def unknown_agent(tenant: str, agent_id: str) -> InputError:
    """Say that there is no such agent."""
    return InputError(f"there is no agent {agent_id} in {tenant}: see `flowhub roster list`")


async def hold(conn: Connection, *, tenant: str, agent_id: str) -> str:
    """Hold the agent until the transaction ends, so that changes of their time come one by one.

    Return the agent's zone; InputError for an unknown agent.
    """
    cursor = await conn.execute(
        "select tz from agents where tenant = %s and agent_id = %s for no key update",
        (tenant, agent_id),
    )
    row = await cursor.fetchone()
    if row is None:
        raise unknown_agent(tenant, agent_id)
    return str(row["tz"])


_ADD_SHIFT = """
insert into shifts (tenant, agent_id, starts, ends, weekdays, first, last, on_holidays)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict on constraint shifts_once do nothing
returning shift_id
"""


async def add_shifts(
    conn: Connection, *, tenant: str, shifts: Mapping[str, Sequence[Shift]], now: datetime
) -> int:
    """Add shifts by agent and return how many were new; those that are there stay as they are.

    InputError for an unknown agent, or one of whom the roster does not say where they work: then
    nothing of the transaction may be kept.
    """
    added = 0
    for agent_id in sorted(shifts):
        if not await hold(conn, tenant=tenant, agent_id=agent_id):
            raise InputError(
                f"the roster does not say in which time zone {agent_id} works: "
                f"`flowhub roster set {agent_id} --tz Europe/Stockholm`"
            )
        before = added
        for shift in shifts[agent_id]:
            hours = (shift.starts, shift.ends, list(shift.weekdays))
            dates = (shift.first, shift.last, shift.on_holidays)
            cursor = await conn.execute(_ADD_SHIFT, (tenant, agent_id, *hours, *dates))
            added += await cursor.fetchone() is not None
        if added > before:
            await rewrite(conn, tenant=tenant, agent_id=agent_id, now=now)
    return added


async def remove_shift(
    conn: Connection, *, tenant: str, agent_id: str, shift_id: int, now: datetime
) -> None:
    """Take a shift off the roster; InputError where the agent has none of that number."""
    await hold(conn, tenant=tenant, agent_id=agent_id)
    cursor = await conn.execute(
        "delete from shifts where tenant = %s and agent_id = %s and shift_id = %s"
        " returning shift_id",
        (tenant, agent_id, shift_id),
    )
    if await cursor.fetchone() is None:
        raise InputError(
            f"{agent_id} has no shift {shift_id}: see `flowhub roster shift list {agent_id}`"
        )
    await rewrite(conn, tenant=tenant, agent_id=agent_id, now=now)


async def add_leave(
    conn: Connection, *, tenant: str, agent_id: str, leave: Leave, now: datetime
) -> int:
    """Give an agent leave and return its number; InputError where it would end before it begins."""
    if leave.ends_at is not None and leave.ends_at <= leave.starts_at:
        raise InputError(
            f"the leave would end at {leave.ends_at.isoformat()}, before it begins at "
            f"{leave.starts_at.isoformat()}"
        )
    await hold(conn, tenant=tenant, agent_id=agent_id)
    cursor = await conn.execute(
        "insert into leaves (tenant, agent_id, starts_at, ends_at) values (%s, %s, %s, %s)"
        " returning leave_id",
        (tenant, agent_id, leave.starts_at, leave.ends_at),
    )
    row = await cursor.fetchone()
    await rewrite(conn, tenant=tenant, agent_id=agent_id, now=now)
    return int(row["leave_id"]) if row else 0


_END_LEAVE = """
with ended as (
    update leaves set ends_at = %(at)s
     where tenant = %(tenant)s and agent_id = %(agent_id)s and starts_at < %(at)s
       and (ends_at is null or ends_at > %(at)s)
       and (%(leave_id)s::bigint is null or leave_id = %(leave_id)s)
    returning leave_id
), dropped as (
    delete from leaves
     where tenant = %(tenant)s and agent_id = %(agent_id)s and leave_id = %(leave_id)s
       and starts_at >= %(at)s
    returning leave_id
)
select leave_id from ended union all select leave_id from dropped
"""


async def end_leave(
    conn: Connection, *, tenant: str, agent_id: str, now: datetime, leave_id: int | None = None
) -> tuple[int, ...]:
    """End the leave that the agent is on; of the number where one is given, also a coming one.

    Return the numbers; InputError where there is nothing to end.
    """
    await hold(conn, tenant=tenant, agent_id=agent_id)
    cursor = await conn.execute(
        _END_LEAVE, {"tenant": tenant, "agent_id": agent_id, "at": now, "leave_id": leave_id}
    )
    ended = tuple(sorted(int(row["leave_id"]) for row in await cursor.fetchall()))
    if not ended:
        which = "is not on leave now" if leave_id is None else f"has no leave {leave_id} to end"
        raise InputError(f"{agent_id} {which}: see `flowhub roster leave list {agent_id}`")
    await rewrite(conn, tenant=tenant, agent_id=agent_id, now=now)
    return ended


_WRITE = """
insert into shift_spans (tenant, agent_id, starts_at, ends_at)
select %(tenant)s, %(agent_id)s, starts_at, ends_at
  from unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) as made (starts_at, ends_at)
"""

_MARK = """
update agents
   set has_shifts = %(has_shifts)s, scheduled = %(scheduled)s, spans_until = %(until)s
 where tenant = %(tenant)s and agent_id = %(agent_id)s
"""


async def rewrite(conn: Connection, *, tenant: str, agent_id: str, now: datetime) -> None:
    """Write the spans of an agent anew, after a change of shifts, leave, zone or country.

    The agent is held by the transaction, which acts upon what comes of it (`attendance.look`).
    """
    told = await kept(conn, tenant=tenant, agent_id=agent_id)
    scheduled = bool(told.shifts or told.leaves)
    until = now + AHEAD
    spans = told.schedule.spans(now - BEHIND, until) if scheduled else ()
    await conn.execute(
        "delete from shift_spans where tenant = %s and agent_id = %s", (tenant, agent_id)
    )
    whose = {"tenant": tenant, "agent_id": agent_id}
    starts, ends = [since for since, _ in spans], [until for _, until in spans]
    await conn.execute(_WRITE, {**whose, "starts": starts, "ends": ends})
    flags = {"has_shifts": bool(told.shifts), "scheduled": scheduled, "until": until}
    await conn.execute(_MARK, {**whose, **flags})
    await attendance.look(conn, tenant=tenant, agent_id=agent_id)


async def extend(conn: Connection, *, now: datetime, every: str = "", most: int = 100) -> int:
    """Write anew the spans of at most `most` agents that are to run out, and return how many.

    Of all tenants, or with `every` of all the scheduled agents of that tenant whether they run out
    or not. Served by the index agents_to_extend.
    """
    cursor = await conn.execute(
        "select tenant, agent_id from agents"
        " where scheduled and ((%(every)s::text = '' and spans_until < %(least)s)"
        "                      or (tenant = %(every)s and spans_until < %(now)s + %(ahead)s))"
        " order by tenant, agent_id limit %(most)s for no key update skip locked",
        {"every": every, "least": now + EXTEND_BELOW, "now": now, "ahead": AHEAD, "most": most},
    )
    found = await cursor.fetchall()
    for row in found:
        await rewrite(conn, tenant=row["tenant"], agent_id=row["agent_id"], now=now)
    return len(found)


@dataclass(frozen=True, slots=True)
class _SpanRow:
    agent_id: str
    starts_at: datetime
    ends_at: datetime


_ON_SHIFT = """
select a.agent_id,
       case when a.scheduled then s.starts_at else %(start)s end as starts_at,
       case when a.scheduled then s.ends_at else %(end)s end as ends_at
  from agents as a
  left join shift_spans as s on a.scheduled and s.tenant = a.tenant and s.agent_id = a.agent_id
       and s.starts_at < %(end)s and s.ends_at > %(start)s
 where a.tenant = %(tenant)s and a.role = 'agent' and (%(team)s::text = '' or a.team = %(team)s)
   and a.left_at is null
   and (not a.scheduled or s.starts_at is not null)
 order by a.agent_id, starts_at
"""


async def on_shift(
    conn: Connection, *, tenant: str, start: datetime, end: datetime, team: str = ""
) -> Mapping[str, tuple[Span, ...]]:
    """Return who of the agents is on shift when in [start, end); one without shifts always is."""
    found: dict[str, tuple[Span, ...]] = {}
    async with conn.cursor(row_factory=class_row(_SpanRow)) as cursor:
        await cursor.execute(
            _ON_SHIFT, {"tenant": tenant, "start": start, "end": end, "team": team}
        )
        for row in await cursor.fetchall():
            found[row.agent_id] = (*found.get(row.agent_id, ()), (row.starts_at, row.ends_at))
    return found
