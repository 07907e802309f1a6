"""SLA clocks, read from what happened to a ticket; nothing is remembered, so nothing is lost.

A ticket keeps marks: created, customer messages, replies, changes of status and of terms. Every
clock is computed from them anew, so a pause survives a change of priority, a voided reply never
was, and equal marks give equal clocks. A clock counts open seconds of its calendar while the
ticket is neither paused for its metric nor resolved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.model import TicketStatus
from support.policy import Metric, PolicyBook, Terms


class MarkKind(StrEnum):
    """What clocks react to."""

    CREATED = "created"
    CUSTOMER_MESSAGE = "customer_message"
    REPLY = "reply"
    STATUS = "status"
    TERMS = "terms"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that clocks react to. `event_id` of a VOID names the reply that did not arrive.

    `answered`: the agent who created the ticket was speaking with the customer.
    """

    at: datetime
    kind: MarkKind
    event_id: str = ""
    status: TicketStatus | None = None
    terms: str = ""
    answered: bool = False


class ClockState(StrEnum):
    """What a clock does."""

    RUNNING = "running"
    HELD = "held"
    MET = "met"


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

    @property
    def remaining(self) -> timedelta:
        """Target less consumed; negative when late."""
        return self.target - self.consumed

    def instant_of(self, fraction: float) -> datetime | None:
        """Instant at which `fraction` of the target has been consumed, None while unknown."""
        return _instant_of(self.segments, self.target * fraction)

    def late(self, at: datetime) -> bool:
        """Whether it stopped, or stands unmet at `at`, after its due; the due itself is in time."""
        return self.due is not None and (self.stopped_at or at) > self.due


Clocks = tuple[Clock, ...]


class BreachCause(StrEnum):
    """Why a target was missed."""

    TIME = "time"
    TERMS_CHANGED = "terms_changed"


@dataclass(frozen=True, slots=True)
class Breach:
    """A clock that was unmet after `due_at`; once recorded it stays."""

    metric: Metric
    cycle: int
    due_at: datetime
    cause: BreachCause


def breach_of(clock: Clock) -> Breach:
    """Record for a clock that is past its due."""
    assert clock.due is not None  # noqa: S101  a clock without due is never past it
    forced = clock.due < clock.terms_since
    cause = BreachCause.TERMS_CHANGED if forced else BreachCause.TIME
    return Breach(clock.metric, clock.cycle, clock.due, cause)


def recorded(clock: Clock, breaches: Iterable[Breach]) -> bool:
    """Whether a breach of this clock at its due, or later, is on record."""
    return clock.due is not None and any(
        (b.metric, b.cycle) == (clock.metric, clock.cycle) and b.due_at >= clock.due
        for b in breaches
    )


def compute(marks: Sequence[Mark], book: PolicyBook, at: datetime) -> Clocks:
    """Return every clock of a ticket as it stands at `at`, closed exchanges included.

    Marks later than `at` are not looked at. No clock without a target under the terms in force.
    """
    terms = book.terms
    gone = {m.event_id for m in marks if m.kind is MarkKind.VOID}
    line = sorted(
        (
            m
            for m in marks
            if m.at <= at and (m.kind is not MarkKind.REPLY or m.event_id not in gone)
        ),
        key=lambda mark: mark.at,
    )
    if not line:
        return ()
    first_terms = next(m.terms for m in line if m.kind is MarkKind.TERMS)
    tracks = [_Track(metric, terms, first_terms) for metric in Metric]
    for mark in line:
        for track in tracks:
            track.take(mark)
    return tuple(clock for track in tracks for clock in track.clocks(at))


class _Track:
    """All clocks of one metric, built mark by mark."""

    def __init__(self, metric: Metric, terms: Mapping[str, Terms], first: str) -> None:
        self._metric = metric
        self._all = terms
        self._terms = terms[first]
        self._terms_since: datetime | None = None
        self._status = TicketStatus.NEW
        self._cycles: list[_Cycle] = []

    def take(self, mark: Mark) -> None:
        if mark.kind is MarkKind.TERMS:
            self._terms, self._terms_since = self._all[mark.terms], mark.at
        elif mark.kind is MarkKind.STATUS and mark.status is not None:
            self._status = mark.status
        self._start(mark)
        self._stop(mark)
        cycle = self._cycles[-1] if self._cycles else None
        if cycle is not None:
            cycle.count(self._terms if self._counting(cycle) else None, mark.at)

    def _start(self, mark: Mark) -> None:
        starts_it = (
            MarkKind.CUSTOMER_MESSAGE if self._metric is Metric.NEXT_RESPONSE else MarkKind.CREATED
        )
        if mark.kind is starts_it and (not self._cycles or self._cycles[-1].stopped_at):
            self._cycles.append(_Cycle(mark.at))

    def _stop(self, mark: Mark) -> None:
        if not self._cycles:
            return
        cycle = self._cycles[-1]
        if self._metric is Metric.RESOLUTION:
            if mark.kind is MarkKind.STATUS:
                resolved = mark.status in (TicketStatus.RESOLVED, TicketStatus.CLOSED)
                cycle.stopped_at = (cycle.stopped_at or mark.at) if resolved else None
        elif mark.kind is MarkKind.REPLY or (mark.answered and mark.kind is MarkKind.CREATED):
            cycle.stopped_at = cycle.stopped_at or mark.at

    def _counting(self, cycle: "_Cycle") -> bool:
        return (
            cycle.stopped_at is None
            and self._status.active
            and not self._terms.pauses(self._metric, self._status)
        )

    def clocks(self, at: datetime) -> Iterable[Clock]:
        target = self._terms.targets.get(self._metric)
        if target is None:
            return
        for number, cycle in enumerate(self._cycles):
            segments = cycle.segments()
            due = _instant_of(segments, target)
            if due is None and cycle.stopped_at is not None and segments:
                due = _had_it_gone_on(segments, target, cycle.stopped_at)
            yield Clock(
                metric=self._metric,
                cycle=number,
                state=_state(cycle, counting=self._counting(cycle)),
                target=target,
                started_at=cycle.started_at,
                stopped_at=cycle.stopped_at,
                consumed=sum((s.counted(at) for s in segments), timedelta(0)),
                due=due,
                terms_since=self._terms_since or cycle.started_at,
                segments=segments,
            )


def _state(cycle: "_Cycle", *, counting: bool) -> ClockState:
    if cycle.stopped_at is not None:
        return ClockState.MET
    return ClockState.RUNNING if counting else ClockState.HELD


class _Cycle:
    """One run of a clock, from what starts it to what meets it."""

    def __init__(self, started_at: datetime) -> None:
        self.started_at = started_at
        self.stopped_at: datetime | None = None
        self._done: list[Segment] = []
        self._open: Segment | None = None

    def count(self, terms: Terms | None, at: datetime) -> None:
        """From `at` on count by `terms`, or not at all."""
        running = self._open
        if running is not None and terms is not None and running.calendar == terms.calendar:
            return
        if running is not None:
            self._done.append(Segment(running.start, at, running.calendar_id, running.calendar))
        self._open = Segment(at, None, terms.calendar_id, terms.calendar) if terms else None

    def segments(self) -> tuple[Segment, ...]:
        return (*self._done, *([self._open] if self._open else []))


def _instant_of(segments: Sequence[Segment], consumed: timedelta) -> datetime | None:
    """Instant at which the segments have counted `consumed`, None if they end before."""
    left = consumed
    for segment in segments:
        if segment.end is None:
            return segment.calendar.add(segment.start, left)
        counted = segment.calendar.between(segment.start, segment.end)
        if counted >= left:
            return segment.calendar.add(segment.start, left)
        left -= counted
    return None


def _had_it_gone_on(
    segments: Sequence[Segment], target: timedelta, stopped_at: datetime
) -> datetime:
    """Return when it would have been due, had it run on from where it stopped, held or not."""
    counted = sum((s.counted(s.end) for s in segments if s.end), timedelta(0))
    return segments[-1].calendar.add(stopped_at, target - counted)
