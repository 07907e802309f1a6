"""Changes of tags: which policy counts, what is void, and where a late change belongs."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities import records
from support.clock import Clock, ClockState
from support.errors import FlowHubError, InputError
from support.marks import Mark, MarkKind
from support.model import MOST_TAGS, EventKind, Opening, Priority, TicketEvent, TicketStatus
from support.policy import Conditions, Metric, OnChange, OnReopen, PolicyBook, Terms
from support.proof import Why, proof_of
from support.sla import compute
from support.transitions import ALLOWED
from support.work import Outcome
from tests.support.deciding import CUSTOMER, KIM, MONDAY, Desk, action, event
from tests.support.test_policy_terms import ALWAYS

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
FIRST, NEXT, RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE, Metric.RESOLUTION
VIP, HIGH = Conditions(tags=frozenset({"vip"})), Conditions(priorities=frozenset({Priority.HIGH}))


ANY = Conditions()


def terms(key: str, hours: int, when: Conditions = ANY, **more: Any) -> Terms:
    targets = {FIRST: hours * HOUR, NEXT: hours * HOUR, RESOLUTION: 3 * hours * HOUR}
    more = {"void_on": frozenset({"spam"}), **more}
    return Terms(key, "always", ALWAYS, targets, when=when, **more)


def book(version: str = "v1", factor: int = 1, **more: Any) -> PolicyBook:
    vip_and_high = Conditions(tags=VIP.tags, priorities=HIGH.priorities)
    return PolicyBook(
        version,
        ALWAYS,
        (
            terms("vip-high", factor, vip_and_high, **more),
            terms("vip", 2 * factor, VIP, **more),
            terms("high", 4 * factor, HIGH),
            terms("rest", 8 * factor),
        ),
    )


def opened(*tags: str, **more: Any) -> Desk:
    desk = Desk(book=book(), **more)
    opening = Opening(tags=tags, customer_id="c-1")
    desk.take(event(EventKind.CREATED, MONDAY, CUSTOMER, opening=opening))
    return desk


def tag(minutes: int, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> TicketEvent:
    at = MONDAY + minutes * MINUTE
    return event(EventKind.TAG, at, tags_added=add, tags_removed=remove)


def clock(desk: Desk, metric: Metric) -> Clock:
    return [c for c in desk.decisions[-1].clocks if c.metric is metric][-1]


def test_tags_are_added_and_removed_each_once_in_order() -> None:
    desk = opened("trial", "new")
    changed = desk.take(tag(1, ("vip", "new", "vip"), ("trial", "unknown")))
    assert changed.state.tags == ("new", "vip")
    assert changed.facts["tags"] == ("new", "vip")


def test_a_change_of_tags_chooses_the_policy_again_and_carries_what_was_consumed() -> None:
    desk = opened()
    assert desk.take(tag(60, ("vip",))).terms.key == "vip"
    first = clock(desk, FIRST)
    assert (first.target, first.consumed, first.due) == (2 * HOUR, HOUR, MONDAY + 2 * HOUR)
    assert desk.take(tag(90, (), ("vip",))).terms.key == "rest"
    assert clock(desk, FIRST).due == MONDAY + 8 * HOUR


def test_a_policy_that_restarts_on_change_does_so_for_a_tag() -> None:
    desk = opened()
    desk.book = book(on_change=OnChange.RESTART)
    desk.take(tag(60, ("vip",)))
    assert clock(desk, FIRST).due == MONDAY + 3 * HOUR


@pytest.mark.parametrize("status", TicketStatus)
def test_tags_can_change_in_every_status_but_closed(status: TicketStatus) -> None:
    assert (EventKind.TAG in ALLOWED[status]) == (status is not TicketStatus.CLOSED)


@pytest.mark.parametrize(
    ("add", "remove", "why"),
    [
        ((), (), "needs tags to add or to remove"),
        (("vip",), ("vip",), "tag vip cannot be added and removed at once"),
        (("a b",), (), "not allowed"),
        ((), ("x" * 65,), "not allowed"),
        (tuple(f"t-{n}" for n in range(MOST_TAGS)), (), "at most 50 tags, and these are 51"),
        (tuple(f"t-{n}" for n in range(MOST_TAGS + 1)), (), "at most 50 tags"),
    ],
)
def test_tags_that_cannot_be_are_refused_and_nothing_changes(
    add: tuple[str, ...], remove: tuple[str, ...], why: str
) -> None:
    desk = opened("old")
    before = desk.state
    with pytest.raises(InputError, match=why):
        desk.take(tag(1, add, remove))
    assert desk.state == before


def test_a_ticket_tagged_as_spam_has_its_clocks_voided_and_untagged_they_go_on() -> None:
    desk = opened()
    spam = desk.take(tag(60, ("spam",)))
    assert {c.state for c in spam.clocks} == {ClockState.VOID}
    assert spam.next_due is None
    assert spam.standing.next_due_at is None
    back = desk.take(tag(24 * 60, (), ("spam",)))
    assert not back.new_breaches
    first = clock(desk, FIRST)
    assert (first.state, first.consumed) == (ClockState.RUNNING, HOUR)
    assert first.due == MONDAY + 31 * HOUR
    assert desk.state is not None
    proof = proof_of(first, desk.state.marks, MONDAY + 25 * HOUR)
    assert [(part.why, part.counted) for part in proof] == [
        (Why.COUNTED, HOUR),
        (Why.VOID, 0 * HOUR),
        (Why.COUNTED, HOUR),
    ]


def test_a_breach_from_before_the_tag_stays_on_record_and_out_of_the_lane() -> None:
    desk = opened()
    desk.pass_until(MONDAY + 9 * HOUR)
    spam = desk.take(tag(10 * 60, ("spam",)))
    assert [breach.metric for breach in spam.state.missed] == [FIRST]
    assert "sla_breached" not in spam.standing.lanes
    assert "sla_breached" in desk.take(tag(11 * 60, (), ("spam",))).standing.lanes


def spam(at: datetime, *, on: bool) -> Mark:
    words = ("spam",)
    return Mark(at, MarkKind.TAG, f"t-{at}", words=words if on else (), without=() if on else words)


def of(metric: Metric, *more: Mark, at: datetime, **kind: Any) -> list[Clock]:
    begun = (Mark(T0, MarkKind.CREATED), Mark(T0, MarkKind.TERMS, terms="all"))
    policies = PolicyBook("v", ALWAYS, (terms("all", 4, **kind),))
    return [c for c in compute((*begun, *more), policies, at) if c.metric is metric]


def status(at: datetime, new: TicketStatus) -> Mark:
    return Mark(at, MarkKind.STATUS, f"s-{at}", status=new)


def test_what_met_a_clock_while_it_was_void_has_met_it() -> None:
    reply = Mark(T0 + 2 * HOUR, MarkKind.REPLY, "r")
    around = (spam(T0 + HOUR, on=True), reply)
    [void] = of(FIRST, *around, at=T0 + 3 * HOUR)
    assert (void.state, void.stopped_at) == (ClockState.VOID, T0 + HOUR)
    [met] = of(FIRST, *around, spam(T0 + 3 * HOUR, on=False), at=T0 + 9 * HOUR)
    assert (met.state, met.stopped_at, met.consumed) == (ClockState.MET, T0 + 2 * HOUR, HOUR)


def test_a_ticket_resolved_as_spam_and_untagged_is_resolved() -> None:
    marks = (
        spam(T0 + HOUR, on=True),
        status(T0 + 2 * HOUR, TicketStatus.RESOLVED),
        spam(T0 + 3 * HOUR, on=False),
    )
    [resolved] = of(RESOLUTION, *marks, at=T0 + 9 * HOUR)
    assert (resolved.state, resolved.stopped_at) == (ClockState.MET, T0 + 2 * HOUR)
    reopened = status(T0 + 5 * HOUR, TicketStatus.OPEN)
    for how, consumed in ((OnReopen.RESUME, [2 * HOUR]), (OnReopen.RESTART, [HOUR, HOUR])):
        clocks = of(RESOLUTION, *marks, reopened, at=T0 + 6 * HOUR, on_reopen=how)
        assert [c.consumed for c in clocks] == consumed
    [first] = of(RESOLUTION, *marks, reopened, at=T0 + 6 * HOUR)
    proof = proof_of(first, (*marks, reopened), T0 + 6 * HOUR)
    assert [part.why for part in proof] == ["counted", "void", "resolved", "counted"]


def test_messages_on_a_void_ticket_are_one_exchange_from_the_first() -> None:
    messages = [Mark(T0 + n * HOUR, MarkKind.CUSTOMER_MESSAGE, f"m-{n}") for n in (1, 3, 4)]
    marks = (*messages, spam(T0 + 2 * HOUR, on=True), spam(T0 + 5 * HOUR, on=False))
    [asked] = of(NEXT, *marks, at=T0 + 6 * HOUR)
    assert (asked.started_at, asked.consumed) == (T0 + HOUR, 2 * HOUR)


def test_met_and_tagged_at_one_instant_is_met_once_untagged() -> None:
    reply = Mark(T0 + HOUR, MarkKind.REPLY, "r")
    both = (reply, spam(T0 + HOUR, on=True))
    [met] = of(FIRST, *both, spam(T0 + 2 * HOUR, on=False), at=T0 + 9 * HOUR)
    assert (met.state, met.stopped_at) == (ClockState.MET, T0 + HOUR)


def test_a_late_change_of_tags_counts_where_it_belongs() -> None:
    desk = opened()
    desk.take(event(EventKind.NOTE, MONDAY + 3 * HOUR))
    late = desk.take(tag(60, ("vip",)))
    assert late.terms.key == "vip"
    assert [b.metric for b in late.state.breaches] == [FIRST]
    assert {c.metric: c.after for c in late.corrections if c.metric} == {
        FIRST: MONDAY + 2 * HOUR,
        RESOLUTION: MONDAY + 6 * HOUR,
    }


def test_a_late_tag_and_later_changes_each_count_for_their_time() -> None:
    desk = opened()
    desk.take(event(EventKind.PRIORITY, MONDAY + 2 * HOUR, priority=Priority.HIGH))
    desk.take(tag(180, (), ("vip",)))
    late = desk.take(tag(60, ("vip",)))
    assert late.state.tags == ()
    in_force = [(m.at - MONDAY, m.terms) for m in late.state.marks if m.kind is MarkKind.TERMS]
    assert sorted(in_force) == [
        (0 * HOUR, "rest"),
        (HOUR, "vip"),
        (2 * HOUR, "vip-high"),
        (3 * HOUR, "high"),
    ]


def test_a_late_spam_tag_withdraws_the_breach_that_never_was() -> None:
    desk = opened()
    desk.pass_until(MONDAY + 9 * HOUR)
    late = desk.take(tag(60, ("spam",)))
    assert [breach.withdrawn for breach in late.state.breaches] == [True]
    assert late.state.missed == ()


def test_a_late_tag_before_a_move_counts_by_the_policies_of_then_and_of_now() -> None:
    desk = opened(current=book("v2", factor=3))
    desk.take(event(EventKind.USE_POLICIES, MONDAY + 2 * HOUR))
    desk.book = book("v2", factor=3).after([book()])
    late = desk.take(tag(60, ("vip",)))
    in_force = [m.terms for m in late.state.marks if m.kind is MarkKind.TERMS]
    assert sorted(in_force) == ["v1/rest", "v1/vip", "vip"]
    assert clock(desk, FIRST).target == 6 * HOUR


def test_a_rule_and_a_macro_tag_a_ticket_and_what_is_refused_is_on_record() -> None:
    desk = opened("old", rules=[action("tag", add=("vip",), remove=("old",))])
    assert desk.state is not None
    assert desk.state.tags == ("vip",)
    done = desk.decisions[-1].actions[0]
    assert (done.outcome, done.detail) == (Outcome.DONE, "tags are vip")
    assert desk.decisions[-1].terms.key == "vip"
    desk.rules = [action("tag")]
    refused = desk.take(event(EventKind.NOTE, MONDAY + HOUR)).actions[0]
    assert refused.outcome is Outcome.REFUSED
    desk.rules = [action("tag", remove=("vip",))]
    assert desk.take(event(EventKind.NOTE, MONDAY + 2 * HOUR)).actions[0].detail == "tags are none"


@pytest.mark.parametrize("changed", [False, True])
def test_an_older_snapshot_keeps_its_tags_and_priority(*, changed: bool) -> None:
    desk = opened("vip", "old")
    if changed:
        desk.take(event(EventKind.PRIORITY, MONDAY + 3 * HOUR, priority=Priority.HIGH))
    assert desk.state is not None
    form = json.loads(records.state_to_json(desk.state))
    kept = {"at", "kind", "event_id", "status", "terms"} | ({"priority"} if changed else set())
    form["marks"] = [{k: v for k, v in m.items() if k in kept} for m in form["marks"]]
    form["marks"][0].pop("priority", None)
    desk.state = records.state_from_json(json.dumps(form))
    assert desk.take(tag(5 * 60, ("new",), ("old",))).state.tags == ("vip", "new")
    late = desk.take(tag(4 * 60, ("calm",)))
    assert (late.state.tags, late.terms.key) == (
        ("vip", "calm", "new"),
        "vip-high" if changed else "vip",
    )


def test_a_snapshot_with_tags_loads_again() -> None:
    desk = opened("vip")
    state = desk.take(tag(60, ("a", "b"), ("vip",))).state
    assert records.state_from_json(records.state_to_json(state)) == state


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.sampled_from(["add", "remove", "priority", "reply"]),
        st.sampled_from(["vip", "spam", "x"]),
        st.sampled_from(list(Priority)),
    ),
    min_size=2,
    max_size=8,
    unique_by=lambda change: change[0],
)


def _event(number: int, change: tuple[int, str, str, Priority]) -> TicketEvent:
    minute, what, name, priority = change
    at = MONDAY + minute * MINUTE
    if what == "reply":
        return TicketEvent(f"e-{number}", EventKind.REPLY, at, at, KIM)
    if what == "priority":
        return TicketEvent(f"e-{number}", EventKind.PRIORITY, at, at, KIM, priority=priority)
    how: Any = {"tags_added" if what == "add" else "tags_removed": (name,)}
    return TicketEvent(f"e-{number}", EventKind.TAG, at, at, KIM, **how)


@settings(deadline=None)
@given(changes=CHANGES, dice=st.randoms(), at_once=st.booleans())
def test_tags_and_priorities_in_any_order_of_delivery_end_the_same(
    changes: list[tuple[int, str, str, Priority]], dice: random.Random, *, at_once: bool
) -> None:
    changes = [(0 if at_once else minute, *rest) for minute, *rest in changes]  # type: ignore[misc]
    events = [_event(number, change) for number, change in enumerate(sorted(changes))]
    one, other = opened("x"), opened("x")
    for told in events:
        one.take(told)
    for told in dice.sample(events, len(events)):
        other.take(told)
    assert one.state is not None
    assert other.state is not None
    assert (one.state.tags, one.state.priority) == (other.state.tags, other.state.priority)
    at = MONDAY + 7 * HOUR
    first, second = (compute(desk.state.marks, book(), at) for desk in (one, other) if desk.state)
    assert [_told(c) for c in first] == [_told(c) for c in second]


def _told(clock: Clock) -> tuple[object, ...]:
    return (
        clock.metric,
        clock.cycle,
        clock.state,
        clock.target,
        clock.consumed,
        clock.due,
        clock.stopped_at,
    )


def test_a_closed_ticket_keeps_its_tags() -> None:
    desk = opened("vip")
    desk.take(event(EventKind.RESOLVE, MONDAY + HOUR))
    assert desk.take(tag(90, ("solved",))).state.tags == ("vip", "solved")
    desk.take(event(EventKind.CLOSE, MONDAY + 2 * HOUR))
    with pytest.raises(FlowHubError, match="not possible while the ticket is closed"):
        desk.take(tag(180, ("vip",)))
