"""What the tests of published packs decide with: real engines, and a scripted own pack."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from activities.decide import DecideActivities, Rulebook
from activities.engines import Engines
from activities.messages import DecideInput, Verdict
from rules.engine import Engine
from store import packs
from store.packs import ActivePacks
from store.pool import Pool
from support.model import (
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Opening,
    TicketEvent,
    workflow_id,
)
from support.work import Outside
from tests.deciding import decided, shipped_policies
from tests.fix_desk import KIM, ScriptedMacros, ScriptedRules
from tests.publishing import TENANT, tagging

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
V1, V2, V3 = tagging("one"), tagging("two"), tagging("three")


@dataclass
class Bench:
    pool: Pool
    own: ScriptedRules
    engines: Engines
    activities: DecideActivities

    async def decide(self, asked: DecideInput) -> Verdict:
        return await decided(self.activities, asked)

    async def decided_by(self, ticket_id: str, tenant: str = TENANT) -> tuple[str, str]:
        """Open a ticket; return which pack decided, and by its tag which rules acted."""
        await self.decide(created(ticket_id, tenant))
        row = await self.row(
            "select d.pack_name, t.state::text as state from decisions as d"
            " join tickets as t using (tenant, ticket_id) where tenant = %s and ticket_id = %s",
            tenant,
            ticket_id,
        )
        tags = [tag for tag in ("one", "two", "three") if f'"{tag}"' in row["state"]]
        return row["pack_name"], ",".join(tags)

    async def row(self, query: Any, *params: object) -> dict[str, Any]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(query, params)
            return await cursor.fetchone() or {}

    async def active(self, tenant: str = TENANT) -> ActivePacks:
        async with self.pool.connection() as conn:
            return await packs.active(conn, tenant=tenant)


def created(ticket_id: str, tenant: str = TENANT) -> DecideInput:
    customer = Actor(ActorKind.CUSTOMER, "c-1")
    event = TicketEvent("e-0", EventKind.CREATED, NOW, NOW, customer, opening=Opening())
    key = workflow_id(tenant, ticket_id)
    return DecideInput(tenant, ticket_id, key, "run-1", 1, NOW, event=event)


def noted(ticket_id: str, seq: int) -> DecideInput:
    event = TicketEvent(f"n-{seq}", EventKind.NOTE, NOW, NOW, KIM)
    key = workflow_id(TENANT, ticket_id)
    return DecideInput(TENANT, ticket_id, key, "run-1", seq, NOW, event=event)


async def bench_of(pool: Pool, *, most: int, timeout_s: float = 20.0) -> Bench:
    policies = await shipped_policies(pool)
    own = ScriptedRules()
    outside = Outside(notify=True, reply=frozenset(Channel))
    engines = Engines(most=most, timeout_s=timeout_s)
    rulebook = Rulebook(own, ScriptedMacros(), policies, outside)
    return Bench(pool, own, engines, DecideActivities(pool, rulebook, engines))


def children() -> int:
    """Engine processes of this process that have not ended."""
    found = 0
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            found += "engine_process.py" in " ".join(child.cmdline())
    return found


def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the child of every engine of pack `name` be killed whenever it is asked."""
    real = Engine._match

    def crash(engine: Engine, message: Any, related: Any) -> set[str]:
        if engine.pack.name == name:
            os.kill(engine._running().pid, signal.SIGKILL)
        return real(engine, message, related)

    monkeypatch.setattr(Engine, "_match", crash)


async def never(version: str) -> str:
    """Get a stored pack where none is to be got."""
    raise AssertionError(version)
