"""The relay: which tickets it wakes, in which order, and what it does when that fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.relay import Relay
from store import automation, outbox, parkings, presences, rotas
from store.pool import Pool, open_pool, transaction
from support.model import EventKind, Presence, TicketEvent
from support.rota import Rota
from tests.store.seeding import START, add_agent, add_ticket
from tests.waiting import eventually

HOUR = timedelta(hours=1)


@dataclass
class Workflows:
    """Stands in for Temporal: notes who was woken by which event; fails as `failing` says."""

    woken: list[tuple[str, str]] = field(default_factory=list)
    failing: Callable[[str], RPCStatusCode | None] = lambda _ticket: None

    def get_workflow_handle(self, workflow_id: str) -> "Handle":
        return Handle(self, workflow_id)

    @property
    def tickets(self) -> list[str]:
        return [key.rpartition("/")[2] for key, _ in self.woken]


@dataclass
class Handle:
    workflows: Workflows
    workflow_id: str

    async def signal(self, name: str, event: TicketEvent, **_options: Any) -> None:
        assert (name, event.kind, event.source) == ("deliver", EventKind.OFFER, "relay")
        status = self.workflows.failing(self.workflow_id)
        if status is not None:
            raise RPCError("no", status, b"")
        self.workflows.woken.append((self.workflow_id, event.event_id))


@dataclass
class Hub:
    pool: Pool
    workflows: Workflows
    relay: Relay

    async def agent(self, agent_id: str, capacity: int, **more: Any) -> None:
        async with self.pool.connection() as conn:
            await add_agent(conn, agent_id, capacity_units=Decimal(capacity), **more)

    async def waiting(self, ticket_id: str, due: timedelta | None = HOUR, **changes: Any) -> None:
        row = {
            "waits_since": START,
            "next_due_at": START + due if due is not None else None,
            **changes,
        }
        async with self.pool.connection() as conn:
            await add_ticket(conn, ticket_id, **row)

    async def left(self) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select tenant, attempts, last_error from outbox where delivered_at is null"
            )
            return await cursor.fetchall()


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Hub]:
    async with open_pool(database_url) as pool:
        workflows = Workflows()
        yield Hub(pool, workflows, Relay(pool, database_url, cast("Client", workflows)))


async def test_the_most_urgent_are_woken_as_many_as_there_is_room_for(hub: Hub) -> None:
    await hub.waiting("T-later", 3 * HOUR)
    await hub.waiting("T-never", None)
    await hub.waiting("T-overdue", -HOUR)
    await hub.waiting("T-young", HOUR, created_at=START + HOUR)
    await hub.waiting("T-old", HOUR)
    await hub.agent("kim", 3)
    assert await hub.relay.deliver() == 1
    assert hub.workflows.tickets == ["T-overdue", "T-old", "T-young"]
    assert await hub.left() == []


async def test_only_what_somebody_can_take_and_nobody_holds_up_is_woken(hub: Hub) -> None:
    await hub.waiting("T-skilled", skills=("hifi",))
    await hub.waiting("T-of-other-team", team="video")
    await hub.waiting("T-chat", channel="chat")
    await hub.waiting("T-halted", halted="a loop")
    await hub.waiting("T-of-other-tenant", tenant="other")
    await hub.waiting("T-owned", waits_since=None)
    await hub.waiting("T-passed-by", passed_by=True)
    await hub.waiting("T-fits", 2 * HOUR, team="audio")
    await hub.agent("kim", 3, team="audio", skills=("tv",))
    await hub.agent("lea", 12, role="lead", team="video", skills=("hifi",))
    await hub.relay.deliver()
    assert hub.workflows.woken == [("ticket/global/T-fits", "offer.1")]


async def test_stopped_automation_offers_nothing_until_it_runs_again(hub: Hub) -> None:
    async def move(*, stopped: bool) -> None:
        async with hub.pool.connection() as conn:
            await automation.move(conn, tenant="global", stopped=stopped, by="kim", reason="")

    await hub.waiting("T-1")
    await move(stopped=True)
    await hub.agent("kim", 3)
    await hub.relay.deliver()
    assert hub.workflows.tickets == []
    await move(stopped=False)
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-1"]


async def test_more_than_fits_into_one_delivery_goes_on_behind_it(hub: Hub) -> None:
    expected = [f"T-{number:03}" for number in range(60)]
    for ticket_id in reversed(expected[:59]):
        await hub.waiting(ticket_id)
    await hub.waiting(expected[59], None)
    await hub.agent("kim", 100)
    assert await hub.relay.deliver() == 1
    assert hub.workflows.tickets == expected[:50]
    assert await hub.relay.deliver() == 1
    assert hub.workflows.tickets == expected
    assert await hub.relay.deliver() == 0


async def test_causes_that_came_together_are_one_hand_out(hub: Hub) -> None:
    await hub.waiting("T-1")
    await hub.waiting("T-2")
    for agent_id in ("kim", "lou"):
        await hub.agent(agent_id, 12)
    assert await hub.relay.deliver() == 2
    assert hub.workflows.woken == [
        ("ticket/global/T-1", "offer.2"),
        ("ticket/global/T-2", "offer.2"),
    ]


async def test_who_declined_a_ticket_is_offered_the_next(hub: Hub) -> None:
    await hub.waiting("T-declined", HOUR, declined_by=("kim",))
    await hub.waiting("T-2", 2 * HOUR)
    await hub.agent("kim", 1)
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-2"]
    await hub.agent("lou", 1)
    await hub.relay.deliver()
    assert hub.workflows.tickets[1:] == ["T-declined", "T-2"]


async def test_who_freed_the_room_is_spared(hub: Hub) -> None:
    await hub.agent("kim", 12)
    await hub.relay.deliver()
    await hub.waiting("T-released")
    await hub.waiting("T-2")
    async with hub.pool.connection() as conn:
        await outbox.capacity_freed(
            conn, tenant="global", agent_id="kim", ticket_id="T-released", seq=3
        )
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-2"]


async def test_a_ticket_whose_workflow_has_ended_holds_up_nobody(hub: Hub) -> None:
    await hub.waiting("T-1", HOUR)
    await hub.waiting("T-2", 2 * HOUR)
    await hub.agent("kim", 12)
    hub.workflows.failing = lambda key: RPCStatusCode.NOT_FOUND if key.endswith("T-1") else None
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-2"]
    assert await hub.left() == []


async def test_the_room_of_a_ticket_whose_workflow_has_ended_is_offered_to_the_next(
    hub: Hub,
) -> None:
    for number in range(1, 5):
        await hub.waiting(f"T-{number}", number * HOUR)
    await hub.agent("kim", 2)
    hub.workflows.failing = lambda key: (
        RPCStatusCode.NOT_FOUND if key.endswith(("T-1", "T-3")) else None
    )
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-2", "T-4"]
    assert await hub.left() == []


async def test_a_ticket_with_something_that_cannot_be_decided_holds_no_room(hub: Hub) -> None:
    await hub.waiting("T-parked", HOUR)
    await hub.waiting("T-parked-for-lead", HOUR, sought_roles=("lead",))
    await hub.waiting("T-2", 2 * HOUR)
    await hub.agent("kim", 1)
    async with hub.pool.connection() as conn:
        for name in ("T-parked", "T-parked-for-lead"):
            await parkings.park(
                conn, tenant="global", ticket_id=name, trigger_id="e-1", error="no policies"
            )
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-2"]


async def test_where_temporal_fails_the_row_stays_with_why_and_keeps_its_event_id(hub: Hub) -> None:
    for tenant in ("global", "other"):
        await hub.waiting("T-1", tenant=tenant)
        await hub.waiting("T-2", 2 * HOUR, tenant=tenant)
        await hub.agent("kim", 12, tenant=tenant)
    hub.workflows.failing = lambda key: (
        RPCStatusCode.UNAVAILABLE if key.endswith("global/T-2") else None
    )
    await hub.relay.deliver()
    assert await hub.left() == [
        {"tenant": "global", "attempts": 1, "last_error": "RPCError: UNAVAILABLE"}
    ]
    hub.workflows.failing = lambda _key: None
    async with hub.pool.connection() as conn:
        await conn.execute("update outbox set due_at = now() where delivered_at is null")
    await hub.relay.deliver()
    of_global = [one for one in hub.workflows.woken if one[0].startswith("ticket/global")]
    assert of_global == [
        ("ticket/global/T-1", "offer.1"),
        ("ticket/global/T-1", "offer.1"),
        ("ticket/global/T-2", "offer.1"),
    ]
    assert await hub.left() == []


async def test_a_running_relay_is_told_and_comes_when_a_row_falls_due(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.relay.SAFETY_S", 600.0)

    async def woken() -> bool:
        return bool(hub.workflows.tickets)

    await hub.waiting("T-1")
    running = asyncio.create_task(hub.relay.run())
    try:
        await hub.agent("kim", 1)
        await eventually(woken)
        hub.workflows.woken.clear()
        async with hub.pool.connection() as conn:
            await outbox.add(
                conn,
                tenant="global",
                kind=outbox.HAND_OUT,
                about={},
                after=timedelta(seconds=0.5),
            )
        await eventually(woken)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_lost_connection_is_made_again(hub: Hub) -> None:
    async def listeners() -> list[int]:
        async with hub.pool.connection() as conn:
            cursor = await conn.execute(
                "select pid from pg_stat_activity"
                " where datname = current_database() and query = 'listen outbox'"
            )
            return [row["pid"] for row in await cursor.fetchall()]

    async def woken() -> bool:
        return hub.workflows.tickets == ["T-1"]

    running = asyncio.create_task(hub.relay.run())
    try:
        (pid,) = await eventually(listeners)
        async with hub.pool.connection() as conn:
            await conn.execute("select pg_terminate_backend(%s)", (pid,))
        await hub.waiting("T-1")
        await hub.agent("kim", 1)
        await eventually(woken)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_ticket_for_which_a_lead_was_asked_is_offered_once_a_lead_is_at_work(
    hub: Hub,
) -> None:
    await hub.waiting("T-plain", HOUR)
    await hub.waiting("T-for-lead", 2 * HOUR, sought_roles=("lead",))
    await hub.agent("lea", 12, role="lead")
    async with transaction(hub.pool) as conn:
        for presence in (Presence.OFFLINE, Presence.ONLINE):
            await presences.set_presence(conn, tenant="global", agent_id="lea", presence=presence)
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-for-lead"]


async def test_a_ticket_for_on_call_is_offered_once_somebody_is_on_duty(hub: Hub) -> None:
    await hub.agent("ada", 12)
    await hub.relay.deliver()
    async with hub.pool.connection() as conn:
        await conn.execute("update agents set scheduled = true")
    await hub.waiting("T-plain", HOUR)
    await hub.waiting("T-at-night", 2 * HOUR, team="audio", sought_roles=("on_call",))
    async with transaction(hub.pool) as conn:
        rota = Rota("UTC", ("ada",), START.replace(tzinfo=None))
        await rotas.put(conn, tenant="global", rota_id="nights", rota=rota)
    await hub.relay.deliver()
    assert hub.workflows.tickets == ["T-at-night"]
