"""The ticket that follows up a closed one: which it is, how it opens, and who it took over from."""

import hashlib
from dataclasses import dataclass, replace

from activities.messages import DecideInput, EventResult
from activities.records import event_row
from hub.drafts import Command, NewTicket, Origin
from store import ledger, messages
from store.pool import Pool
from support.errors import LedgerError
from support.model import (
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Priority,
    TicketEvent,
    workflow_id,
)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Where a message goes that came after close: to `ticket_id`, opened by `opening` if need be.

    All messages at once have the same opening, event id included: the ticket is opened once, and
    each message comes to it as an event of its own. None: it is there.
    """

    ticket_id: str
    message: Command
    opening: tuple[NewTicket, Origin] | None


async def find(pool: Pool, tenant: str, ticket_id: str, event: TicketEvent) -> FollowUp:
    """Return where a message to the closed ticket `ticket_id` goes.

    The active ticket that follows it up, else the one named by this close; each close has its own.
    """
    async with pool.connection() as conn:
        opening = await messages.opening_of(conn, tenant=tenant, ticket_id=ticket_id)
        closed = await ledger.snapshot(conn, tenant=tenant, ticket_id=ticket_id)
        said = await messages.get(
            conn, tenant=tenant, ticket_id=ticket_id, message_ref=event.message_ref
        )
        if opening is None or closed is None or said is None:
            raise LedgerError(f"the ledger has no opening or message of {ticket_id}")
        named = opening.follow_up or _named(ticket_id, closed.decision_seq)
        there = await ledger.snapshot(conn, tenant=tenant, ticket_id=named)
    message = Command(EventKind.CUSTOMER_MESSAGE, text=said.body)
    if there is not None:
        return FollowUp(named, message, None)
    new = NewTicket(
        subject=opening.subject,
        ticket_id=named,
        channel=Channel(opening.channel),
        priority=Priority(opening.priority),
        team=opening.team,
        skills=tuple(opening.skills),
        customer_id=opening.customer_id,
        tier=opening.tier,
        follow_up_of=ticket_id,
    )
    customer = Actor(ActorKind.CUSTOMER, opening.customer_id or "unknown")
    origin = Origin(customer, event.source, f"follow-up.{named}", event.occurred_at)
    return FollowUp(named, message, (new, origin))


def _named(ticket_id: str, decision_seq: int) -> str:
    digest = hashlib.sha256(f"{ticket_id}/{decision_seq}".encode()).hexdigest()
    return f"T-{digest[:12]}"


async def note(
    pool: Pool, tenant: str, ticket_id: str, event: TicketEvent, result: EventResult
) -> None:
    """Keep the event with its result on the closed ticket, so that a repeat gets it."""
    asked = DecideInput(
        tenant=tenant,
        ticket_id=ticket_id,
        workflow_id=workflow_id(tenant, ticket_id),
        run_id="",
        decision_seq=0,
        now=event.received_at,
        event=event,
    )
    row = replace(event_row(asked, event, result, event.occurred_at), decision_seq=None)
    async with pool.connection() as conn:
        await ledger.note_event(conn, row)
