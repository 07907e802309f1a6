"""Business time and clocks against a reference that looks at every tick, over random calendars."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from support.calendar import BusinessCalendar
from support.clock import Clock, ClockState
from support.errors import CalendarError
from support.marks import Mark, MarkKind
from support.model import TicketStatus
from support.policy import Metric, PolicyBook, Terms
from support.proof import proof_of
from support.sla import compute
from tests.support.slow_time import (
    DAYS,
    Happening,
    SlowCalendar,
    at_second,
    callbacks,
    resolution,
    seconds_of,
)

MODERN = (
    "UTC",
    "Europe/Stockholm",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Pacific/Apia",
    "Europe/Dublin",
    "America/Sao_Paulo",
    "Antarctica/Troll",
)
HISTORIC = ("Europe/Amsterdam", "Africa/Monrovia", "America/New_York", "Asia/Singapore")
TURNS = (
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2023, 10, 29, 1, tzinfo=UTC),
    datetime(2024, 3, 10, 7, tzinfo=UTC),
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 4, 6, 15, tzinfo=UTC),
    datetime(2024, 12, 31, 23, tzinfo=UTC),
)
OLD_TURNS = (
    datetime(1883, 11, 18, 17, tzinfo=UTC),
    datetime(1937, 6, 30, 23, 40, tzinfo=UTC),
    datetime(1972, 1, 7, 0, 44, tzinfo=UTC),
    datetime(1905, 6, 1, tzinfo=UTC),
)
clocks = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
windows = st.lists(st.tuples(clocks, clocks | st.just("24:00")).map(list), min_size=0, max_size=3)


@st.composite
def calendars(draw: Any, zones: tuple[str, ...], near: datetime) -> dict[str, Any]:
    """A calendar with windows over midnight, and special days around `near`."""
    dates = st.integers(-2, 3).map(lambda days: (near + timedelta(days=days)).date().isoformat())
    return {
        "tz": draw(st.sampled_from(zones)),
        "hours": {day: draw(windows) for day in DAYS},
        "holidays": draw(st.lists(dates, max_size=2)),
        "overrides": draw(st.dictionaries(dates, windows, max_size=2)),
    }


@st.composite
def minutes_around_a_turn(draw: Any) -> tuple[dict[str, Any], int, int, int]:
    turn = draw(st.sampled_from(TURNS))
    form = draw(calendars(MODERN, turn))
    first, second, third = sorted(draw(st.integers(-2880, 2880)) for _ in range(3))
    base = seconds_of(turn)
    return form, base + first * 60, base + second * 60, base + third * 60


@st.composite
def seconds_around_an_old_turn(draw: Any) -> tuple[dict[str, Any], int, int]:
    turn = draw(st.sampled_from(OLD_TURNS))
    form = draw(calendars(HISTORIC, turn))
    start = seconds_of(turn) + draw(st.integers(-10_000, 5_000))
    return form, start, start + draw(st.integers(0, 12_000))


def fast_between(form: dict[str, Any], start: int, end: int) -> int:
    span = BusinessCalendar.from_dict(form).between(at_second(start), at_second(end))
    assert not span.microseconds
    return int(span.total_seconds())


@settings(max_examples=60)
@given(asked=minutes_around_a_turn())
def test_between_counts_what_the_clock_on_the_wall_shows(
    asked: tuple[dict[str, Any], int, int, int],
) -> None:
    form, start, middle, end = asked
    assert fast_between(form, start, end) == SlowCalendar(form).between(start, end)
    parts = fast_between(form, start, middle) + fast_between(form, middle, end)
    assert parts == fast_between(form, start, end)


@settings(max_examples=60)
@given(asked=seconds_around_an_old_turn())
@example(
    asked=(
        {
            "tz": "Africa/Monrovia",
            "hours": {day: [["00:30", "01:00"]] for day in DAYS},
            "holidays": [],
            "overrides": {},
        },
        63_593_000,
        63_600_000,
    )
)
def test_between_counts_offsets_of_odd_seconds(asked: tuple[dict[str, Any], int, int]) -> None:
    form, start, end = asked
    assert fast_between(form, start, end) == SlowCalendar(form).between(start, end)


@settings(max_examples=60)
@given(asked=minutes_around_a_turn(), minutes=st.integers(1, 1500))
def test_adding_ends_at_the_earliest_tick(
    asked: tuple[dict[str, Any], int, int, int], minutes: int
) -> None:
    form, start, *_ = asked
    calendar, duration = BusinessCalendar.from_dict(form), timedelta(minutes=minutes)
    expected = SlowCalendar(form).add(start, minutes * 60, start + 6 * 86_400)
    try:
        got = calendar.add(at_second(start), duration)
    except CalendarError:
        assert expected is None
        return
    assert expected is None or got == at_second(expected)
    assert expected is not None or got > at_second(start + 6 * 86_400)
    assert calendar.between(at_second(start), got) == duration


@given(asked=minutes_around_a_turn(), more=st.integers(1, 100_000), less=st.integers(1, 100_000))
def test_more_open_time_never_ends_earlier_and_a_later_start_neither(
    asked: tuple[dict[str, Any], int, int, int], more: int, less: int
) -> None:
    form, start, later, _ = asked
    calendar = BusinessCalendar.from_dict(form)
    assume(any(form["hours"].values()))
    short, long = sorted((timedelta(seconds=less), timedelta(seconds=more)))
    begun = at_second(start)
    assert calendar.add(begun, short) <= calendar.add(begun, long)
    assert calendar.add(begun, short) <= calendar.add(at_second(later), short)
    assert calendar.between(begun, at_second(later)) <= at_second(later) - begun
    assert calendar.add(calendar.add(begun, short), long) == calendar.add(begun, short + long)


NAMES = ("paused", "resumed", "resolved", "reopened", "changed")
STATUSES = {
    "paused": TicketStatus.WAITING_CUSTOMER,
    "resumed": TicketStatus.OPEN,
    "resolved": TicketStatus.RESOLVED,
    "reopened": TicketStatus.OPEN,
}


@st.composite
def lives(draw: Any) -> tuple[list[dict[str, Any]], list[Happening], int]:
    """Two calendars, a life in minutes around a change of the clock, and when it is asked."""
    turn = draw(st.sampled_from(TURNS))
    forms = [draw(calendars(MODERN, turn)) for _ in range(2)]
    count = draw(st.integers(0, 7))
    some = st.lists(st.integers(-1440, 1440), min_size=count + 2, max_size=count + 2, unique=True)
    minutes = sorted(draw(some))
    seconds = [seconds_of(turn) + minute * 60 for minute in minutes]
    happenings = [Happening(seconds[0], "created", 0, draw(st.integers(1, 900)) * 60)]
    for second in seconds[1:-1]:
        name = draw(st.sampled_from(NAMES))
        target = draw(st.integers(1, 900)) * 60
        happenings.append(Happening(second, name, draw(st.integers(0, 1)), target))
    return forms, happenings, seconds[-1]


def fast_clock(
    forms: list[dict[str, Any]], happenings: list[Happening], end: int
) -> tuple[Clock, list[Mark]]:
    marks, policies = [], []
    for number, one in enumerate(happenings):
        at = at_second(one.second)
        if one.name in STATUSES:
            marks.append(Mark(at, MarkKind.STATUS, status=STATUSES[one.name]))
            continue
        if one.name == "created":
            marks.append(Mark(at, MarkKind.CREATED))
        policies.append(
            Terms(
                key=str(number),
                calendar_id=f"cal-{one.calendar}",
                calendar=BusinessCalendar.from_dict(forms[one.calendar]),
                targets={Metric.RESOLUTION: timedelta(seconds=one.target)},
            )
        )
        marks.append(Mark(at, MarkKind.TERMS, terms=str(number)))
    book = PolicyBook("test", policies[0].calendar, tuple(policies))
    (clock,) = compute(marks, book, at_second(end))
    return clock, marks


@settings(max_examples=100)
@given(life=lives())
def test_a_clock_counts_what_a_slow_one_counts(
    life: tuple[list[dict[str, Any]], list[Happening], int],
) -> None:
    forms, happenings, end = life
    assume(all(any(form["hours"].values()) for form in forms))
    slow, stopped = resolution(happenings, [SlowCalendar(form) for form in forms], end, tick=60)
    clock, _ = fast_clock(forms, happenings, end)
    assert clock.consumed == timedelta(seconds=slow.counted)
    assert clock.stopped_at == (None if stopped is None else at_second(stopped))
    reached = slow.reached.get(int(clock.target.total_seconds()))
    over = reached is not None and reached < (end if stopped is None else stopped)
    assert clock.late(at_second(end)) == over
    if reached is not None:
        assert clock.due == at_second(reached)


@settings(max_examples=60)
@given(life=lives())
def test_a_proof_leaves_no_hole_and_counts_only_what_is_open(
    life: tuple[list[dict[str, Any]], list[Happening], int],
) -> None:
    forms, happenings, end = life
    assume(all(any(form["hours"].values()) for form in forms))
    clock, marks = fast_clock(forms, happenings, end)
    proof = proof_of(clock, marks, at_second(end))
    assert sum((part.counted for part in proof), timedelta(0)) == clock.consumed
    edges = [clock.started_at, *(part.end for part in proof)]
    assert [part.start for part in proof] == edges[:-1]
    assert edges[-1] == (clock.stopped_at or at_second(end))
    slow = {f"cal-{number}": SlowCalendar(form) for number, form in enumerate(forms)}
    for part in proof:
        if part.why in ("paused", "resolved") or part.start == part.end:
            continue
        for instant in (part.start, part.end - timedelta(seconds=1)):
            is_open = slow[part.calendar_id].is_open(seconds_of(instant))
            assert is_open == (part.why == "counted") == bool(part.counted)


CALLBACKS = {
    "requested": MarkKind.CALLBACK_REQUESTED,
    "dialled": MarkKind.CALLBACK_DIALLED,
    "completed": MarkKind.CALLBACK_COMPLETED,
    "cancelled": MarkKind.CALLBACK_CANCELLED,
}
TOLD = {**STATUSES, "closed": TicketStatus.CLOSED}


@st.composite
def called_lives(draw: Any) -> tuple[list[dict[str, Any]], list[Happening], int]:
    """Like `lives`, with callbacks of two names that are asked for, dialled and cancelled."""
    turn = draw(st.sampled_from(TURNS))
    forms = [draw(calendars(MODERN, turn)) for _ in range(2)]
    count = draw(st.integers(2, 10))
    some = st.lists(st.integers(-1440, 1440), min_size=count + 2, max_size=count + 2, unique=True)
    seconds = [seconds_of(turn) + minute * 60 for minute in sorted(draw(some))]
    happenings = [Happening(seconds[0], "created", 0, draw(st.integers(1, 900)) * 60)]
    names = st.sampled_from([*TOLD, "changed", *CALLBACKS, "requested", "requested", "dialled"])
    for number, second in enumerate(seconds[1:-1]):
        name = draw(names) if number else "requested"
        ref = draw(st.sampled_from(["", "cb-1"])) if name in CALLBACKS else ""
        window = draw(st.sampled_from([0, 1])) * draw(st.integers(1, 2000)) * 60
        happenings.append(
            Happening(
                second,
                name,
                draw(st.integers(0, 1)),
                draw(st.integers(1, 900)) * 60,
                ref,
                window if name == "requested" else 0,
            )
        )
    return forms, happenings, seconds[-1]


def fast_callbacks(
    forms: list[dict[str, Any]], happenings: list[Happening], end: int
) -> tuple[list[Clock], list[Mark]]:
    marks, policies = [Mark(at_second(happenings[0].second), MarkKind.CREATED)], []
    for number, one in enumerate(happenings):
        at = at_second(one.second)
        if one.name in TOLD:
            marks.append(Mark(at, MarkKind.STATUS, status=TOLD[one.name]))
        elif one.name in CALLBACKS:
            promised = at_second(one.second + one.window) if one.window else None
            kind = CALLBACKS[one.name]
            marks.append(Mark(at, kind, callback=one.ref, window_end=promised))
        else:
            policies.append(
                Terms(
                    key=str(number),
                    calendar_id=f"cal-{one.calendar}",
                    calendar=BusinessCalendar.from_dict(forms[one.calendar]),
                    targets={Metric.CALLBACK: timedelta(seconds=one.target)},
                    pause_on={Metric.CALLBACK: frozenset({TicketStatus.WAITING_CUSTOMER})},
                )
            )
            marks.append(Mark(at, MarkKind.TERMS, terms=str(number)))
    book = PolicyBook("test", policies[0].calendar, tuple(policies))
    return list(compute(marks, book, at_second(end))), marks


@settings(max_examples=100)
@given(life=called_lives())
def test_callbacks_count_what_slow_ones_count(
    life: tuple[list[dict[str, Any]], list[Happening], int],
) -> None:
    forms, happenings, end = life
    assume(all(any(form["hours"].values()) for form in forms))
    slow = callbacks(happenings, [SlowCalendar(form) for form in forms], end, tick=60)
    fast, marks = fast_callbacks(forms, happenings, end)
    assert [clock.ref for clock in fast] == [one.ref for one in slow]
    for clock, one in zip(fast, slow, strict=True):
        proof = proof_of(clock, marks, at_second(end))
        assert sum((part.counted for part in proof), timedelta(0)) == clock.consumed
        assert clock.started_at == at_second(one.asked)
        stopped = one.dialled if one.gone is None else one.gone
        assert clock.stopped_at == (None if stopped is None else at_second(stopped))
        assert (clock.state is ClockState.VOID) == (one.gone is not None)
        last = end if stopped is None else stopped
        if one.window_end is None:
            assert clock.consumed == timedelta(seconds=one.counted)
            due = one.reached.get(int(clock.target.total_seconds()))
        else:
            assert clock.consumed == timedelta(seconds=last - one.asked)
            due = one.window_end
            if one.gone is None:
                assert clock.due == at_second(due)
        assert clock.late(at_second(end)) == (due is not None and due < last)


@pytest.mark.parametrize("tz", [*MODERN, *HISTORIC])
def test_round_the_clock_every_second_of_ten_years_counts(tz: str) -> None:
    calendar = BusinessCalendar.from_dict(
        {"tz": tz, "hours": {day: [["00:00", "24:00"]] for day in DAYS}}
    )
    start = datetime(2006, 1, 1, tzinfo=UTC)
    assert calendar.between(start, start + timedelta(days=3653)) == timedelta(days=3653)
