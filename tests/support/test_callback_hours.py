"""A callback is dispatched only where window, calendar, calling hours and list all allow it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.calendar import BusinessCalendar
from support.callback_hours import Dispatchable, Never, NeverWhy, next_dispatch
from support.callback_life import opened_callback
from support.callbacks import USUAL_LIMITS, CallbackState, CallbackStatus, Window
from support.calling_hours import LEGAL_HOURS, CallingHours
from tests.support.calling import HOUR, MINUTE, requested, utc
from tests.support.slow_time import SlowCalendar, seconds_of

OFFICE_FORM = {
    "tz": "Europe/Stockholm",
    "hours": {day: [["08:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "overrides": {},
    "holidays": [],
}
OFFICE = BusinessCalendar.from_dict(OFFICE_FORM)
ALWAYS = BusinessCalendar.from_dict({"tz": "UTC", "hours": "24/7"})
FRIDAY = utc("2026-03-27T10:00")
"""11:00 in Stockholm, two days before the clock goes forward."""


def callback(at: datetime = FRIDAY, window: Window | None = None, **more: Any) -> CallbackState:
    event = requested(at, window or Window(), **more)
    return opened_callback(event, "acme", "CB-1", at, USUAL_LIMITS)


def opens(state: CallbackState, at: datetime, **more: Any) -> Dispatchable | Never:
    given = {"office": OFFICE, "legal": LEGAL_HOURS, "do_not_call": False, **more}
    return next_dispatch(state, at, **given)


def test_an_open_office_and_a_waking_customer_are_called_at_once() -> None:
    assert opens(callback(), FRIDAY) == Dispatchable(FRIDAY, utc("2026-03-27T16:00"))


def test_closing_time_is_no_longer_open_and_the_clock_change_is_heeded() -> None:
    found = opens(callback(), utc("2026-03-27T16:00"))
    assert found == Dispatchable(utc("2026-03-30T06:00"), utc("2026-03-30T15:00"))


def test_the_customers_zone_counts_not_that_of_the_office() -> None:
    state = callback(country="US", zone="America/New_York")
    assert opens(state, FRIDAY) == Dispatchable(utc("2026-03-27T12:00"), utc("2026-03-27T16:00"))
    far = callback(country="US", zone="America/Los_Angeles")
    assert opens(far, FRIDAY) == Dispatchable(utc("2026-03-27T15:00"), utc("2026-03-27T16:00"))


def test_where_office_and_calling_hours_never_meet_nobody_is_called() -> None:
    far = callback(country="NZ", zone="Pacific/Auckland")
    sydney = CallingHours.from_dict({"NZ": {"hours": {"mon": [["10:00", "15:00"]]}, "source": "s"}})
    assert opens(far, FRIDAY, legal=sydney) == Never(NeverWhy.EXPIRES_FIRST)


def test_a_window_is_kept_to_and_its_end_is_outside() -> None:
    start, end = utc("2026-03-27T12:00"), utc("2026-03-27T13:00")
    state = callback(window=Window(start, end))
    assert opens(state, FRIDAY) == Dispatchable(start, end)
    before_end = utc("2026-03-27T12:59:59.999999")
    assert opens(state, before_end) == Dispatchable(before_end, end)
    assert opens(state, end) == Never(NeverWhy.WINDOW_OVER)


def test_a_window_in_closed_hours_leaves_no_time_to_call() -> None:
    window = Window(utc("2026-03-28T08:00"), utc("2026-03-28T12:00"))
    assert opens(callback(window=window), FRIDAY) == Never(NeverWhy.WINDOW_OVER)


def test_a_quarantine_is_waited_for() -> None:
    state = replace(callback(), next_retry=FRIDAY + HOUR)
    assert opens(state, FRIDAY) == Dispatchable(FRIDAY + HOUR, utc("2026-03-27T16:00"))


def test_nobody_on_the_list_is_called_and_nobody_whose_callback_ended() -> None:
    assert opens(callback(), FRIDAY, do_not_call=True) == Never(NeverWhy.DO_NOT_CALL)
    ended = replace(callback(), status=CallbackStatus.CANCELLED)
    assert opens(ended, FRIDAY, do_not_call=True) == Never(NeverWhy.ENDED)


def test_what_expires_first_is_not_called() -> None:
    state = replace(callback(), expires_at=utc("2026-03-30T06:00"))
    assert opens(state, utc("2026-03-27T16:00")) == Never(NeverWhy.EXPIRES_FIRST)


ZONES = ["Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
CLOCK = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
WEEK = st.dictionaries(
    st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    st.lists(st.tuples(CLOCK, CLOCK), max_size=2),
    min_size=1,
)
CHANGES = [utc("2026-03-08T00:00"), utc("2026-03-29T00:00"), utc("2026-04-04T12:00")]
MINUTES = st.integers(-2 * 24 * 60, 2 * 24 * 60)


def form(zone: str, week: dict[str, Any]) -> dict[str, Any]:
    return {"tz": zone, "hours": week, "overrides": {}, "holidays": []}


@given(
    change=st.sampled_from(CHANGES),
    shift=MINUTES,
    window=st.tuples(st.none() | st.integers(0, 2000), st.none() | st.integers(1, 2000)),
    retry=st.none() | st.integers(1, 1000),
    offices=st.tuples(st.sampled_from(ZONES), WEEK),
    calls=st.tuples(st.sampled_from(ZONES), WEEK),
    listed=st.sampled_from([False, False, False, False, True]),
)
@settings(max_examples=100, deadline=None)
def test_the_instant_is_the_first_minute_that_a_slow_look_finds(
    *,
    change: datetime,
    shift: int,
    window: tuple[int | None, int | None],
    retry: int | None,
    offices: tuple[str, dict[str, Any]],
    calls: tuple[str, dict[str, Any]],
    listed: bool,
) -> None:
    at = change + shift * MINUTE
    start = at + window[0] * MINUTE if window[0] is not None else None
    end = (start or at) + window[1] * MINUTE if window[1] is not None else None
    state = replace(
        callback(at, Window(start, end), zone=calls[0]),
        next_retry=at + retry * MINUTE if retry else None,
        expires_at=at + timedelta(days=3),
    )
    hours, legal = form(*offices), form(*calls)
    own = {"SE": {"hours": legal["hours"], "source": "drawn"}}
    found = next_dispatch(
        state,
        at,
        BusinessCalendar.from_dict({"tz": hours["tz"], "hours": hours["hours"]}),
        CallingHours.from_dict(own),
        do_not_call=listed,
    )
    slow = (SlowCalendar(hours), SlowCalendar(legal))

    def allowed(instant: datetime) -> bool:
        second = seconds_of(instant)
        return (
            not listed
            and all(calendar.is_open(second) for calendar in slow)
            and (start is None or start <= instant)
            and (end is None or instant < end)
            and (not state.next_retry or state.next_retry <= instant)
            and instant < state.expires_at
        )

    first = next(
        (at + n * MINUTE for n in range(3 * 24 * 60 + 1) if allowed(at + n * MINUTE)), None
    )
    if isinstance(found, Never):
        assert first is None
    else:
        assert found.at == first
        assert found.at < found.until
        assert all(
            allowed(found.at + n * MINUTE) for n in range((found.until - found.at) // MINUTE)
        )
        assert not allowed(found.until)
