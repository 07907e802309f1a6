"""When one agent works: shifts in the agent's own zone, without the holidays and the leave.

Shifts are local wall time, as the hours of a business calendar: an agent is on shift exactly when
the clock of the agent's zone shows a time inside a shift. So a night shift is an hour shorter when
summer time begins, and an hour longer when it ends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from support.calendar import BusinessCalendar
from support.errors import CalendarError, InputError
from support.shifts import Leave, Shift
from support.timeline import (
    DAY_US,
    SECOND_US,
    PublicHolidays,
    Spans,
    from_us,
    local_midnight,
    merged,
    public_days,
    to_us,
    utc_spans,
)

Span = tuple[datetime, datetime]

LOOK_AHEAD = timedelta(days=400)
"""How far the next shift is looked for."""
_STRIDE = timedelta(days=40)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Home:
    """Where an agent works: IANA zone, and whose public holidays count, if any."""

    tz: str
    holidays: PublicHolidays | None = None


def read_home(tz: str, country: str = "") -> Home:
    """Return where an agent works; InputError for an unknown zone or country.

    `country` is a code of the package `holidays`, with a subdivision after a dash where that has
    holidays of its own: SE, DE-BY. Empty: no holidays.
    """
    form: dict[str, Any] = {"tz": tz, "hours": {}}
    if country:
        code, _, subdivision = country.partition("-")
        form["public_holidays"] = {"country": code, "subdivision": subdivision or None}
    try:
        rules = BusinessCalendar.from_dict(form).rules
    except CalendarError as error:
        raise InputError(str(error), **error.details) from error
    return Home(rules.tz, rules.public_holidays)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the roster says of one agent's time. Without shifts it is all of it, but for leave."""

    home: Home
    shifts: tuple[Shift, ...] = ()
    leaves: tuple[Leave, ...] = ()

    def spans(self, start: datetime, end: datetime) -> tuple[Span, ...]:
        """Return the agent's time on shift cut to [start, end): aware UTC, in order and apart."""
        since, until = to_us(start), to_us(end)
        if until <= since:
            return ()
        worked = self._worked(start, end) if self.shifts else [(since, until)]
        cut = [(max(a, since), min(b, until)) for a, b in worked if a < until and b > since]
        return tuple((from_us(a), from_us(b)) for a, b in _without(cut, self._leave(until)))

    def on_shift(self, at: datetime) -> bool:
        """Whether the agent is on shift at `at`."""
        return bool(self.spans(at, at + timedelta(microseconds=1)))

    def next_shift(self, after: datetime) -> Span | None:
        """Return the time on shift that holds `after`, from then on, or the next one.

        None: there is none within `LOOK_AHEAD`. Its end is cut there as well.
        """
        last = after + LOOK_AHEAD
        since = after
        while since < last:
            found = self.spans(since, min(since + _STRIDE, last))
            if found:
                begin = found[0][0]
                return self.spans(begin, min(begin + LOOK_AHEAD, last))[0]
            since += _STRIDE
        return None

    def _worked(self, start: datetime, end: datetime) -> Spans:
        """Return what the shifts say around [start, end), before leave."""
        zone = ZoneInfo(self.home.tz)
        first = start.astimezone(zone).date() - 2 * _DAY
        last = end.astimezone(zone).date() + 2 * _DAY
        holidays = _holidays(self.home.holidays, first, last)
        local: Spans = []
        for step in range((last - first).days + 1):
            day = first + step * _DAY
            local.extend(
                _on_the_wall(shift, day)
                for shift in self.shifts
                if shift.on(day, holiday=day in holidays)
            )
        apart = merged(local)
        years = range(start.astimezone(UTC).year, end.astimezone(UTC).year + 1)
        return merged([span for year in years for span in utc_spans(apart, self.home.tz, year)])

    def _leave(self, until: int) -> Spans:
        return merged(
            [
                (to_us(leave.starts_at), until if leave.ends_at is None else to_us(leave.ends_at))
                for leave in self.leaves
            ]
        )


def _on_the_wall(shift: Shift, day: date) -> tuple[int, int]:
    """Return the shift of `day` in microseconds since 1970 by the local clock."""
    starts, ends = (
        (at.hour * 3600 + at.minute * 60 + at.second) * SECOND_US
        for at in (shift.starts, shift.ends)
    )
    midnight = local_midnight(day)
    return midnight + starts, midnight + (ends if ends > starts else ends + DAY_US)


def _holidays(rule: PublicHolidays | None, first: date, last: date) -> Mapping[date, str]:
    if rule is None:
        return {}
    years = range(first.year, last.year + 1)
    return {day: name for year in years for day, name in public_days(rule, year).items()}


def _without(spans: Spans, gaps: Iterable[tuple[int, int]]) -> Spans:
    """Return `spans` less `gaps`; both are sorted and apart."""
    left = spans
    for since, until in gaps:
        left = [
            part
            for a, b in left
            for part in ((a, min(b, since)), (max(a, until), b))
            if part[0] < part[1]
        ]
    return left
