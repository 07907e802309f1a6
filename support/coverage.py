"""How many agents are on shift in each open hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from support.calendar import BusinessCalendar
from support.roster import Span

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CoveredHour:
    """The open part of an hour, and the least number of agents on shift at any time in it."""

    starts_at: datetime
    ends_at: datetime
    agents: int


def coverage(
    agents: Iterable[Sequence[Span]], calendar: BusinessCalendar, start: datetime, end: datetime
) -> tuple[CoveredHour, ...]:
    """Return every open hour of [start, end), which begin an hour after another from `start` on."""
    spans = [span for one in agents for span in one]
    found = []
    since = start
    while since < end:
        until = min(since + HOUR, end)
        openings = calendar.openings(since, until)
        if openings:
            least = min(_least(spans, a, b) for a, b in openings)
            found.append(CoveredHour(openings[0][0], openings[-1][1], least))
        since = until
    return tuple(found)


def _least(spans: Sequence[Span], since: datetime, until: datetime) -> int:
    """Return the least number of spans that hold an instant of [since, until).

    It changes only where a span begins or ends.
    """
    instants = {since, *(end for _, end in spans if since < end < until)}
    return min(sum(a <= at < b for a, b in spans) for at in instants)
