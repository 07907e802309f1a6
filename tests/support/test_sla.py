"""Clocks against cases from elsewhere with known answers, and by the rules of the design."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.calendar import BusinessCalendar
from support.cases import answer_form, answer_of, read_case
from support.clock import Clock, ClockState
from support.marks import Mark, MarkKind
from support.model import TicketStatus
from support.policy import Metric, PolicyBook, Terms
from support.sla import BreachCause, breach_of, compute, recorded

OWN = Path(__file__).parent / "oracles" / "sla.json"
PEERS = Path(__file__).parents[3] / "shared" / "oracles" / "sla_peers.json"
PAUSED = frozenset({TicketStatus.WAITING_CUSTOMER})


def cases() -> list[Any]:
    files = [file for file in (OWN, PEERS) if file.exists()]
    found = [case for file in files for case in json.loads(file.read_text())["cases"]]
    return [pytest.param(case, id=case["id"]) for case in found]


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def terms(calendar: BusinessCalendar, targets: dict[str, int | None], key: str) -> Terms:
    return Terms(
        key=key,
        calendar_id="cal",
        calendar=calendar,
        targets={
            metric: timedelta(seconds=seconds)
            for metric in Metric
            if (seconds := targets.get(f"{metric}_s")) is not None
        },
        pause_on=dict.fromkeys(Metric, PAUSED),
    )


@pytest.mark.parametrize("case", cases())
def test_clocks_agree_with_the_oracles(case: Any) -> None:
    asked = read_case(case)
    got = answer_form(asked, answer_of(asked))
    for name, expected in case["expect"].items():
        if name == "next_due":
            assert instant(got["next_due"]) == instant(expected)
        elif expected is None:
            assert got[name] is None
        else:
            for field, value in expected.items():
                if field == "due":
                    assert instant(got[name]["due"]) == instant(value), name
                else:
                    assert got[name][field] == value, (name, field)


@pytest.mark.parametrize("case", cases())
def test_every_clock_of_the_oracles_is_proven(case: Any) -> None:
    asked = read_case(case)
    for cycles in answer_of(asked).metrics.values():
        for cycle in cycles:
            clock, proof = cycle.clock, cycle.proof
            assert sum((part.counted for part in proof), timedelta(0)) == clock.consumed
            edges = [clock.started_at, *(part.end for part in proof)]
            assert [part.start for part in proof] == edges[:-1]
            assert edges[-1] == min(clock.stopped_at or asked.at, asked.at)


ALWAYS = BusinessCalendar.from_dict({"tz": "UTC", "hours": "24/7"})
T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOK = PolicyBook(
    "test",
    ALWAYS,
    (
        terms(ALWAYS, {"first_response_s": 7200, "resolution_s": 36_000}, "slow"),
        terms(ALWAYS, {"first_response_s": 1800, "resolution_s": 3600}, "fast"),
    ),
)


def begun(*more: Mark) -> list[Mark]:
    return [Mark(T0, MarkKind.CREATED), Mark(T0, MarkKind.TERMS, terms="slow"), *more]


def clock_of(metric: Metric, marks: list[Mark], at: datetime) -> Clock:
    return next(clock for clock in compute(marks, BOOK, at) if clock.metric is metric)


def test_pause_survives_priority_change() -> None:
    marks = begun(
        Mark(T0 + HOUR, MarkKind.STATUS, status=TicketStatus.WAITING_CUSTOMER),
        Mark(T0 + 3 * HOUR, MarkKind.STATUS, status=TicketStatus.OPEN),
        Mark(T0 + 3 * HOUR, MarkKind.TERMS, terms="fast"),
    )
    clock = clock_of(Metric.RESOLUTION, marks, T0 + 3 * HOUR)
    assert clock.consumed == HOUR
    assert clock.due == T0 + HOUR


def test_a_breach_forced_by_new_terms_says_so() -> None:
    marks = begun(Mark(T0 + HOUR, MarkKind.TERMS, terms="fast"))
    clock = clock_of(Metric.FIRST_RESPONSE, marks, T0 + HOUR)
    assert clock.late(T0 + HOUR)
    assert breach_of(clock).cause is BreachCause.TERMS_CHANGED


def test_a_breach_by_time_says_so_and_is_recorded_once() -> None:
    clock = clock_of(Metric.FIRST_RESPONSE, begun(), T0 + 3 * HOUR)
    breach = breach_of(clock)
    assert (breach.cause, breach.due_at) == (BreachCause.TIME, T0 + 2 * HOUR)
    assert recorded(clock, [breach])
    assert not recorded(clock, [])


def test_a_reply_that_did_not_arrive_never_was() -> None:
    answered = begun(Mark(T0 + HOUR, MarkKind.REPLY, event_id="r1"))
    voided = [*answered, Mark(T0 + 2 * HOUR, MarkKind.VOID, event_id="r1")]
    at = T0 + 2 * HOUR
    assert clock_of(Metric.FIRST_RESPONSE, answered, at).state is ClockState.MET
    assert clock_of(Metric.FIRST_RESPONSE, voided, at) == clock_of(
        Metric.FIRST_RESPONSE, begun(), at
    )


def test_a_clock_stopped_while_held_before_its_due_is_not_late() -> None:
    marks = begun(
        Mark(T0 + HOUR, MarkKind.STATUS, status=TicketStatus.WAITING_CUSTOMER),
        Mark(T0 + 90 * HOUR, MarkKind.STATUS, status=TicketStatus.RESOLVED),
    )
    clock = clock_of(Metric.RESOLUTION, marks, T0 + 99 * HOUR)
    assert (clock.state, clock.consumed, clock.due) == (ClockState.MET, HOUR, T0 + 99 * HOUR)
    assert not clock.late(T0 + 99 * HOUR)


def test_a_ticket_made_on_the_phone_has_met_first_response() -> None:
    marks = begun()
    marks[0] = Mark(T0, MarkKind.CREATED, answered=True)
    clock = clock_of(Metric.FIRST_RESPONSE, marks, T0 + 9 * HOUR)
    assert clock.state is ClockState.MET
    assert not clock.late(T0 + 9 * HOUR)


@given(
    offsets=st.lists(st.integers(0, 600), min_size=1, max_size=8),
    statuses=st.lists(st.sampled_from(list(TicketStatus)), min_size=8, max_size=8),
    asked=st.integers(0, 900),
    fraction=st.floats(0.01, 3),
)
def test_fractions_fall_due_in_order_and_consumed_time_proves_them(
    offsets: list[int], statuses: list[TicketStatus], asked: int, fraction: float
) -> None:
    marks = begun(
        *(
            Mark(T0 + timedelta(minutes=offset), MarkKind.STATUS, status=status)
            for offset, status in zip(sorted(offsets), statuses, strict=False)
        )
    )
    at = T0 + timedelta(minutes=asked)
    for clock in compute(marks, BOOK, at):
        instant, later = clock.instant_of(fraction), clock.instant_of(fraction + 0.5)
        assert later is None or (instant is not None and instant <= later)
        assert clock.consumed == sum((s.counted(at) for s in clock.segments), timedelta(0))
        if instant is not None and instant <= at:
            assert (
                sum(
                    (s.counted(instant) for s in clock.segments if s.start <= instant), timedelta(0)
                )
                == clock.target * fraction
            )


def told(metric: Metric, *kinds: str | tuple[str, int]) -> Any:
    """Form of the clock of `metric`, aimed at two hours, ten hours after kinds at minutes."""
    listed = [kind if isinstance(kind, tuple) else (kind, 0) for kind in ("created", *kinds)]
    form = {
        "calendar": {"tz": "UTC", "hours": "24/7"},
        "targets": {f"{metric}_s": 7200},
        "events": [
            {"at": (T0 + timedelta(minutes=at)).isoformat(), "type": kind} for kind, at in listed
        ],
    }
    case = read_case(form, T0 + 10 * HOUR)
    return answer_form(case, answer_of(case))[str(metric)]


@pytest.mark.parametrize(
    ("metric", "kinds", "state"),
    [
        (Metric.RESOLUTION, ("paused", "resumed"), "running"),
        (Metric.RESOLUTION, ("resumed", "paused"), "held"),
        (Metric.NEXT_RESPONSE, ("customer_reply", "agent_reply"), "idle"),
        (Metric.NEXT_RESPONSE, ("agent_reply", "customer_reply"), "running"),
        (Metric.CALLBACK, ("callback_requested", "callback_cancelled"), "void"),
        (Metric.CALLBACK, ("callback_cancelled", "callback_requested"), "running"),
        (Metric.PERIODIC_UPDATE, ("resolved", "agent_reply"), "idle"),
        (Metric.PERIODIC_UPDATE, ("agent_reply", "resolved"), "met"),
    ],
)
def test_events_of_a_case_at_one_instant_count_in_the_order_of_its_list(
    metric: Metric, kinds: tuple[str, ...], state: str
) -> None:
    assert told(metric, *kinds)["state"] == state


def test_nothing_in_a_case_comes_before_its_creation_at_the_same_instant() -> None:
    form = {
        "calendar": {"tz": "UTC", "hours": "24/7"},
        "targets": {"first_response_s": 7200},
        "events": [{"at": T0.isoformat(), "type": kind} for kind in ("agent_reply", "created")],
    }
    case = read_case(form, T0 + HOUR)
    assert answer_form(case, answer_of(case))["first_response"]["state"] == "met"


@pytest.mark.parametrize("kind", ["paused", "resumed"])
@pytest.mark.parametrize("end", ["resolved", "closed"])
def test_a_pause_after_the_end_changes_nothing_until_the_ticket_is_reopened(
    kind: str, end: str
) -> None:
    ended = told(Metric.RESOLUTION, (end, 30), (kind, 60))
    assert (ended["state"], ended["elapsed_s"]) == ("met", 1800)
    again = told(Metric.RESOLUTION, (end, 30), (kind, 60), ("reopened", 90), ("paused", 100))
    assert (again["state"], again["elapsed_s"]) == ("held", 40 * 60)
    waiting = told(Metric.FIRST_RESPONSE, (end, 30), (kind, 60))
    assert (waiting["state"], waiting["elapsed_s"]) == ("held", 1800)
