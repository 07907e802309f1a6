"""What a policy may say of clocks: own calendars, restarts, voids, periodic updates, moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities import records
from support.calendar import BusinessCalendar
from support.clock import Clock, ClockState
from support.errors import InputError
from support.marks import Mark, MarkKind
from support.model import Channel, EventKind, Opening, Priority, TicketStatus
from support.policy import Conditions, Metric, OnChange, OnReopen, PolicyBook, Terms
from support.proof import Why, derivations, proof_of
from support.sla import compute
from support.work import Outcome
from tests.support.deciding import CUSTOMER, MONDAY, Desk, action, created, event

HOUR = timedelta(hours=1)
ALWAYS = BusinessCalendar.from_dict({"tz": "UTC", "hours": "24/7"})
OFFICE = BusinessCalendar.from_dict(
    {"tz": "UTC", "hours": {day: [["08:00", "16:00"]] for day in ("mon", "tue", "wed", "thu")}}
)
T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
FIRST, PERIODIC, RESOLUTION = Metric.FIRST_RESPONSE, Metric.PERIODIC_UPDATE, Metric.RESOLUTION
TARGETS = {FIRST: 10 * HOUR, RESOLUTION: 20 * HOUR, PERIODIC: 4 * HOUR}


def terms(key: str = "all", **more: Any) -> Terms:
    return Terms(key, "office", OFFICE, TARGETS, **more)


def book(*policies: Terms, version: str = "v1") -> PolicyBook:
    return PolicyBook(version, OFFICE, policies or (terms(),))


def of(metric: Metric, marks: list[Mark], at: datetime, policies: PolicyBook) -> list[Clock]:
    return [clock for clock in compute(marks, policies, at) if clock.metric is metric]


def begun(*more: Mark, words: tuple[str, ...] = ()) -> list[Mark]:
    created_mark = Mark(T0, MarkKind.CREATED, words=words)
    return [created_mark, Mark(T0, MarkKind.TERMS, terms="all"), *more]


def status(hours: int, new: TicketStatus, **more: Any) -> Mark:
    return Mark(T0 + hours * HOUR, MarkKind.STATUS, f"s-{hours}", status=new, **more)


def test_a_metric_counts_by_its_own_calendar_and_the_others_by_the_policys() -> None:
    own = book(terms(calendars={FIRST: ("always", ALWAYS)}))
    at = T0 + 12 * HOUR
    [first] = of(FIRST, begun(), at, own)
    [resolution] = of(RESOLUTION, begun(), at, own)
    assert (first.consumed, first.segments[0].calendar_id) == (12 * HOUR, "always")
    assert (resolution.consumed, resolution.segments[0].calendar_id) == (8 * HOUR, "office")


@pytest.mark.parametrize(
    ("how", "consumed"), [(OnChange.CARRY, 5 * HOUR), (OnChange.RESTART, 2 * HOUR)]
)
def test_a_change_of_policy_carries_or_restarts(how: OnChange, consumed: timedelta) -> None:
    policies = book(terms("other", on_change=how, when=Conditions(tiers=frozenset("x"))), terms())
    marks = begun(Mark(T0 + 3 * HOUR, MarkKind.TERMS, terms="other"))
    [clock] = of(FIRST, marks, T0 + 5 * HOUR, policies)
    assert clock.consumed == consumed
    assert clock.consumed == sum((s.counted(T0 + 5 * HOUR) for s in clock.segments), 0 * HOUR)


def test_the_time_before_a_restart_says_so_in_the_proof() -> None:
    again = terms("other", on_change=OnChange.RESTART, when=Conditions(tiers=frozenset("x")))
    marks = begun(
        status(1, TicketStatus.RESOLVED),
        status(2, TicketStatus.OPEN),
        Mark(T0 + 3 * HOUR, MarkKind.TERMS, terms="other"),
        status(4, TicketStatus.WAITING_CUSTOMER),
    )
    [clock] = of(RESOLUTION, marks, T0 + 6 * HOUR, book(again, terms()))
    proof = proof_of(clock, marks, T0 + 6 * HOUR)
    assert [(part.why, part.end) for part in proof] == [
        (Why.RESTARTED, T0 + 3 * HOUR),
        (Why.COUNTED, T0 + 4 * HOUR),
        (Why.PAUSED, T0 + 6 * HOUR),
    ]
    assert derivations((), (clock,), marks, T0 + 6 * HOUR)[RESOLUTION, 0].proof == proof
    held = [*marks[:-2], status(2, TicketStatus.WAITING_CUSTOMER), marks[-2]]
    [clock] = of(RESOLUTION, held, T0 + 6 * HOUR, book(again, terms()))
    assert [(part.why, part.end) for part in proof_of(clock, held, T0 + 6 * HOUR)] == [
        (Why.RESTARTED, T0 + 3 * HOUR),
        (Why.PAUSED, T0 + 6 * HOUR),
    ]


@pytest.mark.parametrize(
    ("how", "cycles"), [(OnReopen.RESUME, [3 * HOUR]), (OnReopen.RESTART, [2 * HOUR, HOUR])]
)
def test_a_reopened_ticket_resumes_or_restarts(how: OnReopen, cycles: list[timedelta]) -> None:
    marks = begun(
        Mark(T0 + HOUR, MarkKind.REPLY, "r"),
        status(2, TicketStatus.RESOLVED),
        status(5, TicketStatus.OPEN),
    )
    clocks = of(RESOLUTION, marks, T0 + 6 * HOUR, book(terms(on_reopen=how)))
    assert [clock.consumed for clock in clocks] == cycles
    assert clocks[-1].state is ClockState.RUNNING


def test_a_disposition_of_the_policy_ends_the_clocks_without_counting() -> None:
    policies = book(terms(void_on=frozenset({"spam"})))
    marks = begun(status(2, TicketStatus.RESOLVED, words=("spam",)))
    clocks = compute(marks, policies, T0 + 100 * HOUR)
    assert {clock.state for clock in clocks} == {ClockState.VOID}
    assert not any(clock.late(T0 + 100 * HOUR) for clock in clocks)
    closed = compute([*marks, status(3, TicketStatus.CLOSED)], policies, T0 + 9 * HOUR)
    assert {clock.state for clock in closed} == {ClockState.VOID}
    other = begun(status(2, TicketStatus.RESOLVED, words=("fixed",)))
    assert of(FIRST, other, T0 + 3 * HOUR, policies)[0].state is ClockState.HELD
    reopened = [*marks, status(4, TicketStatus.OPEN)]
    [first] = of(FIRST, reopened, T0 + 5 * HOUR, policies)
    assert (first.state, first.consumed) == (ClockState.RUNNING, 3 * HOUR)


def test_a_tag_of_the_policy_voids_every_clock_from_the_start() -> None:
    policies = book(terms(void_on=frozenset({"spam"})))
    desk = Desk(book=policies)
    opening = Opening(channel=Channel.WEB, tags=("spam",))
    made = desk.take(event(EventKind.CREATED, MONDAY, CUSTOMER, opening=opening))
    assert {clock.state for clock in made.clocks} == {ClockState.VOID}
    assert made.next_due is None
    assert not desk.take(event(EventKind.NOTE, MONDAY + 900 * HOUR)).new_breaches


def test_a_ticket_resolved_as_spam_never_breaches_in_a_decision() -> None:
    desk = Desk(book=book(terms(void_on=frozenset({"spam"}))))
    desk.take(created())
    spam = desk.take(event(EventKind.RESOLVE, MONDAY + HOUR, disposition="spam"))
    assert {clock.state for clock in spam.clocks} == {ClockState.VOID}
    assert not [d for d in desk.pass_until(MONDAY + 900 * HOUR) if d.new_breaches]


def test_periodic_update_runs_from_each_reply_to_the_next_and_ends_at_resolve() -> None:
    marks = begun(
        Mark(T0 + HOUR, MarkKind.REPLY, "r1"),
        Mark(T0 + 2 * HOUR, MarkKind.CUSTOMER_MESSAGE, "c1"),
        Mark(T0 + 4 * HOUR, MarkKind.REPLY, "r2"),
        status(7, TicketStatus.RESOLVED),
    )
    assert of(PERIODIC, marks[:2], T0 + HOUR, book()) == []
    running = of(PERIODIC, marks[:5], T0 + 6 * HOUR, book())
    assert [c.consumed for c in running] == [3 * HOUR, 2 * HOUR]
    assert [c.state for c in running] == [ClockState.MET, ClockState.RUNNING]
    assert running[-1].due == T0 + 8 * HOUR
    ended = of(PERIODIC, marks, T0 + 60 * HOUR, book())
    assert ended[-1].state is ClockState.MET
    assert not ended[-1].late(T0 + 60 * HOUR)
    reopened = [*marks, status(8, TicketStatus.OPEN)]
    again = of(PERIODIC, reopened, T0 + 8 * HOUR, book())
    assert (len(again), again[-1].started_at) == (3, T0 + 8 * HOUR)


def test_an_automatic_reply_or_a_note_is_no_response() -> None:
    desk = Desk(book=book(), rules=[action("reply", text="received")])
    desk.take(created())
    desk.rules = []
    desk.take(event(EventKind.REPLY, MONDAY + HOUR, automatic=True))
    noted = desk.take(event(EventKind.NOTE, MONDAY + 2 * HOUR))
    states = {clock.metric: clock.state for clock in noted.clocks}
    assert states == {FIRST: ClockState.RUNNING, RESOLUTION: ClockState.RUNNING}
    answered = desk.take(event(EventKind.REPLY, MONDAY + 3 * HOUR))
    states = {clock.metric: clock.state for clock in answered.clocks}
    assert (states[FIRST], states[PERIODIC]) == (ClockState.MET, ClockState.RUNNING)


def newer() -> PolicyBook:
    always = replace(terms(), calendar_id="always", calendar=ALWAYS)
    faster = replace(always, targets={FIRST: 6 * HOUR})
    return book(faster, version="v2")


def test_a_ticket_keeps_its_policies_until_an_operator_moves_it_and_the_move_is_recorded() -> None:
    desk = Desk(book=book(), current=newer())
    desk.take(created())
    assert desk.take(event(EventKind.NOTE, MONDAY + HOUR)).state.policy_version == "v1"
    moved = desk.take(event(EventKind.USE_POLICIES, MONDAY + 2 * HOUR))
    assert (moved.state.policy_version, moved.state.earlier_policies) == ("v2", ("v1",))
    [first] = moved.clocks
    assert (first.target, first.consumed) == (6 * HOUR, 2 * HOUR)
    record = moved.actions[0]
    assert (record.kind, record.outcome) == ("use_policies", Outcome.DONE)
    assert record.detail == "policies v1 are v2 now"
    assert [s.calendar_id for s in first.segments] == ["office", "always"]


def test_the_time_before_a_move_is_reckoned_by_the_policies_of_then() -> None:
    desk = Desk(book=book(), current=newer())
    desk.take(created())
    moved = desk.take(event(EventKind.USE_POLICIES, MONDAY + 10 * HOUR))
    kept = records.state_from_json(records.state_to_json(moved.state))
    assert kept == moved.state
    [first] = compute(kept.marks, newer().after([book()]), MONDAY + 11 * HOUR)
    assert first.consumed == 9 * HOUR


def test_a_rule_moves_a_ticket_and_a_second_move_is_refused() -> None:
    desk = Desk(book=book(), current=newer())
    desk.take(created())
    desk.rules = [action("use_policies")]
    moved = desk.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.HIGH))
    assert moved.state.policy_version == "v2"
    assert moved.actions[0].outcome is Outcome.DONE
    desk.book = newer().after([book()])
    again = desk.take(event(EventKind.NOTE, MONDAY + 2 * HOUR))
    assert again.actions[0].outcome is Outcome.REFUSED
    with pytest.raises(InputError, match="already"):
        desk.take(event(EventKind.USE_POLICIES, MONDAY + 3 * HOUR))
