"""What is handed out when somebody has room: which waiting tickets, in which order.

It chooses to whom it makes sense to offer; who gets a ticket is decided for each by its rules.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from heapq import merge

from support.model import Actor, ActorKind, Channel, EventKind, TicketEvent, TicketStatus
from support.routing import Role
from support.ticket import CHAT_UNITS, UNITS, TicketState
from support.work import ActionRecord

MOST_OFFERS = 50
"""Tickets that are offered for one wake-up; what is left is offered by the next."""
RELAY = "relay"
_RELAY = Actor(ActorKind.SYSTEM, RELAY)
_ASSIGN = str(EventKind.ASSIGN)
_NEVER = datetime.max.replace(tzinfo=UTC)


Need = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], Decimal, tuple[str, ...]]
"""Team, other teams that were asked, who declined it, skills, the free units it needs, and roles
beside agents that were asked."""


@dataclass(frozen=True, slots=True)
class WaitingTicket:
    """An active ticket without an owner. `next_due_at`: its earliest running clock is due.

    `skills` are those that it insists on, `sought_teams` others than its own that may take it,
    `sought_roles` roles beside agents that may, `declined_by` those who are not to be asked now.
    """

    ticket_id: str
    channel: str
    status: str
    team: str
    skills: Sequence[str]
    next_due_at: datetime | None
    created_at: datetime
    sought_teams: Sequence[str] = ()
    declined_by: Sequence[str] = ()
    sought_roles: Sequence[str] = ()

    @property
    def place(self) -> tuple[datetime, datetime, str]:
        """Sort key of the queue: overdue first, then by due, then by age; the order is total."""
        return (self.next_due_at or _NEVER, self.created_at, self.ticket_id)

    @property
    def need(self) -> Need:
        """What an agent must have to take it: tickets with one need fit the same agents."""
        declined, skills = tuple(self.declined_by), tuple(self.skills)
        teams, roles = tuple(self.sought_teams), tuple(self.sought_roles)
        return (self.team, teams, declined, skills, self.claims, roles)

    @property
    def chat(self) -> bool:
        """Whether it is a chat, which agents may have a capacity of its own for."""
        return self.channel == Channel.CHAT

    @property
    def claims(self) -> Decimal:
        """Capacity units that an agent needs to have free to be given it."""
        return CHAT_UNITS if self.chat else UNITS[TicketStatus.OPEN]

    @property
    def keeps(self) -> Decimal:
        """Capacity units that it takes once it is assigned: a new ticket opens then."""
        if self.status in (TicketStatus.NEW, TicketStatus.OPEN):
            return self.claims
        return UNITS[TicketStatus(self.status)]


@dataclass(frozen=True, slots=True)
class Room:
    """An agent who can be given work now, and the capacity units that are free.

    `chat_units` and `ticket_units` are those of chats and of other tickets alone; None where these
    have no limit of their own. `roles` are those that they can be asked for now.
    """

    agent_id: str
    team: str
    skills: Sequence[str]
    units: Decimal
    capacity_units: Decimal
    chat_units: Decimal | None = None
    ticket_units: Decimal | None = None
    roles: Sequence[str] = (Role.AGENT,)

    def free_for(self, ticket: WaitingTicket) -> Decimal:
        """Return the units that are free for tickets like this one."""
        own = self.chat_units if ticket.chat else self.ticket_units
        return self.units if own is None else min(self.units, own)

    def with_taken(self, ticket: WaitingTicket) -> "Room":
        """Return the room that is left beside the ticket."""
        units, chats, others = self.units - ticket.keeps, self.chat_units, self.ticket_units
        if ticket.chat and chats is not None:
            chats -= ticket.keeps
        elif not ticket.chat and others is not None:
            others -= ticket.keeps
        return replace(self, units=units, chat_units=chats, ticket_units=others)

    def fits(self, ticket: WaitingTicket) -> bool:
        """Whether team, role, skills and room allow it, and the agent has not declined it."""
        return (
            self.free_for(ticket) >= ticket.claims
            and self._is_asked(ticket)
            and set(self.skills).issuperset(ticket.skills)
            and self.agent_id not in ticket.declined_by
        )

    def _is_asked(self, ticket: WaitingTicket) -> bool:
        """Whether the agent is one of whom the ticket was sought; on call is of no team."""
        sought = ticket.sought_roles
        if Role.ON_CALL in sought and Role.ON_CALL in self.roles:
            return True
        if ticket.team not in ("", self.team) and self.team not in ticket.sought_teams:
            return False
        return any(role == Role.AGENT or role in sought for role in self.roles)


def waits(state: TicketState | None) -> bool:
    """Whether the ticket is active without an owner, and automation may find it one."""
    return state is not None and state.active and not state.owner and state.halted is None


def waiting_ticket(state: TicketState, next_due_at: datetime | None) -> WaitingTicket | None:
    """Return the ticket as it waits for an owner, or None where it does not, or is halted."""
    if not waits(state):
        return None
    return WaitingTicket(
        ticket_id=state.ticket_id,
        channel=str(state.channel),
        status=str(state.status),
        team=state.team,
        skills=() if state.ownership.overflows(state.last_at) else state.skills,
        next_due_at=next_due_at,
        created_at=state.created_at,
        sought_teams=state.ownership.sought_teams,
        declined_by=state.ownership.declined_by(state.last_at),
        sought_roles=state.ownership.sought_roles,
    )


def chosen(
    waiting: Iterable[WaitingTicket], rooms: Iterable[Room], most: int = MOST_OFFERS
) -> tuple[WaitingTicket, ...]:
    """Return what is offered, first things first: as many as fit into the room, at most `most`.

    A ticket that fits nobody holds up none behind it. Each takes the room of the agent who would
    be the least loaded with it, as rules by default choose.
    """
    return _chosen(sorted(waiting, key=_place), rooms, most)


def _chosen(
    ordered: Iterable[WaitingTicket],
    rooms: Iterable[Room],
    most: int,
    left: set[Need] | None = None,
) -> tuple[WaitingTicket, ...]:
    """Choose from tickets in their order; `left` are the needs of all of them, where known."""
    free = {room.agent_id: room for room in rooms}
    offered: list[WaitingTicket] = []
    unfit: set[Need] = set()
    for ticket in ordered:
        if len(offered) == most or (left is not None and left <= unfit):
            break
        if ticket.need in unfit:
            continue
        fitting = [room for room in free.values() if room.fits(ticket)]
        if not fitting:
            unfit.add(ticket.need)  # room only gets less from here on
            continue
        taker = min(fitting, key=lambda room: (_load_with(room, ticket), room.agent_id))
        free[taker.agent_id] = taker.with_taken(ticket)
        offered.append(ticket)
    return tuple(offered)


def _place(ticket: WaitingTicket) -> tuple[datetime, datetime, str]:
    return ticket.place


class WaitingLine:
    """Waiting tickets of one tenant, kept in order by what they need.

    So that a hand-out looks at those that somebody could take, and at no more of them than it must.
    """

    def __init__(self) -> None:
        self._tickets: dict[str, WaitingTicket] = {}
        self._lines: dict[Need, list[WaitingTicket]] = {}

    def put(self, ticket: WaitingTicket) -> None:
        """Let a ticket wait, in the place that it has now."""
        self.drop(ticket.ticket_id)
        self._tickets[ticket.ticket_id] = ticket
        insort(self._lines.setdefault(ticket.need, []), ticket, key=_place)

    def drop(self, ticket_id: str) -> None:
        """Let it wait no more."""
        ticket = self._tickets.pop(ticket_id, None)
        if ticket is not None:
            line = self._lines[ticket.need]
            del line[bisect_left(line, ticket.place, key=_place)]

    def holds_others(self, ticket_id: str) -> bool:
        """Whether a ticket other than this one waits."""
        return len(self._tickets) > (ticket_id in self._tickets)

    def chosen(self, rooms: Sequence[Room], without: str) -> tuple[WaitingTicket, ...]:
        """Return what is offered as `chosen` does of all that wait but one."""
        of_team: dict[str, list[Room]] = {"": list(rooms)}
        for room in rooms:
            if room.team:
                of_team.setdefault(room.team, []).append(room)
        lines = {}
        for need, line in self._lines.items():
            asked = [of_team.get(team, ()) for team in (need[0], *need[1])] if line else []
            if any(room.fits(line[0]) for some in asked for room in some):
                lines[need] = line
        ordered = (one for one in merge(*lines.values(), key=_place) if one.ticket_id != without)
        return _chosen(ordered, rooms, MOST_OFFERS, set(lines))


def _load_with(room: Room, ticket: WaitingTicket) -> Decimal:
    return (room.capacity_units - room.units + ticket.claims) / room.capacity_units


def behind(
    ticket_id: str, next_due_at: datetime | None, created_at: datetime
) -> tuple[str | None, str, str]:
    """Say behind which place of the queue a hand-out goes on, as a wake-up keeps it."""
    due = next_due_at.isoformat() if next_due_at else None
    return (due, created_at.isoformat(), ticket_id)


def asks_else(was: TicketState | None, state: TicketState) -> bool:
    """Whether somebody else may take the waiting ticket than before, or it has begun to wait."""
    before, now = (waiting_ticket(one, None) if one else None for one in (was, state))
    return now is not None and (before is None or before.need != now.need)


def offer(event_id: str, at: datetime) -> TicketEvent:
    """Return the event that asks a waiting ticket to find an owner now."""
    return TicketEvent(
        event_id=event_id,
        kind=EventKind.OFFER,
        occurred_at=at,
        received_at=at,
        actor=_RELAY,
        source=RELAY,
    )


def passed_by(trigger: object, actions: Iterable[ActionRecord]) -> bool:
    """Whether rules did not look for an owner when the ticket was offered.

    Such a ticket is not offered again before its next decision: nothing would come of it.
    """
    offered = isinstance(trigger, TicketEvent) and trigger.kind is EventKind.OFFER
    return offered and not any(action.kind == _ASSIGN for action in actions)


def frees(before: str, units_before: Decimal, after: TicketState) -> bool:
    """Whether the owner before a decision carries less of the ticket after it."""
    if not before:
        return False
    return after.owner != before or after.units < units_before
