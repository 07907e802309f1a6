"""The ticket's workflow on a real Temporal server and a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime

import pytest

from hub.drafts import Command, NewTicket, Origin
from store import ledger
from support.errors import TicketExistsError, TransitionRefusedError, UnknownTicketError
from support.model import EventKind, Priority, workflow_id
from support.needs import RuleAction
from tests.fix_desk import CUSTOMER, KIM, RunningDesk

ASSIGN = RuleAction("assign-new", "assign", {})


async def create(desk: RunningDesk, ticket_id: str = "T-1", event_id: str = "e-0") -> None:
    new = NewTicket(subject="No sound", ticket_id=ticket_id)
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web", event_id=event_id)


async def do(
    desk: RunningDesk, kind: EventKind, event_id: str = "", text: str = "", **more: object
) -> object:
    command = Command(kind, text=text, **more)  # type: ignore[arg-type]  # shorthand of the tests
    return await desk.gateway.command(
        desk.tenant, "T-1", command, actor=KIM, source="cli", event_id=event_id
    )


async def test_a_ticket_lives_from_created_to_closed(desk: RunningDesk) -> None:
    desk.rules.actions = [ASSIGN]
    new = NewTicket(subject="No sound", ticket_id="T-1", priority=Priority.HIGH)
    created = await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    assert (created.status, created.owner, created.fired) == ("open", "kim", ("assign-new",))
    assert created.next_deadline is not None
    desk.rules.actions = []
    await do(desk, EventKind.REPLY, text="Try the other cable")
    await do(desk, EventKind.RESOLVE)
    closed = await desk.gateway.command(
        desk.tenant, "T-1", Command(EventKind.CLOSE), actor=KIM, source="cli"
    )
    assert (closed.status, closed.decision_seq) == ("closed", 4)
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
    assert await handle.result() == "closed"


async def test_an_impossible_transition_is_refused_with_state_and_choices(
    desk: RunningDesk,
) -> None:
    await create(desk)
    with pytest.raises(TransitionRefusedError) as refused:
        await do(desk, EventKind.RESUME)
    assert refused.value.details["state"] == "new"
    assert "reply" in list(refused.value.details["allowed"])  # type: ignore[call-overload]


async def test_a_repeat_gets_the_first_result_also_after_close(desk: RunningDesk) -> None:
    await create(desk)
    first = await do(desk, EventKind.RESOLVE, event_id="e-1")
    assert await do(desk, EventKind.RESOLVE, event_id="e-1") == first
    await do(desk, EventKind.CLOSE, event_id="e-2")
    await desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1")).result()
    assert await do(desk, EventKind.RESOLVE, event_id="e-1") == first
    with pytest.raises(TicketExistsError):
        await create(desk, event_id="e-9")


async def test_a_closed_ticket_refuses_commands_and_a_message_opens_a_follow_up(
    desk: RunningDesk,
) -> None:
    await create(desk)
    await do(desk, EventKind.RESOLVE)
    await do(desk, EventKind.CLOSE)
    await desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1")).result()
    with pytest.raises(TransitionRefusedError, match="reopen"):
        await do(desk, EventKind.NOTE, text="late")
    message = Command(EventKind.CUSTOMER_MESSAGE, text="It is back")
    results = [
        await desk.gateway.command(
            desk.tenant, "T-1", message, actor=CUSTOMER, source="mail", event_id="m-1"
        )
        for _ in range(2)
    ]
    assert results[0] == results[1]
    assert results[0].ticket_id != "T-1"


async def test_reopen_starts_a_new_run_that_goes_on_counting(desk: RunningDesk) -> None:
    await create(desk)
    await do(desk, EventKind.RESOLVE)
    await do(desk, EventKind.CLOSE)
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
    await handle.result()
    first_run = (await handle.describe()).run_id
    reopened = await desk.gateway.command(
        desk.tenant, "T-1", Command(EventKind.REOPEN), actor=KIM, source="cli"
    )
    assert (reopened.status, reopened.decision_seq) == ("open", 4)
    assert (await handle.describe()).run_id != first_run


async def test_two_tenants_may_have_the_same_ticket_id(desk: RunningDesk) -> None:
    await create(desk)
    new = NewTicket(subject="Other", ticket_id="T-1")
    await desk.gateway.create(f"{desk.tenant}-2", new, actor=CUSTOMER, source="web", event_id="e-0")
    await do(desk, EventKind.RESOLVE)
    async with desk.pool.connection() as conn:
        theirs = await ledger.snapshot(conn, tenant=f"{desk.tenant}-2", ticket_id="T-1")
    assert theirs is not None
    assert (theirs.status, theirs.decision_seq) == ("new", 1)


async def test_an_unknown_ticket_is_named(desk: RunningDesk) -> None:
    with pytest.raises(UnknownTicketError, match="there is no ticket T-1"):
        await do(desk, EventKind.NOTE, text="hello")


async def test_an_event_that_waits_in_a_stream_is_counted_once(desk: RunningDesk) -> None:
    at = datetime.now(UTC)
    for _ in range(2):
        origin = Origin(CUSTOMER, "import", "s-0", at)
        await desk.gateway.stream(desk.tenant, "T-7", NewTicket(subject="From afar"), origin)
    note = Command(EventKind.NOTE, text="seen")
    for _ in range(3):
        await desk.gateway.stream(desk.tenant, "T-7", note, Origin(KIM, "import", "s-1"))
    result = await desk.gateway.command(
        desk.tenant, "T-7", Command(EventKind.RESOLVE), actor=KIM, source="cli"
    )
    assert result.decision_seq == 3


async def test_many_updates_at_once_are_taken_one_by_one(desk: RunningDesk) -> None:
    await create(desk)
    await asyncio.gather(*(do(desk, EventKind.NOTE, f"n-{i}", text="x") for i in range(20)))
    result = await desk.gateway.command(
        desk.tenant, "T-1", Command(EventKind.RESOLVE), actor=KIM, source="cli"
    )
    assert result.decision_seq == 22
