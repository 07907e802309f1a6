"""Late events: what is put right when one is taken after the instant at which it happened.

Its marks already stand where they belong. Here the policies in force after it are put right,
exchanges get their numbers again, and breaches that it disproves are withdrawn. Every change of
what was known before becomes a `Correction`, which is stored with the decision.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from support.clock import Clock, Clocks, Exchange, numbers_now
from support.marks import Mark, MarkKind, in_order, priority_at, tags_at
from support.model import EventKind, TicketEvent
from support.policy import Metric, PolicyBook
from support.sla import Breach, breach_of, compute, missed, recorded
from support.ticket import TicketState


class CorrectionKind(StrEnum):
    """What was put right."""

    PLACED = "placed"
    DEADLINE = "deadline"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Correction:
    """One thing put right.

    `before` and `after` are the ticket's last instant and that of the event (placed), the two
    deadlines (deadline), or the breached due and nothing (withdrawn).
    """

    kind: CorrectionKind
    event_id: str
    before: datetime | None
    after: datetime | None
    metric: str = ""
    cycle: int = 0


def with_terms(state: TicketState, key: str, at: datetime) -> TicketState:
    """Put the policy `key` in force from `at` on; at one instant only the last one was ever."""
    marks = tuple(m for m in state.marks if m.kind is not MarkKind.TERMS or m.at != at)
    if key != _terms_before(marks, at):
        marks = (*marks, Mark(at=at, kind=MarkKind.TERMS, terms=key))
    return replace(state, marks=marks)


def _terms_before(marks: tuple[Mark, ...], at: datetime) -> str:
    """Key of the policy in force just before `at`; empty before the first."""
    return _last_terms(m for m in marks if m.at < at)


def _last_terms(marks: Iterable[Mark]) -> str:
    """Key of the policy that the marks leave in force; empty where they name none."""
    known = [m for m in in_order(marks) if m.kind is MarkKind.TERMS]
    return known[-1].terms if known else ""


def with_late_traits(
    state: TicketState, event: TicketEvent, at: datetime, book: PolicyBook
) -> TicketState:
    """Choose the policies in force again from `at` on, where priority or tags were changed then."""
    if event.kind not in (EventKind.PRIORITY, EventKind.TAG):
        return state
    for instant in sorted({m.at for m in state.marks if m.kind in _CHOOSING and m.at >= at}):
        priority = priority_at(state.marks, instant)
        if priority is None:
            continue
        tags = tags_at(state.marks, instant)
        traits = replace(state.traits, priority=priority, tags=tags)
        known = _last_terms(m for m in state.marks if m.at <= instant)
        state = with_terms(state, book.chosen_like(known, traits), instant)
    return state


_CHOOSING = frozenset({MarkKind.PRIORITY, MarkKind.TAG, MarkKind.TERMS})
_VOID = MarkKind.VOID


def correct(
    before: TicketState, after: TicketState, book: PolicyBook, event: TicketEvent, at: datetime
) -> tuple[TicketState, tuple[Correction, ...]]:
    """Return the state put right after `event`, which happened at `at`, and what was changed.

    Nothing changes unless it happened at or before the ticket's last instant.
    """
    if at > before.last_at or not before.terms_key:
        return after, ()
    found: list[Correction] = []
    after = with_late_traits(after, event, at, book)
    if at < before.last_at:
        placed = Correction(CorrectionKind.PLACED, event.event_id, before.last_at, at)
        found.append(placed)
        old = compute(before.marks, book, before.last_at)
        new = compute(after.marks, book, before.last_at)
        numbers = numbers_now(old, new)
        after = _renumbered(after, numbers)
        found.extend(_moved(old, new, numbers, event.event_id))
    breaches = tuple(_judged(b, after, book, at) for b in after.breaches)
    found.extend(
        Correction(CorrectionKind.WITHDRAWN, event.event_id, b.due_at, None, str(b.metric), b.cycle)
        for known, b in zip(after.breaches, breaches, strict=True)
        if b.withdrawn and not known.withdrawn
    )
    return _with_overlooked(replace(after, breaches=breaches), book), tuple(found)


def _renumbered(state: TicketState, numbers: Mapping[Exchange, Exchange]) -> TicketState:
    def cycle(metric: Metric, number: int) -> int:
        return numbers.get((metric, number), (metric, number))[1]

    return replace(
        state,
        breaches=tuple(replace(b, cycle=cycle(b.metric, b.cycle)) for b in state.breaches),
        steps=tuple(replace(s, cycle=cycle(s.metric, s.cycle)) for s in state.steps),
    )


def _moved(
    old: Clocks, new: Clocks, numbers: Mapping[Exchange, Exchange], event_id: str
) -> Iterator[Correction]:
    now: Mapping[Exchange, Clock] = {(c.metric, c.cycle): c for c in new}
    for clock in old:
        key = numbers.get((clock.metric, clock.cycle), (clock.metric, clock.cycle))
        due = now[key].due if key in now else None
        if due != clock.due:
            metric = str(clock.metric)
            yield Correction(CorrectionKind.DEADLINE, event_id, clock.due, due, metric, key[1])


def _with_overlooked(state: TicketState, book: PolicyBook) -> TicketState:
    """Record what was missed and is not to be seen any more under later terms.

    Had the late event been known, it would have been found before priority or tags changed.
    """
    for end in sorted({m.at for m in state.marks if m.kind in _CHOOSING}):
        clocks = compute([m for m in state.marks if m.at < end or m.kind is _VOID], book, end)
        for clock in clocks:
            if clock.due is not None and clock.late(end) and not recorded(clock, state.breaches):
                breach = breach_of(clock, max(clock.due, clock.terms_since))
                state = replace(state, breaches=(*state.breaches, breach))
    return state


def _judged(breach: Breach, state: TicketState, book: PolicyBook, at: datetime) -> Breach:
    """Withdraw a breach found at or after `at` if all that is known now says it was none."""
    if breach.withdrawn or breach.found_at is None or breach.found_at < at:
        return breach
    clocks = compute(state.marks, book, breach.found_at)
    own = next((c for c in clocks if (c.metric, c.cycle) == (breach.metric, breach.cycle)), None)
    if own is not None and missed(own, breach.found_at):
        return breach
    return replace(breach, withdrawn=True)
