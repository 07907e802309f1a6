"""The vocabulary of the hub as types: events in, ticket state, nothing that acts.

Instants are aware UTC datetimes. Ids are references (`[A-Za-z0-9._-]{1,64}`); text, names and
addresses are in the store and appear here only as a `message_ref`.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from support.errors import InputError

MOST_TAGS = 50
"""Tags that a ticket can have."""
ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")
DEFAULT_TENANT = "global"
DEMO_TENANT = "demo"
AUTO_PREFIX = "auto."
"""Begins the ids of what automation does and writes."""
FAILED_PREFIX = "failed."
BULK_PREFIX = "bulk."
"""Begins the ids of bulk changes, which are those of the events that they send."""
OFFER_PREFIX = "offer."
LEFT_PREFIX = "left."
OWN_PREFIXES = (AUTO_PREFIX, FAILED_PREFIX, BULK_PREFIX, OFFER_PREFIX, LEFT_PREFIX)
"""Begin the ids of events that only the hub sends."""


class Channel(StrEnum):
    """Where a ticket came in."""

    CHAT = "chat"
    EMAIL = "email"
    PHONE = "phone"
    WEB = "web"
    API = "api"


class Priority(StrEnum):
    """How urgent a ticket is, lowest first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class TicketStatus(StrEnum):
    """Where a ticket stands in its life."""

    NEW = "new"
    OPEN = "open"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_INTERNAL = "waiting_internal"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def active(self) -> bool:
        """Not resolved and not closed."""
        return self not in _ENDED


_ENDED = frozenset({TicketStatus.RESOLVED, TicketStatus.CLOSED})


class ActorKind(StrEnum):
    """Who or what caused an event."""

    AGENT = "agent"
    CUSTOMER = "customer"
    RULE = "rule"
    SYSTEM = "system"


class Presence(StrEnum):
    """Whether an agent can be given work."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class EventKind(StrEnum):
    """What can happen to a ticket; the CLI verbs and API paths are the same words."""

    CREATED = "created"
    CUSTOMER_MESSAGE = "customer_message"
    REPLY = "reply"
    NOTE = "note"
    ASSIGN = "assign"
    ACK = "ack"
    PRIORITY = "priority"
    WAIT = "wait"
    RESUME = "resume"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    REPLY_FAILED = "reply_failed"
    USE_POLICIES = "use_policies"
    TAG = "tag"
    OFFER = "offer"
    NO_OWNER = "no_owner"
    DECLINE = "decline"
    UNLOCK = "unlock"
    OWNER_LEFT = "owner_left"
    REASSIGN = "reassign"


class LeftCause(StrEnum):
    """Why the owner of a ticket cannot go on with it."""

    SHIFT_ENDED = "shift_ended"
    ON_LEAVE = "on_leave"
    OFFLINE = "offline"
    OFFBOARDED = "offboarded"


class WaitingOn(StrEnum):
    """Whom an internally waiting ticket waits for."""

    TEAM = "team"
    VENDOR = "vendor"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. `on_behalf_of` names the person for whom a machine acted."""

    kind: ActorKind
    id: str
    role: str = ""
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a `created` event says about the new ticket."""

    channel: Channel = Channel.WEB
    priority: Priority = Priority.NORMAL
    team: str = ""
    skills: tuple[str, ...] = ()
    customer_id: str = ""
    tier: str = ""
    tags: tuple[str, ...] = ()
    follow_up_of: str = ""


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One thing that happened to one ticket; the message of every update and signal.

    `event_id` is unique per ticket: a repeat returns the first result. Only the fields that the
    kind needs are set: `opening` (created), `priority` (priority), `assignee` and `lock` (assign;
    empty assignee releases), `status`, `waiting_on`, `waiting_ref`, `follow_up_at` (wait),
    `automatic` (a reply that no person wrote, so no response), `voids` (reply_failed: the event id
    of the reply that did not arrive), `disposition` (resolve, close: what it was, such as spam; a
    policy may void its clocks on it), `tags_added`, `tags_removed` (tag), `left_cause`
    (owner_left; reassign: only `offboarded`, whom no lock holds a ticket to), `change_id`
    (reassign: the bulk change that asks for it). Events owner_left and
    reassign are about `expected_owner`: of a ticket that has another owner they are refused, a
    reassign also where that owner has not had it since `expected_since`. A reassign goes beyond the
    capacity of its `assignee` only if `forced`. Free text (body, reason) is stored first and named
    by `message_ref`.
    """

    event_id: str
    kind: EventKind
    occurred_at: datetime
    received_at: datetime
    actor: Actor
    source: str = "api"
    message_ref: str = ""
    opening: Opening | None = None
    priority: Priority | None = None
    assignee: str = ""
    lock: bool = False
    status: TicketStatus | None = None
    waiting_on: WaitingOn | None = None
    waiting_ref: str = ""
    follow_up_at: datetime | None = None
    automatic: bool = False
    voids: str = ""
    disposition: str = ""
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    left_cause: LeftCause | None = None
    expected_owner: str = ""
    expected_since: datetime | None = None
    change_id: str = ""
    forced: bool = False


def said(event: TicketEvent) -> TicketEvent:
    """Return the event without when it came, by whom and by which way.

    Two events with one id are the same event where this is equal, and else a mistake of the sender.
    """
    return replace(event, occurred_at=_EVER, received_at=_EVER, actor=_ANYBODY, source="")


def fingerprint(event: TicketEvent) -> str:
    """Return what `said` comes to, short: equal for repeats, different for other content."""
    text = json.dumps(asdict(said(event)), sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_ANYBODY = Actor(ActorKind.SYSTEM, "")


def checked_id(value: str, what: str) -> str:
    """Return `value` if it may name a `what` (tenant, ticket, agent, event), else InputError."""
    if not ID_PATTERN.fullmatch(value):
        shown = value if len(value) <= 80 else f"{value[:77]}..."
        raise InputError(
            f"{what} {shown!r} is not allowed: use 1 to 64 of the characters A-Z a-z 0-9 . _ -",
            field=what,
        )
    return value


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return `tags`, each once, if a ticket may have them, else InputError."""
    found = tuple(checked_id(tag, "tag") for tag in dict.fromkeys(tags))
    if len(found) > MOST_TAGS:
        raise InputError(
            f"a ticket has at most {MOST_TAGS} tags, and these are {len(found)}: leave some out",
            field="tags",
        )
    return found


def failure_id(event_id: str) -> str:
    """Id of the event that says that the reply `event_id` did not arrive."""
    whole = f"{FAILED_PREFIX}{event_id}"
    if len(whole) <= 64:
        return whole
    return f"{FAILED_PREFIX}{hashlib.sha256(event_id.encode()).hexdigest()[:32]}"


def workflow_id(tenant: str, ticket_id: str) -> str:
    """Temporal id of a ticket's workflow."""
    return f"ticket/{checked_id(tenant, 'tenant')}/{checked_id(ticket_id, 'ticket id')}"
