"""On-call rotas: their members and swaps, as people change them."""

from collections.abc import Iterable
from datetime import datetime

from store import attendance, duty, shifts
from store.duty import KeptRota
from store.pool import Connection
from support.errors import InputError
from support.rota import Rota, Swap

_PUT = """
insert into rotas (tenant, rota_id, team, tz, members, first_handover, days)
values (%(tenant)s, %(rota_id)s, %(team)s, %(tz)s, %(members)s, %(first_handover)s, %(days)s)
on conflict (tenant, rota_id) do update
   set team = excluded.team, tz = excluded.tz, members = excluded.members,
       first_handover = excluded.first_handover, days = excluded.days
"""


async def put(conn: Connection, *, tenant: str, rota_id: str, rota: Rota) -> None:
    """Add a rota, or change one that is there and leave its swaps; InputError: unknown member.

    In one transaction with what comes of it for whoever is on it, as every change here.
    """
    await _check_known(conn, tenant, rota.members)
    before = await _on_it(conn, tenant, rota_id)
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
    await _look(conn, tenant, {*before, *rota.members})


async def remove(conn: Connection, *, tenant: str, rota_id: str) -> None:
    """Take a rota off the roster with its swaps; InputError for an unknown one."""
    before = await _on_it(conn, tenant, rota_id)
    cursor = await conn.execute(
        "delete from rotas where tenant = %s and rota_id = %s returning rota_id", (tenant, rota_id)
    )
    if await cursor.fetchone() is None:
        raise unknown_rota(tenant, rota_id)
    await _look(conn, tenant, before)


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
    await _look(conn, tenant, await _on_it(conn, tenant, rota_id))
    return int(row["swap_id"])


async def remove_swap(conn: Connection, *, tenant: str, rota_id: str, swap_id: int) -> None:
    """Take a swap back; InputError where the rota has none of that number."""
    before = await _on_it(conn, tenant, rota_id)
    cursor = await conn.execute(
        "delete from rota_swaps where tenant = %s and rota_id = %s and swap_id = %s"
        " returning swap_id",
        (tenant, rota_id, swap_id),
    )
    if await cursor.fetchone() is None:
        raise InputError(
            f"rota {rota_id} has no swap {swap_id}: see `flowhub roster rota show {rota_id}`"
        )
    await _look(conn, tenant, before)


_ON_IT = """
select unnest(members) as agent_id from rotas where tenant = %(tenant)s and rota_id = %(rota_id)s
union
select agent_id from rota_swaps
 where tenant = %(tenant)s and rota_id = %(rota_id)s and ends_at > now()
"""


async def _on_it(conn: Connection, tenant: str, rota_id: str) -> set[str]:
    cursor = await conn.execute(_ON_IT, {"tenant": tenant, "rota_id": rota_id})
    return {row["agent_id"] for row in await cursor.fetchall()}


async def _look(conn: Connection, tenant: str, agents: Iterable[str]) -> None:
    """Act upon how whoever may be on duty by a changed rota stands now, locked as a claim locks."""
    for agent_id in sorted(agents):
        await shifts.hold(conn, tenant=tenant, agent_id=agent_id)
        await attendance.look(conn, tenant=tenant, agent_id=agent_id)


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


async def one(conn: Connection, *, tenant: str, rota_id: str, since: datetime) -> KeptRota:
    """Return a rota with the swaps that end after `since`; InputError for an unknown one."""
    found = await duty.listed(conn, tenant=tenant, since=since, rota_id=rota_id)
    if not found:
        raise unknown_rota(tenant, rota_id)
    return found[0]
