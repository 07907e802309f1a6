"""The way in: text and people to the store first, then the event to the ticket's workflow."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from activities.messages import EventResult
from support.model import Actor, Channel, EventKind, Priority, TicketStatus, WaitingOn

MAX_SUBJECT = 500
MAX_BODY = 100_000


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What a new ticket needs. Only `subject` is required; ids are made where missing."""

    subject: str
    body: str = ""
    ticket_id: str = ""
    channel: Channel = Channel.WEB
    priority: Priority = Priority.NORMAL
    team: str = ""
    skills: tuple[str, ...] = ()
    customer_id: str = ""
    customer_name: str = ""
    customer_email: str = ""
    locale: str = "en"
    tier: str = ""
    tags: tuple[str, ...] = ()
    follow_up_of: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to do to a ticket; `text` is the body, or the reason, of `kind`."""

    kind: EventKind
    text: str = ""
    priority: Priority | None = None
    assignee: str = ""
    lock: bool = False
    status: TicketStatus | None = None
    waiting_on: WaitingOn | None = None
    waiting_ref: str = ""
    follow_up_at: datetime | None = None
