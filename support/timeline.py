"""Open time of a calendar as sorted arrays, so that no span is ever walked day by day.

Inside a stretch of constant UTC offset the local clock is UTC plus a constant. Local windows cut to
those stretches and moved by the offset are therefore exactly the instants at which the zone's clock
shows an open time: a repeated hour counts twice, a skipped one not at all. Everything here is in
integer microseconds since 1970-01-01T00:00Z.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from support.errors import CalendarError

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
FIRST_YEAR, LAST_YEAR = 1800, 2199
HORIZON_US = 3653 * DAY_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_EPOCH_ORDINAL = EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)
_PROBE_S = 6 * 3600

Windows = tuple[tuple[int, int], ...]
Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """Which public holidays close a calendar, as the package `holidays` names them."""

    country: str
    subdivision: str | None = None
    categories: tuple[str, ...] = ("public",)


@dataclass(frozen=True, slots=True)
class OpeningRules:
    """What is open, as local wall time: (from, to) in microseconds after local midnight.

    `to` is after `from` and may lie beyond midnight. `week` starts on Monday. `overrides` replace
    the day's windows, also those of a holiday.
    """

    tz: str
    week: tuple[Windows, ...]
    holidays: frozenset[date]
    overrides: tuple[tuple[date, Windows], ...]
    public_holidays: PublicHolidays | None


def to_us(at: datetime) -> int:
    """Microseconds since the epoch of an aware instant, else CalendarError."""
    if at.tzinfo is None:
        raise CalendarError(f"instant {at.isoformat()} has no time zone: give it with its offset")
    return (at - EPOCH) // _MICROSECOND


def from_us(value: int) -> datetime:
    """Return the aware UTC instant of microseconds since the epoch."""
    return EPOCH + value * _MICROSECOND


def _year_start(year: int) -> int:
    return (date(year, 1, 1).toordinal() - _EPOCH_ORDINAL) * DAY_US


def _offset_s(zone: ZoneInfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    assert offset is not None  # noqa: S101  ZoneInfo knows the offset of every instant
    return offset.days * 86_400 + offset.seconds


@lru_cache(maxsize=2048)
def offsets(tz: str, year: int) -> tuple[tuple[int, int, int], ...]:
    """Return the year's stretches (from, to, offset) of constant offset.

    The zone is probed every 6 hours and each change is then bisected to the second.
    """
    zone = ZoneInfo(tz)
    start, end = _year_start(year) // SECOND_US, _year_start(year + 1) // SECOND_US
    stretches = []
    since, offset = start, _offset_s(zone, start)
    known = start
    for probe in range(start + _PROBE_S, end + _PROBE_S, _PROBE_S):
        at = min(probe, end - 1)
        while _offset_s(zone, at) != offset:
            before, after = known, at
            while after - before > 1:
                middle = (before + after) // 2
                if _offset_s(zone, middle) == offset:
                    before = middle
                else:
                    after = middle
            stretches.append((since, after, offset))
            since, offset, known = after, _offset_s(zone, after), after
        known = at
    stretches.append((since, end, offset))
    return tuple((a * SECOND_US, b * SECOND_US, o * SECOND_US) for a, b, o in stretches)


@lru_cache(maxsize=2048)
def public_days(rule: PublicHolidays, year: int) -> Mapping[date, str]:
    """Return the year's public holidays with their names."""
    return dict(
        holidays.country_holidays(
            rule.country, subdiv=rule.subdivision, years=year, categories=rule.categories
        ).items()
    )


@lru_cache(maxsize=2048)
def _public_ordinals(rule: PublicHolidays, year: int) -> frozenset[int]:
    """Return the proleptic ordinals of the year's public holidays."""
    return frozenset(day.toordinal() for day in public_days(rule, year))


def utc_spans(local: Spans, tz: str, year: int) -> Spans:
    """Return the instants of one UTC year at which a clock of `tz` shows a time in `local`.

    `local` holds spans of local wall time, sorted and apart, in microseconds since 1970 by that
    clock.
    """
    ends = [end for _, end in local]
    spans: Spans = []
    for since, until, offset in offsets(tz, year):
        low, high = since + offset, until + offset
        for i in range(bisect_right(ends, low), len(local)):
            start, end = local[i]
            if start >= high:
                break
            spans.append((max(start, low) - offset, min(end, high) - offset))
    return merged(spans)


def local_midnight(day: date) -> int:
    """Microseconds since 1970 by the local clock at the start of `day`."""
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY_US


def merged(spans: Spans) -> Spans:
    """Return the spans sorted, with those that overlap or touch made one."""
    joined: Spans = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


@dataclass(frozen=True, slots=True)
class _Table:
    """Open spans of whole years, with the open time up to the end of each.

    `deserts` are the stretches without open time that are longer than the horizon.
    """

    first_year: int
    last_year: int
    start: int
    end: int
    starts: list[int]
    ends: list[int]
    total: list[int]
    deserts: Spans

    def open_before(self, at: int) -> int:
        """Open time between the table's start and `at`, which it covers."""
        i = bisect_right(self.starts, at) - 1
        if i < 0:
            return 0
        left = self.ends[i] - at
        return self.total[i] - left if left > 0 else self.total[i]


class Timeline:
    """Open time of one set of rules; grows by whole years as it is asked.

    Tables are replaced, never changed, so threads may share a timeline: at worst a year is built
    twice.
    """

    __slots__ = ("_closed", "_overrides", "_rules", "_table")

    def __init__(self, rules: OpeningRules) -> None:
        self._rules = rules
        self._closed = frozenset(day.toordinal() for day in rules.holidays)
        self._overrides = {day.toordinal(): windows for day, windows in rules.overrides}
        self._table: _Table | None = None

    def between(self, start: int, end: int) -> int:
        """Open time in [start, end); 0 where `end` is not after `start`."""
        if end <= start:
            return 0
        table = self._covering(start, end)
        return table.open_before(end) - table.open_before(start)

    def add(self, start: int, duration: int) -> int:
        """Return the earliest instant with `duration` (more than 0) of open time since `start`."""
        table = self._covering(start, start)
        wanted = table.open_before(start) + duration
        while not table.total or table.total[-1] < wanted:
            table = self._grown(table, start)
        i = bisect_left(table.total, wanted)
        _check_reachable(table, start, table.starts[i])
        return table.ends[i] - (table.total[i] - wanted)

    def spans(self, start: int, end: int) -> Spans:
        """Open spans cut to [start, end), in order."""
        if end <= start:
            return []
        table = self._covering(start, end)
        first, last = bisect_right(table.ends, start), bisect_left(table.starts, end)
        return merged(
            [(max(table.starts[i], start), min(table.ends[i], end)) for i in range(first, last)]
        )

    def is_open(self, at: int) -> bool:
        """Whether `at` is open."""
        table = self._covering(at, at)
        i = bisect_right(table.starts, at) - 1
        return i >= 0 and at < table.ends[i]

    def next_open(self, at: int) -> int:
        """`at` if it is open, else the next opening."""
        table = self._covering(at, at)
        while not table.ends or table.ends[-1] <= at:
            table = self._grown(table, at)
        i = bisect_right(table.ends, at)
        _check_reachable(table, at, table.starts[i])
        return max(at, table.starts[i])

    def _grown(self, table: _Table, start: int) -> _Table:
        """Return the table with one year more, else CalendarError where nothing is in sight."""
        last_open = max(start, table.ends[-1]) if table.ends else start
        if table.end - last_open >= HORIZON_US:
            raise _nothing_after(last_open)
        return self._covering(table.start, table.end)

    def _covering(self, start: int, end: int) -> _Table:
        """Return a table that covers both instants."""
        table = self._table
        if table is not None and table.start <= start and end < table.end:
            return table
        first, last = self._year(start), self._year(end)
        if table is None:
            table = self._built(first, last)
        else:
            if first < table.first_year:
                table = _joined(self._built(first, table.first_year - 1), table)
            if last > table.last_year:
                table = _joined(table, self._built(table.last_year + 1, last))
        self._table = table
        return table

    @staticmethod
    def _year(at: int) -> int:
        """UTC year of an instant, else CalendarError outside the years that are kept."""
        if not _FIRST_US <= at < _END_US:
            raise CalendarError(
                f"calendars reckon from the year {FIRST_YEAR} to {LAST_YEAR}: "
                "the instant or the deadline asked for lies outside"
            )
        return from_us(at).year

    def _built(self, first: int, last: int) -> _Table:
        """Table of the years `first` to `last`."""
        spans: Spans = []
        for year in range(first, last + 1):
            spans.extend(self._year_spans(year))
        total, running = [], 0
        for start, end in spans:
            running += end - start
            total.append(running)
        starts, ends = [span[0] for span in spans], [span[1] for span in spans]
        start, end = _year_start(first), _year_start(last + 1)
        return _Table(first, last, start, end, starts, ends, total, _deserts(start, starts, ends))

    def _year_spans(self, year: int) -> Spans:
        """Open spans of one UTC year."""
        return utc_spans(self._local_spans(year), self._rules.tz, year)

    def _local_spans(self, year: int) -> Spans:
        """Local windows of the year and of the days around it that may reach into it."""
        rules = self._rules
        closed = self._closed
        if rules.public_holidays is not None:
            for near in (year - 1, year, year + 1):
                closed |= _public_ordinals(rules.public_holidays, near)
        first = date(year, 1, 1).toordinal()
        spans: Spans = []
        for ordinal in range(first - 2, date(year, 12, 31).toordinal() + 3):
            windows = self._overrides.get(ordinal)
            if windows is None:
                if ordinal in closed:
                    continue
                windows = rules.week[(ordinal - 1) % 7]
            midnight = (ordinal - _EPOCH_ORDINAL) * DAY_US
            spans.extend((midnight + start, midnight + end) for start, end in windows)
        return merged(spans)


def _joined(earlier: _Table, later: _Table) -> _Table:
    """One table of two that follow each other."""
    base = earlier.total[-1] if earlier.total else 0
    starts, ends = earlier.starts + later.starts, earlier.ends + later.ends
    return _Table(
        earlier.first_year,
        later.last_year,
        earlier.start,
        later.end,
        starts,
        ends,
        earlier.total + [base + value for value in later.total],
        _deserts(earlier.start, starts, ends),
    )


def _deserts(start: int, starts: list[int], ends: list[int]) -> Spans:
    """Stretches between openings, and before the first, that are longer than the horizon."""
    return [
        (end, following)
        for end, following in zip([start, *ends], starts, strict=False)
        if following - end > HORIZON_US
    ]


def _check_reachable(table: _Table, start: int, opening: int) -> None:
    """Refuse an opening beyond a desert, as if the table did not happen to reach over it."""
    for since, until in table.deserts:
        last_open = max(since, start)
        if until <= opening and until - last_open > HORIZON_US:
            raise _nothing_after(last_open)


def _nothing_after(last_open: int) -> CalendarError:
    after = from_us(last_open).isoformat()
    return CalendarError(
        f"the calendar has no open time within ten years after {after}: "
        "give it hours or an override",
        after=after,
    )


_FIRST_US, _END_US = _year_start(FIRST_YEAR), _year_start(LAST_YEAR + 1)


@lru_cache(maxsize=256)
def timeline_of(rules: OpeningRules) -> Timeline:
    """Return the one timeline of these rules, shared by equal calendars."""
    return Timeline(rules)
