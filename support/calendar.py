"""Business calendars: elapsed time inside open intervals, in any zone, over any clock change.

A calendar is open exactly when its zone's clock shows a date and time inside [from, to) of that
date. A window that ends at or before its start runs over midnight and belongs to the date on which
it starts, so a holiday closes it whole and the date after does not. Overlapping windows are one. An
override replaces its date's windows and wins over a holiday.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

import holidays

from support.errors import CalendarError, InputError
from support.timeline import (
    DAY_US,
    FIRST_YEAR,
    LAST_YEAR,
    SECOND_US,
    OpeningRules,
    PublicHolidays,
    Timeline,
    Windows,
    from_us,
    merged,
    timeline_of,
    to_us,
)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = "24/7"

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_KEYS = {"tz", "hours", "holidays", "overrides", "public_holidays"}
_NO_TIME = timedelta(0)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """When work is done. Equal content makes equal calendars, which share what they computed.

    Instants in are aware, in any zone; instants out are aware UTC.
    """

    rules: OpeningRules
    _timeline: Timeline = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_timeline", timeline_of(self.rules))

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Self:
        """Read a calendar, else CalendarError naming the field.

        `tz` is an IANA name; `hours` maps mon to sun to lists of [from, to] as "HH:MM" (a day left
        out is closed, "24:00" may end a window) or is "24/7"; `holidays` lists closed dates;
        `overrides` maps a date to its windows; `public_holidays` names `country`, and optionally
        `subdivision` and `categories`, of the package `holidays`.
        """
        if not isinstance(form, Mapping):
            raise CalendarError("the calendar must be a mapping with `tz` and `hours`")
        unknown = sorted(str(key) for key in form.keys() - _KEYS)
        if unknown:
            raise CalendarError(
                f"field {unknown[0]!r} is unknown: use {', '.join(sorted(_KEYS))}", field=unknown[0]
            )
        rules = OpeningRules(
            tz=_zone(form.get("tz")),
            week=_week(form.get("hours")),
            holidays=frozenset(_date(day, "holidays") for day in _list(form, "holidays")),
            overrides=_overrides(form.get("overrides") or {}),
            public_holidays=_public_holidays(form.get("public_holidays")),
        )
        return cls(rules)

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """Return the earliest instant at which `duration` of open time has passed since `start`.

        Ending exactly at closing time gives the closing instant; a duration of nothing gives
        `start`, open or not. No open time within ten years is a CalendarError, at once.
        """
        if duration < _NO_TIME:
            raise CalendarError(
                f"duration {duration} is negative: open time is only added forwards"
            )
        at = to_us(start)
        if not duration:
            return from_us(at)
        return from_us(self._timeline.add(at, duration // _MICROSECOND))

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Open time in [start, end); nothing where `end` is not after `start`."""
        return self._timeline.between(to_us(start), to_us(end)) * _MICROSECOND

    def openings(self, start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """Open intervals cut to [start, end), in order; their lengths add up to `between`."""
        spans = self._timeline.spans(to_us(start), to_us(end))
        return tuple((from_us(since), from_us(until)) for since, until in spans)

    def is_open(self, at: datetime) -> bool:
        """Whether `at` is inside an open interval."""
        return self._timeline.is_open(to_us(at))

    def next_open(self, at: datetime) -> datetime:
        """`at` if it is open, else the next opening; CalendarError if none within ten years."""
        return from_us(self._timeline.next_open(to_us(at)))


def instant_of_reading(reading: datetime, tz: str) -> datetime:
    """Instant that a clock of zone `tz` means by a reading without offset.

    A repeated reading means its first occurrence, unless its `fold` is 1; a skipped one moves on by
    the gap (PEP 495).
    """
    return in_utc(reading.replace(tzinfo=ZoneInfo(_zone(tz))))


def in_utc(at: datetime) -> datetime:
    """Return an aware instant in UTC; InputError outside the years that calendars reckon in."""
    try:
        found = at.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise InputError(
            f"{at.isoformat()} is outside the years in which calendars reckon: give a time from "
            f"{FIRST_YEAR} to {LAST_YEAR}"
        )
    return found


def _zone(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise CalendarError(
            "field `tz` is missing: name an IANA zone such as Europe/Stockholm", field="tz"
        )
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError) as error:
        raise CalendarError(
            f"time zone {name!r} in `tz` is unknown: use an IANA name such as Europe/Stockholm",
            field="tz",
        ) from error


def _week(hours: object) -> tuple[Windows, ...]:
    if hours == ALWAYS:
        return (((0, DAY_US),),) * 7
    if not isinstance(hours, Mapping):
        raise CalendarError(
            'field `hours` must map mon to sun to windows, or be "24/7"', field="hours"
        )
    unknown = sorted(str(day) for day in hours.keys() - set(DAYS))
    if unknown:
        raise CalendarError(
            f"day {unknown[0]!r} in `hours` is unknown: use {', '.join(DAYS)}", field="hours"
        )
    return tuple(_windows(hours.get(day) or [], f"hours.{day}") for day in DAYS)


def _windows(listed: object, where: str) -> Windows:
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise CalendarError(f"`{where}` must be a list of [from, to]", field=where)
    spans = []
    for pair in listed:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise CalendarError(
                f"`{where}` must be a list of [from, to], not {pair!r}", field=where
            )
        start, end = _clock(pair[0], where), _clock(pair[1], where)
        if start == DAY_US:
            raise CalendarError(
                f"`{where}` has a window from 24:00: only an end may be", field=where
            )
        spans.append((start, end if end > start else end + DAY_US))
    return tuple(merged(spans))


def _clock(text: object, where: str) -> int:
    """Microseconds after midnight of "HH:MM" or "HH:MM:SS"."""
    if text == "24:00":
        return DAY_US
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise CalendarError(
            f'`{where}` has {text!r} for a time: write it quoted, as "HH:MM"', field=where
        )
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (hours * 3600 + minutes * 60 + seconds) * SECOND_US


def _list(form: Mapping[str, Any], name: str) -> Sequence[object]:
    value = form.get(name) or []
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise CalendarError(f"field `{name}` must be a list of dates", field=name)
    return value


def _date(value: object, where: str) -> date:
    """Read a date, also one that YAML has already read."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise CalendarError(
            f"`{where}` has {value!r} for a date: write it as YYYY-MM-DD", field=where
        ) from error


def _overrides(listed: object) -> tuple[tuple[date, Windows], ...]:
    if not isinstance(listed, Mapping):
        raise CalendarError("field `overrides` must map dates to windows", field="overrides")
    days = {}
    for key, windows in listed.items():
        day = _date(key, "overrides")
        if day in days:
            raise CalendarError(f"`overrides` has {day} twice: keep one", field="overrides")
        days[day] = _windows(windows or [], f"overrides.{day}")
    return tuple(sorted(days.items()))


def _public_holidays(form: object) -> PublicHolidays | None:
    where = "public_holidays"
    if form is None:
        return None
    if not isinstance(form, Mapping) or not isinstance(form.get("country"), str):
        raise CalendarError(f"field `{where}` must name a `country`, such as SE", field=where)
    unknown = sorted(str(key) for key in form.keys() - {"country", "subdivision", "categories"})
    if unknown:
        raise CalendarError(
            f"`{where}.{unknown[0]}` is unknown: use country, subdivision, categories", field=where
        )
    categories = form.get("categories") or ["public"]
    if not isinstance(categories, Sequence) or isinstance(categories, str):
        raise CalendarError(f"`{where}.categories` must be a list, such as [public]", field=where)
    subdivision = form.get("subdivision")
    if not isinstance(subdivision, str | None):
        raise CalendarError(
            f'`{where}.subdivision` must be a code in quotes, such as "BY"', field=where
        )
    rule = PublicHolidays(form["country"], subdivision, tuple(str(name) for name in categories))
    try:
        holidays.country_holidays(rule.country, subdiv=rule.subdivision, categories=rule.categories)
    except (NotImplementedError, ValueError, TypeError) as error:
        raise CalendarError(
            f"`{where}` is not in the package holidays ({error}): "
            "use its country, subdivision and category codes",
            field=where,
        ) from error
    return rule
