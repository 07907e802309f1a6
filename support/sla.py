"""SLA clocks, read from what happened to a ticket; nothing is remembered, so nothing is lost.

A ticket keeps marks: created, customer messages, replies, callbacks, changes of status, tags and
terms. Every clock is computed from them anew, so a pause survives a change of priority, a voided
reply never was, and equal marks give equal clocks. A clock counts open seconds of its calendar
while the ticket is neither paused for its metric nor resolved. How a metric reads the marks is in
`support.tracks`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from support.clock import Clock, Clocks
from support.marks import Mark, MarkKind, in_order, told
from support.policy import Metric, PolicyBook
from support.tracks import CallbackTrack, Track


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

    Marks later than `at` are not looked at, but for those that void a reply: a reply of which it is
    known now that it did not arrive never was. No clock without a target under the terms in force,
    but for a callback whose window's end was promised. A callback has a clock once it is requested.
    """
    gone = {m.event_id for m in marks if m.kind is _VOID}
    line = told(in_order(m for m in marks if m.at <= at))
    if gone:
        line = [m for m in line if m.kind is not _REPLY or m.event_id not in gone]
    return clocks_of(line, book, at)


def clocks_of(line: Sequence[Mark], book: PolicyBook, at: datetime) -> Clocks:
    """Return the clocks at `at` of marks that are in the order in which they are read.

    None of them is later than `at`, or a reply that did not arrive.
    """
    if not line:
        return ()
    terms = book.terms
    first_terms = next(m.terms for m in line if m.kind is _TERMS)
    in_force = next(m.terms for m in reversed(line) if m.kind is _TERMS)
    aimed = terms[in_force].targets
    tracks = [Track(metric, terms, first_terms) for metric in _OF_TICKET if metric in aimed]
    if any(m.kind is _REQUESTED for m in line):
        tracks.append(CallbackTrack(Metric.CALLBACK, terms, first_terms))
    for mark in line:
        for track in tracks:
            track.take(mark)
    return tuple(clock for track in tracks for clock in track.clocks(at))


# Members are read through these for every mark: through the class costs three times as much.
_VOID, _REPLY, _TERMS = MarkKind.VOID, MarkKind.REPLY, MarkKind.TERMS
_REQUESTED = MarkKind.CALLBACK_REQUESTED
_OF_TICKET = tuple(metric for metric in Metric if metric is not Metric.CALLBACK)
