"""On-call rotas as the command line and the API show them."""

from dataclasses import dataclass
from datetime import datetime

from store import duty, rotas
from store.duty import KeptRota
from store.pool import Connection
from support.rota import Leaves, Swap, Turn, on_duty, turns

AHEAD, MOST_TURNS = 8, 60
"""Handovers that are shown, and that can be asked for."""


@dataclass(frozen=True, slots=True)
class KeptSwap:
    """A swap with the number it is taken back by."""

    swap_id: int
    swap: Swap


@dataclass(frozen=True, slots=True)
class RotaView:
    """A rota, who is on duty now, the turns that follow, and the swaps that are not over.

    `first_handover` is a reading of the clock in `tz`; an empty `on_duty`: all are on leave.
    """

    rota_id: str
    team: str
    tz: str
    members: tuple[str, ...]
    first_handover: datetime
    days: int
    on_duty: str
    turns: tuple[Turn, ...]
    swaps: tuple[KeptSwap, ...]


async def rota_view(
    conn: Connection, *, tenant: str, rota_id: str, now: datetime, ahead: int = AHEAD
) -> RotaView:
    """Return a rota with its turns until `ahead` handovers from now; InputError: unknown."""
    kept = await rotas.one(conn, tenant=tenant, rota_id=rota_id, since=now)
    away = await duty.leaves(conn, tenant=tenant, rotas=[kept], since=now)
    return _view(kept, away, now, ahead)


async def rota_views(conn: Connection, *, tenant: str, now: datetime) -> tuple[RotaView, ...]:
    """Return the rotas by team and id, each with the turn of now and the next one."""
    found = await duty.listed(conn, tenant=tenant, since=now)
    away = await duty.leaves(conn, tenant=tenant, rotas=found, since=now)
    return tuple(_view(kept, away, now, 2) for kept in found)


def _view(kept: KeptRota, away: Leaves, now: datetime, ahead: int) -> RotaView:
    rota = kept.rota
    end = rota.handover(rota.turn_at(now) + ahead)
    numbered = zip(kept.swap_ids, rota.swaps, strict=True)
    return RotaView(
        kept.rota_id,
        rota.team,
        rota.tz,
        rota.members,
        rota.first_handover,
        rota.days,
        on_duty(rota, now, away),
        turns(rota, now, end, away),
        tuple(KeptSwap(number, swap) for number, swap in numbered),
    )
