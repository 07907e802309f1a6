"""One SLA clock as it stands, and the stretches of time that it counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.policy import Metric


class ClockState(StrEnum):
    """What a clock does."""

    RUNNING = "running"
    HELD = "held"
    MET = "met"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch over which a clock counted the open time of a calendar; no `end`: it still does."""

    start: datetime
    end: datetime | None
    calendar_id: str
    calendar: BusinessCalendar

    def counted(self, at: datetime) -> timedelta:
        """Open time of the stretch up to `at`."""
        return self.calendar.between(self.start, at if self.end is None else min(self.end, at))


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock as it stands: `consumed` open time of `target`, and the instant it is `due`.

    `due` is None while a hold makes it unknown. A clock met in time has the due it would have had.
    `restarted_at`: a change of policy made it begin anew; the time before is not consumed. `ref`
    names the callback of a clock that waits for one. `voids`: from when to when it was void.
    """

    metric: Metric
    cycle: int
    state: ClockState
    target: timedelta
    started_at: datetime
    stopped_at: datetime | None
    consumed: timedelta
    due: datetime | None
    terms_since: datetime
    segments: tuple[Segment, ...]
    restarted_at: datetime | None = None
    ref: str = ""
    voids: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def remaining(self) -> timedelta:
        """Target less consumed; negative when late."""
        return self.target - self.consumed

    @property
    def unmet(self) -> bool:
        """Whether it waits to be met, running or held."""
        return self.state in (ClockState.RUNNING, ClockState.HELD)

    def instant_of(self, fraction: float) -> datetime | None:
        """Instant at which `fraction` of the target has been consumed, None while unknown."""
        return _instant_of(self.segments, self.target * fraction)

    def late(self, at: datetime) -> bool:
        """Whether it stopped, or stands unmet at `at`, after its due; the due itself is in time."""
        return self.due is not None and (self.stopped_at or at) > self.due


Clocks = tuple[Clock, ...]
Exchange = tuple[Metric, int]
"""Metric and cycle: which clock of a ticket it is."""


def numbers_now(old: Clocks, new: Clocks) -> Mapping[Exchange, Exchange]:
    """Say which exchange each one is now that a late event may have numbered them anew.

    It is the last of its callback that had begun when it began; one that is no more is left out.
    """
    found: dict[Exchange, Exchange] = {}
    for clock in old:
        own = (c for c in new if (c.metric, c.ref) == (clock.metric, clock.ref))
        begun = [c.cycle for c in own if c.started_at <= clock.started_at]
        if begun:
            found[clock.metric, clock.cycle] = (clock.metric, begun[-1])
    return found


def _instant_of(segments: Sequence[Segment], consumed: timedelta) -> datetime | None:
    """Instant at which the segments have counted `consumed`, None if they end before."""
    ended = [s.calendar.between(s.start, s.end) if s.end else timedelta(0) for s in segments]
    return reached(segments, ended, consumed)


def reached(
    segments: Sequence[Segment], counted: Sequence[timedelta], consumed: timedelta
) -> datetime | None:
    """Instant at which segments that counted so much have `consumed`; None if they end before."""
    left = consumed
    for segment, passed in zip(segments, counted, strict=True):
        if segment.end is None or passed >= left:
            return segment.calendar.add(segment.start, left)
        left -= passed
    return None
