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
from support.marks import Mark, MarkKind, in_order
from support.model import TicketStatus
from support.policy import Metric, OnChange, OnReopen, PolicyBook, Terms

__all__ = (
    "Breach",
    "BreachCause",
    "Clock",
    "ClockState",
    "Clocks",
    "Mark",
    "MarkKind",
    "Segment",
    "breach_of",
    "compute",
    "missed",
    "recorded",
)


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
    `restarted_at`: a change of policy made it begin anew; the time before is not consumed.
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
    """A clock that was unmet after `due_at`; once recorded it stays.

    `found_at` is the instant of the decision that found it. `withdrawn`: late evidence says that
    the target was kept after all; it stays on record and counts no more.
    """

    metric: Metric
    cycle: int
    due_at: datetime
    cause: BreachCause
    found_at: datetime | None = None
    withdrawn: bool = False


def breach_of(clock: Clock, found_at: datetime | None = None) -> Breach:
    """Record for a clock that is past its due."""
    assert clock.due is not None  # noqa: S101  a clock without due is never past it
    forced = clock.due < clock.terms_since
    cause = BreachCause.TERMS_CHANGED if forced else BreachCause.TIME
    return Breach(clock.metric, clock.cycle, clock.due, cause, found_at)


def recorded(clock: Clock, breaches: Iterable[Breach]) -> bool:
    """Whether a breach of this clock at its due, or later, is on record and stands."""
    return clock.due is not None and any(
        (b.metric, b.cycle) == (clock.metric, clock.cycle)
        and b.due_at >= clock.due
        and not b.withdrawn
        for b in breaches
    )


def missed(clock: Clock, at: datetime) -> bool:
    """Whether it stood unmet at its due, once the events of the instant `at` are all known."""
    if clock.due is None or clock.due > at:
        return False
    return clock.stopped_at is None or clock.stopped_at > clock.due


def compute(marks: Sequence[Mark], book: PolicyBook, at: datetime) -> Clocks:
    """Return every clock of a ticket as it stands at `at`, closed exchanges included.

    Marks later than `at` are not looked at. No clock without a target under the terms in force.
    """
    terms = book.terms
    gone = {m.event_id for m in marks if m.kind is MarkKind.VOID}
    line = in_order(
        m for m in marks if m.at <= at and (m.kind is not MarkKind.REPLY or m.event_id not in gone)
    )
    if not line:
        return ()
    first_terms = next(m.terms for m in line if m.kind is MarkKind.TERMS)
    in_force = next(m.terms for m in reversed(line) if m.kind is MarkKind.TERMS)
    aimed = terms[in_force].targets
    tracks = [_Track(metric, terms, first_terms) for metric in Metric if metric in aimed]
    for mark in line:
        for track in tracks:
            track.take(mark)
    return tuple(clock for track in tracks for clock in track.clocks(at))


# Members are read through these for every mark: through the class costs three times as much.
_CREATED, _TERMS, _STATUS = MarkKind.CREATED, MarkKind.TERMS, MarkKind.STATUS
_REPLY, _MESSAGE = MarkKind.REPLY, MarkKind.CUSTOMER_MESSAGE
_FIRST, _NEXT, _RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE, Metric.RESOLUTION
_SAID = frozenset({MarkKind.REPLY, MarkKind.CUSTOMER_MESSAGE, MarkKind.PRIORITY, MarkKind.VOID})


class _Track:
    """All clocks of one metric, built mark by mark."""

    def __init__(self, metric: Metric, terms: Mapping[str, Terms], first: str) -> None:
        self._metric = metric
        self._all = terms
        self._terms = terms[first]
        self._terms_since: datetime | None = None
        self._status = TicketStatus.NEW
        self._tags: tuple[str, ...] = ()
        self._words: tuple[str, ...] = ()
        self._cycles: list[_Cycle] = []

    def take(self, mark: Mark) -> None:
        if mark.kind in _SAID and not self._hears(mark.kind):
            return
        before = self._status
        if mark.kind is _CREATED:
            self._tags = mark.words
        elif mark.kind is _TERMS:
            self._change(self._all[mark.terms], mark.at)
        elif mark.kind is _STATUS and mark.status is not None:
            self._status = mark.status
            if mark.words or mark.status.active:
                self._words = mark.words
        self._start(mark, before)
        self._stop(mark)
        cycle = self._cycles[-1] if self._cycles else None
        if cycle is not None:
            cycle.void(mark.at if self._void else None)
            calendar = self._terms.hours(self._metric) if self._counting(cycle) else None
            cycle.count(calendar, mark.at)

    def _hears(self, said: MarkKind) -> bool:
        """Whether what was said can start or stop an exchange of this metric."""
        waiting = bool(self._cycles) and self._cycles[-1].stopped_at is None
        if self._metric is _FIRST:
            return waiting and said is _REPLY
        if self._metric is _NEXT:
            return said is (_REPLY if waiting else _MESSAGE)
        return self._metric is not _RESOLUTION

    def _change(self, terms: Terms, at: datetime) -> None:
        anew = self._terms_since is not None and terms.on_change is OnChange.RESTART
        if anew and self._cycles and self._cycles[-1].stopped_at is None:
            self._cycles[-1].restart(at)
        self._terms, self._terms_since = terms, at

    def _start(self, mark: Mark, before: TicketStatus) -> None:
        idle = not self._cycles or self._cycles[-1].stopped_at is not None
        if self._metric is _FIRST:
            starts = idle and mark.kind is _CREATED
        elif self._metric is _NEXT:
            starts = idle and mark.kind is _MESSAGE
        elif self._metric is _RESOLUTION:
            again = self._terms.on_reopen is OnReopen.RESTART and self._reopened(mark, before)
            starts = again or (idle and mark.kind is _CREATED)
        else:
            again = bool(self._cycles) and self._reopened(mark, before)
            starts = again or (_answers(mark) and self._status.active)
        if starts:
            if not idle:
                self._end(mark.at)
            self._cycles.append(_Cycle(mark.at))

    def _reopened(self, mark: Mark, before: TicketStatus) -> bool:
        return (
            mark.kind is _STATUS
            and self._status.active
            and not before.active
            and not (self._cycles and self._cycles[-1].voided)
        )

    def _stop(self, mark: Mark) -> None:
        if not self._cycles:
            return
        if self._metric is _RESOLUTION:
            if mark.kind is _STATUS:
                cycle = self._cycles[-1]
                cycle.stopped_at = None if self._status.active else cycle.stopped_at or mark.at
        elif self._metric is Metric.PERIODIC_UPDATE:
            if not self._status.active:
                self._end(mark.at)
        elif _answers(mark):
            self._end(mark.at)

    def _end(self, at: datetime) -> None:
        """Let the last exchange be met at `at`, unless it ended before."""
        cycle = self._cycles[-1]
        if cycle.stopped_at is None:
            cycle.stopped_at = at
            cycle.count(None, at)

    @property
    def _void(self) -> bool:
        return not self._terms.void_on.isdisjoint((*self._tags, *self._words))

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
            counted = [s.counted(at) for s in segments]
            consumed = sum(counted, timedelta(0))
            due = _reached(segments, counted, target)
            if due is None and cycle.stopped_at is not None and segments and not cycle.voided:
                due = segments[-1].calendar.add(cycle.stopped_at, target - consumed)
            yield Clock(
                metric=self._metric,
                cycle=number,
                state=_state(cycle, counting=self._counting(cycle)),
                target=target,
                started_at=cycle.started_at,
                stopped_at=cycle.stopped_at,
                consumed=consumed,
                due=due,
                terms_since=self._terms_since or cycle.started_at,
                segments=segments,
                restarted_at=cycle.restarted_at,
            )


def _answers(mark: Mark) -> bool:
    """Whether somebody spoke to the customer."""
    return mark.kind is _REPLY or (mark.answered and mark.kind is _CREATED)


def _state(cycle: "_Cycle", *, counting: bool) -> ClockState:
    if cycle.voided:
        return ClockState.VOID
    if cycle.stopped_at is not None:
        return ClockState.MET
    return ClockState.RUNNING if counting else ClockState.HELD


class _Cycle:
    """One run of a clock, from what starts it to what meets it."""

    def __init__(self, started_at: datetime) -> None:
        self.started_at = started_at
        self.stopped_at: datetime | None = None
        self.restarted_at: datetime | None = None
        self.voided = False
        self._done: list[Segment] = []
        self._open: Segment | None = None

    def count(self, by: tuple[str, BusinessCalendar] | None, at: datetime) -> None:
        """From `at` on count by a calendar, given with its id, or not at all."""
        running = self._open
        if running is not None and by is not None and running.calendar == by[1]:
            return
        if running is not None:
            self._done.append(Segment(running.start, at, running.calendar_id, running.calendar))
        self._open = Segment(at, None, *by) if by is not None else None

    def restart(self, at: datetime) -> None:
        """Forget what was consumed and begin anew at `at`."""
        self.restarted_at = at
        self._done.clear()
        self._open = None

    def void(self, at: datetime | None) -> None:
        """End at `at` without counting; None: go on if it was so ended."""
        if at is not None and self.stopped_at in (None, at):
            self.voided, self.stopped_at = True, at
        elif at is None and self.voided:
            self.voided, self.stopped_at = False, None

    def segments(self) -> tuple[Segment, ...]:
        return (*self._done, *([self._open] if self._open else []))


def _instant_of(segments: Sequence[Segment], consumed: timedelta) -> datetime | None:
    """Instant at which the segments have counted `consumed`, None if they end before."""
    ended = [s.calendar.between(s.start, s.end) if s.end else timedelta(0) for s in segments]
    return _reached(segments, ended, consumed)


def _reached(
    segments: Sequence[Segment], counted: Sequence[timedelta], consumed: timedelta
) -> datetime | None:
    """Likewise, where it is known what each segment that has ended counted."""
    left = consumed
    for segment, passed in zip(segments, counted, strict=True):
        if segment.end is None or passed >= left:
            return segment.calendar.add(segment.start, left)
        left -= passed
    return None
