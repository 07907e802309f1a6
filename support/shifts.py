"""Shifts and leave as a roster has them, and how people write their parts."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time

from support.calendar import DAYS
from support.errors import InputError, shortened
from support.timeline import FIRST_YEAR, LAST_YEAR

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_FIRST, _LAST = date(FIRST_YEAR + 1, 1, 1), date(LAST_YEAR - 1, 12, 31)


@dataclass(frozen=True, slots=True)
class Shift:
    """Working hours by the clock on the wall where the agent works.

    It belongs to the date on which it starts; one that ends at or before its start ends on the next
    date, so 00:00 to 00:00 is a whole day. It is worked on every date from `first` to `last` (None:
    without limit) whose weekday is one of `weekdays`. A public holiday takes it away, unless
    `on_holidays`.
    """

    starts: time
    ends: time
    weekdays: tuple[str, ...] = DAYS
    first: date | None = None
    last: date | None = None
    on_holidays: bool = False

    def on(self, day: date, *, holiday: bool) -> bool:
        """Whether it starts on `day`."""
        return (
            DAYS[day.weekday()] in self.weekdays
            and (self.first is None or self.first <= day)
            and (self.last is None or day <= self.last)
            and (self.on_holidays or not holiday)
        )

    @property
    def words(self) -> str:
        """When it is worked, as people say it."""
        hours = f"{self.starts:%H:%M}-{self.ends:%H:%M}"
        if self.first is not None and self.first == self.last:
            days = self.first.isoformat()
        else:
            limits = [f"from {self.first}"] if self.first else []
            limits += [f"until {self.last}"] if self.last else []
            days = " ".join([",".join(self.weekdays), *limits])
        return f"{days} {hours}" + (" also on holidays" if self.on_holidays else "")


@dataclass(frozen=True, slots=True)
class Leave:
    """Time off in [starts_at, ends_at), whatever the shifts say; None: until further notice."""

    starts_at: datetime
    ends_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether the agent is off at `at`."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


def recurring(
    weekdays: str,
    hours: str,
    *,
    first: str = "",
    last: str = "",
    on_holidays: bool = False,
) -> Shift:
    """Return the shift of `mon-fri` or `mon,wed` and `09:00-17:00`; InputError says what is wrong.

    `first` and `last` are the dates it is valid from and until, both included; empty: no limit.
    """
    starts, ends = read_hours(hours)
    since, until = (read_date(text) if text else None for text in (first, last))
    if since is not None and until is not None and until < since:
        raise InputError(f"the shift would end on {until}, before it begins on {since}")
    return Shift(starts, ends, read_weekdays(weekdays), since, until, on_holidays)


def dated(day: str, hours: str) -> Shift:
    """Return the shift of one date, worked also if that is a holiday: who names a date means it."""
    starts, ends = read_hours(hours)
    only = read_date(day)
    return Shift(starts, ends, DAYS, only, only, on_holidays=True)


def read_weekdays(text: str) -> tuple[str, ...]:
    """Read `mon-fri`, `mon,wed,sun` or both at once; a span may run over Sunday (`sat-mon`)."""
    found: set[str] = set()
    for part in text.lower().split(","):
        since, dash, until = (word.strip() for word in part.partition("-"))
        until = until if dash else since
        if since not in DAYS or until not in DAYS:
            raise InputError(
                f"{shortened(text)} is no list of weekdays: write mon-fri, or {','.join(DAYS)}"
            )
        begin, length = DAYS.index(since), (DAYS.index(until) - DAYS.index(since)) % 7
        found |= {DAYS[(begin + step) % 7] for step in range(length + 1)}
    return tuple(day for day in DAYS if day in found)


def read_hours(text: str) -> tuple[time, time]:
    """Read `09:00-17:00`; 24:00 may end a shift and is midnight."""
    starts, _, ends = (word.strip() for word in text.partition("-"))
    since = _CLOCK.fullmatch(starts)
    until = _CLOCK.fullmatch("00:00" if ends == "24:00" else ends)
    if since is None or until is None:
        raise InputError(f"{shortened(text)} are no hours: write 09:00-17:00, or 22:00-06:00")
    return (
        time(int(since[1]), int(since[2])),
        time(int(until[1]), int(until[2])),
    )


def read_date(text: str) -> date:
    """Read `2026-12-24`, within the years in which calendars reckon."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{shortened(text)} is no date: write 2026-12-24") from error
    if not _FIRST <= day <= _LAST:
        raise InputError(f"{day} is too far off: give a date from {_FIRST} to {_LAST}")
    return day
