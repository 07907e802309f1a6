"""The one timer of a callback: everything that falls due by itself, and which is next."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from support.callback_hours import Dispatchable, Hours
from support.callbacks import (
    CallbackDueKind,
    CallbackLimits,
    CallbackState,
    CallbackStatus,
)
from support.clock import Clocks
from support.escalation import next_step
from support.policy import Terms
from support.sla import recorded

_LABELS = {
    CallbackDueKind.WINDOW_OPEN: "customer's window opens",
    CallbackDueKind.RETRY: "it is to be called again",
    CallbackDueKind.ACCEPTANCE: "agent has not accepted it",
    CallbackDueKind.UNREPORTED: "no outcome was reported",
    CallbackDueKind.HOURS_OPEN: "calling hours begin",
    CallbackDueKind.DECLINE_OVER: "it may be offered again to who declined it",
    CallbackDueKind.STEP: "promise to call at {share} of its time",
    CallbackDueKind.PROMISE: "promise to call is missed",
    CallbackDueKind.LOCK_EXPIRED: "owner lock expires",
    CallbackDueKind.EXPIRY: "it expires",
}
_PROMISED = frozenset({CallbackDueKind.STEP, CallbackDueKind.PROMISE})
_KINDS = list(CallbackDueKind)


@dataclass(frozen=True, slots=True)
class CallbackDue:
    """One thing that falls due at `at`; what follows `kind` only for steps and the promise.

    `planned` is its own instant where that is before the callback's last one.
    """

    at: datetime
    kind: CallbackDueKind
    cycle: int = 0
    fraction: float = 0.0
    step: str = ""
    on_call: bool = False
    planned: datetime | None = None

    @property
    def key(self) -> str:
        """Name that tells this due from all others of the callback at its instant."""
        if self.kind in _PROMISED:
            return f"{self.kind}:{self.cycle}:{self.step or f'{self.fraction:g}'}"
        return str(self.kind)

    @property
    def stamp(self) -> str:
        """Key and own instant: what a callback remembers of a due that has been decided."""
        return f"{self.key}@{(self.planned or self.at).isoformat()}"

    @property
    def promised(self) -> bool:
        """Whether it is about the promise."""
        return self.kind in _PROMISED

    @property
    def label(self) -> str:
        """The same for a person who reads the Temporal UI."""
        return _LABELS[self.kind].format(share=f"{self.fraction:.0%}")


def upcoming_callback(
    state: CallbackState, clocks: Clocks, terms: Terms, hours: Hours, limits: CallbackLimits
) -> tuple[CallbackDue, ...]:
    """Return what is to fall due if nothing happens before, earliest first.

    What lies in the past falls due at the callback's last instant.
    """
    if not state.active:
        return ()
    found = [
        *_of_promise(state, clocks, terms),
        *_of_queue(state, hours),
        *_of_hands(state, limits),
        CallbackDue(_expiry(state, limits), CallbackDueKind.EXPIRY),
    ]
    ahead = [
        replace(due, at=state.last_at, planned=due.at) if due.at < state.last_at else due
        for due in found
    ]
    left = [due for due in ahead if due.stamp not in state.settled]
    return tuple(sorted(left, key=lambda due: (due.at, _KINDS.index(due.kind), due.fraction)))


def _of_promise(state: CallbackState, clocks: Clocks, terms: Terms) -> Iterator[CallbackDue]:
    step = next_step(clocks, terms, state.steps, state.acks)
    if step is not None:
        yield CallbackDue(
            step.due_at, CallbackDueKind.STEP, step.cycle, step.fraction, step.step, step.on_call
        )
    for clock in clocks:
        if clock.due is not None and clock.unmet and not recorded(clock, state.breaches):
            yield CallbackDue(clock.due, CallbackDueKind.PROMISE, clock.cycle)


def _of_queue(state: CallbackState, hours: Hours) -> Iterator[CallbackDue]:
    """Yield what leads to a dispatch."""
    if state.status is CallbackStatus.SCHEDULED and state.window.start is not None:
        yield CallbackDue(state.window.start, CallbackDueKind.WINDOW_OPEN)
    if state.status is CallbackStatus.RETRY_WAIT and state.next_retry is not None:
        yield CallbackDue(state.next_retry, CallbackDueKind.RETRY)
    if state.status is not CallbackStatus.QUEUED:
        return
    opens = hours.next(state, state.last_at)
    if isinstance(opens, Dispatchable) and opens.at > state.last_at:
        yield CallbackDue(opens.at, CallbackDueKind.HOURS_OPEN)
    for declined in state.ownership.declined:
        if declined.until > state.last_at:
            yield CallbackDue(declined.until, CallbackDueKind.DECLINE_OVER)


def _of_hands(state: CallbackState, limits: CallbackLimits) -> Iterator[CallbackDue]:
    """Yield what falls due about who has it."""
    accept_by = state.ownership.accept_by
    waits = state.status is CallbackStatus.DISPATCHED and state.accepted_at is None
    if waits and accept_by is not None:
        yield CallbackDue(accept_by, CallbackDueKind.ACCEPTANCE)
    since = _busy_since(state)
    if since is not None:
        yield CallbackDue(since + limits.report_within, CallbackDueKind.UNREPORTED)
    if state.owner and state.locked_until is not None:
        yield CallbackDue(state.locked_until, CallbackDueKind.LOCK_EXPIRED)


def _busy_since(state: CallbackState) -> datetime | None:
    """Since when somebody may be speaking with the customer, None where nobody is."""
    if state.parked_at is not None:
        return None
    if state.running is not None:
        return state.running.at
    return state.accepted_at if state.status is CallbackStatus.DISPATCHED else None


def _expiry(state: CallbackState, limits: CallbackLimits) -> datetime:
    """Instant at which it expires: a talk that is going on is not cut."""
    since = _busy_since(state)
    if since is None:
        return state.expires_at
    return max(state.expires_at, since + limits.report_within)
