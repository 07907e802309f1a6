"""Late events: put where they belong, with what they change on record."""

import json
import random
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities import records
from support.clock import Clock
from support.corrections import CorrectionKind
from support.deadlines import DueKind
from support.errors import FlowHubError
from support.marks import in_order
from support.model import EventKind, Priority, TicketEvent, TicketStatus, WaitingOn
from support.policy import Metric
from support.sla import compute
from support.standing import SlaState
from tests.support.deciding import BOOK, CUSTOMER, KIM, MONDAY, Desk, created, event

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FIRST, NEXT = Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE


def desk() -> Desk:
    made = Desk()
    made.take(created())
    return made


def clock(ticket: Desk, metric: Metric) -> Clock:
    return [c for c in ticket.decisions[-1].clocks if c.metric is metric][-1]


def test_a_late_reply_withdraws_the_breach_that_it_disproves_and_keeps_it_on_record() -> None:
    ticket = desk()
    ticket.pass_until(MONDAY + 8 * HOUR)
    assert ticket.decisions[-1].standing.sla is SlaState.BREACHED
    late = ticket.take(event(EventKind.REPLY, MONDAY + 8 * HOUR - MINUTE), late=3 * MINUTE)
    assert [(b.metric, b.withdrawn) for b in late.state.breaches] == [(FIRST, True)]
    assert late.state.missed == ()
    assert "sla_breached" not in late.standing.lanes
    assert late.standing.sla is SlaState.RUNNING
    assert not late.new_breaches
    withdrawn = [c for c in late.corrections if c.kind is CorrectionKind.WITHDRAWN]
    assert [(c.metric, c.before) for c in withdrawn] == [(FIRST, MONDAY + 8 * HOUR)]


def test_a_reply_at_the_due_instant_after_its_deadline_was_decided_is_in_time() -> None:
    ticket = desk()
    ticket.pass_until(MONDAY + 8 * HOUR)
    same = ticket.take(event(EventKind.REPLY, MONDAY + 8 * HOUR), late=MINUTE)
    assert [b.withdrawn for b in same.state.breaches] == [True]


def test_a_late_reply_after_the_due_withdraws_nothing() -> None:
    ticket = desk()
    ticket.pass_until(MONDAY + 8 * HOUR)
    ticket.take(event(EventKind.NOTE, MONDAY + 9 * HOUR))
    late = ticket.take(event(EventKind.REPLY, MONDAY + 8 * HOUR + MINUTE), late=2 * HOUR)
    assert [b.withdrawn for b in late.state.breaches] == [False]
    assert clock(ticket, FIRST).stopped_at == MONDAY + 8 * HOUR + MINUTE


def test_a_late_event_counts_at_its_instant_and_its_correction_is_recorded() -> None:
    ticket = desk()
    ticket.take(event(EventKind.NOTE, MONDAY + HOUR))
    late = ticket.take(event(EventKind.PRIORITY, MONDAY + 30 * MINUTE, priority=Priority.HIGH))
    assert late.at == MONDAY + HOUR
    placed, *moved = late.corrections
    assert (placed.kind, placed.before, placed.after) == (
        CorrectionKind.PLACED,
        MONDAY + HOUR,
        MONDAY + 30 * MINUTE,
    )
    assert {(c.metric, c.before, c.after) for c in moved if c.metric == FIRST} == {
        (FIRST, MONDAY + 8 * HOUR, MONDAY + 2 * HOUR)
    }


def test_a_late_priority_counts_only_until_the_next_one() -> None:
    ticket = desk()
    ticket.take(event(EventKind.PRIORITY, MONDAY + 2 * HOUR, priority=Priority.LOW))
    late = ticket.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.URGENT))
    assert late.state.priority is Priority.LOW
    assert clock(ticket, FIRST).target == 18 * HOUR


def test_a_late_event_is_never_before_the_ticket() -> None:
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY - HOUR))
    assert clock(ticket, FIRST).consumed == timedelta(0)
    assert clock(ticket, FIRST).stopped_at == MONDAY


def test_a_late_message_between_two_replies_is_its_own_exchange_and_keeps_the_others() -> None:
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + HOUR))
    ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 4 * HOUR, CUSTOMER))
    ticket.pass_until(MONDAY + 7 * 24 * HOUR)
    assert ticket.state is not None
    before = [s for s in ticket.state.steps if s.metric is NEXT]
    breach = next(b for b in ticket.state.breaches if b.metric is NEXT)
    ticket.take(event(EventKind.REPLY, MONDAY + 3 * HOUR))
    late = ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 2 * HOUR, CUSTOMER))
    assert [c.cycle for c in late.clocks if c.metric is NEXT] == [0, 1]
    moved = [s for s in late.state.steps if s.metric is NEXT]
    assert [(s.cycle, s.due_at) for s in moved] == [(1, s.due_at) for s in before]
    kept = [b for b in late.state.missed if b.metric is NEXT]
    assert [(b.cycle, b.due_at) for b in kept] == [(1, breach.due_at)]
    assert not late.new_breaches


def test_a_late_resolve_does_not_swallow_the_message_after_it() -> None:
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + HOUR))
    ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 3 * HOUR, CUSTOMER))
    late = ticket.take(event(EventKind.RESOLVE, MONDAY + 2 * HOUR))
    assert late.state.status is TicketStatus.OPEN
    resolution = clock(ticket, Metric.RESOLUTION)
    assert resolution.consumed == 2 * HOUR


def test_a_message_that_arrives_late_and_unseen_reopens_a_waiting_ticket() -> None:
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + HOUR))
    ticket.take(event(EventKind.WAIT, MONDAY + 2 * HOUR, status=TicketStatus.WAITING_CUSTOMER))
    late = ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 90 * MINUTE, CUSTOMER))
    assert late.state.status is TicketStatus.OPEN
    assert late.state.unanswered


NEW_FIELDS = frozenset({"withdrawn", "found_at", "turn", "words", "step", "earlier_policies"})
"""Fields of the snapshot that older ones have not."""


def _older(form: Any) -> Any:
    if isinstance(form, list):
        return [_older(item) for item in form]
    if isinstance(form, dict):
        return {key: _older(item) for key, item in form.items() if key not in NEW_FIELDS}
    return form


def test_a_snapshot_with_corrections_loads_again_and_so_does_an_older_one() -> None:
    ticket = desk()
    ticket.pass_until(MONDAY + 8 * HOUR)
    late = ticket.take(event(EventKind.REPLY, MONDAY + 7 * HOUR))
    kept = records.state_to_json(late.state)
    assert records.state_from_json(kept) == late.state
    old = records.state_from_json(json.dumps(_older(json.loads(kept))))
    assert compute(old.marks, BOOK, late.at) == compute(late.state.marks, BOOK, late.at)
    ticket.state = old
    assert not ticket.take(event(EventKind.REPLY, MONDAY + 6 * HOUR)).new_breaches


def _tie(number: int, kind: EventKind) -> TicketEvent:
    more: dict[str, object] = {}
    actor = CUSTOMER if kind is EventKind.CUSTOMER_MESSAGE else KIM
    if kind is EventKind.PRIORITY:
        more["priority"] = list(Priority)[number % 4]
    if kind is EventKind.WAIT:
        more |= {"status": TicketStatus.WAITING_INTERNAL, "waiting_on": WaitingOn.VENDOR}
    at = MONDAY + HOUR
    return TicketEvent(f"e-{number}", kind, at, at, actor, **more)  # type: ignore[arg-type]


TIES = st.lists(
    st.sampled_from(
        [
            EventKind.REPLY,
            EventKind.CUSTOMER_MESSAGE,
            EventKind.PRIORITY,
            EventKind.NOTE,
            EventKind.ACK,
            EventKind.WAIT,
            EventKind.RESUME,
        ]
    ),
    min_size=2,
    max_size=6,
)


def _after(events: list[TicketEvent]) -> Desk:
    ticket = desk()
    ticket.take(event(EventKind.WAIT, MONDAY + 30 * MINUTE, **_WAITING))
    for one in events:
        ticket.take(one)
    return ticket


_WAITING: dict[str, Any] = {"status": TicketStatus.WAITING_INTERNAL, "waiting_on": WaitingOn.TEAM}


@settings(deadline=None)
@given(kinds=TIES, dice=st.randoms())
def test_delivery_order_within_one_instant_changes_no_clock(
    kinds: list[EventKind], dice: random.Random
) -> None:
    events = [_tie(number, kind) for number, kind in enumerate(kinds)]
    shuffled = dice.sample(events, len(events))
    try:
        one, other = _after(events), _after(shuffled)
    except FlowHubError:
        return
    assert one.decisions[-1].clocks == other.decisions[-1].clocks
    assert one.state is not None
    assert other.state is not None
    assert one.state.status is other.state.status
    assert one.decisions[-1].next_due == other.decisions[-1].next_due


@settings(deadline=None)
@given(
    minutes=st.lists(st.integers(0, 600), min_size=2, max_size=8, unique=True),
    kinds=st.lists(
        st.sampled_from([EventKind.REPLY, EventKind.CUSTOMER_MESSAGE, EventKind.PRIORITY]),
        min_size=8,
        max_size=8,
    ),
    dice=st.randoms(),
)
def test_events_out_of_order_end_with_the_clocks_of_events_in_order(
    minutes: list[int], kinds: list[EventKind], dice: random.Random
) -> None:
    events = [
        _moved(_tie(number, kind), minute)
        for number, (minute, kind) in enumerate(zip(sorted(minutes), kinds, strict=False))
    ]
    ordered, shuffled = desk(), desk()
    for one in events:
        ordered.take(one)
    for one in dice.sample(events, len(events)):
        shuffled.take(one)
    at = MONDAY + 20 * HOUR
    assert ordered.state is not None
    assert shuffled.state is not None
    first, second = ordered.state, shuffled.state
    assert _sums(compute(first.marks, BOOK, at)) == _sums(compute(second.marks, BOOK, at))
    assert (first.priority, first.unanswered) == (second.priority, second.unanswered)


def _moved(one: TicketEvent, minute: int) -> TicketEvent:
    at = MONDAY + minute * MINUTE
    return event(one.kind, at, one.actor, priority=one.priority)


def _sums(clocks: tuple[Clock, ...]) -> list[object]:
    return [(c.metric, c.cycle, c.state, c.consumed, c.due, c.stopped_at) for c in clocks]


@settings(deadline=None)
@given(
    minutes=st.lists(st.integers(0, 3000), min_size=1, max_size=8),
    kinds=st.lists(
        st.sampled_from(
            [
                EventKind.REPLY,
                EventKind.CUSTOMER_MESSAGE,
                EventKind.PRIORITY,
                EventKind.NOTE,
                EventKind.WAIT,
                EventKind.RESUME,
                EventKind.RESOLVE,
                EventKind.REOPEN,
            ]
        ),
        min_size=8,
        max_size=8,
    ),
)
def test_no_breach_is_ever_erased(minutes: list[int], kinds: list[EventKind]) -> None:
    ticket = desk()
    for number, (minute, kind) in enumerate(zip(minutes, kinds, strict=False)):
        at = MONDAY + minute * MINUTE
        tie = _tie(number, kind)
        assert ticket.state is not None
        ticket.pass_until(at)
        before = ticket.state
        assert before is not None
        try:
            taken = ticket.take(
                event(
                    kind,
                    at,
                    tie.actor,
                    priority=tie.priority,
                    status=tie.status,
                    waiting_on=tie.waiting_on,
                )
            )
        except FlowHubError:
            continue
        known = [(b.metric, b.due_at) for b in before.breaches]
        assert [(b.metric, b.due_at) for b in taken.state.breaches][: len(known)] == known
        undone = {
            (c.metric, c.before) for c in taken.corrections if c.kind is CorrectionKind.WITHDRAWN
        }
        for old, new in zip(before.breaches, taken.state.breaches, strict=False):
            assert old.withdrawn <= new.withdrawn
            if new.withdrawn and not old.withdrawn:
                assert (str(new.metric), new.due_at) in undone
                assert at <= before.last_at


def test_marks_have_one_order_whatever_order_they_come_in() -> None:
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + HOUR))
    ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + HOUR, CUSTOMER))
    assert ticket.state is not None
    marks = ticket.state.marks
    assert in_order(reversed(marks)) == in_order(marks)
    assert not [d for d in ticket.decisions if d.due and d.due.kind is DueKind.BREACH]
