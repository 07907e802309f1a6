"""What an event makes of a ticket does not depend on when it was delivered."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from activities import records
from rules.policies_file import read_policies
from support.clock import Clock, ClockState
from support.errors import TransitionRefusedError
from support.marks import Waiting
from support.model import EventKind, Priority, TicketEvent, TicketStatus, WaitingOn
from support.policy import Metric
from support.proof import Why, proof_of
from support.sla import compute
from tests.support.deciding import CUSTOMER, KIM, MONDAY, Desk, action, created, event, with_rules

MINUTE = timedelta(minutes=1)
PAUSES = ["waiting_customer", "waiting_internal"]
BOOK = read_policies(
    json.dumps(
        {
            "calendars": {"always": {"hours": "24/7", "tz": "UTC"}},
            "office": "always",
            "policies": [
                {
                    "id": "high",
                    "when": {"priority": ["high", "urgent"]},
                    "calendar": "always",
                    "targets": {
                        "first_response": "61m",
                        "next_response": "33m",
                        "resolution": "245m",
                    },
                    "pause_on": {"resolution": PAUSES},
                    "void_on": ["spam"],
                },
                {
                    "id": "rest",
                    "calendar": "always",
                    "targets": {
                        "first_response": "122m",
                        "next_response": "64m",
                        "periodic_update": "181m",
                        "resolution": "603m",
                    },
                    "pause_on": {"resolution": PAUSES, "next_response": PAUSES[1:]},
                    "void_on": ["spam"],
                },
            ],
        },
        sort_keys=True,
    )
)
MESSAGE = EventKind.CUSTOMER_MESSAGE
INTERNAL: dict[str, Any] = {
    "status": TicketStatus.WAITING_INTERNAL,
    "waiting_on": WaitingOn.VENDOR,
}
ON_CUSTOMER: dict[str, Any] = {"status": TicketStatus.WAITING_CUSTOMER}


def at(minute: int, kind: EventKind, ref: str = "", **more: Any) -> TicketEvent:
    actor = CUSTOMER if kind is EventKind.CUSTOMER_MESSAGE else KIM
    made = event(kind, MONDAY + minute * MINUTE, actor, **more)
    return replace(made, event_id=f"{made.event_id}-{ref}")


def desk() -> Desk:
    made = Desk(book=BOOK, agents={"kim": (Decimal(0), Decimal(12))})
    made.take(created())
    return made


def taken(*events: TicketEvent, now: int = 600) -> Desk:
    """Take events in the order given, all of them received at minute `now`."""
    ticket = desk()
    for one in events:
        ticket.take(one, late=MONDAY + now * MINUTE - one.occurred_at)
    return ticket


def told(ticket: Desk, minute: int = 2000) -> list[object]:
    """Return what must not depend on the order of delivery."""
    assert ticket.state is not None
    state = ticket.state
    clocks = compute(state.marks, ticket.book, MONDAY + minute * MINUTE)
    return [
        state.status,
        state.waiting,
        state.priority,
        state.reopen_count,
        state.resolved_at if state.status is TicketStatus.RESOLVED else None,
        state.closed_at,
        [(c.metric, c.cycle, c.state, c.consumed, c.due, c.stopped_at) for c in clocks],
    ]


def clock(ticket: Desk, metric: Metric) -> Clock:
    return [c for c in ticket.decisions[-1].clocks if c.metric is metric][-1]


@pytest.mark.parametrize(
    "later", [at(78, EventKind.REPLY), at(60, EventKind.ASSIGN, assignee="kim")]
)
@pytest.mark.parametrize(
    ("earlier", "status"),
    [
        (at(58, EventKind.WAIT, **INTERNAL), TicketStatus.WAITING_INTERNAL),
        (at(58, EventKind.RESOLVE), TicketStatus.RESOLVED),
    ],
)
def test_a_first_reply_or_assignment_does_not_cancel_a_late_wait_or_resolve_before_it(
    earlier: TicketEvent, later: TicketEvent, status: TicketStatus
) -> None:
    if status is TicketStatus.RESOLVED and later.kind is EventKind.ASSIGN:
        later = at(58, EventKind.ASSIGN, assignee="kim")
    ordered, crossed = taken(earlier, later), taken(later, earlier)
    assert ordered.state is not None
    assert ordered.state.status is status
    assert told(crossed) == told(ordered)


def test_a_late_resume_ends_the_wait_before_it_and_not_the_one_after_it() -> None:
    events = [
        at(1, EventKind.REPLY),
        at(38, EventKind.WAIT, "1", **INTERNAL),
        at(60, EventKind.RESUME),
        at(90, EventKind.WAIT, "2", **INTERNAL),
    ]
    reply, first, resume, second = events
    ordered = taken(*events)
    for order in ([reply, second, resume, first], [second, reply, resume, first]):
        assert told(taken(*order)) == told(ordered)
    waits = taken(reply, second, resume)
    assert waits.state is not None
    assert waits.state.status is TicketStatus.WAITING_INTERNAL


def test_a_late_reopen_ends_the_resolution_before_it_and_not_the_one_after_it() -> None:
    first, reopen, second = (
        at(38, EventKind.RESOLVE, "1"),
        at(60, EventKind.REOPEN),
        at(90, EventKind.RESOLVE, "2"),
    )
    ordered = taken(first, reopen, second)
    assert ordered.state is not None
    assert (ordered.state.status, ordered.state.reopen_count) == (TicketStatus.RESOLVED, 1)
    assert told(taken(second, reopen, first)) == told(ordered)
    assert told(taken(second, first, reopen)) == told(ordered)


def test_a_late_event_that_was_impossible_then_is_refused_and_undoes_nothing_newer() -> None:
    ticket = taken(
        at(30, EventKind.RESOLVE),
        at(60, EventKind.REOPEN),
        at(70, EventKind.PRIORITY, priority=Priority.HIGH),
    )
    before = ticket.state
    with pytest.raises(TransitionRefusedError) as refused:
        ticket.take(at(40, EventKind.PRIORITY, priority=Priority.LOW), late=50 * MINUTE)
    assert refused.value.details["state"] == "resolved"
    assert "reopen" in str(refused.value.details["allowed"])
    assert "was not possible at 2026-03-02T08:40:00+00:00, when the ticket was resolved" in str(
        refused.value
    )
    assert ticket.state is before


def test_a_change_of_priority_at_the_instant_of_a_resolve_counts_in_either_order() -> None:
    change = at(90, EventKind.PRIORITY, priority=Priority.HIGH)
    orders = permutations([change, at(90, EventKind.RESOLVE)])
    one, other = (taken(*order) for order in orders)
    assert one.state is not None
    assert (one.state.status, one.state.priority) == (TicketStatus.RESOLVED, Priority.HIGH)
    assert told(one) == told(other)


def test_of_two_resolutions_at_one_instant_the_one_that_says_what_it_was_counts() -> None:
    plain, spam = at(90, EventKind.RESOLVE, "z"), at(90, EventKind.RESOLVE, disposition="spam")
    one, other = taken(plain, spam), taken(spam, plain)
    assert clock(one, Metric.RESOLUTION).state is ClockState.VOID
    assert told(one) == told(other)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1), (1, 2, 0)])
def test_waits_and_a_resume_at_one_instant_end_open(order: tuple[int, ...]) -> None:
    tied = [
        at(9, EventKind.WAIT, "1", **INTERNAL),
        at(9, EventKind.WAIT, "2", **INTERNAL),
        at(9, EventKind.RESUME),
    ]
    ticket = taken(*(tied[number] for number in order), now=9)
    assert ticket.state is not None
    assert (ticket.state.status, ticket.state.waiting) == (TicketStatus.OPEN, None)


def test_a_message_at_the_instant_of_a_wait_for_the_customer_leaves_no_wait() -> None:
    ticket = taken(
        at(1, EventKind.REPLY), at(9, EventKind.WAIT, **ON_CUSTOMER), at(9, MESSAGE), now=9
    )
    assert ticket.state is not None
    assert ticket.state.status is TicketStatus.OPEN


def test_a_late_reply_before_it_gives_a_wait_for_the_customer_back_what_a_message_took() -> None:
    reply, message, again, wait = (
        at(1, EventKind.REPLY, "1"),
        at(50, MESSAGE),
        at(60, EventKind.REPLY, "2"),
        at(70, EventKind.WAIT, **ON_CUSTOMER),
    )
    crossed = taken(reply, wait, message)
    assert crossed.state is not None
    assert (crossed.state.status, crossed.state.waiting) == (TicketStatus.OPEN, None)
    crossed.take(again, late=60 * MINUTE)
    assert told(crossed) == told(taken(reply, message, again, wait))
    assert crossed.state.waiting == Waiting(since=wait.occurred_at)


def test_a_wait_for_the_customer_is_refused_late_where_they_were_not_answered_then() -> None:
    ticket = taken(at(1, EventKind.REPLY, "1"), at(50, MESSAGE), at(60, EventKind.REPLY, "2"))
    with pytest.raises(TransitionRefusedError, match="needs a public reply"):
        ticket.take(at(55, EventKind.WAIT, **ON_CUSTOMER), late=10 * MINUTE)


def test_a_late_message_that_nobody_saw_opens_a_resolved_ticket_until_a_reply_is_known() -> None:
    reply, message, resolve = at(1, EventKind.REPLY), at(50, MESSAGE), at(70, EventKind.RESOLVE)
    ticket = taken(reply, resolve, message)
    assert ticket.state is not None
    assert ticket.state.status is TicketStatus.OPEN
    again = at(60, EventKind.REPLY, "2")
    ticket.take(again, late=60 * MINUTE)
    assert told(ticket) == told(taken(reply, message, again, resolve))


def test_what_a_rule_does_is_read_after_what_made_it_do_so() -> None:
    ticket = taken(at(1, EventKind.WAIT, "1", **INTERNAL))
    ticket = with_rules(ticket, action("resume"))
    again = ticket.take(at(9, EventKind.WAIT, "2", **INTERNAL))
    assert again.state.status is TicketStatus.OPEN
    ticket = with_rules(desk(), action("set_priority", priority="urgent"))
    resolved = ticket.take(at(9, EventKind.RESOLVE))
    assert (resolved.state.status, resolved.state.priority) == (
        TicketStatus.RESOLVED,
        Priority.NORMAL,
    )


def test_the_proof_of_a_clock_says_paused_only_where_a_wait_took_effect() -> None:
    ticket = taken(
        at(1, EventKind.REPLY),
        at(30, EventKind.RESOLVE),
        at(60, EventKind.REOPEN),
        at(40, EventKind.RESUME),
    )
    assert ticket.state is not None
    resolution = clock(ticket, Metric.RESOLUTION)
    proof = proof_of(resolution, ticket.state.marks, MONDAY + 60 * MINUTE)
    assert [(part.start, part.why) for part in proof] == [
        (MONDAY, Why.COUNTED),
        (MONDAY + 30 * MINUTE, Why.RESOLVED),
    ]


def test_a_snapshot_of_before_moves_had_conditions_reads_as_it_did() -> None:
    ticket = taken(
        at(1, EventKind.REPLY), at(38, EventKind.WAIT, **INTERNAL), at(60, EventKind.RESUME)
    )
    assert ticket.state is not None
    kept = json.loads(records.state_to_json(ticket.state))
    for mark in kept["marks"]:
        mark.pop("given", None)
        mark.pop("wait", None)
        if mark["kind"] == "reply":
            del mark["status"]
    opened = {"at": kept["marks"][2]["at"], "kind": "status", "event_id": "r", "status": "open"}
    kept["marks"].append(opened)
    old = records.state_from_json(json.dumps(kept))
    new = replace(ticket, state=old)
    new.take(at(70, EventKind.WAIT, **INTERNAL))
    ticket.take(at(70, EventKind.WAIT, **INTERNAL))
    assert told(new) == told(ticket)
