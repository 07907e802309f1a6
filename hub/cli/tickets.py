"""`flowhub ticket ...`."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from activities.messages import EventResult
from hub.cli.output import TENANT, AsJson, Tenant, of_tenant, print_json, print_table, quoted, say
from hub.cli.session import operator, run, session, store
from hub.cli.story import line
from hub.drafts import Command, NewTicket
from store import chronicle, views
from store.pool import snapshot
from support.duration import show_duration
from support.errors import InputError
from support.model import (
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Priority,
    TicketStatus,
    WaitingOn,
)

app = typer.Typer(no_args_is_help=True)

TicketId = Annotated[str, typer.Argument(metavar="TICKET", help="Ticket id, such as T-1042.")]
As = Annotated[str, typer.Option("--as", metavar="AGENT", help="Who does it; default: you.")]
EventId = Annotated[
    str, typer.Option("--event-id", help="Id of this event; a repeat gets the first result.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, kept with the event.")]
Text = Annotated[str, typer.Argument(help="What is said.")]


class WaitOn(StrEnum):
    """Whom a ticket can wait for."""

    CUSTOMER = "customer"
    TEAM = "team"
    VENDOR = "vendor"
    PERSON = "person"


def _show(result: EventResult, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    owner = result.owner or "nobody"
    say(f"[bold]{result.ticket_id}[/] is {result.status}, {result.priority}, owner: {owner}")
    if result.next_deadline is not None:
        say(f"Next: {result.next_deadline_is} at {result.next_deadline:%Y-%m-%d %H:%M:%S} UTC")
    if result.fired:
        say(f"Rules: {', '.join(result.fired)} (decision {result.decision_seq})")


def _do(tenant: str, ticket_id: str, command: Command, actor: Actor, event_id: str) -> EventResult:
    async def work() -> EventResult:
        async with session() as hub:
            return await hub.gateway.command(
                tenant, ticket_id, command, actor=actor, source="cli", event_id=event_id
            )

    return run(work)


@app.command(epilog='Example: `flowhub ticket create "No sound" --priority high --team audio`')
def create(
    subject: Annotated[str, typer.Argument(help="One line that says what it is about.")],
    body: Annotated[str, typer.Option(help="The whole message.")] = "",
    ticket_id: Annotated[str, typer.Option("--id", help="Its id; made where missing.")] = "",
    channel: Annotated[Channel, typer.Option()] = Channel.WEB,
    priority: Annotated[Priority, typer.Option()] = Priority.NORMAL,
    team: Annotated[str, typer.Option(help="Team that it is for.")] = "",
    skill: Annotated[list[str] | None, typer.Option(help="A skill it needs; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; repeatable.")] = None,
    customer: Annotated[str, typer.Option(help="Id of the customer.")] = "",
    tier: Annotated[str, typer.Option(help="Tier of the customer, such as gold.")] = "",
    name: Annotated[str, typer.Option(help="Name of the customer.")] = "",
    email: Annotated[str, typer.Option(help="Address that replies go to.")] = "",
    locale: Annotated[str, typer.Option(help="Language of the customer: en or sv.")] = "en",
    event_id: EventId = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Create a ticket; the rules decide at once who gets it."""
    new = NewTicket(
        subject=subject,
        body=body,
        ticket_id=ticket_id,
        channel=channel,
        priority=priority,
        team=team,
        skills=tuple(skill or ()),
        tags=tuple(tag or ()),
        customer_id=customer,
        tier=tier,
        customer_name=name,
        customer_email=email,
        locale=locale,
    )
    actor = Actor(ActorKind.CUSTOMER, customer or "unknown")

    async def work() -> EventResult:
        async with session() as hub:
            return await hub.gateway.create(
                tenant, new, actor=actor, source="cli", event_id=event_id
            )

    _show(run(work), as_json=as_json)


@app.command(epilog="Example: `flowhub ticket show T-1042`")
def show(ticket_id: TicketId, tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Show a ticket and everything that happened to it, each decision with its reasons."""

    async def work() -> tuple[views.TicketView, tuple[str, ...], list[chronicle.Entry]]:
        async with store() as pool, snapshot(pool) as conn:
            ticket = await views.ticket(conn, tenant=tenant, ticket_id=ticket_id)
            tags = await views.tags(conn, tenant=tenant, ticket_id=ticket_id)
            entries = await chronicle.timeline(conn, tenant=tenant, ticket_id=ticket_id)
            return ticket, tags, list(entries)

    ticket, tags, entries = run(work)
    if as_json:
        print_json({"ticket": ticket, "tags": tags, "timeline": entries})
        return
    owner = ticket.owner or "nobody"
    say(f"[bold]{ticket.ticket_id}[/] {quoted(ticket.subject)}")
    say(f"{ticket.status}, {ticket.priority}, {ticket.channel}, owner: {owner}")
    if tags:
        say(f"Tags: {', '.join(tags)}")
    say(f"SLA: {ticket.sla_state.replace('_', ' ')}")
    if ticket.next_deadline is not None:
        say(f"Next: {ticket.next_deadline_is} at {ticket.next_deadline:%Y-%m-%d %H:%M:%S} UTC")
    if why := _without_owner(ticket):
        say(f"[bold]No owner[/]: {why}")
    if ticket.parked:
        retry = f"`flowhub ticket retry {ticket_id}{of_tenant(tenant)}`"
        say(f"[bold red]Parked[/]: {quoted(ticket.parked)}; {retry}")
    if ticket.halted:
        say(f"[bold red]Automation halted[/]: {quoted(ticket.halted)}")
        say(
            f"Look at it, then let it go on: `flowhub ticket ack {ticket_id}{of_tenant(tenant)}`, "
            "or any other step but a note"
        )
    print_table("What happened", ("at", "what", "who or why"), map(line, entries))


def _without_owner(ticket: views.TicketView) -> str:
    """Say why nobody has the ticket, and when somebody comes who could."""
    why = ticket.no_owner.replace("_", " ")
    if why and ticket.next_shift_at is not None:
        why += f"; the next suitable shift begins {ticket.next_shift_at:%Y-%m-%d %H:%M} UTC"
    return why


@app.command("list", epilog="Example: `flowhub ticket list --lane sla_breached`")
def list_(
    lane: Annotated[str, typer.Option(help="Only what is in this lane.")] = "",
    status: Annotated[
        TicketStatus | None, typer.Option(help="This status, also a closed one.")
    ] = None,
    halted: Annotated[
        bool, typer.Option("--halted", help="Only those on which automation is halted.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=views.MAX_LISTED)] = 50,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """List active tickets: overdue first, then by due, then by age."""

    async def work() -> list[views.TicketView]:
        async with store() as pool, pool.connection() as conn:
            return list(
                await views.list_tickets(
                    conn,
                    tenant=tenant,
                    lane=lane or None,
                    status=status,
                    limit=limit,
                    halted=halted,
                )
            )

    tickets = run(work)
    if as_json:
        print_json(tickets)
        return
    shown: tuple[str, ...] = (
        "ticket",
        "subject",
        "status",
        "priority",
        "owner",
        "SLA",
        "next deadline",
    )
    rows: list[tuple[str, ...]] = [_row(t) for t in tickets]
    if any(t.halted for t in tickets):
        shown = (*shown, "automation")
        why = (f"halted: {t.halted}" if t.halted else "" for t in tickets)
        rows = [(*row, halt) for row, halt in zip(rows, why, strict=True)]
    print_table(f"Tickets of {tenant}", shown, rows)


def _row(t: views.TicketView) -> tuple[str, ...]:
    return (
        t.ticket_id,
        t.subject[:60],
        t.status,
        t.priority,
        t.owner or "-",
        t.sla_state,
        _until(t.next_deadline),
    )


def _until(at: datetime | None) -> str:
    if at is None:
        return ""
    left = at - datetime.now(UTC)
    late = left < timedelta(0)
    return f"{show_duration(abs(left))} late" if late else f"in {show_duration(left)}"


def _simple(kind: EventKind, about: str, example: str) -> None:
    """Add a command that needs no more than the ticket."""

    @app.command(str(kind), help=about, epilog=f"Example: `{example}`")
    def simple(
        ticket_id: TicketId,
        reason: Reason = "",
        actor: As = "",
        event_id: EventId = "",
        tenant: Tenant = TENANT,
        as_json: AsJson = False,
    ) -> None:
        command = Command(kind, text=reason)
        _show(_do(tenant, ticket_id, command, operator(actor), event_id), as_json=as_json)


def _spoken(name: str, kind: EventKind, about: str, example: str) -> None:
    """Add a command that says something."""

    @app.command(name, help=about, epilog=f"Example: `{example}`")
    def spoken(
        ticket_id: TicketId,
        text: Text,
        actor: As = "",
        event_id: EventId = "",
        tenant: Tenant = TENANT,
        as_json: AsJson = False,
    ) -> None:
        who = operator(actor)
        if kind is EventKind.CUSTOMER_MESSAGE:
            who = Actor(ActorKind.CUSTOMER, actor or "unknown")
        command = Command(kind, text=text)
        _show(_do(tenant, ticket_id, command, who, event_id), as_json=as_json)


_spoken(
    "reply",
    EventKind.REPLY,
    "Answer the customer.",
    'flowhub ticket reply T-1042 "Please try the other cable"',
)
_spoken(
    "note",
    EventKind.NOTE,
    "Leave an internal note; it is no response.",
    'flowhub ticket note T-1042 "Asked the vendor"',
)
_spoken(
    "message",
    EventKind.CUSTOMER_MESSAGE,
    "Take a message from the customer.",
    'flowhub ticket message T-1042 "Still silent"',
)
_simple(EventKind.ACK, "Acknowledge: you have it.", "flowhub ticket ack T-1042 --as kim")
_simple(
    EventKind.DECLINE,
    "Give it back: it goes to the next, as old as it is.",
    'flowhub ticket decline T-1042 --as kim --reason "No access to that system"',
)
_simple(
    EventKind.UNLOCK,
    "Release the owner lock, so that automation may move it again.",
    "flowhub ticket unlock T-1042",
)
_simple(EventKind.RESUME, "End the wait.", "flowhub ticket resume T-1042")
_simple(EventKind.REOPEN, "Open it again.", "flowhub ticket reopen T-1042")
_simple(
    EventKind.USE_POLICIES,
    "Move it from the policies that it started with to the current ones.",
    "flowhub ticket use_policies T-1042",
)
_simple(EventKind.CLOSE, "Close a resolved ticket.", "flowhub ticket close T-1042")


@app.command(epilog="Example: `flowhub ticket assign T-1042 kim --lock`")
def assign(
    ticket_id: TicketId,
    agent: Annotated[str, typer.Argument(help="The new owner; '' releases it.")],
    lock: Annotated[bool, typer.Option("--lock", help="Keep automation off for an hour.")] = False,
    reason: Reason = "",
    actor: As = "",
    event_id: EventId = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Give it an owner, also beyond their capacity."""
    command = Command(EventKind.ASSIGN, text=reason, assignee=agent, lock=lock)
    _show(_do(tenant, ticket_id, command, operator(actor), event_id), as_json=as_json)


@app.command(epilog="Example: `flowhub ticket resolve T-1042 --disposition spam`")
def resolve(
    ticket_id: TicketId,
    disposition: Annotated[str, typer.Option("--disposition", help="What it was.")] = "",
    reason: Reason = "",
    actor: As = "",
    event_id: EventId = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Mark it as solved; a policy may void its clocks on the disposition."""
    command = Command(EventKind.RESOLVE, text=reason, disposition=disposition)
    _show(_do(tenant, ticket_id, command, operator(actor), event_id), as_json=as_json)


@app.command(epilog="Example: `flowhub ticket priority T-1042 urgent`")
def priority(
    ticket_id: TicketId,
    new: Annotated[Priority, typer.Argument(metavar="PRIORITY")],
    reason: Reason = "",
    actor: As = "",
    event_id: EventId = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Change how urgent it is; what its clocks have consumed stays."""
    command = Command(EventKind.PRIORITY, text=reason, priority=new)
    _show(_do(tenant, ticket_id, command, operator(actor), event_id), as_json=as_json)


@app.command(epilog="Example: `flowhub ticket tag T-1042 --add vip --remove trial`")
def tag(
    ticket_id: TicketId,
    add: Annotated[list[str] | None, typer.Option(help="A tag it gets; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag it loses; repeatable.")] = None,
    reason: Reason = "",
    actor: As = "",
    event_id: EventId = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Add and remove tags; its policy is chosen again, what its clocks have consumed stays."""
    added, removed = tuple(add or ()), tuple(remove or ())
    command = Command(EventKind.TAG, text=reason, tags_added=added, tags_removed=removed)
    _show(_do(tenant, ticket_id, command, operator(actor), event_id), as_json=as_json)


@app.command(epilog="Example: `flowhub ticket wait T-1042 --on vendor --until 2026-12-01T09:00Z`")
def wait(
    ticket_id: TicketId,
    on: Annotated[WaitOn, typer.Option("--on", help="Whom it waits for.")],
    ref: Annotated[str, typer.Option(help="Which team, vendor or person.")] = "",
    until: Annotated[str, typer.Option(help="When to follow up, with its zone.")] = "",
    reason: Reason = "",
    actor: As = "",
    event_id: EventId = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Wait for the customer, or inside; an internal wait pauses nothing."""
    customer = on is WaitOn.CUSTOMER
    command = Command(
        EventKind.WAIT,
        text=reason,
        status=TicketStatus.WAITING_CUSTOMER if customer else TicketStatus.WAITING_INTERNAL,
        waiting_on=None if customer else WaitingOn(on.value),
        waiting_ref=ref,
        follow_up_at=_instant(until) if until else None,
    )
    _show(_do(tenant, ticket_id, command, operator(actor), event_id), as_json=as_json)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no time: write it as 2026-12-01T09:00+01:00", field="until"
        ) from error
