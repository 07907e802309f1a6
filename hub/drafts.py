"""What comes in, checked: text and people go to the store, an event that names them goes on."""

import hashlib
import re
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from store import messages
from store.pool import Pool, transaction
from support.errors import InputError
from support.model import (
    OWN_PREFIXES,
    Actor,
    Channel,
    EventKind,
    Opening,
    Priority,
    TicketEvent,
    TicketStatus,
    WaitingOn,
    checked_id,
    checked_tags,
)
from support.transitions import BY_THE_HUB

MAX_SUBJECT = 500
MAX_BODY = 100_000
MAX_NAME = 320
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
"""What a line of text may not hold."""
LOCALE = r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}"

_SPOKEN = frozenset({EventKind.CUSTOMER_MESSAGE, EventKind.REPLY, EventKind.NOTE})
NOT_BY_HAND = BY_THE_HUB | {EventKind.CREATED}


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
    disposition: str = ""
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from. `event_id` makes a repeat harmless; one is made where empty.

    `occurred_at` is when it happened, aware; None: now.
    """

    actor: Actor
    source: str
    event_id: str = ""
    occurred_at: datetime | None = None


class Drafts:
    """Makes events of what people send. `clock_offset_s`: wall time less calendar time."""

    def __init__(self, pool: Pool, clock_offset_s: float = 0.0) -> None:
        self._pool = pool
        self._offset = timedelta(seconds=clock_offset_s)

    async def opening(self, tenant: str, new: NewTicket, origin: Origin) -> tuple[str, TicketEvent]:
        """Store subject, body and customer; return the ticket's id and its `created` event."""
        checked_id(tenant, "tenant")
        ticket_id = checked_id(new.ticket_id or _made_id(tenant, origin.event_id), "ticket id")
        if not new.subject.strip():
            raise InputError("a ticket needs a subject", field="subject")
        subject = checked_line(new.subject, "subject", MAX_SUBJECT)
        body = checked_text(new.body, "body", MAX_BODY)
        customer = _customer(tenant, ticket_id, new)
        opening = Opening(
            channel=new.channel,
            priority=new.priority,
            team=_named(new.team, "team"),
            skills=tuple(checked_id(skill, "skill") for skill in new.skills),
            customer_id=customer.customer_id if customer else "",
            tier=_named(new.tier, "tier"),
            tags=checked_tags(new.tags),
            follow_up_of=_named(new.follow_up_of, "ticket id"),
        )
        text = f"{subject}\n{body}"
        event = replace(self._event(EventKind.CREATED, origin, text), opening=opening)
        async with transaction(self._pool) as conn:
            if customer is not None:
                await messages.add_customer(conn, customer)
            message = _message(tenant, ticket_id, event, "opening", body)
            await messages.add(conn, replace(message, subject=subject))
        return ticket_id, event

    async def command(
        self, tenant: str, ticket_id: str, command: Command, origin: Origin
    ) -> TicketEvent:
        """Store the text of a command; return its event."""
        checked_id(tenant, "tenant")
        checked_id(ticket_id, "ticket id")
        if command.kind in NOT_BY_HAND:
            raise InputError(f"{command.kind} is no command", field="kind")
        if command.kind in _SPOKEN and not command.text.strip():
            raise InputError(f"a {command.kind} needs its text", field="text")
        text = checked_text(command.text, "text", MAX_BODY)
        event = replace(
            self._event(command.kind, origin, text),
            priority=command.priority,
            assignee=_named(command.assignee, "agent"),
            lock=command.lock,
            status=command.status,
            waiting_on=command.waiting_on,
            waiting_ref=_named(command.waiting_ref, "waiting ref"),
            disposition=_named(command.disposition, "disposition"),
            tags_added=checked_tags(command.tags_added),
            tags_removed=checked_tags(command.tags_removed),
            follow_up_at=checked_instant(command.follow_up_at) if command.follow_up_at else None,
        )
        if text:
            async with self._pool.connection() as conn:
                await messages.add(
                    conn, _message(tenant, ticket_id, event, str(command.kind), text)
                )
        return event

    def _event(self, kind: EventKind, origin: Origin, text: str) -> TicketEvent:
        now = datetime.now(UTC) - self._offset
        event_id = checked_id(origin.event_id or uuid.uuid4().hex, "event id")
        if event_id.startswith(OWN_PREFIXES):
            raise InputError(
                f"event ids that begin with {', '.join(OWN_PREFIXES)} are the hub's own: "
                "choose another",
                field="event_id",
            )
        checked_id(origin.actor.id, "actor")
        _named(origin.actor.role, "role")
        _named(origin.actor.on_behalf_of, "person")
        return TicketEvent(
            event_id=event_id,
            kind=kind,
            occurred_at=checked_instant(origin.occurred_at or now),
            received_at=now,
            actor=origin.actor,
            source=checked_id(origin.source, "source"),
            message_ref=_ref(event_id, text) if text else "",
        )


def _made_id(tenant: str, event_id: str) -> str:
    """Make a ticket id; of a repeated event the same one, so that it cannot make two tickets."""
    seed = f"{tenant}/{event_id}" if event_id else uuid.uuid4().hex
    return f"T-{hashlib.sha256(seed.encode()).hexdigest()[:10]}"


def _ref(event_id: str, text: str) -> str:
    """Name a text by its event and content: the same id with another text is another text."""
    return f"{event_id[:47]}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _named(value: str, what: str) -> str:
    return checked_id(value, what) if value else ""


def _customer(tenant: str, ticket_id: str, new: NewTicket) -> messages.Customer | None:
    customer_id = _named(new.customer_id, "customer id")
    if not customer_id and (new.customer_name or new.customer_email):
        customer_id = f"c-{ticket_id}"[:64]
    if not customer_id:
        return None
    return messages.Customer(
        tenant,
        customer_id,
        checked_line(new.customer_name, "customer name", MAX_NAME),
        _address(new.customer_email),
        _locale(new.locale),
    )


def _message(
    tenant: str, ticket_id: str, event: TicketEvent, kind: str, body: str
) -> messages.Message:
    return messages.Message(
        tenant=tenant,
        ticket_id=ticket_id,
        message_ref=event.message_ref,
        kind=kind,
        author_kind=str(event.actor.kind),
        author_id=event.actor.id,
        created_at=event.occurred_at,
        body=body,
    )


def _address(email: str) -> str:
    checked_line(email, "customer email", MAX_NAME)
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise InputError("the customer email is no address: write it as name@host", field="email")
    return email


def _locale(name: str) -> str:
    if not re.fullmatch(LOCALE, name):
        raise InputError("the locale is no language: write it as en, sv or pt-BR", field="locale")
    return name


def checked_line(text: str, what: str, limit: int) -> str:
    """Return `text` if it is one line that the store can keep, else InputError."""
    checked_text(text, what, limit)
    if CONTROL.search(text):
        raise InputError(f"the {what} must be one line without control characters", field=what)
    return text


def checked_text(text: str, what: str, limit: int) -> str:
    """Return `text` if the store can keep it, else InputError that does not repeat it."""
    if len(text) > limit:
        raise InputError(
            f"the {what} has {len(text)} characters, at most {limit} are allowed: shorten it",
            field=what,
        )
    if "\x00" in text:
        raise InputError(f"the {what} has a NUL character: remove it", field=what)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"the {what} is not valid Unicode (a lone surrogate): send it as UTF-8", field=what
        ) from error
    return text


def checked_instant(at: datetime) -> datetime:
    """Return `at` in UTC; InputError where it has no zone."""
    if at.tzinfo is None:
        raise InputError(f"time {at.isoformat()} has no zone: send it with Z or an offset")
    try:
        return at.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise InputError(f"time {at.isoformat()} is out of range") from error
