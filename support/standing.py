"""How a ticket stands: the flags that lanes count and the hub shows, derived from its clocks."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from support.clock import Clocks, ClockState
from support.escalation import escalation_due
from support.model import Priority, TicketStatus
from support.policy import Metric, Terms
from support.sla import recorded
from support.ticket import TicketState


class SlaState(StrEnum):
    """The one word on a ticket's clocks, worst first.

    `missed`: none is unmet any more, but a target was not kept.
    """

    BREACHED = "breached"
    BREACHED_HELD = "breached_held"
    RUNNING = "running"
    HELD = "held"
    MISSED = "missed"
    MET = "met"


@dataclass(frozen=True, slots=True)
class Standing:
    """Flags of one ticket. `breached`: an unmet, running clock is past due (held ones apart).

    `sla` and `next_due_at` also tell of a callback promised on a ticket that is resolved; the other
    flags are for what is active.
    """

    breached: bool
    breached_held: bool
    escalation_due: bool
    sla: SlaState
    next_due_at: datetime | None
    lanes: tuple[str, ...]


def standing(state: TicketState, clocks: Clocks, terms: Terms, at: datetime) -> Standing:
    """Derive the flags of `state` at `at`. A clock is past due from its recorded breach on."""
    unmet = [c for c in clocks if c.unmet and (state.active or c.metric is Metric.CALLBACK)]
    late = [c for c in unmet if recorded(c, state.breaches)]
    past = any(c.state is ClockState.RUNNING for c in late)
    past_held = any(c.state is ClockState.HELD for c in late)
    breached = state.active and past
    due = state.active and escalation_due(clocks, terms, state.steps, state.acks, at)
    running = [c.due for c in unmet if c.state is ClockState.RUNNING and c.due is not None]
    return Standing(
        breached=breached,
        breached_held=state.active and past_held,
        escalation_due=due,
        sla=_word(
            breached=past,
            held=past_held,
            running=bool(running),
            over=SlaState.MISSED if state.missed else SlaState.MET,
            unmet=bool(unmet),
        ),
        next_due_at=min(running, default=None),
        lanes=lanes_of(state, breached=breached, due=due),
    )


def _word(*, breached: bool, held: bool, running: bool, unmet: bool, over: SlaState) -> SlaState:
    if breached:
        return SlaState.BREACHED
    if held:
        return SlaState.BREACHED_HELD
    if not unmet:
        return over
    return SlaState.RUNNING if running else SlaState.HELD


def lanes_of(state: TicketState, *, breached: bool, due: bool) -> tuple[str, ...]:
    """Return the ids of the lanes that count the ticket."""
    if not state.active:
        return ()
    member = {
        "sla_breached": breached,
        "escalation_due": due,
        "unassigned": not state.owner,
        "assignment": state.status is TicketStatus.WAITING_INTERNAL,
        "priority_queue": state.priority in (Priority.HIGH, Priority.URGENT),
    }
    return tuple(lane for lane, inside in member.items() if inside)
