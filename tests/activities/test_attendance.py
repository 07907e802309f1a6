"""What the relay does when something about an agent falls due, and whom it tells of who left."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.relay import Relay
from store import attendance, automation, outbox, presences, roster
from store.outbox import OWNER_LEFT
from store.pool import Pool, open_pool, transaction
from support.model import EventKind, LeftCause, Presence, TicketEvent
from tests.store.seeding import START, add_agent, add_ticket
from tests.waiting import eventually

TENANT = "global"
HOUR = timedelta(hours=1)


@dataclass
class Workflows:
    """Stands in for Temporal: notes what each ticket was told; fails as `failing` says."""

    told: list[tuple[str, TicketEvent]] = field(default_factory=list)
    failing: Callable[[str], RPCStatusCode | None] = lambda _ticket: None

    def get_workflow_handle(self, workflow_id: str) -> "Handle":
        return Handle(self, workflow_id)

    def kinds(self) -> list[tuple[str, EventKind]]:
        return [(ticket_id, event.kind) for ticket_id, event in self.told]


@dataclass
class Handle:
    workflows: Workflows
    workflow_id: str

    async def signal(self, name: str, event: TicketEvent, **_options: Any) -> None:
        assert (name, event.source, event.actor.id) == ("deliver", "relay", "relay")
        ticket_id = self.workflow_id.rpartition("/")[2]
        status = self.workflows.failing(ticket_id)
        if status is not None:
            raise RPCError("no", status, b"")
        self.workflows.told.append((ticket_id, event))


@dataclass
class Desk:
    """Kim and lou on the roster of a fresh ledger, and a relay."""

    pool: Pool
    workflows: Workflows
    relay: Relay

    async def run(self, statement: Any, *params: object) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(statement, params)

    async def leave(self, agent_id: str = "kim") -> None:
        """Let an agent be not at work, and their tickets be told."""
        await self.run("update agents set left_cause = 'shift_ended' where agent_id = %s", agent_id)
        async with self.pool.connection() as conn:
            about = {"agent": agent_id, "cause": "shift_ended"}
            await outbox.add(conn, tenant=TENANT, kind=OWNER_LEFT, about=about)

    async def owned(self, *tickets: str, owner: str = "kim", **changes: Any) -> None:
        async with self.pool.connection() as conn:
            for ticket_id in tickets:
                await add_ticket(conn, ticket_id, owner=owner, **changes)

    async def left(self) -> list[tuple[str, int]]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select kind, attempts from outbox where delivered_at is null"
            )
            return [(row["kind"], row["attempts"]) for row in await cursor.fetchall()]


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_pool(database_url) as pool:
        async with pool.connection() as conn:
            for agent_id, tenant in (("kim", TENANT), ("lou", TENANT), ("kim", "other")):
                await add_agent(conn, agent_id, tenant=tenant)
            await conn.execute("truncate outbox restart identity")
        workflows = Workflows()
        yield Desk(pool, workflows, Relay(pool, database_url, cast("Client", workflows)))


async def test_each_active_ticket_of_who_left_is_told_why_and_by_whose_leaving(desk: Desk) -> None:
    await desk.owned("T-1", "T-2")
    await desk.owned("T-done", status="resolved")
    await desk.owned("T-of-lou", owner="lou")
    await desk.owned("T-of-other-tenant", tenant="other")
    await desk.leave()
    assert await desk.relay.deliver() == 1
    [(first, event), (second, _)] = desk.workflows.told
    assert (first, second, event.event_id) == ("T-1", "T-2", "left.1")
    assert (event.kind, event.left_cause, event.expected_owner) == (
        EventKind.OWNER_LEFT,
        LeftCause.SHIFT_ENDED,
        "kim",
    )
    assert event.occurred_at <= event.received_at <= datetime.now(UTC) + timedelta(seconds=1)
    assert await desk.left() == []


async def test_more_tickets_than_one_row_tells_are_told_by_the_next(desk: Desk) -> None:
    tickets = [f"T-{number:03}" for number in range(110)]
    await desk.owned(*tickets)
    await desk.leave()
    delivered = [await desk.relay.deliver() for _ in range(4)]
    assert delivered == [1, 1, 1, 0]
    assert [ticket_id for ticket_id, _ in desk.workflows.told] == tickets
    assert len({event.event_id for _, event in desk.workflows.told}) == 3


async def test_a_ticket_that_is_closed_meanwhile_holds_up_nobody(desk: Desk) -> None:
    await desk.owned("T-1", "T-2")
    await desk.leave()
    desk.workflows.failing = lambda ticket: RPCStatusCode.NOT_FOUND if ticket == "T-1" else None
    await desk.relay.deliver()
    assert [ticket_id for ticket_id, _ in desk.workflows.told] == ["T-2"]
    assert await desk.left() == []


async def test_where_temporal_fails_the_same_event_is_told_again(desk: Desk) -> None:
    await desk.owned("T-1", "T-2")
    await desk.leave()
    desk.workflows.failing = lambda ticket: RPCStatusCode.UNAVAILABLE if ticket == "T-2" else None
    await desk.relay.deliver()
    assert await desk.left() == [(OWNER_LEFT, 1)]
    desk.workflows.failing = lambda _ticket: None
    await desk.run("update outbox set due_at = now()")
    await desk.relay.deliver()
    told = [(ticket_id, event.event_id) for ticket_id, event in desk.workflows.told]
    assert told == [("T-1", "left.1"), ("T-1", "left.1"), ("T-2", "left.1")]


async def test_who_is_back_or_has_left_for_good_is_no_reason_to_tell(desk: Desk) -> None:
    await desk.owned("T-1")
    await desk.leave()
    await desk.run("update agents set left_cause = ''")
    await desk.relay.deliver()
    await desk.leave()
    await desk.run("update agents set left_at = now()")
    await desk.relay.deliver()
    assert (desk.workflows.told, await desk.left()) == ([], [])


async def test_while_automation_is_stopped_nobody_is_told_until_it_runs_again(desk: Desk) -> None:
    async def move(*, stopped: bool) -> None:
        async with transaction(desk.pool) as conn:
            await automation.move(conn, tenant=TENANT, stopped=stopped, by="kim", reason="")

    await desk.owned("T-1")
    await move(stopped=True)
    await desk.leave()
    await desk.relay.deliver()
    assert (desk.workflows.told, await desk.left()) == ([], [])
    await move(stopped=False)
    await desk.relay.deliver()
    assert desk.workflows.kinds() == [("T-1", EventKind.OWNER_LEFT)]


async def test_an_alarm_sets_itself_anew_while_it_is_delivered(desk: Desk) -> None:
    async with transaction(desk.pool) as conn:
        await presences.heartbeat(conn, tenant=TENANT, agent_id="kim", lasts=HOUR)
    await desk.run("update outbox set due_at = now()")
    assert await desk.relay.deliver() == 1
    async with desk.pool.connection() as conn:
        left_s = await outbox.next_due_s(conn)
        kept = await (await conn.execute("select from outbox")).fetchall()
    assert left_s is not None
    assert 3500 < left_s <= 3600
    assert len(kept) == 1


async def test_agents_are_held_only_after_all_signals_have_gone_out(desk: Desk) -> None:
    order: list[str] = []
    real = attendance.fell_due

    async def noted(*args: Any, **more: Any) -> None:
        order.append("held")
        await real(*args, **more)

    desk.workflows.failing = order.append
    async with desk.pool.connection() as conn:
        await attendance.wake(conn, tenant=TENANT, agent_id="kim", since=START, due_at=START)
    await desk.owned("T-1")
    await desk.leave()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(attendance, "fell_due", noted)
        assert await desk.relay.deliver() == 2
    assert order == ["T-1", "held"]


async def test_a_running_relay_acts_when_a_shift_ends_and_when_the_next_begins(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.relay.SAFETY_S", 600.0)
    await desk.owned("T-kim")
    async with desk.pool.connection() as conn:
        await add_ticket(conn, "T-waits", waits_since=START)
    await desk.run("update agents set scheduled = true")
    for begins, ends in ((-HOUR, timedelta(seconds=1)), (timedelta(seconds=3), HOUR)):
        await desk.run(
            "insert into shift_spans (tenant, agent_id, starts_at, ends_at)"
            " values (%s, 'kim', now() + %s, now() + %s)",
            TENANT,
            begins,
            ends,
        )
    async with transaction(desk.pool) as conn:
        await presences.set_presence(conn, tenant=TENANT, agent_id="kim", presence=Presence.ONLINE)
    await desk.run("delete from outbox where kind = 'hand_out'")

    async def both() -> bool:
        return len(desk.workflows.told) == 2

    running = asyncio.create_task(desk.relay.run())
    try:
        await eventually(both)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert desk.workflows.kinds() == [
        ("T-kim", EventKind.OWNER_LEFT),
        ("T-waits", EventKind.OFFER),
    ]


async def test_changes_and_alarms_at_once_neither_fail_nor_lose_an_alarm(desk: Desk) -> None:
    """Two relays look at agents who come, go, beat and claim all the time."""
    agents, chance = ("kim", "lou", "max", "ida"), random.Random(7)  # noqa: S311  no secret
    async with desk.pool.connection() as conn:
        for agent_id in ("max", "ida"):
            await add_agent(conn, agent_id)
        await conn.execute("update agents set limit_new = 3, limit_window = interval '50 ms'")

    async def change(agent_id: str, what: int) -> None:
        whose: dict[str, Any] = {"tenant": TENANT, "agent_id": agent_id}
        async with transaction(desk.pool) as conn:
            if what == 0:
                presence = Presence.AWAY if chance.random() < 0.5 else Presence.OFFLINE
                await presences.set_presence(conn, **whose, presence=presence)
            elif what == 1:
                lasts = timedelta(milliseconds=chance.randrange(300))
                await presences.heartbeat(conn, **whose, lasts=lasts)
            else:
                at = datetime.now(UTC)
                units = Decimal(0)
                await roster.claim(conn, **whose, units=units, at=at, forced=what == 2)

    running = [asyncio.create_task(desk.relay.run()) for _ in range(2)]
    try:
        for _ in range(40):
            await asyncio.gather(*(change(one, chance.randrange(4)) for one in agents * 2))
        for agent_id in agents:
            async with transaction(desk.pool) as conn:
                await presences.heartbeat(conn, tenant=TENANT, agent_id=agent_id, lasts=HOUR)

        async def all_are_watched() -> bool:
            async with desk.pool.connection() as conn:
                cursor = await conn.execute(
                    "select alarm, attempts, due_at > now() + interval '59 min' as at_the_end"
                    "  from outbox where delivered_at is null order by alarm"
                )
                found = await cursor.fetchall()
            assert all(row["attempts"] == 0 for row in found)
            watched = [row["alarm"] for row in found if row["at_the_end"]]
            return len(found) == len(watched) and watched == sorted(f"agent/{a}" for a in agents)

        await eventually(all_are_watched)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
