"""A command that comes late is judged by the state in which it happened, not by the current one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.messages import EventResult, Glance
from embedded.temporal_server import RunningTemporal
from hub.drafts import Command, NewTicket, Origin
from store import ledger
from support.errors import TransitionRefusedError
from support.model import EventKind, Priority, TicketEvent, TicketStatus, workflow_id
from tests.fix_desk import CUSTOMER, KIM, RunningDesk, running_desk
from workflows.messages import TicketStart
from workflows.ticket import TicketWorkflow

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def create(desk: RunningDesk) -> datetime:
    """Make ticket T-1; returns an instant of its life at which nothing else happens."""
    new = NewTicket(subject="No sound", ticket_id="T-1")
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    return datetime.now(UTC)


async def do(
    desk: RunningDesk, kind: EventKind, event_id: str = "", at: datetime | None = None
) -> EventResult:
    text = "Sounds like a cable" if kind is EventKind.NOTE else ""
    origin = Origin(KIM, "cli", event_id, at)
    return await desk.gateway.command_as(desk.tenant, "T-1", Command(kind, text=text), origin)


async def outcomes(desk: RunningDesk, event_id: str) -> list[str]:
    async with desk.pool.connection() as conn:
        found = await ledger.outcomes(conn, tenant=desk.tenant, events=[("T-1", event_id)])
    return [o.outcome for o in found]


async def test_what_was_possible_when_it_happened_is_taken_late(desk: RunningDesk) -> None:
    open_at = await create(desk)
    await do(desk, EventKind.RESOLVE)
    late = await do(desk, EventKind.ACK, "a-1", open_at)
    assert (late.status, late.decision_seq) == ("resolved", 3)
    assert await outcomes(desk, "a-1") == ["accepted"]


async def test_what_was_not_possible_then_either_is_refused_by_the_decision(
    desk: RunningDesk,
) -> None:
    open_at = await create(desk)
    await do(desk, EventKind.RESOLVE)
    with pytest.raises(TransitionRefusedError) as refused:
        await do(desk, EventKind.CLOSE, "c-1", open_at)
    assert refused.value.details["state"] == "new"
    assert await outcomes(desk, "c-1") == ["refused"]


async def test_a_late_resume_ends_nothing_that_is_newer(desk: RunningDesk) -> None:
    open_at = await create(desk)
    await do(desk, EventKind.RESOLVE)
    assert (await do(desk, EventKind.RESUME, "r-1", open_at)).status == "resolved"


async def test_what_is_not_late_is_still_refused_before_it_is_on_record(desk: RunningDesk) -> None:
    open_at = await create(desk)
    await do(desk, EventKind.RESOLVE)
    with pytest.raises(TransitionRefusedError, match="resolved"):
        await do(desk, EventKind.ACK, "a-1")
    with pytest.raises(TransitionRefusedError, match="resolved"):
        await do(desk, EventKind.USE_POLICIES, "u-1", open_at)
    assert await outcomes(desk, "a-1") == await outcomes(desk, "u-1") == []


async def test_a_run_that_continued_still_knows_what_is_late(
    short_lived_runs: RunningTemporal, database_url: str, task_queue: str
) -> None:
    server = short_lived_runs
    client = await Client.connect(server.address, namespace=server.namespace)
    async with running_desk(client, database_url, task_queue) as desk:
        open_at = await create(desk)
        await do(desk, EventKind.RESOLVE)
        handle = client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
        first = (await handle.describe()).run_id

        async def continued() -> bool:
            return (await handle.describe()).run_id != first

        while not await continued():
            await do(desk, EventKind.NOTE)
        with pytest.raises(TransitionRefusedError):
            await do(desk, EventKind.ACK, "a-1")
        assert await outcomes(desk, "a-1") == []
        assert (await do(desk, EventKind.ACK, "a-2", open_at)).status == "resolved"


RESOLVED = Glance(TicketStatus.RESOLVED, Priority.NORMAL, "kim", "met", ())
START = TicketStart("acme", "T-1", decision_seq=2, glance=RESOLVED, changed_at=NOON)


def checked(start: TicketStart, kind: EventKind, at: datetime) -> str:
    """Code of what the validator of a run with this start refuses the event with."""
    event = TicketEvent("e-1", kind, at, NOON + MINUTE, KIM, "cli")
    try:
        TicketWorkflow(start)._check_submit(event)
    except ApplicationError as error:
        return str(error.type)
    return ""


@pytest.mark.parametrize(
    ("kind", "at", "refused"),
    [
        (EventKind.ACK, NOON - MINUTE, False),
        (EventKind.ACK, NOON, False),
        (EventKind.ACK, NOON + MINUTE, True),
        (EventKind.USE_POLICIES, NOON - MINUTE, True),
        (EventKind.NOTE, NOON + MINUTE, False),
    ],
)
def test_only_what_happened_up_to_the_last_change_is_left_to_the_decision(
    kind: EventKind, at: datetime, *, refused: bool
) -> None:
    assert checked(START, kind, at) == ("TransitionRefused" if refused else "")


def test_nothing_is_late_for_a_closed_ticket() -> None:
    closed = replace(START, glance=replace(RESOLVED, status=TicketStatus.CLOSED))
    assert checked(closed, EventKind.ACK, NOON - MINUTE) == "TransitionRefused"


def test_a_run_that_was_not_told_of_the_last_change_leaves_all_to_the_decision() -> None:
    assert checked(replace(START, changed_at=None), EventKind.ACK, NOON + MINUTE) == ""
