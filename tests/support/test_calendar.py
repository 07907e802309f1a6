"""Business time against cases from elsewhere with known answers, and by its own laws."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.calendar import BusinessCalendar, instant_of_reading
from support.errors import CalendarError

OWN = Path(__file__).parent / "oracles" / "business_time.json"
PEERS = Path(__file__).parents[3] / "shared" / "oracles" / "business_time_peers.json"
OFFICE = {
    "tz": "Europe/Stockholm",
    "hours": {day: [["08:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "tue", "wed")},
    "public_holidays": {"country": "SE"},
}


def cases(part: str) -> list[Any]:
    files = [file for file in (OWN, PEERS) if file.exists()]
    found = [case for file in files for case in json.loads(file.read_text()).get(part, [])]
    return [pytest.param(case, id=case["id"]) for case in found]


@pytest.mark.parametrize("case", cases("cases"))
def test_business_time_agrees_with_the_oracles(case: Any) -> None:
    calendar = BusinessCalendar.from_dict(case["calendar"])
    start = datetime.fromisoformat(case["start"])
    if case["op"] == "between":
        end = datetime.fromisoformat(case["end"])
        assert calendar.between(start, end) == timedelta(seconds=case["expect_seconds"])
    elif "expect_error" in case:
        with pytest.raises(CalendarError):
            calendar.add(start, timedelta(seconds=case["seconds"]))
    else:
        got = calendar.add(start, timedelta(seconds=case["seconds"]))
        assert got == datetime.fromisoformat(case["expect"])


@pytest.mark.parametrize("case", cases("local_times"))
def test_local_readings_mean_the_instants_of_the_oracles(case: Any) -> None:
    reading = datetime.fromisoformat(case["local"])
    for fold in (0, 1):
        if f"fold{fold}" in case:
            got = instant_of_reading(reading.replace(fold=fold), case["tz"])
            assert got == datetime.fromisoformat(case[f"fold{fold}"])


instants = st.datetimes(
    min_value=datetime(2015, 1, 1),  # noqa: DTZ001  the strategy adds the zone
    max_value=datetime(2035, 1, 1),  # noqa: DTZ001  the strategy adds the zone
    timezones=st.just(UTC),
)


@given(start=instants, seconds=st.integers(1, 2_000_000))
def test_what_is_added_has_passed_and_not_a_moment_earlier(start: datetime, seconds: int) -> None:
    calendar = BusinessCalendar.from_dict(OFFICE)
    duration = timedelta(seconds=seconds)
    end = calendar.add(start, duration)
    assert calendar.between(start, end) == duration
    assert calendar.between(start, end - timedelta(microseconds=1)) < duration


@given(first=instants, second=instants, third=instants)
def test_open_time_adds_up(first: datetime, second: datetime, third: datetime) -> None:
    calendar = BusinessCalendar.from_dict(OFFICE)
    a, b, c = sorted((first, second, third))
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)


@given(at=instants)
def test_the_next_opening_is_open_and_nothing_is_before_it(at: datetime) -> None:
    calendar = BusinessCalendar.from_dict(OFFICE)
    opening = calendar.next_open(at)
    assert calendar.is_open(opening)
    assert calendar.between(at, opening) == timedelta(0)


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ({}, "tz"),
        ({"tz": "Mars/Olympus", "hours": "24/7"}, "Mars/Olympus"),
        ({"tz": "UTC", "hours": {"funday": []}}, "funday"),
        ({"tz": "UTC", "hours": {"mon": [["8", "17:00"]]}}, "hours.mon"),
        ({"tz": "UTC", "hours": "24/7", "colour": "red"}, "colour"),
        ({"tz": "UTC", "hours": "24/7", "public_holidays": {"country": "XX"}}, "public_holidays"),
        ({"tz": "UTC", "hours": "24/7", "holidays": ["24 Dec"]}, "24 Dec"),
    ],
)
def test_a_malformed_calendar_is_refused_with_what_is_wrong(form: Any, named: str) -> None:
    with pytest.raises(CalendarError, match=named):
        BusinessCalendar.from_dict(form)


def test_no_open_time_is_an_error_at_once() -> None:
    calendar = BusinessCalendar.from_dict({"tz": "UTC", "hours": {}})
    with pytest.raises(CalendarError):
        calendar.add(datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=1))
    with pytest.raises(CalendarError):
        calendar.next_open(datetime(2026, 1, 1, tzinfo=UTC))


def test_an_opening_too_far_off_is_refused_whatever_was_asked_before() -> None:
    form = {"tz": "UTC", "hours": {}, "overrides": {"2050-01-05": [["08:00", "09:00"]]}}
    calendar = BusinessCalendar.from_dict(form)
    early, near = datetime(2026, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)
    for _ in range(2):
        with pytest.raises(CalendarError, match="ten years after 2026"):
            calendar.add(early, timedelta(minutes=1))
        with pytest.raises(CalendarError, match="ten years after 2026"):
            calendar.next_open(early)
        assert calendar.next_open(near) == datetime(2050, 1, 5, 8, tzinfo=UTC)
        assert calendar.between(early, datetime(2051, 1, 1, tzinfo=UTC)) == timedelta(hours=1)
        with pytest.raises(CalendarError, match="ten years after 2050"):
            calendar.add(near, timedelta(hours=1, seconds=1))


def test_the_openings_add_up_to_the_open_time() -> None:
    calendar = BusinessCalendar.from_dict(OFFICE)
    start, end = datetime(2025, 12, 29, 9, 30, tzinfo=UTC), datetime(2026, 1, 7, 9, tzinfo=UTC)
    openings = calendar.openings(start, end)
    assert openings[0][0] == start
    lengths = (until - since for since, until in openings)
    assert sum(lengths, timedelta(0)) == calendar.between(start, end)
