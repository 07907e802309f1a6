"""The proof of a ticket's clocks as one page that needs nothing else: a bar and a table each."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub.templating import templates_in
from support.cases import Answer, Case, ClockAnswer
from support.duration import show_hours
from support.policy import Metric
from support.proof import Stretch, Why

WIDTH = 1000
"""Units of a bar's width."""
_HAIR = 1.5
"""Least width of a stretch that has a length, so that it can be seen."""

_PAGES = templates_in(Path(__file__).parent / "templates")


def proof_page(case: Case, answer: Answer, title: str) -> str:
    """Return the page as HTML, times on the clock of the case's calendar."""
    tz = case.calendar.rules.tz
    metrics = [
        {
            "title": _title(metric, number, len(cycles), cycle.clock.ref),
            "bar": _bar(cycle, case, tz),
            **_figures(cycle, case, tz),
        }
        for metric, cycles in answer.metrics.items()
        for number, cycle in enumerate(cycles)
    ]
    idle = [_words(metric) for metric, cycles in answer.metrics.items() if not cycles]
    return _PAGES.get_template("proof.html").render(
        title=title,
        tz=tz,
        at=_local(case.at, tz),
        next_due=_local(answer.next_due, tz),
        metrics=metrics,
        idle=idle,
        legend=[str(why) for why in Why],
        width=WIDTH,
    )


def _words(metric: Metric) -> str:
    return str(metric).replace("_", " ").capitalize()


def _title(metric: Metric, number: int, cycles: int, ref: str) -> str:
    what = f"{_words(metric)} {ref}".rstrip()
    return what + (f", exchange {number + 1} of {cycles}" if cycles > 1 else "")


def _figures(cycle: ClockAnswer, case: Case, tz: str) -> Mapping[str, Any]:
    clock = cycle.clock
    counted = sum((part.counted for part in cycle.proof), timedelta(0))
    return {
        "state": str(clock.state),
        "breached": clock.late(case.at),
        "due": _local(clock.due, tz),
        "target": show_hours(clock.target),
        "consumed": show_hours(clock.consumed),
        "remaining": show_hours(clock.remaining),
        "counted": show_hours(counted),
        "stretches": [_row(part, tz) for part in cycle.proof],
    }


def _row(part: Stretch, tz: str) -> Mapping[str, str]:
    return {
        "since": _local(part.start, tz),
        "until": _local(part.end, tz),
        "why": str(part.why),
        "note": part.note,
        "counted": show_hours(part.counted) if part.counted else "",
    }


def _bar(cycle: ClockAnswer, case: Case, tz: str) -> Mapping[str, Any]:
    """Rectangles of the stretches over time, and where due and now are."""
    clock = cycle.clock
    now = case.at if clock.stopped_at is None else None
    ends = [clock.started_at, *(part.end for part in cycle.proof)]
    ends += [at for at in (clock.due, now) if at is not None]
    whole = (max(ends) - clock.started_at) or timedelta(seconds=1)

    def across(at: datetime) -> float:
        return round((at - clock.started_at) / whole * WIDTH, 2)

    return {
        "parts": _rectangles(cycle.proof, across, tz),
        "due": across(clock.due) if clock.due and clock.due >= clock.started_at else None,
        "now": across(now) if now else None,
        "first": _local(clock.started_at, tz),
        "last": _local(max(ends), tz),
    }


def _rectangles(
    proof: Sequence[Stretch], across: Callable[[datetime], float], tz: str
) -> list[Mapping[str, Any]]:
    """Place the stretches; those without length come last, so that nothing is drawn over them."""
    return [
        {
            "x": across(part.start),
            "width": max(_HAIR, round(across(part.end) - across(part.start), 2)),
            "why": str(part.why),
            "text": f"{_local(part.start, tz)} to {_local(part.end, tz)}: {part.why} {part.note}",
        }
        for part in sorted(proof, key=lambda part: part.start == part.end)
    ]


def _local(at: datetime | None, tz: str) -> str:
    if at is None:
        return "unknown"
    return f"{at.astimezone(ZoneInfo(tz)):%a %Y-%m-%d %H:%M:%S %z}"
