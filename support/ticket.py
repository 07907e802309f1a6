"""State of one ticket: all that the next decision needs, and nothing personal.

The ledger keeps it as a snapshot with each decision; a new run of the workflow starts from it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from support.escalation import Acknowledgement, StepRecord
from support.marks import Mark, Waiting
from support.model import Channel, Priority, TicketStatus
from support.needs import Firing
from support.ownership import Ownership
from support.policy import Traits
from support.routing import WorkKind
from support.sla import Breach

UNITS: dict[TicketStatus, Decimal] = {
    TicketStatus.NEW: Decimal(1),
    TicketStatus.OPEN: Decimal(1),
    TicketStatus.WAITING_INTERNAL: Decimal("0.5"),
    TicketStatus.WAITING_CUSTOMER: Decimal(0),
    TicketStatus.RESOLVED: Decimal(0),
    TicketStatus.CLOSED: Decimal(0),
}
CHAT_UNITS = Decimal(4)


_UNTOLD = Ownership()


@dataclass(frozen=True, slots=True)
class Halt:
    """Why automation on a ticket stands still until somebody looks: which rule went over what."""

    reason: str
    at: datetime
    rules: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Say why an action is left."""
        return f"automation on this ticket is halted: {self.reason}"


@dataclass(frozen=True, slots=True)
class TicketState:
    """One ticket as its last decision left it; instants are aware UTC."""

    tenant: str
    ticket_id: str
    channel: Channel
    priority: Priority
    status: TicketStatus
    created_at: datetime
    last_at: datetime
    team: str = ""
    skills: tuple[str, ...] = ()
    customer_id: str = ""
    tier: str = ""
    tags: tuple[str, ...] = ()
    follow_up_of: str = ""
    owner: str = ""
    locked_until: datetime | None = None
    terms_key: str = ""
    policy_version: str = ""
    earlier_policies: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    acks: tuple[Acknowledgement, ...] = ()
    breaches: tuple[Breach, ...] = ()
    waiting: Waiting | None = None
    customer_wrote_at: datetime | None = None
    replied_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    auto_messages: tuple[datetime, ...] = ()
    notifications: tuple[datetime, ...] = ()
    settled: tuple[str, ...] = ()
    reopen_count: int = 0
    reassign_count: int = 0
    firings: tuple[Firing, ...] = ()
    halted: Halt | None = None
    ownership: Ownership = _UNTOLD

    @property
    def traits(self) -> Traits:
        """What policies match on."""
        return Traits(self.tenant, self.channel, self.priority, self.team, self.tier, self.tags)

    @property
    def active(self) -> bool:
        """Not resolved and not closed."""
        return self.status.active

    @property
    def unanswered(self) -> bool:
        """The customer wrote last: no public reply since."""
        wrote = self.customer_wrote_at
        return wrote is not None and (self.replied_at is None or self.replied_at < wrote)

    @property
    def missed(self) -> tuple[Breach, ...]:
        """Breaches that stand: all on record but the withdrawn."""
        return tuple(breach for breach in self.breaches if not breach.withdrawn)

    @property
    def units(self) -> Decimal:
        """Capacity units that the ticket takes of its owner (design: open 1, internal 0.5, ...)."""
        if self.channel is Channel.CHAT and self.status in (TicketStatus.NEW, TicketStatus.OPEN):
            return CHAT_UNITS
        return UNITS[self.status]

    @property
    def kind(self) -> WorkKind:
        """Which kind of work it is for its owner."""
        return WorkKind.CHAT if self.channel is Channel.CHAT else WorkKind.TICKET

    def locked(self, at: datetime) -> bool:
        """Whether automation may not move the ticket from its owner at `at`."""
        return bool(self.owner) and self.locked_until is not None and at < self.locked_until


def recent(instants: tuple[datetime, ...], at: datetime, within: timedelta) -> tuple[datetime, ...]:
    """Return those of `instants` that lie in the `within` before `at`, for quotas."""
    return tuple(i for i in instants if at - within < i <= at)
