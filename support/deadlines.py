"""The one timer of a ticket: everything that falls due by itself, and which is next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.clock import Clocks
from support.escalation import next_step
from support.model import TicketStatus
from support.policy import Metric, Terms
from support.sla import recorded
from support.ticket import TicketState

REMIND_AFTER = timedelta(hours=27)
"""3 business days of 9 h in `waiting_customer`."""
RESOLVE_AFTER = timedelta(hours=63)
"""7 business days of 9 h in `waiting_customer`."""
CLOSE_AFTER = timedelta(hours=120)
"""Elapsed time from resolved to closed."""
FOLLOW_UP_AFTER = timedelta(hours=9)
"""Business time after which an internal wait without a date is followed up."""


class DueKind(StrEnum):
    """What falls due."""

    STEP = "step"
    BREACH = "breach"
    LOCK_EXPIRED = "lock_expired"
    FOLLOW_UP = "follow_up"
    REMIND = "remind"
    AUTO_RESOLVE = "auto_resolve"
    AUTO_CLOSE = "auto_close"
    ACCEPTANCE = "acceptance"
    OVERFLOW = "overflow"
    DECLINE_OVER = "decline_over"


_BY_AUTOMATION = frozenset(
    {
        DueKind.FOLLOW_UP,
        DueKind.REMIND,
        DueKind.AUTO_RESOLVE,
        DueKind.AUTO_CLOSE,
        DueKind.ACCEPTANCE,
        DueKind.OVERFLOW,
        DueKind.DECLINE_OVER,
    }
)
OF_OWNER = frozenset({DueKind.ACCEPTANCE, DueKind.OVERFLOW, DueKind.DECLINE_OVER})
"""What falls due about who has a ticket, or should have it: it is over when it has been decided."""
_LABELS = {
    DueKind.STEP: "{metric} at {share} of its target",
    DueKind.BREACH: "{metric} breaches",
    DueKind.LOCK_EXPIRED: "owner lock expires",
    DueKind.FOLLOW_UP: "internal wait is followed up",
    DueKind.REMIND: "customer is reminded",
    DueKind.AUTO_RESOLVE: "resolved without an answer from the customer",
    DueKind.AUTO_CLOSE: "resolved ticket closes",
    DueKind.ACCEPTANCE: "owner has not accepted it",
    DueKind.OVERFLOW: "its skills are no longer insisted on",
    DueKind.DECLINE_OVER: "it may be offered again to who declined it",
}


@dataclass(frozen=True, slots=True)
class Due:
    """One thing that falls due at `at`; metric and what follows only for steps and breaches.

    `step` names a step that is no plain fraction; `on_call`: it goes to the on-call rota. `planned`
    is its own instant where that is before the ticket's last one.
    """

    at: datetime
    kind: DueKind
    metric: str = ""
    cycle: int = 0
    fraction: float = 0.0
    step: str = ""
    on_call: bool = False
    planned: datetime | None = None

    @property
    def key(self) -> str:
        """Name that tells this due from all others of the ticket at its instant."""
        if self.step:
            return f"{self.kind}:{self.metric}:{self.cycle}:{self.step}"
        if self.metric:
            return f"{self.kind}:{self.metric}:{self.cycle}:{self.fraction:g}"
        return str(self.kind)

    @property
    def by_automation(self) -> bool:
        """Whether automation acts on the ticket by itself here, and the stop switch holds it."""
        return self.kind in _BY_AUTOMATION

    @property
    def stamp(self) -> str:
        """Key and own instant: what a ticket remembers of a due that has been decided."""
        return f"{self.key}@{(self.planned or self.at).isoformat()}"

    @property
    def label(self) -> str:
        """The same for a person who reads the Temporal UI."""
        metric = self.metric.replace("_", " ")
        if self.step:
            return f"{metric}: step {self.step.replace('#', ', repeat ')} of its due"
        return _LABELS[self.kind].format(metric=metric, share=f"{self.fraction:.0%}")


def upcoming(
    state: TicketState, clocks: Clocks, terms: Terms, office: BusinessCalendar
) -> tuple[Due, ...]:
    """Return what is to fall due if nothing happens before, earliest first.

    What new terms or a late event have put into the past falls due at the ticket's last instant. A
    resolved ticket does not close by itself while somebody is still to be called, and what
    automation would do by itself stays due while it is halted on the ticket.
    """
    promised = any(clock.metric is Metric.CALLBACK and clock.unmet for clock in clocks)
    life = (
        replace(due, at=state.last_at, planned=due.at) if due.at < state.last_at else due
        for due in (*_of_life(state, office), *_of_owner(state))
        if not (promised and due.kind is DueKind.AUTO_CLOSE)
        and not (state.halted is not None and due.by_automation)
    )
    found = [*_of_clocks(state, clocks, terms), *life]
    left = [due for due in found if due.stamp not in state.settled]
    return tuple(sorted(left, key=lambda due: (due.at, list(DueKind).index(due.kind))))


def named(left: Iterable[Due], key: str, at: datetime) -> Due | None:
    """Return the due of `left` that a timer waited for, None if it has moved or is done."""
    return next((due for due in left if (due.key, due.at) == (key, at)), None)


def _of_clocks(state: TicketState, clocks: Clocks, terms: Terms) -> Iterator[Due]:
    """Yield steps and breaches; of a ticket that is not active, those of promised callbacks."""
    if not state.active:
        clocks = tuple(clock for clock in clocks if clock.metric is Metric.CALLBACK)
    step = next_step(clocks, terms, state.steps, state.acks)
    if step is not None:
        due_at = max(step.due_at, state.last_at)
        yield Due(
            due_at,
            DueKind.STEP,
            str(step.metric),
            step.cycle,
            step.fraction,
            step.step,
            step.on_call,
        )
    for clock in clocks:
        due = clock.due
        if due is None or clock.stopped_at is not None or recorded(clock, state.breaches):
            continue
        yield Due(max(due, state.last_at), DueKind.BREACH, str(clock.metric), clock.cycle)


def _of_life(state: TicketState, office: BusinessCalendar) -> Iterator[Due]:
    if state.status is TicketStatus.CLOSED:
        return
    if state.owner and state.locked_until is not None:
        yield Due(state.locked_until, DueKind.LOCK_EXPIRED)
    waiting = state.waiting
    if state.status is TicketStatus.WAITING_INTERNAL and waiting and waiting.follow_up_at:
        yield Due(waiting.follow_up_at, DueKind.FOLLOW_UP)
    if state.status is TicketStatus.WAITING_CUSTOMER and waiting:
        yield Due(office.add(waiting.since, REMIND_AFTER), DueKind.REMIND)
        yield Due(office.add(waiting.since, RESOLVE_AFTER), DueKind.AUTO_RESOLVE)
    if state.status is TicketStatus.RESOLVED and state.resolved_at:
        yield Due(state.resolved_at + CLOSE_AFTER, DueKind.AUTO_CLOSE)


def _of_owner(state: TicketState) -> Iterator[Due]:
    """Yield what falls due about who has the ticket, or should have it."""
    if not state.active:
        return
    ownership = state.ownership
    if state.owner and ownership.accept_by is not None:
        yield Due(ownership.accept_by, DueKind.ACCEPTANCE)
    if not state.owner:
        if ownership.overflow_at is not None:
            yield Due(ownership.overflow_at, DueKind.OVERFLOW)
        for declined in ownership.declined:
            yield Due(declined.until, DueKind.DECLINE_OVER)
