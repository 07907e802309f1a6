"""What a workflow is started with, and carries into its next run."""

from dataclasses import dataclass
from datetime import datetime

from activities.messages import DeadlineRef, EffectRef, Glance
from support.model import TicketEvent


@dataclass(frozen=True, slots=True)
class TicketStart:
    """Start arguments of a TicketWorkflow.

    `clock_offset_s`: workflow time less calendar time, so that a log of the past runs today.
    `decision_seq` is the last decision of the ledger; `previous_run` links the history of a
    reopened ticket. `effects` are what a run is started for where no event is: it sends what a
    ticket without a run left behind, and ends unless an event comes meanwhile. The rest is carried
    through continue-as-new: `stalled` is a deadline that cannot be decided, `aside` the events that
    cannot, `changed_at` the ticket's last instant where it is known.
    """

    tenant: str
    ticket_id: str
    clock_offset_s: float = 0.0
    decision_seq: int = 0
    previous_run: str = ""
    glance: Glance | None = None
    deadline: DeadlineRef | None = None
    stalled: DeadlineRef | None = None
    aside: tuple[TicketEvent, ...] = ()
    changed_at: datetime | None = None
    effects: tuple[EffectRef, ...] = ()
