"""Which tickets should change hands: as few as needed, from those who cannot go on or carry most.

Computed, never done: each move is sent to its ticket, which decides. A plan goes round until there
is nothing left to do, and what it has moved it does not move again: a second plan made of its
result is empty.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from support.duration import show_duration
from support.errors import InputError
from support.routing import WorkKind
from support.takers import Takers
from support.workload import Carrier, Figures, Need, OwnedTicket, figures

COOL_DOWN = timedelta(minutes=60)
"""How long a ticket that has changed hands is left where it is."""
TOLERANCE = Decimal("0.25")
"""Difference of load shares, 0 to 1, that is no reason to move anything."""
MOST_MOVES = 1000
"""Moves of one plan; the next one goes on."""
NOBODY = "nobody else who suits it is at work with room"
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Terms:
    """How far a plan goes; `most` is the number of moves. InputError where that makes no sense."""

    cool_down: timedelta = COOL_DOWN
    tolerance: Decimal = TOLERANCE
    most: int = MOST_MOVES

    def __post_init__(self) -> None:
        if self.cool_down < timedelta(0) or not 0 <= self.tolerance <= 1 or self.most < 1:
            raise InputError(
                "a plan takes a cool-down of 0 or more, a tolerance from 0 to 1, and a limit of at "
                "least 1 move"
            )


@dataclass(frozen=True, slots=True)
class Move:
    """One ticket from hand to hand; `to` is empty where it is released, to wait for an owner.

    `since` is when the present owner got it. `owner_left`: for good, so no lock holds it.
    """

    ticket_id: str
    owner: str
    to: str
    why: str
    since: datetime | None = None
    owner_left: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A ticket that stays though there is reason to move it, and why."""

    ticket_id: str
    owner: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be moved, what stays though it should move, and how the load is shared.

    `after` is as planned; None where that is not reckoned, as of an undo.
    """

    moves: tuple[Move, ...]
    kept: tuple[Kept, ...]
    before: Figures
    after: Figures | None = None


def balanced(
    carriers: Iterable[Carrier],
    tickets: Iterable[OwnedTicket],
    now: datetime,
    terms: Terms | None = None,
) -> Plan:
    """Plan for owners who cannot go on, then for those above capacity, then spread what is left."""
    run = _Run(carriers, tickets, now, terms or Terms())
    made = -1
    while made < len(run.moves) < run.terms.most:
        made = len(run.moves)
        run.relieve_absent()
        run.relieve_overloaded()
        run.spread()
    return run.plan()


def cleared(carriers: Iterable[Carrier], tickets: Iterable[OwnedTicket], now: datetime) -> Plan:
    """Plan for all of `tickets`, whose owners have left: to who has room, else released."""
    owned = tuple(tickets)
    run = _Run(carriers, owned, now, Terms(most=max(1, len(owned))))
    run.relieve_absent()
    return run.plan()


class _Run:
    """One plan in the making: loads as they would be after the moves so far."""

    def __init__(
        self,
        carriers: Iterable[Carrier],
        tickets: Iterable[OwnedTicket],
        now: datetime,
        terms: Terms,
    ) -> None:
        self.terms = terms
        self.moves: list[Move] = []
        self._now = now
        self._agents = Takers(carriers)
        self._before = figures(self._agents.all())
        self._tickets: dict[str, dict[str, OwnedTicket]] = {}
        known = (ticket for ticket in tickets if ticket.owner in self._agents)
        for ticket in sorted(known, key=_urgency):
            self._tickets.setdefault(ticket.owner, {})[ticket.ticket_id] = ticket

    def plan(self) -> Plan:
        """Return what has been planned."""
        after = figures(self._agents.all())
        return Plan(tuple(self.moves), tuple(self._kept()), self._before, after)

    def relieve_absent(self) -> None:
        """Move what does not wait for an owner who has left or is not at work, urgent first."""
        unfit: set[Need] = set()
        for ticket, why in sorted(self._stranded(), key=lambda one: _urgency(one[0])):
            left = self._agents[ticket.owner].left
            if self._full or (self._held(ticket) and not left):
                continue
            # Room only gets less while owners who take nothing are relieved.
            taker = (
                next(self._agents.for_ticket(ticket), None) if ticket.need not in unfit else None
            )
            if taker is not None or left:
                self._move(ticket, taker, why)
            if taker is None:
                unfit.add(ticket.need)

    def relieve_overloaded(self) -> None:
        """Move from each who is above capacity until that is met, best fit first."""
        for agent_id in sorted(self._overloaded()):
            unfit: set[Need] = set()
            while not self._full:
                owner = self._agents[agent_id]
                over, kind = owner.surplus
                movable = [one for one in self._movable(owner, kind) if one.need not in unfit]
                if not over or not movable:
                    break
                ticket = min(movable, key=lambda one: _fit(one, over))
                taker = next(self._agents.for_ticket(ticket), None)
                if taker is None:
                    unfit.add(ticket.need)
                else:
                    self._move(ticket, taker, _carries(owner, kind))

    def spread(self) -> None:
        """Move one by one from the most to the least loaded, while that makes it more even.

        Chats are left to who talks.
        """
        while not self._full and (found := self._more_even()) is not None:
            ticket, taker = found
            owner = self._agents[ticket.owner]
            why = f"{owner.agent_id} carries {owner.share:.0%} of capacity, "
            self._move(ticket, taker, f"{why}{taker.agent_id} {taker.share:.0%}")

    def _more_even(self) -> tuple[OwnedTicket, Carrier] | None:
        """Return the move that brings the most loaded who can be relieved nearest to the taker."""
        tolerance = self.terms.tolerance
        for owner in self._agents.uneven(tolerance):
            needs: dict[Need, OwnedTicket] = {}
            for ticket in self._movable(owner, WorkKind.TICKET):
                known = needs.setdefault(ticket.need, ticket)
                if _fit(ticket, Decimal(0)) < _fit(known, Decimal(0)):
                    needs[ticket.need] = ticket
            fitting = [
                (self._gap(owner, taker, ticket), ticket.ticket_id, ticket, taker)
                for ticket in needs.values()
                if (taker := next(self._agents.for_relief(owner, ticket, tolerance), None))
                is not None
            ]
            if fitting:
                return min(fitting, key=lambda one: one[:2])[2:]
        return None

    def _gap(self, owner: Carrier, taker: Carrier, ticket: OwnedTicket) -> Decimal:
        return abs(owner.without(ticket).share - taker.given(ticket).share)

    @property
    def _full(self) -> bool:
        return len(self.moves) >= self.terms.most

    def _stranded(self) -> Iterator[tuple[OwnedTicket, str]]:
        """Yield the tickets that do not wait until their owners are there, with why."""
        for agent_id, tickets in self._tickets.items():
            owner = self._agents[agent_id]
            if owner.there and not owner.left:
                continue
            for ticket in tickets.values():
                if why := _strands(owner, ticket):
                    yield ticket, why

    def _overloaded(self) -> list[str]:
        return [
            one.agent_id
            for one in self._agents.all()
            if one.takes and one.surplus[0] and one.agent_id in self._tickets
        ]

    def _movable(self, owner: Carrier, kind: WorkKind | None) -> list[OwnedTicket]:
        """Return what can be taken of the owner, of a kind or all, and makes a difference."""
        return [
            ticket
            for ticket in self._tickets.get(owner.agent_id, {}).values()
            if ticket.units and kind in (None, ticket.kind) and not self._held(ticket)
        ]

    def _held(self, ticket: OwnedTicket) -> str:
        """Say what holds the ticket where it is; empty: nothing."""
        if ticket.locked_until is not None and self._now < ticket.locked_until:
            return f"locked to {ticket.owner} until {ticket.locked_until.isoformat()}"
        moved_at = ticket.moved_at
        if moved_at is not None and self._now < moved_at + self.terms.cool_down:
            cool_down = show_duration(self.terms.cool_down)
            return f"changed hands at {moved_at.isoformat()}, less than {cool_down} ago"
        return ""

    def _move(self, ticket: OwnedTicket, taker: Carrier | None, why: str) -> None:
        owner = self._agents[ticket.owner]
        self._agents.put(owner.without(ticket))
        if taker is not None:
            self._agents.put(taker.given(ticket))
        else:
            why = f"{why}; {NOBODY}"
        # It is no more among what can be moved: a ticket moves once.
        del self._tickets[ticket.owner][ticket.ticket_id]
        to = taker.agent_id if taker is not None else ""
        self.moves.append(
            Move(ticket.ticket_id, ticket.owner, to, why, ticket.since, owner_left=owner.left)
        )

    def _kept(self) -> Iterator[Kept]:
        """Yield what stays though there is reason to move it, each once."""
        found = {ticket.ticket_id: ticket for ticket, _ in self._stranded()}
        for agent_id in self._overloaded():
            _, kind = self._agents[agent_id].surplus
            for ticket in self._tickets[agent_id].values():
                if ticket.units and kind in (None, ticket.kind):
                    found.setdefault(ticket.ticket_id, ticket)
        for owner in self._agents.uneven(self.terms.tolerance):
            for ticket in self._tickets.get(owner.agent_id, {}).values():
                if ticket.units and ticket.kind is not WorkKind.CHAT and self._held(ticket):
                    found.setdefault(ticket.ticket_id, ticket)
        rest = f"the plan ends at {self.terms.most} moves" if self._full else NOBODY
        for ticket in sorted(found.values(), key=_urgency):
            yield Kept(ticket.ticket_id, ticket.owner, self._held(ticket) or rest)


def _strands(owner: Carrier, ticket: OwnedTicket) -> str:
    """Say why the ticket cannot wait for its owner, who is not there; empty: it can."""
    who = owner.agent_id
    if owner.left:
        return f"{who} has left"
    if ticket.kind is WorkKind.CHAT:
        return f"{who} is not at work, and a chat does not wait"
    begins, due = owner.next_shift_at, ticket.next_due_at
    if begins is None:
        return f"{who} is not at work, and the roster says of no next shift"
    if due is not None and due < begins:
        back = begins.isoformat()
        return f"{who} is not at work before {back}, and it is due {due.isoformat()}"
    return ""


def _urgency(ticket: OwnedTicket) -> tuple[datetime, str]:
    return (ticket.next_due_at or _NEVER, ticket.ticket_id)


def _fit(ticket: OwnedTicket, over: Decimal) -> tuple[bool, Decimal, bool, float, str]:
    """Order by how well the units fit: just enough, else most; then what its owner knows least."""
    short = ticket.units < over
    known = ticket.since.timestamp() if ticket.since else 0.0
    chat = ticket.kind is WorkKind.CHAT
    return (short, -ticket.units if short else ticket.units, chat, -known, ticket.ticket_id)


def _carries(owner: Carrier, kind: WorkKind | None) -> str:
    if kind is None:
        return f"{owner.agent_id} carries {owner.load_units} of {owner.capacity_units} units"
    of_kind, most = owner.kind_load.get(kind, Decimal(0)), owner.kind_capacity[kind]
    return f"{owner.agent_id} carries {of_kind} of {most} units of the kind {kind}"
