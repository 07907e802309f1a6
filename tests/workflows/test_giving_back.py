"""A ticket that its owner does not want or does not take goes to the next, on real servers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client

from hub.drafts import Command, NewTicket
from hub.intake import Gateway
from store import presences, roster, shifts, views
from store.pool import Pool, transaction
from store.views import TicketView
from support.errors import InputError, OwnerLockedError
from support.model import Actor, ActorKind, Channel, EventKind, Presence
from support.shifts import Leave
from tests.fix_desk import CUSTOMER, production

KIM, IDA = Actor(ActorKind.AGENT, "kim"), Actor(ActorKind.AGENT, "ida")
LEAD = Actor(ActorKind.AGENT, "lea", role="lead")


class Desk:
    """A worker with the shipped rules, and agents who come and go."""

    def __init__(self, pool: Pool, gateway: Gateway) -> None:
        self.pool, self.gateway, self.tenant = pool, gateway, f"t-{uuid4().hex[:12]}"

    async def arrive(self, *agents: str) -> None:
        for agent_id in agents:
            async with transaction(self.pool) as conn:
                await roster.add(conn, tenant=self.tenant, agent=roster.Agent(agent_id))
                await presences.set_presence(
                    conn, tenant=self.tenant, agent_id=agent_id, presence=Presence.ONLINE
                )

    async def create(self, channel: Channel = Channel.WEB) -> str:
        new = NewTicket(subject="No sound", ticket_id="T-1", channel=channel)
        result = await self.gateway.create(self.tenant, new, actor=CUSTOMER, source="web")
        return result.owner

    async def do(self, kind: EventKind, actor: Actor, text: str = "", **more: str | bool) -> str:
        command = Command(kind, text=text, **more)  # type: ignore[arg-type]  # assignee, lock
        result = await self.gateway.command(self.tenant, "T-1", command, actor=actor, source="cli")
        return result.owner

    async def ticket(self) -> TicketView:
        async with self.pool.connection() as conn:
            return await views.ticket(conn, tenant=self.tenant, ticket_id="T-1")


@pytest.fixture
async def desk(temporal_client: Client, database_url: str, task_queue: str) -> AsyncIterator[Desk]:
    async with production(temporal_client, database_url, task_queue) as pool:
        yield Desk(pool, Gateway(pool, temporal_client, task_queue))


async def test_a_declined_ticket_goes_to_the_next_and_not_back(desk: Desk) -> None:
    await desk.arrive("kim")
    assert await desk.create() == "kim"
    await desk.arrive("ida")
    with pytest.raises(InputError, match="only its owner kim"):
        await desk.do(EventKind.DECLINE, IDA)
    assert await desk.do(EventKind.DECLINE, KIM, "No access to that system") == "ida"
    assert await desk.do(EventKind.DECLINE, IDA) == ""
    ticket = await desk.ticket()
    assert (ticket.no_owner, ticket.next_deadline_is) == (
        "all_declined",
        "it may be offered again to who declined it",
    )


async def test_a_chat_waits_for_who_got_it_to_take_it(desk: Desk) -> None:
    await desk.arrive("kim")
    assert await desk.create(Channel.CHAT) == "kim"
    assert (await desk.ticket()).next_deadline_is == "owner has not accepted it"
    assert await desk.do(EventKind.ACK, KIM) == "kim"
    assert (await desk.ticket()).next_deadline_is != "owner has not accepted it"


async def test_a_lock_is_overridden_with_a_reason_or_released(desk: Desk) -> None:
    await desk.arrive("kim", "ida")
    await desk.create()
    assert await desk.do(EventKind.ASSIGN, LEAD, assignee="kim", lock=True) == "kim"
    with pytest.raises(OwnerLockedError, match="give the reason"):
        await desk.do(EventKind.ASSIGN, LEAD, assignee="ida")
    assert await desk.do(EventKind.ASSIGN, LEAD, "Kim is ill", assignee="ida", lock=True) == "ida"
    await desk.do(EventKind.UNLOCK, LEAD)
    assert (await desk.ticket()).locked_until is None


async def test_a_ticket_without_an_owner_says_when_somebody_comes(desk: Desk) -> None:
    await desk.arrive("kim")
    now = datetime.now(UTC)
    back = now + timedelta(hours=3)
    async with transaction(desk.pool) as conn:
        await shifts.add_leave(
            conn, tenant=desk.tenant, agent_id="kim", leave=Leave(now, back), now=now
        )
    assert await desk.create() == ""
    ticket = await desk.ticket()
    assert ticket.no_owner == "nobody_at_work"
    assert ticket.next_shift_at is not None
    assert abs(ticket.next_shift_at - back) < timedelta(seconds=1)
