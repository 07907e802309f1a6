"""Time on shift against a clock that is looked at minute by minute, and known cases."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.calendar import DAYS
from support.errors import InputError
from support.roster import Schedule, Span, read_home
from support.shifts import Leave, Shift, dated, read_hours, read_weekdays, recurring

ZONES = ("Europe/Stockholm", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
STOCKHOLM = read_home("Europe/Stockholm", "SE")
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

clocks = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 59)))
# Around both clock changes of Stockholm and New York, and Swedish holidays, in 2026.
starts = st.sampled_from(
    [(3, 7), (3, 28), (4, 2), (4, 4), (6, 18), (10, 3), (10, 24), (10, 31), (12, 23), (12, 30)]
).flatmap(
    lambda day: st.integers(0, 2880).map(
        lambda minutes: datetime(2026, *day, tzinfo=UTC) + timedelta(minutes=minutes)
    )
)
dates = st.integers(0, 400).map(lambda step: date(2025, 12, 20) + step * DAY)
shifts = st.builds(
    Shift,
    clocks,
    clocks,
    st.sets(st.sampled_from(DAYS), min_size=1).map(tuple),
    st.none() | dates,
    st.none() | dates,
    st.booleans(),
)


class SlowRoster:
    """A roster that looks at the clock on the wall; it shares no code with `support`."""

    def __init__(
        self, tz: str, country: str, shifts: Sequence[Shift], leaves: Sequence[Leave]
    ) -> None:
        self._zone, self._shifts, self._leaves = ZoneInfo(tz), shifts, leaves
        self._holidays = (
            set(holidays.country_holidays(country, years=range(2025, 2029))) if country else set()
        )

    def works(self, at: datetime) -> bool:
        if any(
            leave.starts_at <= at and (leave.ends_at is None or at < leave.ends_at)
            for leave in self._leaves
        ):
            return False
        shown = at.astimezone(self._zone)
        now, today = shown.time(), shown.date()
        return not self._shifts or any(
            (self._starts(shift, today) and self._of_today(shift, now))
            or (
                self._starts(shift, today - DAY) and shift.ends <= shift.starts and now < shift.ends
            )
            for shift in self._shifts
        )

    @staticmethod
    def _of_today(shift: Shift, now: time) -> bool:
        return shift.starts <= now and (now < shift.ends or shift.ends <= shift.starts)

    def _starts(self, shift: Shift, day: date) -> bool:
        return (
            NAMES[day.weekday()] in shift.weekdays
            and (shift.first is None or day >= shift.first)
            and (shift.last is None or day <= shift.last)
            and (day not in self._holidays or shift.on_holidays)
        )


def minutes_in(spans: Sequence[Span]) -> list[datetime]:
    found = []
    for since, until in spans:
        at = since
        while at < until:
            found.append(at)
            at += timedelta(minutes=1)
    return found


@given(
    home=st.tuples(st.sampled_from(ZONES), st.sampled_from(("", "SE", "US"))),
    worked=st.lists(shifts, max_size=3),
    start=starts,
    away=st.lists(st.tuples(st.integers(-600, 3000), st.none() | st.integers(1, 900)), max_size=2),
    length=st.integers(1, 2400),
)
def test_who_is_on_shift_is_what_a_clock_on_the_wall_says_every_minute(
    home: tuple[str, str],
    worked: list[Shift],
    start: datetime,
    away: list[tuple[int, int | None]],
    length: int,
) -> None:
    leaves = [
        Leave(
            start + timedelta(minutes=begin),
            None if lasts is None else start + timedelta(minutes=begin + lasts),
        )
        for begin, lasts in away
    ]
    schedule = Schedule(read_home(*home), tuple(worked), tuple(leaves))
    slow = SlowRoster(*home, worked, leaves)
    spans = schedule.spans(start, start + timedelta(minutes=length))
    every = [start + timedelta(minutes=step) for step in range(length)]
    assert minutes_in(spans) == [at for at in every if slow.works(at)]
    assert all(a < b for a, b in spans)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    for at in every[::97]:
        assert schedule.on_shift(at) == slow.works(at)


@given(worked=st.lists(shifts, min_size=1, max_size=3), after=starts)
def test_the_next_shift_begins_on_shift_and_nothing_is_worked_before_it(
    worked: list[Shift], after: datetime
) -> None:
    schedule = Schedule(STOCKHOLM, tuple(worked))
    found = schedule.next_shift(after)
    if found is None:
        assert schedule.spans(after, after + 400 * DAY) == ()
        return
    begin, end = found
    assert begin >= after
    assert schedule.spans(after, begin) == ()
    assert schedule.spans(begin, end) == ((begin, end),)
    assert not schedule.on_shift(end) or end == after + 400 * DAY


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9), (date(2026, 5, 16), 8)]
)
def test_a_night_shift_is_as_long_as_the_clock_makes_it(day: date, hours: int) -> None:
    schedule = Schedule(STOCKHOLM, (dated(day.isoformat(), "22:00-06:00"),))
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ((since, until),) = schedule.spans(midnight, midnight + 2 * DAY)
    assert until - since == hours * HOUR


def test_a_holiday_takes_a_shift_away_unless_it_says_otherwise() -> None:
    christmas = datetime(2026, 12, 25, tzinfo=UTC)
    office = recurring("mon-fri", "08:00-17:00")
    emergency = recurring("mon-fri", "18:00-20:00", on_holidays=True)
    found = Schedule(STOCKHOLM, (office, emergency)).spans(christmas, christmas + DAY)
    assert found == ((christmas + 17 * HOUR, christmas + 19 * HOUR),)
    named = Schedule(STOCKHOLM, (office, dated("2026-12-25", "09:00-12:00")))
    assert named.spans(christmas, christmas + DAY) == (
        (christmas + 8 * HOUR, christmas + 11 * HOUR),
    )
    abroad = Schedule(read_home("Europe/Stockholm"), (office,))
    assert abroad.on_shift(christmas + 12 * HOUR)


def test_an_agent_with_a_shift_that_is_over_works_no_more() -> None:
    schedule = Schedule(STOCKHOLM, (recurring("mon-sun", "00:00-24:00", last="2026-03-01"),))
    assert schedule.next_shift(datetime(2026, 3, 5, tzinfo=UTC)) is None


def test_whose_leave_has_no_end_has_no_next_shift() -> None:
    at = datetime(2026, 3, 5, tzinfo=UTC)
    assert Schedule(STOCKHOLM, (), (Leave(at),)).next_shift(at) is None
    assert Schedule(STOCKHOLM, (), (Leave(at, at + DAY),)).next_shift(at) == (
        at + DAY,
        at + 400 * DAY,
    )


def test_weekdays_are_read_as_people_write_them() -> None:
    assert read_weekdays("mon-fri") == DAYS[:5]
    assert read_weekdays("Sun, wed") == ("wed", "sun")
    assert read_weekdays("sat-mon") == ("mon", "sat", "sun")
    assert read_hours("22:00-24:00") == (time(22), time(0))
    assert recurring("mon", "22:00-06:00", first="2026-01-01").words == (
        "mon from 2026-01-01 22:00-06:00"
    )
    assert dated("2026-12-24", "08:00-12:00").words == ("2026-12-24 08:00-12:00 also on holidays")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("funday", "09:00-17:00", ""), "funday"),
        (("mon-", "09:00-17:00", ""), "mon-"),
        (("mon", "9-17", ""), "9-17"),
        (("mon", "24:00-17:00", ""), "24:00"),
        (("mon", "09:00-17:00", "tomorrow"), "tomorrow"),
        (("mon", "09:00-17:00", "1700-01-01"), "too far off"),
        (("mon", "09:00-17:00", "2026-02-01"), "before it begins"),
    ],
)
def test_a_malformed_shift_is_refused_with_what_is_wrong(
    words: tuple[str, str, str], named: str
) -> None:
    weekdays, hours, last = words
    with pytest.raises(InputError, match=named):
        recurring(weekdays, hours, first="2026-03-01", last=last)


@pytest.mark.parametrize(("tz", "country"), [("Mars/Olympus", ""), ("UTC", "XX"), ("UTC", "SE-Q")])
def test_an_unknown_zone_or_country_is_refused(tz: str, country: str) -> None:
    with pytest.raises(InputError):
        read_home(tz, country)
