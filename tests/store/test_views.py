"""Lists and time lines: their order, their filters, and whose they are."""

from datetime import timedelta

import pytest

from store import chronicle, views
from store.chronicle import DecisionEntry, EventEntry, MessageEntry
from store.lanes import signals
from store.pool import Connection
from support.errors import InputError, UnknownTicketError
from support.lanes import LANES
from support.model import TicketStatus
from tests.store.seeding import START, add_agent, add_history, add_ticket

HOUR = timedelta(hours=1)


async def ids(conn: Connection, **filters: object) -> list[str]:
    found = await views.list_tickets(conn, tenant="global", **filters)  # type: ignore[arg-type]
    return [ticket.ticket_id for ticket in found]


async def test_overdue_comes_first_then_by_due_then_by_age(conn: Connection) -> None:
    await add_ticket(conn, "held", next_due_at=None, created_at=START - HOUR)
    await add_ticket(conn, "young", next_due_at=START + HOUR, created_at=START)
    await add_ticket(conn, "old", next_due_at=START + HOUR, created_at=START - HOUR)
    await add_ticket(conn, "late", next_due_at=START - HOUR, breached=True)

    assert await ids(conn) == ["late", "old", "young", "held"]


async def test_every_lane_lists_as_many_tickets_as_its_signal_counts(conn: Connection) -> None:
    await add_agent(conn, "kim")
    await add_ticket(conn, "T-1", owner="kim", breached=True, escalation_due=True)
    await add_ticket(conn, "T-2", priority="urgent", breached=True)
    await add_ticket(conn, "T-3", priority="high", status="waiting_internal", owner="kim")
    await add_ticket(conn, "T-4", status="closed", breached=True, priority="urgent")
    counted = await signals(conn, tenant="global")

    for lane in LANES:
        assert len(await ids(conn, lane=lane.id)) == lane.signal(counted), lane.id
    assert await ids(conn, lane="unassigned") == ["T-2"]


async def test_a_status_narrows_the_list_and_finished_ones_are_listed_on_request(
    conn: Connection,
) -> None:
    await add_ticket(conn, "T-1", status="waiting_internal")
    await add_ticket(conn, "T-2")
    await add_ticket(conn, "T-3", status="resolved")

    assert await ids(conn) == ["T-1", "T-2"]
    assert await ids(conn, status=TicketStatus.WAITING_INTERNAL) == ["T-1"]
    assert await ids(conn, status=TicketStatus.RESOLVED) == ["T-3"]
    assert await ids(conn, status=TicketStatus.RESOLVED, lane="sla_breached") == []


async def test_the_limit_keeps_the_most_pressing(conn: Connection) -> None:
    for hour in range(4):
        await add_ticket(conn, f"T-{hour}", next_due_at=START + hour * HOUR)

    assert await ids(conn, limit=2) == ["T-0", "T-1"]


@pytest.mark.parametrize("wrong", [{"lane": "nonsense"}, {"limit": 0}, {"limit": 501}])
async def test_an_unknown_lane_and_an_impossible_limit_are_refused(
    conn: Connection, wrong: dict[str, object]
) -> None:
    with pytest.raises(InputError):
        await ids(conn, **wrong)


async def test_a_ticket_shows_its_owner_and_subject(conn: Connection) -> None:
    await add_agent(conn, "kim")
    await add_ticket(conn, "T-1", owner="kim", subject="No tone")

    found = await views.ticket(conn, tenant="global", ticket_id="T-1")

    assert (found.owner, found.subject, found.status) == ("kim", "No tone", "open")


async def test_a_ticket_of_another_tenant_is_unknown(conn: Connection) -> None:
    await add_ticket(conn, "T-1", tenant="other")

    with pytest.raises(UnknownTicketError):
        await views.ticket(conn, tenant="global", ticket_id="T-1")
    assert await views.list_tickets(conn, tenant="global") == ()
    assert await chronicle.timeline(conn, tenant="global", ticket_id="T-1") == ()


async def test_the_timeline_tells_event_decision_and_what_came_of_it_in_order(
    conn: Connection,
) -> None:
    await add_ticket(conn, "T-1")
    await add_history(conn, "T-1")

    told = await chronicle.timeline(conn, tenant="global", ticket_id="T-1")

    assert [(entry.seq, entry.kind) for entry in told] == [
        (1, "event"),
        (1, "decision"),
        (1, "event"),
        (2, "breach"),
        (2, "escalation"),
        (2, "decision"),
        (2, "message"),
        (2, "effect"),
    ]
    opening, decision, refused = told[0], told[1], told[2]
    assert isinstance(opening, EventEntry)
    assert opening.text is not None
    assert opening.text.body == "Body of T-1"
    assert isinstance(decision, DecisionEntry)
    assert [rule["reason"] for rule in decision.trace if not rule["fired"]] == [
        "priority is normal, not urgent"
    ]
    assert isinstance(refused, EventEntry)
    assert (refused.event_id, refused.outcome, refused.text) == ("e-no", "refused", None)
    assert isinstance(told[6], MessageEntry)
    assert told[6].text.body == "We are late, sorry."


async def test_the_timeline_can_begin_after_a_decision(conn: Connection) -> None:
    await add_ticket(conn, "T-1")
    await add_history(conn, "T-1")

    told = await chronicle.timeline(conn, tenant="global", ticket_id="T-1", since=1)

    assert {entry.seq for entry in told} == {2}


async def test_the_clocks_are_those_of_the_last_decision(conn: Connection) -> None:
    await add_ticket(conn, "T-1")
    await add_history(conn, "T-1")

    (clock,) = await views.clocks(conn, tenant="global", ticket_id="T-1")

    assert clock["metric"] == "first_response"
    assert await views.clocks(conn, tenant="global", ticket_id="T-2") == ()


async def test_tenants_are_those_with_an_agent_or_a_ticket(conn: Connection) -> None:
    await add_ticket(conn, "T-1", tenant="b")
    await add_agent(conn, "kim", tenant="a")

    assert await views.tenants(conn) == ("a", "b")
