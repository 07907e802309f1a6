"""On-call rotas: their members, swaps, and who is on duty."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import shifts
from store.pool import Connection
from support import rota as turns
from support.errors import InputError
from support.rota import Leaves, Rota, Swap
from support.shifts import Leave


@dataclass(frozen=True, slots=True)
class KeptRota:
    """A rota with its id; `swap_ids` are the numbers by which its swaps are taken back."""

    rota_id: str
    rota: Rota
    swap_ids: tuple[int, ...] = ()


_PUT = """
insert into rotas (tenant, rota_id, team, tz, members, first_handover, days)
values (%(tenant)s, %(rota_id)s, %(team)s, %(tz)s, %(members)s, %(first_handover)s, %(days)s)
on conflict (tenant, rota_id) do update
   set team = excluded.team, tz = excluded.tz, members = excluded.members,
       first_handover = excluded.first_handover, days = excluded.days
"""


async def put(conn: Connection, *, tenant: str, rota_id: str, rota: Rota) -> None:
    """Add a rota, or change one that is there and leave its swaps; InputError: unknown member."""
    await _check_known(conn, tenant, rota.members)
    await conn.execute(
        _PUT,
        {
            "tenant": tenant,
            "rota_id": rota_id,
            "team": rota.team,
            "tz": rota.tz,
            "members": list(rota.members),
            "first_handover": rota.first_handover,
            "days": rota.days,
        },
    )


async def remove(conn: Connection, *, tenant: str, rota_id: str) -> None:
    """Take a rota off the roster with its swaps; InputError for an unknown one."""
    cursor = await conn.execute(
        "delete from rotas where tenant = %s and rota_id = %s returning rota_id", (tenant, rota_id)
    )
    if await cursor.fetchone() is None:
        raise unknown_rota(tenant, rota_id)


_ADD_SWAP = """
insert into rota_swaps (tenant, rota_id, agent_id, starts_at, ends_at)
select tenant, rota_id, %(agent_id)s, %(starts_at)s, %(ends_at)s
  from rotas where tenant = %(tenant)s and rota_id = %(rota_id)s
   for key share
returning swap_id
"""


async def add_swap(conn: Connection, *, tenant: str, rota_id: str, swap: Swap) -> int:
    """Let an agent take over, and return the number; InputError: unknown rota or agent."""
    await _check_known(conn, tenant, (swap.agent_id,))
    cursor = await conn.execute(
        _ADD_SWAP,
        {
            "tenant": tenant,
            "rota_id": rota_id,
            "agent_id": swap.agent_id,
            "starts_at": swap.starts_at,
            "ends_at": swap.ends_at,
        },
    )
    row = await cursor.fetchone()
    if row is None:
        raise unknown_rota(tenant, rota_id)
    return int(row["swap_id"])


async def remove_swap(conn: Connection, *, tenant: str, rota_id: str, swap_id: int) -> None:
    """Take a swap back; InputError where the rota has none of that number."""
    cursor = await conn.execute(
        "delete from rota_swaps where tenant = %s and rota_id = %s and swap_id = %s"
        " returning swap_id",
        (tenant, rota_id, swap_id),
    )
    if await cursor.fetchone() is None:
        raise InputError(
            f"rota {rota_id} has no swap {swap_id}: see `flowhub roster rota show {rota_id}`"
        )


def unknown_rota(tenant: str, rota_id: str) -> InputError:
    """Say that there is no such rota."""
    return InputError(f"there is no rota {rota_id} in {tenant}: see `flowhub roster rota list`")


async def _check_known(conn: Connection, tenant: str, agents: Iterable[str]) -> None:
    asked = sorted(set(agents))
    cursor = await conn.execute(
        "select agent_id from agents where tenant = %s and agent_id = any(%s)", (tenant, asked)
    )
    known = {row["agent_id"] for row in await cursor.fetchall()}
    for agent_id in asked:
        if agent_id not in known:
            raise shifts.unknown_agent(tenant, agent_id)


_LISTED = """
select rota_id, team, tz, members, first_handover, days
  from rotas
 where tenant = %(tenant)s and (%(rota_id)s::text is null or rota_id = %(rota_id)s)
   and (%(team)s::text is null or team in ('', %(team)s))
 order by team, rota_id
"""

_SWAPS = """
select rota_id, swap_id, agent_id, starts_at, ends_at
  from rota_swaps
 where tenant = %(tenant)s and rota_id = any(%(rotas)s)
   and ends_at > %(since)s and (%(until)s::timestamptz is null or starts_at <= %(until)s)
 order by rota_id, swap_id
"""


async def listed(
    conn: Connection,
    *,
    tenant: str,
    since: datetime,
    until: datetime | None = None,
    team: str | None = None,
    rota_id: str | None = None,
) -> tuple[KeptRota, ...]:
    """Return the rotas by team and id, with the swaps of [since, until].

    With `team` those of the team and of the whole tenant, with `rota_id` only that one.
    """
    cursor = await conn.execute(_LISTED, {"tenant": tenant, "rota_id": rota_id, "team": team})
    rows = await cursor.fetchall()
    if not rows:
        return ()
    about = {"rotas": [row["rota_id"] for row in rows], "since": since, "until": until}
    cursor = await conn.execute(_SWAPS, {"tenant": tenant, **about})
    swaps = await cursor.fetchall()
    return tuple(_kept(row, [s for s in swaps if s["rota_id"] == row["rota_id"]]) for row in rows)


def _kept(row: Mapping[str, Any], swaps: list[dict[str, Any]]) -> KeptRota:
    rota = Rota(
        row["tz"],
        tuple(row["members"]),
        row["first_handover"],
        row["days"],
        row["team"],
        tuple(Swap(s["agent_id"], s["starts_at"], s["ends_at"]) for s in swaps),
    )
    return KeptRota(row["rota_id"], rota, tuple(s["swap_id"] for s in swaps))


async def one(conn: Connection, *, tenant: str, rota_id: str, since: datetime) -> KeptRota:
    """Return a rota with the swaps that end after `since`; InputError for an unknown one."""
    found = await listed(conn, tenant=tenant, since=since, rota_id=rota_id)
    if not found:
        raise unknown_rota(tenant, rota_id)
    return found[0]


async def leaves(
    conn: Connection,
    *,
    tenant: str,
    rotas: Sequence[KeptRota],
    since: datetime,
    until: datetime | None = None,
) -> Leaves:
    """Return the leave within [since, until] of whoever can be on duty by these rotas.

    Who has left for good is on leave without end. Served by the primary keys of leaves and agents.
    """
    asked = {name for kept in rotas for name in kept.rota.members}
    asked |= {swap.agent_id for kept in rotas for swap in kept.rota.swaps}
    cursor = await conn.execute(
        "select agent_id, starts_at, ends_at from leaves"
        " where tenant = %(tenant)s and agent_id = any(%(agents)s)"
        " and (ends_at is null or ends_at > %(since)s)"
        " and (%(until)s::timestamptz is null or starts_at <= %(until)s)"
        " union all select agent_id, left_at, null from agents"
        " where tenant = %(tenant)s and agent_id = any(%(agents)s)"
        " and left_at is not null",
        {"tenant": tenant, "agents": sorted(asked), "since": since, "until": until},
    )
    found: dict[str, list[Leave]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["agent_id"], []).append(Leave(row["starts_at"], row["ends_at"]))
    return found


async def on_duty(
    conn: Connection, *, tenant: str, team: str, at: datetime
) -> tuple[str, ...] | None:
    """Return who is on duty at `at` by the rotas of the team, else by those of the whole tenant.

    None: there is no rota for the team. Empty: there is, but all its members are on leave.
    """
    found = await listed(conn, tenant=tenant, since=at, until=at, team=team)
    if not found:
        return None
    away = await leaves(conn, tenant=tenant, rotas=found, since=at, until=at)
    for of in dict.fromkeys((team, "")):
        duty = {turns.on_duty(kept.rota, at, away) for kept in found if kept.rota.team == of} - {""}
        if duty:
            return tuple(sorted(duty))
    return ()
