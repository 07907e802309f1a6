"""Who is on duty by rota, and when: what decisions, lists and an agent's attendance ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from store.pool import Connection
from support import rota as turns
from support.roster import Span
from support.rota import Leaves, Rota, Swap
from support.shifts import Leave

AROUND = timedelta(days=7)
"""How far duty is looked back and ahead; whoever needs more looks again."""


@dataclass(frozen=True, slots=True)
class KeptRota:
    """A rota with its id; `swap_ids` are the numbers by which its swaps are taken back."""

    rota_id: str
    rota: Rota
    swap_ids: tuple[int, ...] = ()


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


async def all_on_duty(conn: Connection, *, tenant: str, at: datetime) -> frozenset[str]:
    """Return who is on duty at `at` by any rota of the tenant."""
    found = await listed(conn, tenant=tenant, since=at, until=at)
    if not found:
        return frozenset()
    away = await leaves(conn, tenant=tenant, rotas=found, since=at, until=at)
    return frozenset({turns.on_duty(kept.rota, at, away) for kept in found} - {""})


async def all_on_duty_now(conn: Connection, *, tenant: str) -> frozenset[str]:
    """Return the same when the transaction began."""
    row = await (await conn.execute("select now() as now")).fetchone()
    return await all_on_duty(conn, tenant=tenant, at=row["now"]) if row else frozenset()


async def spans(
    conn: Connection, *, tenant: str, agent_id: str, now: datetime
) -> tuple[Span, ...] | None:
    """Return when the agent is on duty within `AROUND`, what has ended left out.

    None: they are on no rota.
    """
    since, until = now - AROUND, now + AROUND
    found = [
        kept
        for kept in await listed(conn, tenant=tenant, since=since, until=until)
        if agent_id in {*kept.rota.members, *(swap.agent_id for swap in kept.rota.swaps)}
    ]
    if not found:
        return None
    away = await leaves(conn, tenant=tenant, rotas=found, since=since, until=until)
    return tuple(
        (turn.starts_at, turn.ends_at)
        for kept in found
        for turn in turns.turns(kept.rota, since, until, away)
        if turn.agent_id == agent_id and turn.ends_at > now
    )
