"""The vocabulary of callbacks as types: events in, state of one callback, nothing that acts.

A callback is a promise to call a customer, linked to a ticket or standing alone. Its number, the
customer's name and the topic are in the store; here are references to them. Instants are aware UTC.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from support.escalation import Acknowledgement, StepRecord
from support.marks import Mark
from support.model import Actor, Channel, LeftCause, Priority, checked_id
from support.needs import Firing
from support.ownership import Ownership
from support.policy import Traits
from support.routing import WorkKind
from support.sla import Breach

CALLBACK_UNITS = Decimal(12)
"""Capacity units of an agent who has a callback: all that a usual agent has (design)."""
KIND = WorkKind.CALLBACK


class CallbackStatus(StrEnum):
    """Where a callback stands in its life."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    IN_CALL = "in_call"
    RETRY_WAIT = "retry_wait"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing can change it any more."""
        return self in _FINAL


_FINAL = frozenset(
    {
        CallbackStatus.COMPLETED,
        CallbackStatus.ABANDONED,
        CallbackStatus.EXPIRED,
        CallbackStatus.CANCELLED,
    }
)


class CallbackEventKind(StrEnum):
    """What can happen to a callback; the CLI verbs and API paths are the same words."""

    REQUESTED = "requested"
    JOINED = "joined"
    OFFER = "offer"
    ACCEPT = "accept"
    DECLINE = "decline"
    DIALLED = "dialled"
    OUTCOME = "outcome"
    UNKNOWN = "unknown"
    CANCEL = "cancel"
    OWNER_LEFT = "owner_left"
    ASSIGN = "assign"
    NOTE = "note"


class CallOutcome(StrEnum):
    """How an attempt to call ended."""

    COMPLETED = "completed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    WRONG_NUMBER = "wrong_number"
    VOICEMAIL = "voicemail"
    REFUSED = "refused"
    CALL_AGAIN = "call_again"

    @property
    def ends(self) -> bool:
        """Whether nobody is to be called after it."""
        return self in _ENDING


_ENDING = frozenset({CallOutcome.COMPLETED, CallOutcome.WRONG_NUMBER, CallOutcome.REFUSED})


class CallbackDueKind(StrEnum):
    """What falls due of a callback, in the order in which it does at one instant."""

    WINDOW_OPEN = "window_open"
    RETRY = "retry"
    ACCEPTANCE = "acceptance"
    UNREPORTED = "unreported"
    HOURS_OPEN = "hours_open"
    DECLINE_OVER = "decline_over"
    STEP = "step"
    PROMISE = "promise"
    LOCK_EXPIRED = "lock_expired"
    EXPIRY = "expiry"


class EndedWhy(StrEnum):
    """Why a callback was abandoned."""

    ATTEMPTS = "attempts"
    WRONG_NUMBER = "wrong_number"
    REFUSED = "refused"
    DO_NOT_CALL = "do_not_call"


@dataclass(frozen=True, slots=True)
class CallbackLimits:
    """How far a callback goes; attempts and time are bounded each by itself.

    `retry_after` is the quarantine after each attempt that reached nobody, and the last attempt is
    the one after them. Without a window it expires `expires_after` the request, or the beginning of
    a window without an end; with one `grace` after the window's end, in which somebody can agree on
    another with the customer. `accept_within` is for whoever got it, `report_within` from when
    they accepted or dialled until it is parked. Nobody is called more than `most_ahead` from now.
    """

    retry_after: tuple[timedelta, ...] = (timedelta(minutes=15), timedelta(hours=1))
    expires_after: timedelta = timedelta(days=7)
    grace: timedelta = timedelta(hours=24)
    accept_within: timedelta = timedelta(minutes=2)
    report_within: timedelta = timedelta(minutes=60)
    most_ahead: timedelta = timedelta(days=90)

    @property
    def most_attempts(self) -> int:
        """How often it is dialled at most (design: 3)."""
        return len(self.retry_after) + 1


USUAL_LIMITS = CallbackLimits()


@dataclass(frozen=True, slots=True)
class Window:
    """When the customer wants to be called: in [start, end); None: from now on, or without end."""

    start: datetime | None = None
    end: datetime | None = None


ANY_TIME = Window()
"""As soon as possible."""


@dataclass(frozen=True, slots=True)
class CallbackOpening:
    """What a `requested` event says of the new callback.

    `country` is that of the number, `zone` where the customer is. `number_ref` and `topic_ref` name
    what the store has.
    """

    number_ref: str
    country: str
    zone: str
    ticket_id: str = ""
    customer_id: str = ""
    language: str = ""
    topic_ref: str = ""
    team: str = ""
    skills: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    tier: str = ""
    window: Window = ANY_TIME


@dataclass(frozen=True, slots=True)
class CallbackEvent:
    """One thing that happened to one callback; the message of every update and signal.

    `event_id` is unique per callback: a repeat returns the first result. Only the fields that the
    kind needs are set: `opening` (requested), `window` (joined: None leaves it as it is), `attempt`
    (dialled, outcome, unknown: which one it tells of; 0: the one that is under way), `outcome` and
    `call_again_at` (outcome), `assignee` and `lock` (assign; empty assignee releases),
    `expected_owner` and `left_cause` (owner_left). Free text is stored first and named by
    `message_ref`.
    """

    event_id: str
    kind: CallbackEventKind
    occurred_at: datetime
    received_at: datetime
    actor: Actor
    source: str = "api"
    message_ref: str = ""
    opening: CallbackOpening | None = None
    window: Window | None = None
    attempt: int = 0
    outcome: CallOutcome | None = None
    call_again_at: datetime | None = None
    assignee: str = ""
    lock: bool = False
    expected_owner: str = ""
    left_cause: LeftCause | None = None


_WHEN_AND_BY_WHOM = frozenset({"occurred_at", "received_at", "actor", "source"})


def callback_fingerprint(event: CallbackEvent) -> str:
    """Return what the event says, short: equal for repeats, different for other content."""
    said = {name: value for name, value in asdict(event).items() if name not in _WHEN_AND_BY_WHOM}
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to call. `outcome` is None while it is under way, or for good if never told."""

    number: int
    at: datetime
    agent_id: str
    outcome: CallOutcome | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LateOutcome:
    """An outcome that was told when it could change nothing any more; kept on record."""

    event_id: str
    outcome: CallOutcome
    at: datetime
    attempt: int = 0


_UNTOLD = Ownership()


@dataclass(frozen=True, slots=True)
class CallbackState:
    """One callback as its last decision left it.

    `requested_at` is that of the first request, whatever came after: the queue goes by it.
    `promised_from` is when its promise begins to run. `unaccepted` counts who got it and did not
    accept it in time; `accepted_at` says that its owner has it; `dialling` is the key under which a
    telephone was asked to dial, and is never used twice. `parked_at`: nobody knows what became of
    the dial, and a person has to say. `ended` is why it was abandoned. `marks` are those of its
    promise.
    """

    tenant: str
    callback_id: str
    number_ref: str
    country: str
    zone: str
    status: CallbackStatus
    requested_at: datetime
    last_at: datetime
    promised_from: datetime
    expires_at: datetime
    ticket_id: str = ""
    customer_id: str = ""
    language: str = ""
    topic_ref: str = ""
    team: str = ""
    skills: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    tier: str = ""
    window: Window = ANY_TIME
    asked: int = 1
    owner: str = ""
    ownership: Ownership = _UNTOLD
    unaccepted: int = 0
    accepted_at: datetime | None = None
    dialling: str = ""
    locked_until: datetime | None = None
    history: tuple[Attempt, ...] = ()
    late: tuple[LateOutcome, ...] = ()
    next_retry: datetime | None = None
    parked_at: datetime | None = None
    ended: EndedWhy | None = None
    ended_at: datetime | None = None
    terms_key: str = ""
    policy_version: str = ""
    marks: tuple[Mark, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    acks: tuple[Acknowledgement, ...] = ()
    breaches: tuple[Breach, ...] = ()
    notifications: tuple[datetime, ...] = ()
    auto_messages: tuple[datetime, ...] = ()
    settled: tuple[str, ...] = ()
    firings: tuple[Firing, ...] = ()

    @property
    def active(self) -> bool:
        """Whether somebody is still to be called."""
        return not self.status.final

    @property
    def attempts(self) -> int:
        """How often it was dialled."""
        return len(self.history)

    @property
    def running(self) -> Attempt | None:
        """The attempt that is under way."""
        last = self.history[-1] if self.history else None
        in_call = self.status is CallbackStatus.IN_CALL
        return last if in_call and last is not None and last.outcome is None else None

    @property
    def units(self) -> Decimal:
        """Capacity units that it takes of its owner: a parked one has no call going on."""
        busy = self.status in (CallbackStatus.DISPATCHED, CallbackStatus.IN_CALL)
        return CALLBACK_UNITS if self.owner and busy and self.parked_at is None else Decimal(0)

    @property
    def traits(self) -> Traits:
        """What policies match on: a callback is work on the phone, wherever it was asked for."""
        return Traits(self.tenant, Channel.PHONE, self.priority, self.team, self.tier)

    def locked(self, at: datetime) -> bool:
        """Whether automation may not move it from its owner at `at`."""
        return bool(self.owner) and self.locked_until is not None and at < self.locked_until


def place_in_queue(state: CallbackState, *, overdue: bool) -> tuple[bool, datetime, str]:
    """Sort key of the queue: overdue first, then by the original request; the order is total."""
    return (not overdue, state.requested_at, state.callback_id)


def callback_workflow_id(tenant: str, callback_id: str) -> str:
    """Temporal id of a callback's workflow."""
    return f"callback/{checked_id(tenant, 'tenant')}/{checked_id(callback_id, 'callback id')}"
