"""What waits to be sent when its ticket is closed and no workflow runs for it any more."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from hub.drafts import Command, NewTicket
from store import effects, ledger
from support.errors import UnknownTicketError
from support.model import Channel, EventKind, workflow_id
from support.work import Outside
from tests.fix_desk import CUSTOMER, KIM, RunningDesk, running_desk
from tests.waiting import eventually


@pytest.fixture
async def closed_desk(
    temporal_client: Client, database_url: str, task_queue: str
) -> AsyncIterator[RunningDesk]:
    """A desk with every way out, whose ticket T-1 is closed and its run over."""
    ways = Outside(notify=True, reply=frozenset(Channel))
    async with running_desk(temporal_client, database_url, task_queue, outside=ways) as desk:
        new = NewTicket(subject="No sound", ticket_id="T-1")
        await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
        for kind in (EventKind.RESOLVE, EventKind.CLOSE):
            await do(desk, kind)
        await desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1")).result()
        yield desk


async def do(desk: RunningDesk, kind: EventKind) -> int:
    result = await desk.gateway.command(desk.tenant, "T-1", Command(kind), actor=KIM, source="cli")
    return result.decision_seq


async def leave_behind(
    desk: RunningDesk, number: int, *, error: str = "HTTP500", event_id: str = ""
) -> str:
    """Leave a delivery of T-1 parked, and return its key."""
    key = f"{workflow_id(desk.tenant, 'T-1')}/1/{number}"
    params: Mapping[str, str] = {"event_id": event_id} if event_id else {}
    row = effects.EffectRow(key, desk.tenant, "T-1", "notify", params, datetime.now(UTC))
    async with desk.pool.connection() as conn:
        await effects.intend(conn, row)
        await effects.settle(conn, action_key=key, state="parked", error=error)
    return key


async def over(desk: RunningDesk) -> bool:
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
    return (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_retry_sends_what_a_closed_ticket_left_and_its_run_ends(
    closed_desk: RunningDesk,
) -> None:
    keys = (await leave_behind(closed_desk, 8), await leave_behind(closed_desk, 9))
    assert await closed_desk.gateway.retry(closed_desk.tenant, "T-1") == keys
    handle = closed_desk.client.get_workflow_handle(workflow_id(closed_desk.tenant, "T-1"))
    await handle.result()
    assert sorted(closed_desk.outside.done) == sorted(keys)
    assert await do(closed_desk, EventKind.REOPEN) == 4


async def test_retry_of_a_closed_ticket_that_left_nothing_starts_nothing(
    closed_desk: RunningDesk,
) -> None:
    handle = closed_desk.client.get_workflow_handle(workflow_id(closed_desk.tenant, "T-1"))
    before = (await handle.describe()).run_id
    assert await closed_desk.gateway.retry(closed_desk.tenant, "T-1") == ()
    assert (await handle.describe()).run_id == before
    with pytest.raises(UnknownTicketError):
        await closed_desk.gateway.retry(closed_desk.tenant, "T-404")


async def test_what_is_held_back_is_tried_again_alone(closed_desk: RunningDesk) -> None:
    await leave_behind(closed_desk, 8)
    held = await leave_behind(closed_desk, 9, error="AutomationStopped")
    again = await closed_desk.gateway.retry(closed_desk.tenant, "T-1", only="AutomationStopped")
    assert again == (held,)


async def test_a_closed_ticket_can_be_reopened_while_what_it_left_is_being_sent(
    closed_desk: RunningDesk,
) -> None:
    key = await leave_behind(closed_desk, 9)
    closed_desk.outside.failure = ConnectionError("the relay is away")
    await closed_desk.gateway.retry(closed_desk.tenant, "T-1")
    assert await closed_desk.gateway.retry(closed_desk.tenant, "T-1") == (key,)
    assert await do(closed_desk, EventKind.REOPEN) == 4
    closed_desk.outside.failure = None

    async def sent() -> bool:
        return closed_desk.outside.done == [key]

    assert await eventually(sent)
    assert not await over(closed_desk)
    assert await do(closed_desk, EventKind.RESOLVE) == 5


async def test_a_reply_that_fails_for_good_again_leaves_the_ticket_closed(
    closed_desk: RunningDesk,
) -> None:
    await leave_behind(closed_desk, 9, event_id="r-1")
    closed_desk.outside.failure = ApplicationError(
        "no", type="PermanentDelivery", non_retryable=True
    )
    await closed_desk.gateway.retry(closed_desk.tenant, "T-1")
    assert await eventually(lambda: over(closed_desk))
    async with closed_desk.pool.connection() as conn:
        found = await ledger.snapshot(conn, tenant=closed_desk.tenant, ticket_id="T-1")
    assert found is not None
    assert (found.status, len(closed_desk.outside.parked)) == ("closed", 1)
