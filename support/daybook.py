"""What is out of the ordinary in a calendar: holidays, overrides, and where the clock changed.

A calendar counts; this names why it does not count, for people who want to check a deadline.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from support.calendar import BusinessCalendar
from support.timeline import (
    OpeningRules,
    Spans,
    from_us,
    local_midnight,
    offsets,
    public_days,
    to_us,
    utc_spans,
)

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class DayKind(StrEnum):
    """Why a date is not like its weekday."""

    HOLIDAY = "holiday"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A date that is not like its weekday. `name` is the holiday's, where it has one.

    `usual` holds the intervals that its weekday would have had, `opened` those that an override
    gives it.
    """

    day: date
    kind: DayKind
    name: str
    usual: tuple[tuple[datetime, datetime], ...]
    opened: tuple[tuple[datetime, datetime], ...]

    @property
    def label(self) -> str:
        """Date, with the name of the holiday."""
        return f"{self.day} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class ClockChange:
    """An instant at which the zone's offset changes, from `before` to `after`."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def moved(self) -> timedelta:
        """How far the clock went forward; negative where it went back."""
        return self.after - self.before

    @property
    def label(self) -> str:
        """Say which readings were skipped or came twice."""
        left, right = sorted((_reading(self.at, self.before), _reading(self.at, self.after)))
        if self.moved > timedelta(0):
            return f"clock forward, {left} to {right} skipped"
        return f"clock back, {left} to {right} twice"


def _reading(at: datetime, offset: timedelta) -> str:
    local = at.replace(tzinfo=None) + offset
    return f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def clock_changes(
    calendar: BusinessCalendar, start: datetime, end: datetime
) -> tuple[ClockChange, ...]:
    """Return where the calendar's clock changed in (start, end)."""
    low, high = to_us(start), to_us(end)
    found, before = [], None
    for year in range(from_us(low).year, from_us(max(low, high)).year + 1):
        for since, _, offset in offsets(calendar.rules.tz, year):
            if before is not None and offset != before and low < since < high:
                found.append(
                    ClockChange(from_us(since), before * _MICROSECOND, offset * _MICROSECOND)
                )
            before = offset
    return tuple(found)


def special_days(
    calendar: BusinessCalendar, start: datetime, end: datetime
) -> tuple[SpecialDay, ...]:
    """Return the holidays and overrides of the local dates that [start, end] touches.

    The date before counts too: its windows may run over midnight. An override wins over a holiday.
    """
    if end < start:
        return ()
    rules, zone = calendar.rules, ZoneInfo(calendar.rules.tz)
    overrides = dict(rules.overrides)
    first, last = start.astimezone(zone).date() - _DAY, end.astimezone(zone).date()
    named = _holidays(rules, first, last)
    found = []
    for day in sorted({*named, *(day for day in overrides if first <= day <= last)}):
        usual = _instants(rules.tz, day, rules.week[day.weekday()])
        if day in overrides:
            opened = _instants(rules.tz, day, overrides[day])
            found.append(SpecialDay(day, DayKind.OVERRIDE, "", usual, opened))
        else:
            found.append(SpecialDay(day, DayKind.HOLIDAY, named[day], usual, ()))
    return tuple(found)


def _holidays(rules: OpeningRules, first: date, last: date) -> Mapping[date, str]:
    """Holidays from `first` to `last` with their names; own ones have none."""
    found: dict[date, str] = {}
    if rules.public_holidays is not None:
        for year in range(first.year, last.year + 1):
            found.update(public_days(rules.public_holidays, year))
    for day in rules.holidays:
        found.setdefault(day, "")
    return {day: name for day, name in found.items() if first <= day <= last}


def _instants(
    tz: str, day: date, windows: Iterable[tuple[int, int]]
) -> tuple[tuple[datetime, datetime], ...]:
    midnight = local_midnight(day)
    local: Spans = [(midnight + start, midnight + end) for start, end in windows]
    return tuple((from_us(start), from_us(end)) for start, end in _in_utc(local, tz, day))


def _in_utc(local: Spans, tz: str, day: date) -> Iterator[tuple[int, int]]:
    """Instants of local spans of a date, whose UTC year may be the one before or after."""
    if not local:
        return
    for year in sorted({(day + step * _DAY).year for step in (-1, 0, 2)}):
        yield from utc_spans(local, tz, year)
