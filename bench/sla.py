"""What business time costs: `add` and `between` beside a naive day-walk, and a ticket's clocks.

    .venv/bin/python bench/sla.py            # about 10 seconds
    .venv/bin/python bench/sla.py --quick    # about 2 seconds

Both ways answer the same questions in the same run, and every answer is compared. The naive walk
builds each local date's windows and adds them up. The last line is JSON:
`ten_years_to_month_ratio` is what a span of ten years costs beside one of a month (at most 3), and
`clocks_p50_us` the median of computing all clocks of a ticket from its 20 events (below 200).
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from zoneinfo import ZoneInfo

# Else the package `rules` would be the script beside this one.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from rich.console import Console
from rich.table import Table

from support.calendar import BusinessCalendar
from support.cases import Case, read_case
from support.sla import compute

HOUR, MONTH, TEN_YEARS = timedelta(hours=1), timedelta(days=30), timedelta(days=3652)
SPANS = {"1 h": HOUR, "1 month": MONTH, "10 years": TEN_YEARS}
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
WEEK: list[list[list[str]]] = [[["08:00", "12:00"], ["13:00", "17:00"]]] * 5 + [[], []]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOSED = ("2024-12-24", "2025-12-24", "2026-12-24", "2027-12-24")
FORM: dict[str, Any] = {
    "tz": "Europe/Stockholm",
    "hours": dict(zip(DAYS, WEEK, strict=True)),
    "holidays": list(CLOSED),
}
MOST_RATIO, MOST_CLOCKS_US = 3.0, 200.0

Interval = tuple[datetime, datetime]


class DayWalk:
    """The plain way: build the windows of one date after the other."""

    def __init__(self) -> None:
        self._zone = ZoneInfo(FORM["tz"])
        self._closed = {date.fromisoformat(day) for day in CLOSED}

    def _windows(self, day: date) -> list[Interval]:
        if day in self._closed:
            return []
        return [
            (self._instant(day, start), self._instant(day, end))
            for start, end in WEEK[day.weekday()]
        ]

    def _instant(self, day: date, clock: str) -> datetime:
        reading = datetime(day.year, day.month, day.day, int(clock[:2]), tzinfo=self._zone)
        return reading.astimezone(UTC)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Add up the windows of every date."""
        day, last = start.astimezone(self._zone).date(), end.astimezone(self._zone).date()
        total = timedelta(0)
        while day <= last:
            for since, until in self._windows(day):
                total += max(timedelta(0), min(until, end) - max(since, start))
            day += timedelta(days=1)
        return total

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """Use up the windows of one date after the other."""
        day, left = start.astimezone(self._zone).date(), duration
        while True:
            for since, until in self._windows(day):
                counted = max(timedelta(0), until - max(since, start))
                if counted >= left > timedelta(0):
                    return max(since, start) + left
                left -= counted
            day += timedelta(days=1)


def starts(count: int, seed: int) -> list[datetime]:
    """Return instants within one year."""
    draw = random.Random(seed)
    return [FIRST + timedelta(seconds=draw.randrange(365 * 86_400)) for _ in range(count)]


def per_second(ask: Callable[[datetime], object], at: Sequence[datetime]) -> float:
    """How many questions were answered a second."""
    begun = time.perf_counter()
    for start in at:
        ask(start)
    return len(at) / (time.perf_counter() - begun)


class Span:
    """The questions about one span, whose answers were compared when it was made."""

    def __init__(self, span: timedelta, count: int) -> None:
        calendar, walk = BusinessCalendar.from_dict(FORM), DayWalk()
        self._many = starts(count, seed=1)
        self._few = self._many[: max(3, int(count * MONTH / (30 * span + MONTH)))]
        wanted = calendar.between(FIRST, FIRST + span) or HOUR
        for start in self._few:
            assert calendar.between(start, start + span) == walk.between(start, start + span)
            assert calendar.add(start, wanted) == walk.add(start, wanted)
        self._ours: dict[str, Callable[[datetime], object]] = {
            "add": lambda at: calendar.add(at, wanted),
            "between": lambda at: calendar.between(at, at + span),
        }
        self._walks: dict[str, Callable[[datetime], object]] = {
            "walk_add": lambda at: walk.add(at, wanted),
            "walk_between": lambda at: walk.between(at, at + span),
        }

    def rates(self) -> dict[str, float]:
        """Answers a second, ours and the walk's."""
        ours = {name: per_second(ask, self._many) for name, ask in self._ours.items()}
        walks = {name: per_second(ask, self._few) for name, ask in self._walks.items()}
        return ours | walks


def measure(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Median answers a second by span; each round asks about every span, so load hits all alike."""
    spans = {name: Span(span, count) for name, span in SPANS.items()}
    found = [{name: span.rates() for name, span in spans.items()} for _ in range(rounds)]
    return {
        name: {key: median(rates[name][key] for rates in found) for key in found[0][name]}
        for name in spans
    }


def ticket(start: datetime, draw: random.Random) -> Case:
    """Return a ticket with 20 events over three weeks: talk, pauses, a change of priority."""
    names = ["customer_reply", "agent_reply", "paused", "resumed"] * 4
    names = ["created", *names, "priority_changed", "resolved", "reopened"]
    at = [start + timedelta(seconds=draw.randrange(21 * 86_400)) for _ in names[1:]]
    slow = {"first_response_s": 14_400, "next_response_s": 28_800, "resolution_s": 144_000}
    events = [
        {"at": when.isoformat(), "type": name, "targets": slow}
        for name, when in zip(names, [start, *sorted(at)], strict=True)
    ]
    fast = {name: seconds // 2 for name, seconds in slow.items()}
    asked = start + timedelta(days=22)
    return read_case({"calendar": FORM, "targets": fast, "events": events}, asked)


def clock_costs(count: int, rounds: int) -> list[float]:
    """Microseconds that it took to compute all clocks of a ticket, once for each."""
    draw = random.Random(2)
    tickets = [ticket(start, draw) for start in starts(count, seed=3)]
    for case in tickets:
        compute(case.marks, case.book, case.at)
    costs = []
    for _ in range(rounds):
        for case in tickets:
            begun = time.perf_counter_ns()
            compute(case.marks, case.book, case.at)
            costs.append((time.perf_counter_ns() - begun) / 1000)
    return costs


def cold_us() -> float:
    """Microseconds of the first ten years of a calendar that nothing was asked of yet."""
    fresh = BusinessCalendar.from_dict({**FORM, "tz": "America/St_Johns"})
    begun = time.perf_counter_ns()
    fresh.between(FIRST, FIRST + TEN_YEARS)
    return (time.perf_counter_ns() - begun) / 1000


def main() -> None:
    """Measure, show, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="fewer questions and rounds")
    quick = parser.parse_args().quick
    count, rounds = (300, 9) if quick else (2000, 25)
    cold = cold_us()
    rates = measure(count, rounds)
    costs = clock_costs(100 if quick else 300, rounds)
    p50, p99 = median(costs), quantiles(costs, n=100)[98]
    ratio = max(
        rates["1 month"][question] / rates["10 years"][question] for question in ("add", "between")
    )
    table = Table("span", "add/s", "day-walk", "between/s", "day-walk", title="Answers a second")
    for name, rate in rates.items():
        cells = (rate["add"], rate["walk_add"], rate["between"], rate["walk_between"])
        table.add_row(name, *(f"{value:,.0f}" for value in cells))
    console = Console()
    console.print(table)
    console.print(f"First ten years of a new calendar: {cold / 1000:.0f} ms, once a process")
    console.print(f"All clocks of a ticket with 20 events: p50 {p50:.0f} us, p99 {p99:.0f} us")
    result = {
        "ten_years_to_month_ratio": round(ratio, 2),
        "clocks_p50_us": round(p50, 1),
        "clocks_p99_us": round(p99, 1),
        "cold_ten_years_ms": round(cold / 1000, 1),
        "per_second": {
            name: {key: round(value) for key, value in rate.items()} for name, rate in rates.items()
        },
        "targets_met": ratio <= MOST_RATIO and p50 < MOST_CLOCKS_US,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
