"""What waits for an owner is handed out at once when somebody can take it, by the real rules."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

import pytest
from temporalio.client import Client

from activities.relay import Relay
from hub.drafts import Command, NewTicket
from hub.intake import Gateway
from store import outbox, presences, roster
from store.outbox import OutboxRow
from store.pool import Connection, Pool, transaction
from support.model import Channel, EventKind, Presence, Priority
from tests.fix_desk import CUSTOMER, KIM, production
from tests.waiting import eventually

PRIORITIES = (
    Priority.LOW,
    Priority.NORMAL,
    Priority.URGENT,
    Priority.HIGH,
    Priority.NORMAL,
    Priority.URGENT,
)
"""Of T-0, T-1, ... in the order in which they come in."""
IN_ORDER = ["T-2", "T-5", "T-3", "T-1", "T-4", "T-0"]


@dataclass
class Desk:
    """A worker with the shipped rules, and tickets that found nobody."""

    pool: Pool
    url: str
    client: Client
    gateway: Gateway
    tenant: str

    def relay(self) -> Relay:
        return Relay(self.pool, self.url, self.client)

    @asynccontextmanager
    async def relaying(self, count: int = 1) -> AsyncIterator[None]:
        """Let relays run, as the worker does."""
        running = [asyncio.create_task(self.relay().run()) for _ in range(count)]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def open(self, priorities: Sequence[Priority]) -> None:
        for number, priority in enumerate(priorities):
            new = NewTicket(
                subject="No sound",
                ticket_id=f"T-{number}",
                channel=Channel.WEB,
                priority=priority,
            )
            await self.gateway.create(self.tenant, new, actor=CUSTOMER, source="web")

    async def seat(self, agent_id: str, capacity: int) -> None:
        agent = roster.Agent(agent_id, capacity_units=Decimal(capacity))
        async with transaction(self.pool) as conn:
            await roster.add(conn, tenant=self.tenant, agent=agent)

    async def presence(self, agent_id: str, presence: Presence = Presence.ONLINE) -> None:
        async with transaction(self.pool) as conn:
            await presences.set_presence(
                conn, tenant=self.tenant, agent_id=agent_id, presence=presence
            )

    async def do(self, ticket_id: str, kind: EventKind) -> None:
        await self.gateway.command(self.tenant, ticket_id, Command(kind), actor=KIM, source="cli")

    async def owners(self) -> dict[str, str]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select ticket_id, agent_id from claims where tenant = %s and units > 0",
                (self.tenant,),
            )
            return {row["ticket_id"]: row["agent_id"] for row in await cursor.fetchall()}

    async def owned(self, *tickets: str) -> None:
        """Wait until exactly these are owned."""

        async def are() -> bool:
            return set(await self.owners()) == set(tickets)

        await eventually(are)

    async def decisions(self, ticket_id: str) -> list[str]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select trigger from decisions where tenant = %s and ticket_id = %s"
                " order by decision_seq",
                (self.tenant, ticket_id),
            )
            return [row["trigger"] for row in await cursor.fetchall()]

    async def worked_off(self) -> None:
        """Wait until nothing is left in the outbox, but for alarms that are due much later."""

        async def is_empty() -> bool:
            async with self.pool.connection() as conn:
                left_s = await outbox.next_due_s(conn)
            return left_s is None or left_s > 60

        await eventually(is_empty)


@pytest.fixture
async def desk(temporal_client: Client, database_url: str, task_queue: str) -> AsyncIterator[Desk]:
    async with production(temporal_client, database_url, task_queue) as pool:
        gateway = Gateway(pool, temporal_client, task_queue)
        yield Desk(pool, database_url, temporal_client, gateway, f"t-{uuid4().hex[:12]}")


async def test_who_comes_online_gets_the_most_urgent_and_each_resolve_the_next(desk: Desk) -> None:
    await desk.seat("kim", 3)
    await desk.open(PRIORITIES)
    async with desk.relaying():
        await desk.worked_off()
        assert await desk.owners() == {}
        await desk.presence("kim")
        await desk.owned(*IN_ORDER[:3])
        await desk.do(IN_ORDER[1], EventKind.RESOLVE)
        await desk.owned(IN_ORDER[0], IN_ORDER[2], IN_ORDER[3])
        await desk.do(IN_ORDER[0], EventKind.RESOLVE)
        await desk.owned(IN_ORDER[2], IN_ORDER[3], IN_ORDER[4])
        await desk.worked_off()
    assert await desk.decisions(IN_ORDER[0]) == ["created", "offer", "resolve"]
    assert await desk.decisions(IN_ORDER[5]) == ["created"]


async def test_a_relay_that_dies_after_taking_loses_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.seat("kim", 1)
    await desk.open(PRIORITIES)
    await desk.presence("kim")
    real, hanging = outbox.take, asyncio.Event()

    async def take_and_hang(conn: Connection, limit: int) -> tuple[OutboxRow, ...]:
        rows = await real(conn, limit)
        hanging.set()
        await asyncio.Event().wait()
        return rows

    monkeypatch.setattr(outbox, "take", take_and_hang)
    async with desk.relaying():
        await hanging.wait()
    monkeypatch.setattr(outbox, "take", real)
    assert await desk.owners() == {}
    async with desk.relaying():
        await desk.owned(IN_ORDER[0])


async def test_a_released_ticket_is_not_pressed_on_who_gave_it_back(desk: Desk) -> None:
    await desk.seat("kim", 1)
    await desk.open(PRIORITIES)
    async with desk.relaying():
        await desk.worked_off()
        await desk.presence("kim")
        await desk.owned(IN_ORDER[0])
        await desk.do(IN_ORDER[0], EventKind.ASSIGN)
        await desk.owned(IN_ORDER[1])
        await desk.do(IN_ORDER[1], EventKind.RESOLVE)
        await desk.owned(IN_ORDER[0])


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_two_relays_and_many_causes_give_each_ticket_one_owner_and_nobody_too_much(
    desk: Desk,
) -> None:
    agents = [f"agent-{number}" for number in range(8)]
    for agent_id in agents:
        await desk.seat(agent_id, 2)
    await desk.open(PRIORITIES * 4)
    async with desk.relaying(2):
        await asyncio.gather(*(desk.presence(agent_id) for agent_id in agents))

        async def full() -> dict[str, str] | None:
            owners = await desk.owners()
            return owners if len(owners) == 16 else None

        first = await eventually(full)
        assert first is not None
        await asyncio.gather(*(desk.do(one, EventKind.RESOLVE) for one in sorted(first)[:8]))
        await eventually(full)
        await desk.worked_off()
        owners = await full()
    assert owners is not None
    async with desk.pool.connection() as conn:
        agents_now = await roster.listed(conn, tenant=desk.tenant)
        cursor = await conn.execute(
            "select ticket_id from decisions where tenant = %s and fired ? 'assign-without-owner'"
            '   and actions @> \'[{"kind": "assign", "outcome": "done"}]\''
            " group by ticket_id having count(*) > 1",
            (desk.tenant,),
        )
        twice = await cursor.fetchall()
    assert twice == []
    assert {agent.load_units for agent in agents_now} == {Decimal(2)}
    assert all(list(owners.values()).count(agent_id) == 2 for agent_id in agents)
