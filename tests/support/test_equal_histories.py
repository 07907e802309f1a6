"""Equal histories, delivered in any order: status, clocks and standing breaches are equal."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.errors import FlowHubError
from support.marks import Given
from support.model import EventKind, Priority, TicketEvent
from support.policy import Metric
from tests.support.deciding import MONDAY, Desk
from tests.support.test_delivery_order import (
    INTERNAL,
    MESSAGE,
    MINUTE,
    ON_CUSTOMER,
    at,
    desk,
    taken,
    told,
)


def test_a_late_change_of_priority_finds_what_it_would_have_missed_before_the_next_one() -> None:
    urgent, low = (
        at(10, EventKind.PRIORITY, priority=Priority.URGENT),
        at(90, EventKind.PRIORITY, priority=Priority.LOW),
    )
    late = taken(low, urgent, now=100)
    assert late.state is not None
    due = MONDAY + 61 * MINUTE
    assert [(b.metric, b.due_at) for b in late.state.missed] == [(Metric.FIRST_RESPONSE, due)]
    assert late.decisions[-1].new_breaches == late.state.missed
    late.take(at(95, EventKind.NOTE), late=10 * MINUTE)
    assert [b.withdrawn for b in late.state.breaches] == [False]
    early = late.take(at(50, EventKind.REPLY), late=60 * MINUTE)
    assert early.state.missed == ()


def test_a_change_of_priority_that_another_one_of_its_instant_undoes_leaves_no_breach() -> None:
    high, low = (
        at(90, EventKind.PRIORITY, "1", priority=Priority.HIGH),
        at(90, EventKind.PRIORITY, "2", priority=Priority.LOW),
    )
    for order in ([high, low], [low, high]):
        ticket = taken(*order, now=90)
        assert ticket.state is not None
        assert (ticket.state.priority, ticket.state.missed) == (Priority.LOW, ())


KINDS: list[tuple[EventKind, dict[str, Any]]] = [
    (EventKind.REPLY, {}),
    (EventKind.REPLY, {}),
    (MESSAGE, {}),
    (MESSAGE, {}),
    (EventKind.NOTE, {}),
    (EventKind.ACK, {}),
    (EventKind.ASSIGN, {"assignee": "kim"}),
    (EventKind.PRIORITY, {"priority": Priority.HIGH}),
    (EventKind.PRIORITY, {"priority": Priority.LOW}),
    (EventKind.TAG, {"tags_added": ("spam",)}),
    (EventKind.TAG, {"tags_removed": ("spam",)}),
    (EventKind.WAIT, INTERNAL),
    (EventKind.WAIT, INTERNAL),
    (EventKind.WAIT, ON_CUSTOMER),
    (EventKind.RESUME, {}),
    (EventKind.RESUME, {}),
    (EventKind.RESOLVE, {}),
    (EventKind.RESOLVE, {"disposition": "spam"}),
    (EventKind.REOPEN, {}),
    (EventKind.CLOSE, {}),
]
END = 3000


def test_a_change_at_the_last_instant_does_not_hide_what_a_late_one_missed_before_it() -> None:
    spam, high, low, resolve = (
        at(90, EventKind.TAG, tags_added=("spam",)),
        at(170, EventKind.PRIORITY, "1", priority=Priority.HIGH),
        at(230, EventKind.PRIORITY, "2", priority=Priority.LOW),
        at(230, EventKind.RESOLVE),
    )
    ordered, crossed = taken(spam, high, low, resolve), taken(spam, resolve, high, low)
    for ticket in (ordered, crossed):
        assert ticket.state is not None
        assert [breach.metric for breach in ticket.state.missed] == [Metric.FIRST_RESPONSE]


@dataclass(frozen=True)
class Delivery:
    """One event, the minutes by which it comes late, and its place among those that come then."""

    event: TicketEvent
    late: int
    place: float


@st.composite
def lives(draw: Any) -> list[Delivery]:
    minutes = draw(st.lists(st.integers(1, 60), min_size=2, max_size=9))
    happened = []
    for number, minute in enumerate(sorted(minutes)):
        kind, more = draw(st.sampled_from(KINDS))
        late = draw(st.sampled_from([0, 0, 0, 5, 25, 90, 300]))
        one = at(minute * 10, kind, str(number), **more)
        happened.append(Delivery(one, late, draw(st.integers(0, 9))))
    return happened


def _delivered(life: list[Delivery]) -> tuple[Desk, list[Delivery]]:
    """Deliver a life, deadlines in between; returns what was accepted too."""
    ticket, accepted = desk(), []
    arriving = [(one.event.occurred_at + one.late * MINUTE, one.place, one) for one in life]
    for now, _, one in sorted(arriving, key=lambda arrival: arrival[:2]):
        ticket.pass_until(now - timedelta(seconds=1))
        try:
            ticket.take(one.event, late=one.late * MINUTE)
        except FlowHubError:
            continue
        accepted.append(one)
    ticket.pass_until(MONDAY + END * MINUTE)
    return ticket, accepted


def _standing(ticket: Desk) -> set[tuple[str, int]]:
    assert ticket.state is not None
    return {(str(breach.metric), breach.cycle) for breach in ticket.state.missed}


def _unseen(ticket: Desk) -> bool:
    assert ticket.state is not None
    return any(mark.given is Given.UNSEEN for mark in ticket.state.marks)


@settings(deadline=None)
@given(life=lives())
def test_a_life_ends_alike_delivered_in_order_or_late_and_shuffled(life: list[Delivery]) -> None:
    """Only a message that nobody had seen who resolved the ticket opens it all the same."""
    in_order = [replace(one, late=0, place=number) for number, one in enumerate(life)]
    ordered, accepted = _delivered(in_order)
    known = {one.event.event_id for one in accepted}
    late, all_the_same = _delivered([one for one in life if one.event.event_id in known])
    if len(all_the_same) < len(accepted) or _unseen(late):
        return
    assert told(late, END) == told(ordered, END)
    assert _standing(late) == _standing(ordered)
