"""A worker at work decides by what is published from the next decision on, without a restart."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from temporalio.client import Client

from hub.drafts import Command, NewTicket
from hub.intake import Gateway
from rules.load import load_pack
from rules.pack import Pack
from store import chronicle, shadows
from store.chronicle import DecisionEntry
from store.pool import Pool
from support.model import EventKind
from tests.fix_desk import CUSTOMER, KIM, production
from tests.publishing import published, shadowed, tagging
from tests.waiting import eventually

V1, V2 = tagging("one", on="created, note"), tagging("two", on="created, note")


@dataclass
class Desk:
    pool: Pool
    gateway: Gateway
    tenant: str

    async def note(self) -> None:
        command = Command(EventKind.NOTE, text="Seen")
        await self.gateway.command(self.tenant, "T-1", command, actor=KIM, source="cli")

    async def decided_by(self) -> list[tuple[str, str]]:
        """Pack and version of each decision of the ticket."""
        async with self.pool.connection() as conn:
            entries = await chronicle.timeline(conn, tenant=self.tenant, ticket_id="T-1")
        decisions = [entry for entry in entries if isinstance(entry, DecisionEntry)]
        return [(one.pack_name, one.pack_version) for one in decisions]


@pytest.fixture
async def desk(temporal_client: Client, database_url: str, task_queue: str) -> AsyncIterator[Desk]:
    """The worker as it runs in production, with the shipped pack and a ticket T-1."""
    async with production(temporal_client, database_url, task_queue) as pool:
        tenant = f"t-{uuid4().hex[:12]}"
        gateway = Gateway(pool, temporal_client, task_queue)
        new = NewTicket(subject="No sound", ticket_id="T-1")
        await gateway.create(tenant, new, actor=CUSTOMER, source="web")
        yield Desk(pool, gateway, tenant)


def key(pack: Pack) -> tuple[str, str]:
    return pack.name, pack.version


async def test_each_publication_decides_from_the_next_event_on(desk: Desk) -> None:
    await published(desk.pool, V1, tenant=desk.tenant)
    await desk.note()
    await published(desk.pool, V2, base=V1.version, tenant=desk.tenant)
    await desk.note()
    assert await desk.decided_by() == [key(load_pack(None)), key(V1), key(V2)]


async def test_a_shadow_is_compared_while_the_worker_works(desk: Desk) -> None:
    one = await shadowed(desk.pool, V1, tenant=desk.tenant)
    await desk.note()

    async def compared() -> shadows.Summary | None:
        async with desk.pool.connection() as conn:
            found = await shadows.summary(conn, tenant=desk.tenant, number=one.number)
        return found if found.compared else None

    found = await eventually(compared)
    assert found is not None
    assert [rule.rule_id for rule in found.by_rule] == ["mark"]
    assert {name for name, _ in await desk.decided_by()} == {load_pack(None).name}
