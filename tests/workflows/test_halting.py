"""A halted ticket on real servers: the lead hears of it, and a person's step lets it go on."""

from temporalio.client import Client

from hub.drafts import Command, NewTicket
from store import roster, views
from store.pool import Pool
from support.model import EventKind
from support.needs import RuleAction
from support.work import Outside
from tests.fix_desk import CUSTOMER, KIM, running_desk
from tests.waiting import eventually


async def reason(pool: Pool, tenant: str) -> str:
    """Why automation is halted on T-1."""
    async with pool.connection() as conn:
        return (await views.ticket(conn, tenant=tenant, ticket_id="T-1")).halted


TELL = RuleAction("tell", "notify", {"to": "channel", "template": "x"})


async def test_over_the_quota_the_lead_hears_of_it_and_automation_waits_for_a_person(
    temporal_client: Client, database_url: str, task_queue: str
) -> None:
    async with running_desk(
        temporal_client, database_url, task_queue, outside=Outside(notify=True)
    ) as desk:
        async with desk.pool.connection() as conn:
            await roster.add(conn, tenant=desk.tenant, agent=roster.Agent("lea", role="lead"))
        desk.rules.actions = [TELL] * 8
        new = NewTicket(subject="No sound", ticket_id="T-1")
        await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")

        async def told() -> bool:
            return len(desk.outside.done) == 7

        assert await eventually(told)
        assert await reason(desk.pool, desk.tenant) == (
            "rule tell went over the quota of 6 notifications in 24h"
        )
        desk.rules.actions = [TELL]
        for kind, text in ((EventKind.NOTE, "seen"), (EventKind.ACK, "")):
            command = Command(kind, text=text)
            await desk.gateway.command(desk.tenant, "T-1", command, actor=KIM, source="cli")

        async def goes_on() -> bool:
            return len(desk.outside.done) == 8

        assert await eventually(goes_on)
        assert await reason(desk.pool, desk.tenant) == ""
