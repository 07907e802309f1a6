"""The one timer of a ticket is never in the past and never missed, whatever happens to it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.calendar import BusinessCalendar
from support.clock import ClockState
from support.errors import FlowHubError
from support.ladder import InClosedHours, Rung, rungs
from support.marks import Mark, MarkKind
from support.model import EventKind, Priority, TicketEvent, TicketStatus, WaitingOn
from support.policy import Conditions, Metric, OnChange, PolicyBook, Terms
from support.sla import BreachCause, recorded
from tests.support.deciding import CUSTOMER, KIM, MONDAY, Desk, created

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ALWAYS = BusinessCalendar.from_dict({"tz": "Asia/Kathmandu", "hours": "24/7"})
OFFICE = BusinessCalendar.from_dict(
    {
        "tz": "Europe/Stockholm",
        "hours": {day: [["08:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "tue", "fri")},
    }
)
TARGETS = {
    Metric.FIRST_RESPONSE: 3 * HOUR,
    Metric.NEXT_RESPONSE: 2 * HOUR,
    Metric.RESOLUTION: 9 * HOUR,
    Metric.PERIODIC_UPDATE: 4 * HOUR,
    Metric.CALLBACK: 2 * HOUR,
}
RUNGS = (
    Rung(0.75, in_closed_hours=InClosedHours.WAIT),
    Rung(offset=-20 * MINUTE),
    Rung(1.0, every=HOUR, times=2),
    Rung(offset=HOUR, in_closed_hours=InClosedHours.ON_CALL),
)


def policy(key: str, when: Conditions, **more: Any) -> Terms:
    more = {"ladder": RUNGS, "ack_lapse": HOUR, "office": OFFICE, **more}
    return Terms(key, "office", OFFICE, TARGETS, when=when, **more)


BOOK = PolicyBook(
    "v",
    OFFICE,
    (
        policy(
            "urgent",
            Conditions(priorities=frozenset({Priority.URGENT})),
            calendars={Metric.FIRST_RESPONSE: ("always", ALWAYS)},
            on_change=OnChange.RESTART,
        ),
        policy("tagged", Conditions(tags=frozenset({"urgent"})), ladder=rungs(0.5, 1.0)),
        policy("low", Conditions(priorities=frozenset({Priority.LOW})), ladder=rungs(0.5, 2.0)),
        policy("rest", Conditions(), void_on=frozenset({"spam"})),
    ),
)
KINDS = [
    EventKind.CUSTOMER_MESSAGE,
    EventKind.REPLY,
    EventKind.NOTE,
    EventKind.ACK,
    EventKind.PRIORITY,
    EventKind.WAIT,
    EventKind.RESUME,
    EventKind.RESOLVE,
    EventKind.REOPEN,
    EventKind.TAG,
]
CALLBACKS = [
    MarkKind.CALLBACK_REQUESTED,
    MarkKind.CALLBACK_DIALLED,
    MarkKind.CALLBACK_COMPLETED,
    MarkKind.CALLBACK_CANCELLED,
]
TAGS = ("urgent", "spam")


@dataclass(frozen=True)
class Told:
    """One event: so many minutes after the one before, and `late` minutes old when taken."""

    kind: EventKind | MarkKind
    after: int
    late: int
    choice: int

    def mark(self, number: int, at: datetime) -> Mark:
        """What it tells of one of two callbacks; no event says so by itself."""
        assert isinstance(self.kind, MarkKind)
        promised = at + (1 + number) * HOUR if self.choice > 1 else None
        return Mark(at, self.kind, callback=f"cb-{self.choice % 2}", window_end=promised)

    def event(self, number: int, taken_at: Any) -> TicketEvent:
        more: dict[str, Any] = {}
        actor = CUSTOMER if self.kind is EventKind.CUSTOMER_MESSAGE else KIM
        if self.kind is EventKind.PRIORITY:
            more["priority"] = list(Priority)[self.choice]
        if self.kind is EventKind.TAG:
            how = "tags_added" if self.choice < 2 else "tags_removed"
            more[how] = (TAGS[self.choice % 2],)
        if self.kind is EventKind.WAIT and self.choice % 2:
            more["status"] = TicketStatus.WAITING_CUSTOMER
        elif self.kind is EventKind.WAIT:
            more |= {"status": TicketStatus.WAITING_INTERNAL, "waiting_on": WaitingOn.TEAM}
        if not isinstance(self.kind, EventKind):
            return TicketEvent(f"e-{number}", EventKind.NOTE, taken_at, taken_at, actor)
        at = taken_at - self.late * MINUTE
        return TicketEvent(f"e-{number}", self.kind, at, taken_at, actor, **more)


def histories(late: int) -> Any:
    told = st.builds(
        Told,
        kind=st.sampled_from(KINDS) | st.sampled_from(CALLBACKS),
        after=st.integers(0, 900),
        late=st.integers(0, late),
        choice=st.integers(0, 3),
    )
    return st.lists(told, min_size=1, max_size=10)


def lived(history: list[Told]) -> Desk:
    """Let the history happen, with every timer before the events that come after it."""
    ticket = Desk(book=BOOK)
    ticket.take(created())
    now = MONDAY
    for number, told in enumerate(history):
        now += told.after * MINUTE
        ticket.pass_until(now)
        if isinstance(told.kind, MarkKind) and ticket.state is not None:
            marks = (*ticket.state.marks, told.mark(number, now))
            ticket.state = replace(ticket.state, marks=marks)
        try:
            ticket.take(told.event(number, now), late=told.late * MINUTE)
        except FlowHubError:
            continue
    ticket.pass_until(now + 60 * 24 * HOUR)
    return ticket


@settings(deadline=None)
@given(history=histories(late=200))
def test_the_next_timer_is_never_in_the_past(history: list[Told]) -> None:
    for decision in lived(history).decisions:
        assert decision.next_due is None or decision.next_due.at >= decision.at
        assert decision.at == decision.state.last_at


@settings(deadline=None)
@given(history=histories(late=200))
def test_every_timer_fires_once_and_time_never_runs_back(history: list[Told]) -> None:
    decisions = lived(history).decisions
    assert [d.at for d in decisions] == sorted(d.at for d in decisions)
    stamps = [d.due.stamp for d in decisions if d.due]
    assert len(stamps) == len(set(stamps))
    assert len(decisions) < 400


PROMISE_MISSED_AS_SPAM = [
    Told(EventKind.TAG, after=0, late=0, choice=1),
    Told(MarkKind.CALLBACK_REQUESTED, after=0, late=0, choice=2),
    Told(EventKind.CUSTOMER_MESSAGE, after=421, late=0, choice=0),
    Told(EventKind.TAG, after=0, late=0, choice=3),
]


@settings(deadline=None)
@given(history=histories(late=0))
@example(history=PROMISE_MISSED_AS_SPAM)
def test_no_timer_is_missed(history: list[Told]) -> None:
    ticket = lived(history)
    assert ticket.state is not None
    for breach in ticket.state.breaches:
        if breach.cause is BreachCause.TIME:
            assert breach.found_at == breach.due_at
        assert not breach.withdrawn or breach.found_at is not None
    last = ticket.decisions[-1]
    assert last.next_due is None or last.next_due.at > last.at
    for decision in ticket.decisions:
        for step in decision.new_steps:
            assert step.fired_at == step.due_at
        for clock in decision.clocks:
            if clock.state is not ClockState.RUNNING or clock.due is None:
                continue
            kept = recorded(clock, decision.state.breaches)
            assert kept or clock.due >= decision.at
            if not kept and decision.next_due is not None:
                assert decision.next_due.at <= max(clock.due, decision.at)


@settings(deadline=None)
@given(history=histories(late=0))
def test_in_the_end_every_rung_of_a_clock_that_ran_on_has_fired(history: list[Told]) -> None:
    history = [told for told in history if told.kind not in (EventKind.PRIORITY, EventKind.TAG)]
    ticket = lived(history)
    last = ticket.decisions[-1]
    for clock in last.clocks:
        if clock.state is not ClockState.RUNNING:
            continue
        fired = {
            s.step or f"{s.fraction:g}"
            for s in last.state.steps
            if (s.metric, s.cycle) == (clock.metric, clock.cycle)
        }
        assert {"1", "1#1", "1#2", "+1h"} <= fired


@settings(deadline=None)
@given(history=histories(late=0))
def test_in_the_end_every_late_late_clock_has_its_breach(history: list[Told]) -> None:
    ticket = lived(history)
    last = ticket.decisions[-1]
    for clock in last.clocks:
        if clock.late(last.at) and clock.state in (ClockState.RUNNING, ClockState.MET):
            assert recorded(clock, last.state.breaches)
