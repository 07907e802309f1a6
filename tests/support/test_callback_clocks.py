"""Clocks of callbacks: from the request to the first attempt to dial, each promise on its own."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from activities import records
from support.cases import answer_form, answer_of, read_case
from support.clock import Clock, ClockState
from support.corrections import CorrectionKind, correct
from support.deadlines import DueKind, upcoming
from support.errors import InputError
from support.escalation import next_step
from support.marks import Mark, MarkKind
from support.model import Channel, EventKind, Priority, TicketStatus
from support.policy import Metric, OnChange, PolicyBook, Terms
from support.proof import proof_of
from support.situation import CATALOGUE
from support.sla import Breach, BreachCause, compute, recorded
from support.standing import SlaState, standing
from support.ticket import TicketState
from tests.support.deciding import BOOK, MONDAY, Desk, action, created, event
from tests.support.test_policy_terms import ALWAYS, OFFICE, T0

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TARGETS = {
    Metric.FIRST_RESPONSE: 4 * HOUR,
    Metric.NEXT_RESPONSE: 4 * HOUR,
    Metric.PERIODIC_UPDATE: 8 * HOUR,
    Metric.CALLBACK: 2 * HOUR,
}
EVENING = T0 + 12 * HOUR
"""20:00: the office, open from 08:00 to 16:00, is closed."""


def terms(key: str = "all", **more: Any) -> Terms:
    return Terms(key, "office", OFFICE, more.pop("targets", TARGETS), **more)


def of(marks: list[Mark], at: datetime, *policies: Terms) -> list[Clock]:
    book = PolicyBook("v1", OFFICE, policies or (terms(),))
    return [clock for clock in compute(marks, book, at) if clock.metric is Metric.CALLBACK]


def begun(*more: Mark) -> list[Mark]:
    return [Mark(T0, MarkKind.CREATED), Mark(T0, MarkKind.TERMS, terms="all"), *more]


def asked(at: datetime, window_end: datetime | None = None, ref: str = "") -> Mark:
    return Mark(at, MarkKind.CALLBACK_REQUESTED, f"r-{at}", callback=ref, window_end=window_end)


def dialled(at: datetime, ref: str = "") -> Mark:
    return Mark(at, MarkKind.CALLBACK_DIALLED, f"d-{at}", callback=ref)


def cancelled(at: datetime, ref: str = "") -> Mark:
    return Mark(at, MarkKind.CALLBACK_CANCELLED, f"x-{at}", callback=ref)


def test_a_callback_asked_for_anew_at_the_instant_of_its_cancellation_is_a_new_promise() -> None:
    at = T0 + 3 * HOUR
    anew = asked(at, at + 5 * HOUR)
    for order in ([cancelled(at), anew], [anew, cancelled(at)]):
        old, new = of(begun(asked(T0 + 2 * HOUR), *order), at + HOUR)
        assert (old.state, old.stopped_at, old.target) == (ClockState.VOID, at, 2 * HOUR)
        assert (new.state, new.started_at, new.due) == (ClockState.RUNNING, at, at + 5 * HOUR)


def test_a_new_promise_at_the_instant_of_a_cancellation_does_not_undo_that_the_old_was_late() -> (
    None
):
    at = T0 + 5 * HOUR
    old, new = of(begun(asked(T0, T0 + HOUR), cancelled(at), asked(at, at + 5 * HOUR)), at + HOUR)
    assert (old.due, old.late(at)) == (T0 + HOUR, True)
    assert new.state is ClockState.RUNNING


def test_a_callback_first_asked_for_at_the_instant_of_its_cancellation_is_not_counted() -> None:
    at = T0 + HOUR
    (only,) = of(begun(cancelled(at), asked(at)), at + HOUR)
    assert (only.state, only.consumed) == (ClockState.VOID, timedelta(0))


def status(at: datetime, new: TicketStatus) -> Mark:
    return Mark(at, MarkKind.STATUS, f"s-{at}", status=new)


def test_a_ticket_without_a_request_has_no_callback_clock() -> None:
    assert of(begun(Mark(T0 + HOUR, MarkKind.REPLY, "r")), T0 + 50 * HOUR) == []
    assert of(begun(dialled(T0 + HOUR), cancelled(T0 + HOUR)), T0 + 50 * HOUR) == []


def test_a_request_is_due_after_its_target_in_business_time() -> None:
    [clock] = of(begun(asked(T0 + 7 * HOUR)), T0 + 8 * HOUR)
    assert (clock.state, clock.consumed, clock.target) == (ClockState.RUNNING, HOUR, 2 * HOUR)
    assert clock.due == T0 + 25 * HOUR


def test_the_first_attempt_to_dial_meets_it_and_a_retry_never_breaches_again() -> None:
    marks = begun(asked(T0), dialled(T0 + HOUR), dialled(T0 + 5 * HOUR))
    [clock] = of(marks, T0 + 50 * HOUR)
    assert (clock.state, clock.stopped_at) == (ClockState.MET, T0 + HOUR)
    assert not clock.late(T0 + 50 * HOUR)


def test_dialled_at_the_due_instant_is_in_time_and_later_is_not() -> None:
    [on_time] = of(begun(asked(T0), dialled(T0 + 2 * HOUR)), T0 + 3 * HOUR)
    [late] = of(begun(asked(T0), dialled(T0 + 2 * HOUR + MINUTE)), T0 + 3 * HOUR)
    assert (on_time.late(T0 + 3 * HOUR), late.late(T0 + 3 * HOUR)) == (False, True)


def test_a_window_is_due_at_its_very_end_and_adds_up() -> None:
    end = EVENING + 90 * MINUTE
    marks = begun(asked(T0 + HOUR, end))
    for at in (T0 + 2 * HOUR, EVENING, end, end + 30 * MINUTE):
        [clock] = of(marks, at)
        assert clock.due == end
        assert clock.target == end - (T0 + HOUR)
        assert clock.remaining == end - at
        proof = proof_of(clock, marks, at)
        assert sum((part.counted for part in proof), timedelta(0)) == clock.consumed
        assert clock.late(at) == (at > end)
    [met] = of([*marks, dialled(EVENING)], end + HOUR)
    assert (met.due, met.consumed) == (end, EVENING - T0 - HOUR)


def test_steps_of_a_window_fall_due_at_shares_of_the_time_until_its_end() -> None:
    [clock] = of(begun(asked(T0, T0 + 12 * HOUR)), T0)
    assert clock.instant_of(0.75) == T0 + 9 * HOUR
    step = next_step((clock,), terms(), (), ())
    assert step is not None
    assert (step.metric, step.due_at) == (Metric.CALLBACK, T0 + 9 * HOUR)


def test_a_window_is_promised_without_a_target_and_under_any_policy() -> None:
    bare = terms(targets={Metric.FIRST_RESPONSE: HOUR})
    assert of(begun(asked(T0)), T0 + HOUR, bare) == []
    [clock] = of(begun(asked(T0, T0 + 3 * HOUR)), T0 + HOUR, bare)
    assert (clock.due, clock.state) == (T0 + 3 * HOUR, ClockState.RUNNING)


def test_a_window_that_was_over_when_it_was_promised_is_none() -> None:
    [clock] = of(begun(asked(T0 + HOUR, T0 + HOUR)), T0 + HOUR)
    assert (clock.target, clock.due) == (2 * HOUR, T0 + 3 * HOUR)


def test_each_request_after_a_dial_is_a_promise_of_its_own() -> None:
    marks = begun(asked(T0), dialled(T0 + HOUR), asked(T0 + 2 * HOUR), cancelled(T0 + 3 * HOUR))
    clocks = of([*marks, asked(T0 + 4 * HOUR)], T0 + 5 * HOUR)
    assert [clock.state for clock in clocks] == ["met", "void", "running"]
    assert [clock.cycle for clock in clocks] == [0, 1, 2]
    assert clocks[-1].consumed == HOUR


def test_asking_again_for_the_same_callback_keeps_the_promise_and_a_new_window_moves_it() -> None:
    again = begun(asked(T0), asked(T0 + HOUR))
    [same] = of(again, T0 + HOUR)
    assert (same.started_at, same.due) == (T0, T0 + 2 * HOUR)
    [moved] = of([*again, asked(T0 + 90 * MINUTE, EVENING)], T0 + 90 * MINUTE)
    assert (moved.started_at, moved.due) == (T0, EVENING)


def test_callbacks_with_names_run_side_by_side() -> None:
    marks = begun(
        asked(T0, ref="cb-1"),
        asked(T0 + HOUR, ref="cb-2"),
        asked(T0 + HOUR, T0 + 6 * HOUR, ref="cb-3"),
        dialled(T0 + 90 * MINUTE, ref="cb-2"),
        cancelled(T0 + 2 * HOUR, ref="cb-3"),
    )
    clocks = {clock.ref: clock for clock in of(marks, T0 + 3 * HOUR)}
    assert [clock.state for clock in clocks.values()] == ["running", "met", "void"]
    assert clocks["cb-1"].late(T0 + 3 * HOUR)
    assert clocks["cb-2"].consumed == 30 * MINUTE


def test_a_cancelled_callback_does_not_count_unless_it_was_overdue() -> None:
    [early] = of(begun(asked(T0), cancelled(T0 + HOUR)), T0 + 9 * HOUR)
    [late] = of(begun(asked(T0), cancelled(T0 + 3 * HOUR)), T0 + 9 * HOUR)
    assert (early.state, early.due, early.late(T0 + 9 * HOUR)) == (ClockState.VOID, None, False)
    assert (late.state, late.due, late.late(T0 + 9 * HOUR)) == (
        ClockState.VOID,
        T0 + 2 * HOUR,
        True,
    )


def test_what_was_cancelled_is_not_promised_again_by_a_dial_or_a_tag() -> None:
    spam = terms(void_on=frozenset({"spam"}))
    marks = begun(
        asked(T0),
        Mark(T0 + HOUR, MarkKind.TAG, "t1", words=("spam",)),
        cancelled(T0 + 2 * HOUR),
        Mark(T0 + 3 * HOUR, MarkKind.TAG, "t2", without=("spam",)),
        dialled(T0 + 4 * HOUR),
    )
    [clock] = of(marks, T0 + 5 * HOUR, spam)
    assert (clock.state, clock.stopped_at) == (ClockState.VOID, T0 + HOUR)


@pytest.mark.parametrize("paused", [False, True])
def test_a_pause_stops_it_only_where_the_policy_says_so_and_never_a_window(*, paused: bool) -> None:
    waits = frozenset({TicketStatus.WAITING_CUSTOMER})
    own = terms(pause_on={Metric.CALLBACK: waits} if paused else {Metric.RESOLUTION: waits})
    marks = begun(
        asked(T0),
        asked(T0, T0 + 3 * HOUR, ref="window"),
        status(T0 + HOUR, TicketStatus.WAITING_CUSTOMER),
    )
    plain, window = of(marks, T0 + 2 * HOUR, own)
    assert plain.consumed == (HOUR if paused else 2 * HOUR)
    assert plain.state is (ClockState.HELD if paused else ClockState.RUNNING)
    assert (window.state, window.consumed) == (ClockState.RUNNING, 2 * HOUR)


def test_a_resolved_ticket_is_still_to_be_called_and_a_closed_one_is_not() -> None:
    marks = begun(asked(T0), status(T0 + HOUR, TicketStatus.RESOLVED))
    [resolved] = of(marks, T0 + 90 * MINUTE)
    assert (resolved.state, resolved.consumed) == (ClockState.RUNNING, 90 * MINUTE)
    closed = [*marks, status(T0 + 100 * MINUTE, TicketStatus.CLOSED)]
    [ended] = of([*closed, status(T0 + 2 * HOUR, TicketStatus.OPEN)], T0 + 5 * HOUR)
    assert (ended.state, ended.stopped_at) == (ClockState.VOID, T0 + 100 * MINUTE)
    assert not ended.late(T0 + 5 * HOUR)
    assert of([*closed, asked(T0 + 2 * HOUR)], T0 + 3 * HOUR) == [ended]


def test_a_change_of_policy_carries_or_restarts_a_target_but_no_window() -> None:
    marks = begun(asked(T0), asked(T0, EVENING, ref="w"))
    marks.append(Mark(T0 + HOUR, MarkKind.TERMS, terms="new"))
    for how, consumed in ((OnChange.CARRY, 2 * HOUR), (OnChange.RESTART, HOUR)):
        new = terms("new", on_change=how, when=replace(terms().when, tiers=frozenset("x")))
        plain, window = of(marks, T0 + 2 * HOUR, new, terms())
        assert (plain.consumed, window.consumed) == (consumed, 2 * HOUR)
        assert window.due == EVENING


def test_a_callback_counts_by_its_own_calendar() -> None:
    own = terms(calendars={Metric.CALLBACK: ("always", ALWAYS)})
    [clock] = of(begun(asked(EVENING)), EVENING, own)
    assert clock.due == EVENING + 2 * HOUR


def test_a_completed_callback_is_a_reply_and_an_attempt_is_none() -> None:
    def clocks(*more: Mark) -> dict[tuple[Metric, int], ClockState]:
        message = Mark(T0 + HOUR, MarkKind.CUSTOMER_MESSAGE, "m")
        marks = begun(asked(T0), message, dialled(T0 + 90 * MINUTE), *more)
        found = compute(marks, PolicyBook("v1", OFFICE, (terms(),)), T0 + 3 * HOUR)
        return {(clock.metric, clock.cycle): clock.state for clock in found}

    running, met = ClockState.RUNNING, ClockState.MET
    first, after = (Metric.FIRST_RESPONSE, 0), (Metric.NEXT_RESPONSE, 0)
    update, callback = (Metric.PERIODIC_UPDATE, 0), (Metric.CALLBACK, 0)
    assert clocks() == {first: running, after: running, callback: met}
    completed = Mark(T0 + 2 * HOUR, MarkKind.CALLBACK_COMPLETED, "c")
    assert clocks(completed) == {first: met, after: met, callback: met, update: running}


def test_a_callback_completed_without_an_attempt_on_record_was_dialled() -> None:
    completed = Mark(T0 + HOUR, MarkKind.CALLBACK_COMPLETED, "c")
    [clock] = of(begun(asked(T0), completed), T0 + 3 * HOUR)
    assert (clock.state, clock.stopped_at) == (ClockState.MET, T0 + HOUR)


def test_at_one_instant_a_dial_comes_before_a_cancel_and_after_a_request() -> None:
    marks = begun(cancelled(T0), dialled(T0), asked(T0))
    [clock] = of(marks, T0)
    assert (clock.state, clock.stopped_at) == (ClockState.MET, T0)


def promised(at: datetime, *more: Mark, desk: Desk | None = None) -> Desk:
    """A decided ticket on which a callback was requested; no event says so yet."""
    made = desk or Desk()
    made.take(created(priority=Priority.HIGH))
    assert made.state is not None
    made.state = replace(made.state, marks=(*made.state.marks, asked(at), *more))
    made.take(event(EventKind.NOTE, at))
    return made


def test_the_ladder_and_the_breach_of_a_callback_fall_due_like_those_of_any_metric() -> None:
    passed = promised(MONDAY).pass_until(MONDAY + HOUR)
    due = [(d.due.kind, d.due.at - MONDAY) for d in passed if d.due and d.due.metric == "callback"]
    assert due == [
        (DueKind.STEP, 22 * MINUTE + timedelta(seconds=30)),
        (DueKind.STEP, 30 * MINUTE),
        (DueKind.BREACH, 30 * MINUTE),
        (DueKind.STEP, 45 * MINUTE),
    ]
    [breach] = passed[-1].state.breaches
    assert (breach.metric, breach.cause) == (Metric.CALLBACK, BreachCause.TIME)
    assert passed[-1].standing.sla is SlaState.BREACHED
    assert "sla_breached" in passed[-1].standing.lanes


def test_a_resolved_ticket_still_breaches_its_callback_and_stays_out_of_the_lanes() -> None:
    desk = promised(MONDAY)
    resolved = desk.take(event(EventKind.RESOLVE, MONDAY + 10 * MINUTE))
    assert resolved.next_due is not None
    assert resolved.next_due.metric == "callback"
    assert resolved.standing.sla is SlaState.RUNNING
    assert resolved.standing.next_due_at == MONDAY + 30 * MINUTE
    last = desk.pass_until(MONDAY + 2 * HOUR)[-1]
    assert [breach.metric for breach in last.state.breaches] == [Metric.CALLBACK]
    assert last.standing.sla is SlaState.BREACHED
    assert (last.standing.breached, last.standing.lanes) == (False, ())


def test_a_resolved_ticket_does_not_close_by_itself_while_somebody_is_to_be_called() -> None:
    desk = promised(MONDAY)
    desk.take(event(EventKind.REPLY, MONDAY + MINUTE))
    desk.take(event(EventKind.RESOLVE, MONDAY + 10 * MINUTE))
    assert desk.state is not None
    passed = desk.pass_until(MONDAY + 150 * HOUR)
    assert {d.due.kind for d in passed if d.due} == {DueKind.STEP, DueKind.BREACH}
    desk.state = replace(desk.state, marks=(*desk.state.marks, dialled(MONDAY + 150 * HOUR)))
    called = desk.take(event(EventKind.NOTE, MONDAY + 150 * HOUR))
    assert called.next_due is not None
    assert (called.next_due.kind, called.next_due.at) == (
        DueKind.AUTO_CLOSE,
        MONDAY + 150 * HOUR,
    )


def test_on_a_resolved_ticket_nobody_is_claimed_by_an_escalation() -> None:
    free = {"lee": (Decimal(0), Decimal(12))}
    desk = Desk(people={"lead": ("lee",)}, agents=dict(free))
    promised(MONDAY, desk=desk)
    desk.take(event(EventKind.RESOLVE, MONDAY + 10 * MINUTE))
    desk.rules = [action("escalate", to="lead"), action("assign")]
    [step, *_] = desk.pass_until(MONDAY + 30 * MINUTE)
    assert [record.outcome for record in step.actions] == ["done", "refused"]
    assert (step.state.owner, desk.agents) == ("", free)


def test_a_late_dial_withdraws_the_breach_that_it_disproves() -> None:
    desk = promised(MONDAY)
    desk.pass_until(MONDAY + HOUR)
    assert desk.state is not None
    in_time = dialled(MONDAY + 20 * MINUTE)
    desk.state = replace(desk.state, marks=(*desk.state.marks, in_time))
    late = desk.take(event(EventKind.NOTE, MONDAY + 20 * MINUTE))
    assert [breach.withdrawn for breach in late.state.breaches] == [True]
    assert [c.kind for c in late.corrections] == [CorrectionKind.PLACED, CorrectionKind.WITHDRAWN]


def test_a_late_request_keeps_breaches_with_the_callback_they_are_of() -> None:
    desk = Desk()
    desk.take(created(priority=Priority.HIGH))
    assert desk.state is not None
    marks = (*desk.state.marks, asked(MONDAY + HOUR, ref="second"))
    desk.state = replace(desk.state, marks=marks)
    desk.take(event(EventKind.REPLY, MONDAY + HOUR))
    before = desk.pass_until(MONDAY + 2 * HOUR)[-1].state
    assert [(b.metric, b.cycle) for b in before.breaches] == [(Metric.CALLBACK, 0)]
    earlier = (*before.marks, asked(MONDAY + 30 * MINUTE, ref="first"))
    desk.state = replace(before, marks=(*earlier, dialled(MONDAY + 40 * MINUTE, ref="first")))
    told = event(EventKind.NOTE, MONDAY + 30 * MINUTE)
    after, _ = correct(before, desk.state, BOOK, told, MONDAY + 30 * MINUTE)
    assert [(b.cycle, b.withdrawn) for b in after.breaches] == [(1, False)]
    assert {step.cycle for step in after.steps if step.metric is Metric.CALLBACK} == {1}


def test_a_new_promise_after_a_breach_is_not_breached_and_the_breach_stays() -> None:
    marks = begun(asked(T0), asked(T0 + 3 * HOUR, EVENING))
    [clock] = of(marks, T0 + 3 * HOUR)
    kept = Breach(Metric.CALLBACK, 0, T0 + 2 * HOUR, BreachCause.TIME)
    assert not recorded(clock, [kept])
    assert not clock.late(T0 + 3 * HOUR)


@pytest.mark.parametrize("fact", ["step_metric", "breached_metric"])
def test_rules_can_ask_for_callbacks(fact: str) -> None:
    assert "callback" in CATALOGUE[fact].choices


def test_callback_marks_are_kept_in_a_snapshot() -> None:
    desk = promised(MONDAY)
    assert desk.state is not None
    state = replace(desk.state, marks=(*desk.state.marks, asked(MONDAY, EVENING, "cb-1")))
    assert records.state_from_json(records.state_to_json(state)) == state


@pytest.mark.parametrize(
    ("priority", "minutes"),
    [(Priority.URGENT, 15), (Priority.HIGH, 30), (Priority.NORMAL, 120), (Priority.LOW, 240)],
)
def test_the_shipped_policies_promise_callbacks_as_designed(
    priority: Priority, minutes: int
) -> None:
    traits = replace(_state(Channel.PHONE), priority=priority).traits
    assert BOOK.choose(traits).targets[Metric.CALLBACK] == minutes * MINUTE
    chat = replace(_state(Channel.CHAT), priority=priority).traits
    assert Metric.CALLBACK not in BOOK.choose(chat).targets


def _state(channel: Channel) -> TicketState:
    return TicketState("acme", "T-1", channel, Priority.LOW, TicketStatus.OPEN, T0, T0)


def test_a_closed_ticket_has_no_timer_left_for_a_callback() -> None:
    state = replace(_state(Channel.WEB), status=TicketStatus.CLOSED)
    marks = begun(asked(T0), status(T0 + HOUR, TicketStatus.CLOSED))
    clocks = tuple(of(marks, T0 + HOUR))
    assert upcoming(state, clocks, terms(), OFFICE) == ()
    assert standing(state, clocks, terms(), T0 + HOUR).sla is SlaState.MET


def case(*events: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "calendar": {"tz": "UTC", "hours": {"mon": [["08:00", "16:00"]]}},
        "targets": {"callback_s": 3600},
        "events": [{"type": "created", "at": "2026-03-02T08:00:00Z"}, *events],
        "as_of": "2026-03-02T10:00:00Z",
        **more,
    }


def request(at: str, **more: str) -> dict[str, str]:
    return {"type": "callback_requested", "at": f"2026-03-02T{at}:00Z", **more}


def explained(form: dict[str, Any]) -> Any:
    asked_for = read_case(form)
    return answer_form(asked_for, answer_of(asked_for))["callback"]


def test_a_case_explains_callbacks() -> None:
    assert explained(case())["state"] == "idle"
    plain = explained(case(request("08:30")))
    assert (plain["due"], plain["breached"]) == ("2026-03-02T09:30:00+00:00", True)
    window = request("08:30", window_end="2026-03-02T18:00:00Z", callback="cb-1")
    both = explained(case(request("08:00"), window))
    assert (both["callback"], both["due"]) == ("cb-1", "2026-03-02T18:00:00+00:00")
    assert [cycle["due"] for cycle in both["earlier"]] == ["2026-03-02T09:00:00+00:00"]
    alone = explained(case(window, targets={}))
    assert (alone["target_s"], alone["remaining_s"]) == (9.5 * 3600, 8 * 3600)
    end = {"type": "callback_cancelled", "at": "2026-03-02T08:45:00Z"}
    assert explained(case(request("08:30"), end))["state"] == "void"


def test_a_pause_of_a_case_stops_a_callback_only_where_it_is_named() -> None:
    pause = {"type": "paused", "at": "2026-03-02T08:45:00Z"}
    assert explained(case(request("08:30"), pause))["state"] == "running"
    named = case(request("08:30"), pause, pause_on=["callback"])
    assert (explained(named)["state"], explained(named)["elapsed_s"]) == ("held", 900)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (request("08:30", window_end="2026-03-02T08:30:00Z"), "not after the request"),
        (request("08:30", window_end="soon"), "window_end"),
        ({**request("08:30"), "callback": 7}, "name of a callback"),
        (
            {
                "type": "callback_dialled",
                "at": "2026-03-02T09:00:00Z",
                "window_end": "2026-03-02T10:00:00Z",
            },
            "callback_requested only",
        ),
    ],
)
def test_a_wrong_callback_of_a_case_is_named(bad: dict[str, str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        read_case(case(bad))
