"""Offers that come faster than a ticket can answer them: they ask for the same, and are one."""

import asyncio
from datetime import UTC, datetime

import pytest

from hub.drafts import NewTicket
from support.handing_out import offer
from support.model import EventKind, TicketEvent, workflow_id
from support.needs import EvaluateRules, RuleVerdict, Wanted
from tests.fix_desk import CUSTOMER, KIM, RunningDesk
from tests.waiting import eventually


async def test_offers_that_wait_behind_each_other_are_decided_once(
    desk: RunningDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.gateway.create(
        desk.tenant, NewTicket(subject="No sound", ticket_id="T-1"), actor=CUSTOMER, source="web"
    )
    judge, begun, go_on = desk.rules.judge, asyncio.Event(), asyncio.Event()

    async def slow(question: EvaluateRules) -> RuleVerdict | Wanted:
        begun.set()
        await go_on.wait()
        return await judge(question)

    monkeypatch.setattr(desk.rules, "judge", slow)
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
    now = datetime.now(UTC)
    await handle.signal("deliver", offer("offer.1", now))
    await begun.wait()
    for number in range(2, 6):
        await handle.signal("deliver", offer(f"offer.{number}", now))
    await handle.signal("deliver", TicketEvent("n-1", EventKind.NOTE, now, now, KIM))
    go_on.set()

    async def decided() -> list[str]:
        async with desk.pool.connection() as conn:
            cursor = await conn.execute(
                "select event_id from events where tenant = %s and kind <> 'created'"
                " order by decision_seq",
                (desk.tenant,),
            )
            found = [row["event_id"] for row in await cursor.fetchall()]
        return found if "n-1" in found else []

    assert await eventually(decided) == ["offer.1", "offer.2", "n-1"]
