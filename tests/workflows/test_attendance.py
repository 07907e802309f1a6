"""Whoever goes home, offline or on leave leaves nothing behind, by the real rules and servers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from hub.drafts import Command, NewTicket
from hub.intake import Gateway
from store import presences, roster, shifts
from store.pool import transaction
from support.model import Channel, EventKind, Presence
from support.shifts import Leave
from tests.fix_desk import CUSTOMER, KIM, production
from tests.waiting import eventually
from tests.workflows.test_hand_out import Desk

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(temporal_client: Client, database_url: str, task_queue: str) -> AsyncIterator[Desk]:
    async with production(temporal_client, database_url, task_queue) as pool:
        gateway = Gateway(pool, temporal_client, task_queue)
        yield Desk(pool, database_url, temporal_client, gateway, f"t-{uuid4().hex[:12]}")


async def open_for_kim(desk: Desk, ticket_id: str, channel: Channel) -> None:
    """Open a ticket, and let kim take it with an owner lock."""
    new = NewTicket(subject="No sound", ticket_id=ticket_id, channel=channel)
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    taken = Command(EventKind.ASSIGN, assignee="kim", lock=True)
    await desk.gateway.command(desk.tenant, ticket_id, taken, actor=KIM, source="cli")


async def change(desk: Desk, statement: Any) -> None:
    async with desk.pool.connection() as conn:
        await conn.execute(statement, (desk.tenant,))


async def claims(desk: Desk) -> dict[str, tuple[str, bool]]:
    """Owner of each ticket that has one, and whether it is locked."""
    async with desk.pool.connection() as conn:
        cursor = await conn.execute(
            "select ticket_id, agent_id, locked_until is not null as locked from claims"
            " where tenant = %s",
            (desk.tenant,),
        )
        return {
            row["ticket_id"]: (row["agent_id"], row["locked"]) for row in await cursor.fetchall()
        }


async def settle(desk: Desk, expected: dict[str, tuple[str, bool]]) -> None:
    async def are() -> bool:
        return await claims(desk) == expected

    await eventually(are)


async def test_the_end_of_a_shift_frees_chats_for_the_next_who_comes_and_drops_locks(
    desk: Desk,
) -> None:
    for agent_id in ("kim", "lou"):
        await desk.seat(agent_id, 12)
    await desk.presence("kim")
    async with desk.relaying():
        await open_for_kim(desk, "T-chat", Channel.CHAT)
        await open_for_kim(desk, "T-web", Channel.WEB)
        assert await claims(desk) == {"T-chat": ("kim", True), "T-web": ("kim", True)}
        await change(
            desk,
            "with scheduled as (update agents set scheduled = true"
            "                    where tenant = %s and agent_id = 'kim' returning tenant)"
            " insert into shift_spans (tenant, agent_id, starts_at, ends_at)"
            " select tenant, 'kim', now() - interval '1 h', now() + interval '1 s'"
            "   from scheduled",
        )
        await desk.presence("kim")
        await settle(desk, {"T-web": ("kim", False)})
        await desk.presence("lou")
        await settle(desk, {"T-web": ("kim", False), "T-chat": ("lou", False)})
    assert "owner_left" in await desk.decisions("T-web")


async def test_whose_heartbeat_ran_out_a_quarter_of_an_hour_ago_gives_the_chat_to_who_is_there(
    desk: Desk,
) -> None:
    for agent_id in ("kim", "lou"):
        await desk.seat(agent_id, 12)
    async with transaction(desk.pool) as conn:
        lasts = timedelta(seconds=10)
        await presences.heartbeat(conn, tenant=desk.tenant, agent_id="kim", lasts=lasts)
    await open_for_kim(desk, "T-chat", Channel.CHAT)
    await desk.presence("lou")
    await change(
        desk,
        "update agents set presence_since = now() - interval '1 h',"
        "                  presence_until = now() - interval '15 min'"
        " where tenant = %s and agent_id = 'kim'",
    )
    await change(desk, "update outbox set due_at = now() where tenant = %s and alarm = 'agent/kim'")
    async with desk.relaying():
        await settle(desk, {"T-chat": ("lou", False)})
    async with desk.pool.connection() as conn:
        agents = await roster.listed(conn, tenant=desk.tenant)
    assert {agent.agent_id: agent.presence for agent in agents} == {
        "kim": Presence.OFFLINE,
        "lou": Presence.ONLINE,
    }


async def test_leave_moves_every_ticket_and_none_is_pressed_on_who_is_off(desk: Desk) -> None:
    await desk.seat("kim", 12)
    await desk.presence("kim")
    async with desk.relaying():
        await open_for_kim(desk, "T-web", Channel.WEB)
        now = datetime.now(UTC)
        async with transaction(desk.pool) as conn:
            await shifts.add_leave(
                conn, tenant=desk.tenant, agent_id="kim", leave=Leave(now, now + HOUR), now=now
            )
        await settle(desk, {})
        async with transaction(desk.pool) as conn:
            now = datetime.now(UTC)
            await shifts.end_leave(conn, tenant=desk.tenant, agent_id="kim", now=now)
        await settle(desk, {"T-web": ("kim", False)})
