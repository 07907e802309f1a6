"""The proof of a clock: every stretch of its life, counted or why not; the sum is what it consumed.

The stretches follow each other without a hole from the clock's start to where it stopped, or to
now. Where the zone's clock changed, a stretch without length says which readings were skipped or
came twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from support.calendar import BusinessCalendar
from support.clock import Clock, Clocks, ClockState, Exchange, numbers_now
from support.daybook import DayKind, SpecialDay, clock_changes, special_days
from support.marks import Mark, moves

_NOTHING = timedelta(0)
_BEFORE, _AFTER = timedelta(days=3), timedelta(days=1)
"""How far from the UTC date of an instant the local date may be whose windows it is in."""


class Why(StrEnum):
    """Why a stretch counts, or does not."""

    COUNTED = "counted"
    CLOSED = "closed"
    HOLIDAY = "holiday"
    OVERRIDE = "override"
    PAUSED = "paused"
    RESTARTED = "restarted"
    RESOLVED = "resolved"
    VOID = "void"
    DST = "dst"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a clock's life: all of it `counted`, or nothing. `note` names date or clock."""

    start: datetime
    end: datetime
    counted: timedelta
    why: Why
    calendar_id: str
    note: str = ""


def proof_of(clock: Clock, marks: Iterable[Mark], at: datetime) -> tuple[Stretch, ...]:
    """Return the stretches of `clock` up to `at`; what they counted adds up to `clock.consumed`.

    `marks` are those that the clock was computed from; they tell a pause from a resolved ticket.
    """
    return _proof(clock, _moves(marks, at), at)


def proofs_of(
    clocks: Clocks, marks: Iterable[Mark], at: datetime
) -> tuple[tuple[Stretch, ...], ...]:
    """Return the proof of each clock, in their order; the marks are gone through only once."""
    moves = _moves(marks, at)
    return tuple(_proof(clock, moves, at) for clock in clocks)


def _proof(clock: Clock, moves: "_Moves", at: datetime) -> tuple[Stretch, ...]:
    end = at if clock.stopped_at is None else min(clock.stopped_at, at)
    line: list[Stretch] = []
    cursor = clock.started_at
    for number, segment in enumerate(clock.segments):
        line += _not_running(cursor, segment.start, clock, max(0, number - 1), moves)
        until = end if segment.end is None else min(segment.end, end)
        line += _running(segment.calendar, segment.calendar_id, segment.start, until)
        cursor = max(cursor, until)
    line += _not_running(cursor, end, clock, len(clock.segments) - 1, moves)
    return tuple(line)


@dataclass(frozen=True, slots=True)
class Derivation:
    """Why a deadline is where it is: `proof` adds up to what is consumed, `ahead` to what remains.

    `was_due` is the deadline before, None where there was none.
    """

    was_due: datetime | None
    proof: tuple[Stretch, ...]
    ahead: tuple[Stretch, ...]


class Derivations(Mapping[Exchange, Derivation]):
    """Derivations that are made when somebody reads them: a simulation never does."""

    def __init__(self, make: Callable[[], Mapping[Exchange, Derivation]]) -> None:
        self._make = make
        self._made: Mapping[Exchange, Derivation] | None = None

    def __getitem__(self, exchange: Exchange) -> Derivation:
        return self._all[exchange]

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def _all(self) -> Mapping[Exchange, Derivation]:
        if self._made is None:
            self._made = self._make()
        return self._made


def derivations(
    before: Clocks, clocks: Clocks, marks: Iterable[Mark], at: datetime
) -> Mapping[Exchange, Derivation]:
    """Derive every deadline of `clocks` that was not there, or elsewhere, `before`."""
    now = numbers_now(before, clocks)
    known = {
        now[exchange]: clock.due
        for clock in before
        if (exchange := (clock.metric, clock.cycle)) in now
    }
    moves = _moves(marks, at)
    return {
        exchange: Derivation(known.get(exchange), _proof(clock, moves, at), ahead_of(clock, at))
        for clock in clocks
        if (exchange := (clock.metric, clock.cycle)) not in known or known[exchange] != clock.due
    }


def ahead_of(clock: Clock, at: datetime) -> tuple[Stretch, ...]:
    """Return the stretches from `at` to the due of a running clock, if nothing happens before."""
    if clock.state is not ClockState.RUNNING or clock.due is None:
        return ()
    running = clock.segments[-1]
    return tuple(_running(running.calendar, running.calendar_id, at, clock.due))


def stretch_form(stretch: Stretch) -> dict[str, Any]:
    """Return a stretch as it is kept and printed."""
    return {
        "from": stretch.start.isoformat(),
        "to": stretch.end.isoformat(),
        "counted_s": plain_seconds(stretch.counted),
        "why": str(stretch.why),
        "calendar": stretch.calendar_id,
        "note": stretch.note,
    }


def plain_seconds(span: timedelta) -> int | float:
    """Seconds of `span`, as an int where they are whole."""
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


@dataclass(frozen=True, slots=True)
class _Moves:
    """From when on a clock that does not run is paused or resolved: rising instants, and whys."""

    at: Sequence[datetime]
    whys: Sequence[Why]

    def within(self, start: datetime, end: datetime) -> Sequence[datetime]:
        """Return the instants in (start, end)."""
        return self.at[bisect_right(self.at, start) : bisect_left(self.at, end)]

    def why(self, at: datetime) -> Why:
        """Why a clock does not run at `at`."""
        reached = bisect_right(self.at, at)
        return self.whys[reached - 1] if reached else Why.PAUSED


def _moves(marks: Iterable[Mark], at: datetime) -> _Moves:
    found = [
        (mark.at, Why.PAUSED if mark.status.active else Why.RESOLVED)
        for mark in moves(marks, at)
        if mark.status is not None
    ]
    found.sort(key=lambda move: move[0])
    return _Moves([since for since, _ in found], [why for _, why in found])


def _not_running(
    start: datetime,
    end: datetime,
    clock: Clock,
    segment: int,
    moves: _Moves,
) -> Iterator[Stretch]:
    """Stretches between two segments; changes of the clock are those of the segment's calendar."""
    if end <= start:
        return
    begun = clock.restarted_at
    ends = (*(at for void in clock.voids for at in void), *([begun] if begun else []))
    edges = {start, end, *moves.within(start, end), *(at for at in ends if start < at < end)}
    changes: Mapping[datetime, str] = {}
    calendar_id = ""
    if clock.segments:
        calendar_id = clock.segments[segment].calendar_id
        changes = _changes(clock.segments[segment].calendar, start, end)
    whole = []
    for since, until in pairwise(sorted(edges | changes.keys())):
        why = Why.VOID if _within(clock.voids, since) else moves.why(since)
        why = Why.RESTARTED if begun is not None and since < begun else why
        whole.append(Stretch(since, until, _NOTHING, why, calendar_id))
    yield from _joined(whole, changes)


def _running(
    calendar: BusinessCalendar, calendar_id: str, start: datetime, end: datetime
) -> Iterator[Stretch]:
    """Stretches of a segment: open time counts, the rest says why not."""
    if end <= start:
        return
    openings = calendar.openings(start, end)
    special = special_days(calendar, start, end)
    days = [day.day for day in special]
    changes = _changes(calendar, start, end)
    edges = {start, end, *changes}
    edges.update(edge for span in openings for edge in span)
    for day in special:
        edges.update(edge for span in (*day.usual, *day.opened) for edge in span)
    starts = [since for since, _ in openings]
    parts = []
    for since, until in pairwise(sorted(edge for edge in edges if start <= edge <= end)):
        i = bisect_right(starts, since) - 1
        opened = i >= 0 and since < openings[i][1]
        near = special[
            bisect_left(days, since.date() - _BEFORE) : bisect_right(days, since.date() + _AFTER)
        ]
        why, note = _counting(near, since) if opened else _missing(near, since)
        counted = until - since if opened else _NOTHING
        parts.append(Stretch(since, until, counted, why, calendar_id, note))
    yield from _joined(parts, changes)


def _counting(special: Sequence[SpecialDay], at: datetime) -> tuple[Why, str]:
    named = (f"override {day.label}" for day in special if _within(day.opened, at))
    return Why.COUNTED, next(named, "")


def _missing(special: Sequence[SpecialDay], at: datetime) -> tuple[Why, str]:
    """Why it is closed: a date whose weekday would have been open, or the usual hours."""
    for day in special:
        if _within(day.usual, at):
            why = Why.HOLIDAY if day.kind is DayKind.HOLIDAY else Why.OVERRIDE
            return why, day.label
    return Why.CLOSED, ""


def _within(spans: Iterable[tuple[datetime, datetime]], at: datetime) -> bool:
    return any(start <= at < end for start, end in spans)


def _changes(calendar: BusinessCalendar, start: datetime, end: datetime) -> Mapping[datetime, str]:
    return {change.at: change.label for change in clock_changes(calendar, start, end)}


def _joined(parts: Iterable[Stretch], changes: Mapping[datetime, str]) -> Iterator[Stretch]:
    """Make one of neighbours that say the same, and name the changes of the clock between."""
    last: Stretch | None = None
    for part in parts:
        if last is not None and part.start in changes:
            yield last
            yield Stretch(
                part.start, part.start, _NOTHING, Why.DST, part.calendar_id, changes[part.start]
            )
            last = None
        if last is not None and (last.why, last.note) == (part.why, part.note):
            counted = last.counted + part.counted
            last = Stretch(last.start, part.end, counted, last.why, last.calendar_id, last.note)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last
