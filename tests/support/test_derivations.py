"""A deadline that a decision sets or moves is proved: what was consumed, and what is ahead."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from support.clock import ClockState
from support.model import EventKind, Priority, TicketStatus
from support.policy import Metric
from support.proof import Why
from tests.support.deciding import CUSTOMER, MONDAY, Desk, created, event

HOUR = timedelta(hours=1)
NONE = timedelta(0)
FIRST, RESOLUTION = (Metric.FIRST_RESPONSE, 0), (Metric.RESOLUTION, 0)


def desk() -> Desk:
    made = Desk()
    made.take(created())
    return made


def test_a_new_deadline_is_derived_from_the_stretches_ahead_of_it() -> None:
    decision = Desk().take(created())
    assert set(decision.derivations) == {FIRST, RESOLUTION}
    first = decision.derivations[FIRST]
    assert (first.was_due, first.proof) == (None, ())
    assert [(part.why, part.end - part.start) for part in first.ahead] == [(Why.COUNTED, 8 * HOUR)]
    whys = {part.why for part in decision.derivations[RESOLUTION].ahead}
    assert whys == {Why.COUNTED, Why.CLOSED}


def test_a_decision_that_moves_no_deadline_derives_none() -> None:
    ticket = desk()
    assert not ticket.take(event(EventKind.NOTE, MONDAY + HOUR)).derivations


def test_a_pause_takes_the_deadline_away_and_a_resume_moves_it() -> None:
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + HOUR))
    wait = event(EventKind.WAIT, MONDAY + HOUR, status=TicketStatus.WAITING_CUSTOMER)
    before = ticket.decisions[-1].clocks
    held = ticket.take(wait).derivations[RESOLUTION]
    assert held.was_due == next(c.due for c in before if c.metric is Metric.RESOLUTION)
    assert (sum((p.counted for p in held.proof), NONE), held.ahead) == (HOUR, ())
    resumed = ticket.take(event(EventKind.RESUME, MONDAY + 3 * HOUR)).derivations[RESOLUTION]
    assert [part.why for part in resumed.proof] == [Why.COUNTED, Why.PAUSED]
    assert resumed.was_due is None


def test_a_change_of_priority_says_where_the_deadline_was() -> None:
    ticket = desk()
    first = ticket.decisions[-1].clocks[0]
    decision = ticket.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.HIGH))
    moved = decision.derivations[FIRST]
    assert moved.was_due == first.due
    assert [part.end for part in moved.ahead] == [MONDAY + 2 * HOUR]


def test_a_late_message_that_renumbers_exchanges_leaves_their_deadlines_known() -> None:
    minute = timedelta(minutes=1)
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + 5 * minute))
    ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 60 * minute, CUSTOMER))
    ticket.take(event(EventKind.REPLY, MONDAY + 30 * minute))
    late = ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 20 * minute, CUSTOMER))
    assert {c.cycle for c in late.clocks if c.metric is Metric.NEXT_RESPONSE} == {0, 1}
    [(exchange, derived)] = late.derivations.items()
    assert (exchange, derived.was_due) == ((Metric.NEXT_RESPONSE, 0), None)


def test_a_late_message_that_began_the_exchange_earlier_moves_its_deadline() -> None:
    minute = timedelta(minutes=1)
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + 5 * minute))
    first = ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 60 * minute, CUSTOMER))
    due = next(c.due for c in first.clocks if c.metric is Metric.NEXT_RESPONSE)
    late = ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 20 * minute, CUSTOMER))
    assert late.derivations[(Metric.NEXT_RESPONSE, 0)].was_due == due


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(("reply", "customer_message", "priority", "wait", "resume")),
        st.integers(1, 200_000),
    ),
    max_size=8,
)


@given(HAPPENINGS)
def test_proof_adds_up_to_the_consumed_time_and_ahead_to_the_remaining(
    happenings: list[tuple[str, int]],
) -> None:
    ticket, at = desk(), MONDAY
    for name, later in happenings:
        at += timedelta(seconds=later)
        _happen(ticket, name, at)
    for decision in ticket.decisions:
        for clock in decision.clocks:
            derived = decision.derivations.get((clock.metric, clock.cycle))
            if derived is None:
                continue
            assert sum((part.counted for part in derived.proof), NONE) == clock.consumed
            if clock.state is ClockState.RUNNING and clock.remaining >= NONE:
                ahead = sum((part.counted for part in derived.ahead), NONE)
                assert ahead == clock.remaining


def _happen(ticket: Desk, name: str, at: datetime) -> None:
    assert ticket.state is not None
    status = ticket.state.status
    if name == "reply":
        ticket.take(event(EventKind.REPLY, at))
    elif name == "customer_message":
        ticket.take(event(EventKind.CUSTOMER_MESSAGE, at, CUSTOMER))
    elif name == "priority":
        ticket.take(event(EventKind.PRIORITY, at, priority=Priority.HIGH))
    elif name == "resume" and status is TicketStatus.WAITING_CUSTOMER:
        ticket.take(event(EventKind.RESUME, at))
    elif name == "wait" and ticket.state.replied_at and not ticket.state.unanswered:
        ticket.take(event(EventKind.WAIT, at, status=TicketStatus.WAITING_CUSTOMER))
