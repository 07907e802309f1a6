"""The one timer of a ticket: everything that falls due by itself, and which is next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.escalation import next_step
from support.model import TicketStatus
from support.policy import Terms
from support.sla import Clocks
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


@dataclass(frozen=True, slots=True)
class Due:
    """One thing that falls due at `at`; metric, cycle and fraction only for steps and breaches."""

    at: datetime
    kind: DueKind
    metric: str = ""
    cycle: int = 0
    fraction: float = 0.0

    @property
    def key(self) -> str:
        """Name that tells this due from all others of the ticket at its instant."""
        if self.metric:
            return f"{self.kind}:{self.metric}:{self.cycle}:{self.fraction:g}"
        return str(self.kind)

    @property
    def stamp(self) -> str:
        """Key and instant: what a ticket remembers of a due that has been decided."""
        return f"{self.key}@{self.at.isoformat()}"

    @property
    def label(self) -> str:
        """The same for a person who reads the Temporal UI."""
        metric = self.metric.replace("_", " ")
        match self.kind:
            case DueKind.STEP:
                return f"{metric} at {self.fraction:.0%} of its target"
            case DueKind.BREACH:
                return f"{metric} breaches"
            case DueKind.LOCK_EXPIRED:
                return "owner lock expires"
            case DueKind.FOLLOW_UP:
                return "internal wait is followed up"
            case DueKind.REMIND:
                return "customer is reminded"
            case DueKind.AUTO_RESOLVE:
                return "resolved without an answer from the customer"
            case DueKind.AUTO_CLOSE:
                return "resolved ticket closes"


def upcoming(
    state: TicketState, clocks: Clocks, terms: Terms, office: BusinessCalendar
) -> tuple[Due, ...]:
    """Return what is to fall due if nothing happens before, earliest first."""
    found = [*_of_clocks(state, clocks, terms), *_of_life(state, office)]
    left = [due for due in found if due.stamp not in state.settled]
    return tuple(sorted(left, key=lambda due: (due.at, list(DueKind).index(due.kind))))


def _of_clocks(state: TicketState, clocks: Clocks, terms: Terms) -> Iterator[Due]:
    if not state.active:
        return
    step = next_step(clocks, terms, state.steps, state.acks)
    if step is not None:
        yield Due(step.due_at, DueKind.STEP, str(step.metric), step.cycle, step.fraction)
    recorded = {(b.metric, b.cycle, b.due_at) for b in state.breaches}
    for clock in clocks:
        due = clock.due
        if due is None or clock.stopped_at is not None:
            continue
        if (clock.metric, clock.cycle, due) not in recorded:
            yield Due(due, DueKind.BREACH, str(clock.metric), clock.cycle)


def _of_life(state: TicketState, office: BusinessCalendar) -> Iterator[Due]:
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
