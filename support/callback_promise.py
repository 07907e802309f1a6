"""The promise of a callback: its clock, when it is due, and whether it was kept.

It is the metric `callback` of the policies, from the request or the window's start, in business
time; with a window it is due at the window's end. The first dial meets it. The clock is that of
tickets (`support.tracks.CallbackTrack`), read from the callback's own marks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from support.callbacks import CallbackState, CallbackStatus
from support.clock import Clock, Clocks, ClockState, Exchange
from support.marks import Mark, MarkKind
from support.policy import Metric, PolicyBook
from support.proof import Derivation, Derivations, derivations
from support.sla import Breach, breach_of, compute, missed, recorded


@dataclass(frozen=True, slots=True)
class Promise:
    """How the promise stands. `missed`: a due passed unmet, and that stays on record.

    `overdue`: it is past due, and somebody is still to be called for the first time.
    """

    due_at: datetime | None
    met_at: datetime | None
    missed: bool
    overdue: bool
    overdue_since: datetime | None = None


def under_terms(state: CallbackState, book: PolicyBook) -> CallbackState:
    """Put the new callback under the policy that matches it."""
    terms = book.choose(state.traits)
    begun = Mark(state.requested_at, MarkKind.TERMS, terms=terms.key)
    return replace(
        state, terms_key=terms.key, policy_version=book.version, marks=(begun, *state.marks)
    )


def promise_clocks(state: CallbackState, book: PolicyBook, at: datetime) -> Clocks:
    """Return the clocks of all that was promised; one that begins later, as it will begin."""
    known = compute(state.marks, book, max(at, state.promised_from))
    return tuple(clock for clock in known if clock.metric is Metric.CALLBACK)


def promise_of(state: CallbackState, clocks: Clocks) -> Promise:
    """Say how the last promise stands."""
    clock = clocks[-1] if clocks else None
    late = [c.due for c in clocks if c.unmet and c.due and recorded(c, state.breaches)]
    overdue = state.active and bool(late)
    return Promise(
        due_at=clock.due if clock else None,
        met_at=clock.stopped_at if clock and clock.state is ClockState.MET else None,
        missed=any(not breach.withdrawn for breach in state.breaches),
        overdue=overdue,
        overdue_since=min(late) if overdue else None,
    )


def judged(
    state: CallbackState, clocks: Clocks, at: datetime, *, fell_due: int | None
) -> CallbackState:
    """Record what is past due at `at`, and withdraw what a late report of a dial disproves.

    `fell_due` is the cycle whose deadline is being decided: its instant is late enough.
    """
    by_cycle = {clock.cycle: clock for clock in clocks}
    breaches = tuple(_withdrawn(b, by_cycle.get(b.cycle)) for b in state.breaches)
    new = tuple(
        breach_of(clock, at)
        for clock in clocks
        if clock.due is not None
        and not recorded(clock, breaches)
        and (clock.late(at) or (clock.cycle == fell_due and missed(clock, at)))
    )
    known = (*breaches, *new)
    return state if known == state.breaches else replace(state, breaches=known)


def _withdrawn(breach: Breach, clock: Clock | None) -> Breach:
    stopped = clock.stopped_at if clock is not None else None
    if breach.withdrawn or stopped is None or stopped > breach.due_at:
        return breach
    return replace(breach, withdrawn=True)


def promise_derivations(
    before: CallbackState | None, clocks: Clocks, after: CallbackState, book: PolicyBook
) -> Derivations:
    """Derive what moved against the clocks as they would stand without the trigger."""
    at = max(after.last_at, after.promised_from)

    def make() -> Mapping[Exchange, Derivation]:
        known = promise_clocks(before, book, at) if before is not None else ()
        return derivations(known, clocks, after.marks, at)

    return Derivations(make)


@dataclass(frozen=True, slots=True)
class CallbackStanding:
    """Flags of one callback, for queue, lanes and hub. `queued` includes every overdue one."""

    queued: bool
    overdue: bool
    parked: bool
    lanes: tuple[str, ...]


def callback_standing(state: CallbackState, promise: Promise) -> CallbackStanding:
    """Derive the flags: a callback waits in the queue once its window is open."""
    queued = state.status is CallbackStatus.QUEUED or promise.overdue
    lanes = {"callback_sla": queued, "overdue_recovery": promise.overdue}
    return CallbackStanding(
        queued=queued,
        overdue=promise.overdue,
        parked=state.active and state.parked_at is not None,
        lanes=tuple(lane for lane, inside in lanes.items() if inside),
    )
