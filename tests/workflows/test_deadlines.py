"""Deadlines on the time-skipping server: days pass in seconds, nothing fires early or twice."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from hub.drafts import Command, NewTicket, Origin
from store import chronicle, presences, views
from support.model import EventKind, Presence, TicketStatus, WaitingOn
from support.needs import RuleAction
from tests.fix_desk import CUSTOMER, KIM, RunningDesk, running_desk
from tests.waiting import eventually

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def past_desk(
    time_skipping: WorkflowEnvironment, database_url: str, task_queue: str
) -> AsyncIterator[RunningDesk]:
    """A desk whose calendar starts on a Monday morning of March 2026."""
    offset_s = ((await time_skipping.get_current_time()) - MONDAY).total_seconds()
    client = time_skipping.client
    async with running_desk(client, database_url, task_queue, clock_offset_s=offset_s) as running:
        yield running


async def timeline(desk: RunningDesk) -> list[chronicle.Entry]:
    async with desk.pool.connection() as conn:
        return list(await chronicle.timeline(conn, tenant=desk.tenant, ticket_id="T-1"))


async def create(desk: RunningDesk) -> None:
    new = NewTicket(subject="No sound", ticket_id="T-1")
    await desk.gateway.create_as(desk.tenant, new, Origin(CUSTOMER, "web", "e-0", MONDAY))


async def test_steps_and_breach_happen_at_their_instants(
    past_desk: RunningDesk, time_skipping: WorkflowEnvironment
) -> None:
    await create(past_desk)
    await time_skipping.sleep(30 * HOUR)
    entries = await timeline(past_desk)
    steps = [e for e in entries if isinstance(e, chronicle.EscalationEntry)]
    assert [(s.metric, s.fraction) for s in steps] == [
        ("first_response", 0.75),
        ("first_response", 1.0),
        ("first_response", 1.5),
    ]
    breaches = [e for e in entries if isinstance(e, chronicle.BreachEntry)]
    assert [(b.metric, b.at) for b in breaches] == [("first_response", MONDAY + 8 * HOUR)]
    decisions = [e for e in entries if isinstance(e, chronicle.DecisionEntry)]
    assert [d.seq for d in decisions] == list(range(1, len(decisions) + 1))
    assert all(d.lateness_s < 60 for d in decisions)


async def test_after_an_outage_steps_come_in_order_marked_with_how_late(
    temporal_client: Client, database_url: str, task_queue: str
) -> None:
    back = MONDAY + 11 * HOUR
    offset_s = (datetime.now(UTC) - back).total_seconds()
    async with running_desk(
        temporal_client, database_url, task_queue, clock_offset_s=offset_s
    ) as desk:
        await create(desk)

        async def caught_up() -> list[chronicle.EscalationEntry]:
            entries = await timeline(desk)
            steps = [e for e in entries if isinstance(e, chronicle.EscalationEntry)]
            return steps if len(steps) >= 2 else []

        steps = await eventually(caught_up)
    assert [s.fraction for s in steps] == [0.75, 1.0]
    assert [round(s.lateness_s / 3600) for s in steps] == [5, 3]


async def test_an_internal_wait_is_followed_up_at_its_date(
    past_desk: RunningDesk, time_skipping: WorkflowEnvironment
) -> None:
    await create(past_desk)
    wait = Command(
        EventKind.WAIT,
        status=TicketStatus.WAITING_INTERNAL,
        waiting_on=WaitingOn.VENDOR,
        follow_up_at=MONDAY + 2 * HOUR,
    )
    await past_desk.gateway.command(past_desk.tenant, "T-1", wait, actor=KIM, source="cli")
    past_desk.rules.actions = [RuleAction("follow-up", "resume", {})]
    await time_skipping.sleep(3 * HOUR)
    async with past_desk.pool.connection() as conn:
        ticket = await views.ticket(conn, tenant=past_desk.tenant, ticket_id="T-1")
    assert ticket.status == "open"


async def test_who_does_not_accept_in_time_loses_the_ticket_and_is_asked_again_later(
    past_desk: RunningDesk, time_skipping: WorkflowEnvironment
) -> None:
    async with past_desk.pool.connection() as conn:
        await presences.set_presence(
            conn, tenant=past_desk.tenant, agent_id="lou", presence=Presence.AWAY
        )
    past_desk.rules.actions = [RuleAction("assign", "assign", {"accept_within_s": 30})]
    await create(past_desk)
    await time_skipping.sleep(timedelta(minutes=6))
    decisions = [
        (e.inputs["due_kind"], (e.at - MONDAY).total_seconds())
        for e in await timeline(past_desk)
        if isinstance(e, chronicle.DecisionEntry)
    ]
    assert decisions == [
        ("", 0),
        ("acceptance", 30),
        ("decline_over", 330),
        ("acceptance", 360),
    ]


async def test_the_customer_is_reminded_once_and_a_silent_ticket_waits_for_the_rules(
    past_desk: RunningDesk, time_skipping: WorkflowEnvironment
) -> None:
    await create(past_desk)
    for command in (
        Command(EventKind.REPLY, text="Try the other cable"),
        Command(EventKind.WAIT, status=TicketStatus.WAITING_CUSTOMER),
    ):
        await past_desk.gateway.command(past_desk.tenant, "T-1", command, actor=KIM, source="cli")
    await time_skipping.sleep(timedelta(days=30))
    entries = await timeline(past_desk)
    kinds = [e.inputs["due_kind"] for e in entries if isinstance(e, chronicle.DecisionEntry)]
    assert kinds == ["", "", "", "remind", "auto_resolve"]
