"""What a person sees of a ticket in the Temporal UI, run after run."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle

from activities.messages import DeadlineRef, Glance
from embedded.temporal_server import RunningTemporal
from hub.drafts import Command, NewTicket
from support.errors import LedgerError, RuntimeUnavailableError
from support.model import EventKind, Priority, TicketEvent, TicketStatus, workflow_id
from support.needs import RuleAction
from tests.fix_desk import CUSTOMER, KIM, RunningDesk, running_desk
from workflows.messages import TicketStart
from workflows.ticket import TicketWorkflow

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
RETRY = "Mend the cause, then retry."
OF_A_TASK = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
)


async def create(desk: RunningDesk) -> WorkflowHandle[TicketWorkflow, str]:
    desk.rules.actions = [RuleAction("assign-new", "assign", {})]
    new = NewTicket(subject="No sound", ticket_id="T-1", customer_name="Ylva Secretname")
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    desk.rules.actions = []
    return desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))


async def note(desk: RunningDesk) -> None:
    command = Command(EventKind.NOTE, text="Secret note")
    await desk.gateway.command(desk.tenant, "T-1", command, actor=KIM, source="cli")


async def details(handle: WorkflowHandle[TicketWorkflow, str]) -> list[str]:
    """The paragraphs of the current details."""
    query = "__temporal_workflow_metadata"
    told: WorkflowMetadata = await handle.query(query, result_type=WorkflowMetadata)
    return told.current_details.split("\n\n")


async def test_details_open_with_the_ticket_and_its_tenant(desk: RunningDesk) -> None:
    handle = await create(desk)
    ticket, standing, *_, last = await details(handle)
    assert ticket == f"Ticket T-1 of {desk.tenant}"
    assert standing == "**open**, normal priority, owner: kim"
    assert last == "Last decision (1): created: assign-new"


async def test_details_of_a_parked_ticket_say_which_it_is(desk: RunningDesk) -> None:
    handle = await create(desk)
    desk.rules.failure = LedgerError("rules say nonsense")
    try:
        await note(desk)
    except RuntimeUnavailableError:
        desk.rules.failure = None
    ticket, *parked = await details(handle)
    assert ticket == f"Ticket T-1 of {desk.tenant}"
    assert parked == ["**Parked**: LedgerError: rules say nonsense", RETRY]


START = TicketStart(
    "acme",
    "T-1",
    decision_seq=7,
    glance=Glance(TicketStatus.WAITING_INTERNAL, Priority.HIGH, "kim", "running", ()),
    deadline=DeadlineRef(datetime(2099, 3, 2, 12, tzinfo=UTC), "follow-up", "follow-up"),
)
PARKED = TicketEvent("e-1", EventKind.ACK, MONDAY, MONDAY, KIM, "cli")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (
            START,
            [
                "Ticket T-1 of acme",
                "**waiting internal**, high priority, owner: kim",
                "SLA: running",
                "Next: follow-up at 2099-03-02 12:00:00 UTC",
                "Decisions in earlier runs: 7",
            ],
        ),
        (
            replace(START, aside=(PARKED,)),
            ["Ticket T-1 of acme", "**Parked**: an earlier run says why", RETRY],
        ),
        (
            replace(START, glance=None, deadline=None),
            ["Ticket T-1 of acme", "Decisions in earlier runs: 7"],
        ),
        (TicketStart("acme", "T-1"), ["Ticket T-1 of acme"]),
    ],
    ids=["continued", "parked", "reopened", "new"],
)
async def test_a_run_tells_the_story_before_its_first_decision(
    desk: RunningDesk, start: TicketStart, told: list[str]
) -> None:
    handle = await desk.client.start_workflow(
        TicketWorkflow.run, start, id=f"{desk.tenant}/{uuid4()}", task_queue=desk.task_queue
    )
    assert await details(handle) == told
    kinds = [event.event_type for event in (await handle.fetch_history()).events]
    timer = [EventType.EVENT_TYPE_TIMER_STARTED] if start.deadline else []
    assert [k for k in kinds if k not in OF_A_TASK] == timer


async def test_the_ticket_is_named_after_continue_as_new_too(
    short_lived_runs: RunningTemporal, database_url: str, task_queue: str
) -> None:
    server = short_lived_runs
    client = await Client.connect(server.address, namespace=server.namespace)
    async with running_desk(client, database_url, task_queue) as desk:
        handle = await create(desk)
        first = (await handle.describe()).run_id
        while (await handle.describe()).run_id == first:
            await note(desk)
        assert (await details(handle))[:2] == [
            f"Ticket T-1 of {desk.tenant}",
            "**open**, normal priority, owner: kim",
        ]
