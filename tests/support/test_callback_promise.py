"""What a callback promises: from request or window, in business time, met by the first dial."""

from datetime import datetime, timedelta

import pytest

from support.callbacks import CallbackLimits, CallbackStatus, CallOutcome, Window
from support.clock import ClockState
from support.marks import MarkKind
from support.model import Priority
from support.policy import Metric
from tests.support.calling import (
    DAY,
    HOUR,
    HUB,
    MINUTE,
    CallDesk,
    Kind,
    dispatched,
    ended_with,
    requested,
    told,
    utc,
)
from tests.support.deciding import CUSTOMER, MONDAY

FRIDAY = utc("2026-03-27T15:30")
"""16:30 in Stockholm: half an hour is left of the week before the clock goes forward."""


def waiting(at: datetime = MONDAY, window: Window | None = None, **more: object) -> CallDesk:
    """A desk without agents, and a callback that waits."""
    desk = CallDesk(agents={})
    desk.take(requested(at, window or Window(), **more))
    return desk


@pytest.mark.parametrize(
    ("priority", "target"),
    [
        (Priority.URGENT, 15 * MINUTE),
        (Priority.HIGH, 30 * MINUTE),
        (Priority.NORMAL, 2 * HOUR),
        (Priority.LOW, 4 * HOUR),
    ],
)
def test_it_is_due_after_the_target_of_its_priority(priority: Priority, target: timedelta) -> None:
    desk = waiting(priority=priority)
    assert desk.last.promise.due_at == MONDAY + target
    assert [clock.metric for clock in desk.last.clocks] == [Metric.CALLBACK]


def test_the_target_is_business_time_over_weekend_and_clock_change() -> None:
    assert waiting(FRIDAY).last.promise.due_at == utc("2026-03-30T07:30")


def test_a_window_is_due_at_its_end_and_its_time_begins_with_it() -> None:
    window = Window(MONDAY + 2 * HOUR, MONDAY + 4 * HOUR)
    desk = waiting(window=window)
    assert desk.state.status is CallbackStatus.SCHEDULED
    (clock,) = desk.last.clocks
    assert (clock.started_at, clock.due, clock.consumed) == (window.start, window.end, 0 * MINUTE)
    dues = [(str(d.due.kind), d.at, d.due.fraction) for d in desk.pass_until(MONDAY + DAY) if d.due]
    assert dues[:4] == [
        ("window_open", MONDAY + 2 * HOUR, 0.0),
        ("step", MONDAY + 3.5 * HOUR, 0.75),
        ("step", MONDAY + 4 * HOUR, 1.0),
        ("promise", MONDAY + 4 * HOUR, 0.0),
    ]


def test_a_beginning_without_an_end_is_due_after_the_target_from_there() -> None:
    desk = waiting(window=Window(start=utc("2026-03-27T15:30")))
    assert desk.last.promise.due_at == utc("2026-03-30T07:30")


def test_it_is_overdue_exactly_when_the_deadline_passes_and_until_the_first_dial() -> None:
    desk = waiting()
    before = desk.pass_until(MONDAY + 2 * HOUR - timedelta.resolution)
    assert not any(decision.promise.overdue for decision in before)
    *_, at_due = desk.pass_until(MONDAY + 2 * HOUR)
    assert (at_due.promise.overdue, at_due.promise.missed) == (True, True)
    assert at_due.standing.lanes == ("callback_sla", "overdue_recovery")
    assert [breach.due_at for breach in at_due.new_breaches] == [MONDAY + 2 * HOUR]
    dialled = desk.take(told(Kind.DIALLED, MONDAY + 150 * MINUTE, HUB))
    assert (dialled.promise.overdue, dialled.promise.missed) == (False, True)


def test_a_dial_at_the_due_instant_is_in_time() -> None:
    desk = dispatched()
    desk.take(told(Kind.ACCEPT, MONDAY))
    met = desk.take(told(Kind.DIALLED, MONDAY + 50 * MINUTE))
    assert (met.promise.met_at, met.promise.missed) == (MONDAY + 50 * MINUTE, False)
    late = waiting()
    late.take(told(Kind.DIALLED, MONDAY + 2 * HOUR, HUB))
    assert not late.last.promise.missed


def test_a_retry_never_breaches_again() -> None:
    desk = dispatched()
    desk.take(ended_with(CallOutcome.BUSY, MONDAY + MINUTE))
    desk.agents = {}
    passed = desk.pass_until(MONDAY + 6 * DAY)
    assert not any(decision.new_breaches or decision.new_steps for decision in passed)


def test_a_dial_that_is_learned_of_late_disproves_the_breach() -> None:
    desk = dispatched(limits=CallbackLimits(report_within=3 * HOUR))
    desk.take(told(Kind.ACCEPT, MONDAY))
    desk.pass_until(MONDAY + 2 * HOUR)
    assert desk.last.promise.missed
    told_late = desk.take(told(Kind.DIALLED, MONDAY + HOUR), late=90 * MINUTE)
    assert (told_late.promise.missed, told_late.promise.met_at) == (False, MONDAY + HOUR)
    assert [breach.withdrawn for breach in told_late.state.breaches] == [True]


def test_accepting_acknowledges_and_silences_only_the_steps_before_the_due() -> None:
    desk = dispatched(limits=CallbackLimits(report_within=9 * HOUR))
    desk.take(told(Kind.ACCEPT, MONDAY))
    steps = [d.due.fraction for d in desk.pass_until(MONDAY + 5 * HOUR) if d.new_steps and d.due]
    assert steps[0] == 1.0


def test_a_cancelled_one_is_not_counted_and_a_missed_one_stays_missed() -> None:
    desk = waiting()
    gone = desk.take(told(Kind.CANCEL, MONDAY + HOUR, CUSTOMER))
    assert [clock.state for clock in gone.clocks] == [ClockState.VOID]
    assert (gone.promise.missed, gone.promise.overdue) == (False, False)
    late = waiting()
    late.pass_until(MONDAY + 3 * HOUR)
    after = late.take(told(Kind.CANCEL, MONDAY + 3 * HOUR, CUSTOMER))
    assert (after.promise.missed, after.promise.overdue) == (True, False)


def test_a_scheduled_one_that_is_cancelled_never_began() -> None:
    desk = waiting(window=Window(MONDAY + 2 * HOUR, MONDAY + 4 * HOUR))
    gone = desk.take(told(Kind.CANCEL, MONDAY + HOUR, CUSTOMER))
    assert [(c.state, c.consumed) for c in gone.clocks] == [(ClockState.VOID, 0 * MINUTE)]
    assert gone.next_due is None


def test_asking_again_without_a_window_is_the_same_promise() -> None:
    desk = waiting()
    again = desk.take(told(Kind.JOINED, MONDAY + HOUR, CUSTOMER))
    assert (again.promise.due_at, again.state.asked) == (MONDAY + 2 * HOUR, 2)
    assert again.state.requested_at == MONDAY


@pytest.mark.parametrize(
    ("first", "then", "due"),
    [
        (Window(), Window(end=MONDAY + 5 * HOUR), MONDAY + 5 * HOUR),
        (Window(), Window(MONDAY + 4 * HOUR, MONDAY + 6 * HOUR), MONDAY + 6 * HOUR),
        (Window(), Window(start=MONDAY + 4 * HOUR), MONDAY + 6 * HOUR),
        (Window(MONDAY + 4 * HOUR, MONDAY + 6 * HOUR), Window(), MONDAY + 3 * HOUR),
        (
            Window(MONDAY + 4 * HOUR, MONDAY + 6 * HOUR),
            Window(MONDAY + 2 * HOUR, MONDAY + 3 * HOUR),
            MONDAY + 3 * HOUR,
        ),
    ],
)
def test_another_window_moves_the_promise_here_and_on_the_ticket(
    first: Window, then: Window, due: datetime
) -> None:
    desk = waiting(window=first, ticket_id="T-1")
    moved = desk.take(told(Kind.JOINED, MONDAY + HOUR, CUSTOMER, window=then))
    assert moved.promise.due_at == due
    asked = [
        word.mark
        for word in moved.words
        if word.mark and word.mark.kind is MarkKind.CALLBACK_REQUESTED
    ]
    assert [(mark.at, mark.window_end) for mark in asked] == [(MONDAY + HOUR, due)]


def test_its_ticket_hears_what_its_clocks_have_to_know() -> None:
    desk = waiting(window=Window(MONDAY + HOUR, MONDAY + 2 * HOUR), ticket_id="T-1")
    heard = [word.mark for word in desk.last.words if word.mark]
    assert [(m.kind, m.at, m.window_end, m.callback) for m in heard] == [
        (MarkKind.CALLBACK_REQUESTED, MONDAY, MONDAY + 2 * HOUR, "CB-1")
    ]
    desk.take(told(Kind.DIALLED, MONDAY + HOUR, HUB))
    desk.take(ended_with(CallOutcome.COMPLETED, MONDAY + 65 * MINUTE))
    kinds = [w.mark.kind for _, d in desk.decisions[1:] for w in d.words if w.mark]
    assert kinds == [MarkKind.CALLBACK_DIALLED, MarkKind.CALLBACK_COMPLETED]


def test_a_deadline_is_derived_when_it_is_set_and_not_when_it_stays() -> None:
    desk = waiting()
    (derivation,) = desk.last.derivations.values()
    assert sum((s.counted for s in derivation.ahead), timedelta(0)) == 2 * HOUR
    noted = desk.take(told(Kind.NOTE, MONDAY + HOUR))
    assert dict(noted.derivations) == {}


def test_a_window_named_after_the_first_dial_promises_nothing_anew() -> None:
    desk = dispatched()
    desk.take(ended_with(CallOutcome.BUSY, MONDAY + MINUTE))
    window = Window(MONDAY + 4 * HOUR, MONDAY + 6 * HOUR)
    again = desk.take(told(Kind.JOINED, MONDAY + HOUR, CUSTOMER, window=window))
    assert again.state.status is CallbackStatus.SCHEDULED
    assert (len(again.clocks), again.promise.met_at) == (1, MONDAY + MINUTE)
