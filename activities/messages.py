"""What a workflow and its activities say to each other: references and instants, no text."""

from dataclasses import dataclass
from datetime import datetime

from support.model import Priority, TicketEvent, TicketStatus


@dataclass(frozen=True, slots=True)
class DeadlineRef:
    """The due that a timer waited for; `key` names it, `label` says it to a person."""

    at: datetime
    key: str
    label: str

    @property
    def trigger_id(self) -> str:
        """Name of the due with its instant."""
        return f"{self.key}@{self.at.isoformat()}"


@dataclass(frozen=True, slots=True)
class DecideInput:
    """Arguments of `decide`: one event or one deadline. `now` is calendar time."""

    tenant: str
    ticket_id: str
    workflow_id: str
    run_id: str
    decision_seq: int
    now: datetime
    event: TicketEvent | None = None
    deadline: DeadlineRef | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event was refused: `code` of `support.errors`, and what is allowed."""

    code: str
    message: str
    state: str = ""
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventResult:
    """What a caller learns of an event, and a repeat of it learns again."""

    ticket_id: str
    event_id: str
    decision_seq: int
    status: str
    priority: str
    owner: str
    next_deadline: datetime | None = None
    next_deadline_is: str = ""
    fired: tuple[str, ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class EffectRef:
    """An outside action to perform: its key, its kind, and a summary for the Temporal UI.

    `event_id` names the reply of a person that it delivers; empty for all else.
    """

    key: str
    kind: str
    summary: str
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class Glance:
    """What the workflow shows of its ticket: search attributes and current details."""

    status: TicketStatus
    priority: Priority
    owner: str
    sla: str
    lanes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of `decide`, at most 4 KiB, all that history keeps of a decision.

    `ahead`: the ledger already has later decisions; take `decision_seq` over and ask again.
    `effects` are to be started; with a repeat, those of earlier decisions that nobody has begun.
    `glance` is None where the ticket does not exist; `at` is the instant that it counts for.
    `digest` seals what the ledger keeps.
    """

    decision_seq: int
    ahead: bool = False
    repeat: bool = False
    result: EventResult | None = None
    glance: Glance | None = None
    deadline: DeadlineRef | None = None
    effects: tuple[EffectRef, ...] = ()
    fired: tuple[str, ...] = ()
    pack: str = ""
    digest: str = ""
    at: datetime | None = None
    headline: str = ""


@dataclass(frozen=True, slots=True)
class EffectFailure:
    """How an outside action ended without success. `permanent`: trying again cannot help."""

    key: str
    error: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Parking:
    """A ticket whose trigger cannot be decided: what failed, named for the operator."""

    tenant: str
    ticket_id: str
    trigger_id: str
    error: str
