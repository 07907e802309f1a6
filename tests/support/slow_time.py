"""Business time the slow way, to hold the fast one against: it looks at every single tick.

Nothing here shares code with `support`. A tick is a second, or a minute where everything (windows,
offsets and instants) lies on whole minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Form = Mapping[str, Any]


def seconds_of(at: datetime) -> int:
    """Whole seconds since 1970."""
    return int((at - EPOCH).total_seconds())


def at_second(value: int) -> datetime:
    """The instant."""
    return EPOCH + timedelta(seconds=value)


class SlowCalendar:
    """A calendar that looks at the clock on the wall."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._zone = ZoneInfo(form["tz"])
        self._days: dict[date, list[tuple[int, int]]] = {}

    def is_open(self, second: int) -> bool:
        """Whether the clock shows a time inside a window of this date or of the one before."""
        shown = datetime.fromtimestamp(second, self._zone)
        of_day = shown.hour * 3600 + shown.minute * 60 + shown.second
        today = shown.date()
        return any(
            start <= of_day + late < end
            for day, late in ((today, 0), (today - timedelta(days=1), 86_400))
            for start, end in self._windows(day)
        )

    def tick(self, start: int, end: int) -> int:
        """A minute where the zone has offsets of whole minutes all the while, else a second."""
        for second in {*range(start, end, 3600), end}:
            offset = datetime.fromtimestamp(second, self._zone).utcoffset()
            assert offset is not None
            if offset.total_seconds() % 60:
                return 1
        return 1 if start % 60 or end % 60 else 60

    def _windows(self, day: date) -> list[tuple[int, int]]:
        if day not in self._days:
            self._days[day] = list(self._read(day))
        return self._days[day]

    def _read(self, day: date) -> Iterator[tuple[int, int]]:
        windows = self._form["overrides"].get(day.isoformat())
        if windows is None:
            closed = day.isoformat() in self._form["holidays"]
            windows = [] if closed else self._form["hours"].get(DAYS[day.weekday()], [])
        for since, until in windows:
            start, end = _clock(since), _clock(until)
            yield start, end if end > start else end + 86_400

    def between(self, start: int, end: int) -> int:
        """Open seconds in [start, end)."""
        tick = self.tick(start, end)
        return sum(tick for second in range(start, end, tick) if self.is_open(second))

    def add(self, start: int, duration: int, limit: int) -> int | None:
        """The earliest second with `duration` open seconds since `start`, None beyond `limit`."""
        tick = 1 if duration % 60 else self.tick(start, limit)
        left, second = duration, start
        while left > 0:
            if second >= limit:
                return None
            left -= tick if self.is_open(second) else 0
            second += tick
        return second


def _clock(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


@dataclass
class SlowClock:
    """A clock that counts tick by tick; `counted` grows as it is looked at."""

    counted: int = 0
    reached: dict[int, int] = field(default_factory=dict)
    """When each amount of counted seconds was first reached."""


@dataclass(frozen=True)
class Happening:
    """What happens at a second: `name` as in the oracles, for a change with calendar and target.

    What happens to a callback names it in `ref`; a request promises `window` seconds, 0 for none.
    """

    second: int
    name: str
    calendar: int = 0
    target: int = 0
    ref: str = ""
    window: int = 0


def resolution(
    happenings: Sequence[Happening], calendars: Sequence[SlowCalendar], end: int, tick: int
) -> tuple[SlowClock, int | None]:
    """Walk a resolution clock from the first happening to `end`; when it stopped, if it did."""
    clock, paused, stopped, calendar = SlowClock(), False, None, calendars[0]
    waiting = list(happenings)
    for second in range(happenings[0].second, end + tick, tick):
        while waiting and waiting[0].second <= second:
            now = waiting.pop(0)
            if now.name == "changed":
                calendar = calendars[now.calendar]
            elif now.name == "resolved":
                stopped = second if stopped is None else stopped
            elif now.name in ("paused", "resumed", "reopened"):
                paused, stopped = now.name == "paused", None
        clock.reached.setdefault(clock.counted, second)
        if second < end and not paused and stopped is None and calendar.is_open(second):
            clock.counted += tick
    return clock, stopped


@dataclass
class SlowCallback:
    """A callback that somebody waits for, looked at tick by tick."""

    ref: str
    asked: int
    window_end: int | None = None
    counted: int = 0
    dialled: int | None = None
    gone: int | None = None
    reached: dict[int, int] = field(default_factory=dict)
    """When each amount of counted seconds was first reached."""

    @property
    def waits(self) -> bool:
        """Neither dialled nor given up."""
        return self.dialled is None and self.gone is None


def callbacks(
    happenings: Sequence[Happening], calendars: Sequence[SlowCalendar], end: int, tick: int
) -> list[SlowCallback]:
    """Walk the callbacks of a ticket from the first happening to `end`; a pause stops them."""
    found: list[SlowCallback] = []
    status, calendar = "resumed", calendars[0]
    waiting = list(happenings)
    for second in range(happenings[0].second, end + tick, tick):
        while waiting and waiting[0].second <= second:
            now = waiting.pop(0)
            if now.name == "changed":
                calendar = calendars[now.calendar]
            elif now.name in _CALLS:
                _call(found, now, closed=status == "closed")
            else:
                status = now.name
        for one in found:
            one.gone = second if one.waits and status == "closed" else one.gone
            one.reached.setdefault(one.counted, second)
            if second < end and one.waits and status != "paused" and calendar.is_open(second):
                one.counted += tick
    return found


_CALLS = ("requested", "dialled", "completed", "cancelled")


def _call(found: list[SlowCallback], now: Happening, *, closed: bool) -> None:
    """Let somebody ask for a callback, dial, or give it up."""
    named = [one for one in found if one.ref == now.ref and one.waits]
    if now.name == "requested" and not closed:
        if not named:
            named = [SlowCallback(now.ref, now.second)]
            found += named
        if now.window:
            named[0].window_end = now.second + now.window
    elif named and now.name == "cancelled":
        named[0].gone = now.second
    elif named and now.name != "requested":
        named[0].dialled = now.second
