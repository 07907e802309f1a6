"""Many tickets under one virtual clock, in memory: the same decisions as on real servers.

Needs are answered as the transaction of `decide` answers them from PostgreSQL: at most 50
candidates, least loaded first; a claim takes capacity; loads are settled with the decision.
What capacity a decision frees is handed out at its instant, before anything else happens.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from heapq import heappop, heappush

from support.decision import Deadline, Decision, Request, decide
from support.handing_out import (
    Room,
    WaitingLine,
    frees,
    offer,
    passed_by,
    waiting_ticket,
)
from support.model import OFFER_PREFIX, TicketEvent, TicketStatus, workflow_id
from support.needs import (
    Answer,
    ClaimOwner,
    EvaluateRules,
    FindCandidates,
    FindCustomer,
    FindOutlook,
    FindPeople,
    Need,
    Outlook,
    ReadLanes,
    RuleAction,
    RuleVerdict,
    Wanted,
)
from support.policy import PolicyBook
from support.routing import Candidate, Role, Strategy, without_room
from support.tally import Tally
from support.ticket import TicketState
from support.work import Outside

MOST_CANDIDATES = 50
_WHOLE = Decimal(1)

NO_WAY_OUT = Outside()

Evaluate = Callable[[EvaluateRules], RuleVerdict | Wanted]


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of a simulated team, online and on shift all the time. `idle_since` breaks ties."""

    agent_id: str
    team: str = ""
    role: Role = Role.AGENT
    skills: frozenset[str] = frozenset()
    capacity_units: Decimal = Decimal(12)
    load_units: Decimal = Decimal(0)
    idle_since: datetime | None = None


@dataclass(slots=True)
class _Ticket:
    state: TicketState
    seq: int
    units: Decimal
    due: Deadline | None


@dataclass(frozen=True, slots=True)
class Passed:
    """A decision that came by itself; `event` is None where a deadline was its trigger."""

    event: TicketEvent | None
    decision: Decision


class Team:
    """The agents of one tenant, and what they carry."""

    def __init__(self, members: Iterable[Member], since: datetime) -> None:
        self._members = {m.agent_id: replace(m, idle_since=since) for m in members}

    def candidates(self, need: FindCandidates) -> tuple[Candidate, ...]:
        """Return who could own a ticket, those with room for it first, then the least loaded."""
        found = [
            Candidate(
                m.agent_id,
                m.load_units,
                m.capacity_units,
                m.idle_since,
                had=m.agent_id == need.last_owner,
                skills=tuple(sorted(m.skills)),
            )
            for m in self._members.values()
            if m.role is need.role
            and (not need.team or m.team == need.team)
            and (not need.insists or m.skills.issuperset(need.skills))
            and m.idle_since is not None
        ]

        def key(c: Candidate) -> tuple[bool, Decimal | datetime, Decimal, datetime, str]:
            share = (c.load_units + need.units) / c.capacity_units if c.capacity_units else _WHOLE
            first = c.idle_since if need.strategy is Strategy.ROUND_ROBIN else share
            return (bool(without_room(c, need.units)), first, share, c.idle_since, c.agent_id)

        found.sort(key=key)
        return tuple(found[:MOST_CANDIDATES])

    def outlook(self, need: FindOutlook) -> Outlook:
        """Return how many suit a ticket; all are always at work."""
        suited = [
            m
            for m in self._members.values()
            if m.role is need.role
            and (not need.team or m.team == need.team)
            and m.skills.issuperset(need.skills)
        ]
        return Outlook(len(suited))

    def answer(self, need: FindCandidates | FindOutlook | FindPeople) -> Answer:
        """Answer what is asked of the roster."""
        match need:
            case FindCandidates():
                return self.candidates(need)
            case FindOutlook():
                return self.outlook(need)
            case FindPeople():
                return self.people(need)

    def people(self, need: FindPeople) -> tuple[str, ...]:
        """Return who has the role: of the team if it has any, else of all."""
        having = sorted(m.agent_id for m in self._members.values() if m.role is need.role)
        of_team = tuple(a for a in having if need.team and self._members[a].team == need.team)
        return of_team or tuple(having)

    def claim(self, need: ClaimOwner, at: datetime) -> bool:
        """Take capacity; only what is forced may exceed it."""
        member = self._members.get(need.agent_id)
        if member is None:
            return False
        load = member.load_units + need.units
        if not need.forced and load > member.capacity_units:
            return False
        self._members[need.agent_id] = replace(member, load_units=load, idle_since=at)
        return True

    @property
    def rostered_units(self) -> Fraction:
        """Capacity units of all agents: what the lanes are judged against."""
        agents = (m for m in self._members.values() if m.role is Role.AGENT)
        return Fraction(sum(m.capacity_units for m in agents))

    def carry(self, agent_id: str, units: Decimal) -> None:
        """Add `units` (negative: give back) to what the agent carries."""
        member = self._members[agent_id]
        load = max(member.load_units + units, Decimal(0))
        self._members[agent_id] = replace(member, load_units=load)

    @property
    def rooms(self) -> tuple[Room, ...]:
        """Who could be given work now."""
        return tuple(
            Room(
                m.agent_id,
                m.team,
                tuple(sorted(m.skills)),
                m.capacity_units - m.load_units,
                m.capacity_units,
            )
            for m in self._members.values()
            if m.role is Role.AGENT and m.load_units < m.capacity_units
        )

    def kept(self) -> dict[str, Member]:
        """Return how everyone stands, for `put_back`."""
        return dict(self._members)

    def put_back(self, members: dict[str, Member]) -> None:
        """Undo what came after `kept`, as a transaction that is rolled back."""
        self._members = members

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._members


class Simulation:
    """One tenant's tickets. Events come in the order of their instants; deadlines by themselves.

    Whoever calls lets what comes by itself pass before each event: `pass_before(at)`, then
    `submit`.
    """

    def __init__(
        self,
        tenant: str,
        book: PolicyBook,
        team: Team,
        evaluate: Evaluate,
        macros: Mapping[str, tuple[RuleAction, ...]],
        *,
        outside: Outside = NO_WAY_OUT,
    ) -> None:
        self._tenant = tenant
        self._outside = outside
        self._book = book
        self._team = team
        self._evaluate = evaluate
        self._macros = macros
        self._tally = Tally(team.rostered_units)
        self._tickets: dict[str, _Ticket] = {}
        self._agenda: list[tuple[datetime, str, str]] = []
        self._waiting = WaitingLine()
        self._freed: tuple[datetime, str] | None = None

    @property
    def states(self) -> Mapping[str, TicketState]:
        """Every ticket as its last decision left it."""
        return {ticket_id: ticket.state for ticket_id, ticket in self._tickets.items()}

    @property
    def decisions(self) -> Mapping[str, int]:
        """Number of decisions of each ticket."""
        return {ticket_id: ticket.seq for ticket_id, ticket in self._tickets.items()}

    def submit(self, ticket_id: str, event: TicketEvent, now: datetime | None = None) -> Decision:
        """Decide an event. InputError kinds for what is refused; then nothing has changed.

        `now` is when it was taken up, by default when it happened.
        """
        return self._take(ticket_id, event, event.occurred_at if now is None else now)

    def pass_before(self, at: datetime) -> Iterator[Passed]:
        """Let every deadline before `at` fall due, by instant and ticket; those at `at` wait.

        What has room since the last decision is handed out first, and so after each deadline.
        """
        yield from self._hand_out()
        while self._agenda and self._agenda[0][0] < at:
            due_at, ticket_id, key = heappop(self._agenda)
            deadline = Deadline(due_at, key)
            if self._tickets[ticket_id].due == deadline:
                yield Passed(None, self._take(ticket_id, deadline, due_at))
                yield from self._hand_out()

    def _hand_out(self) -> Iterator[Passed]:
        """Offer waiting tickets in their order, as many as fit into the room that there is."""
        if self._freed is None:
            return
        (at, by), self._freed = self._freed, None
        for ticket in self._waiting.chosen(self._team.rooms, by):
            seq = self._tickets[ticket.ticket_id].seq + 1
            event = offer(f"{OFFER_PREFIX}{at:%Y%m%dT%H%M%S}.{seq}", at)
            yield Passed(event, self._take(ticket.ticket_id, event, at))

    def _take(self, ticket_id: str, trigger: TicketEvent | Deadline, now: datetime) -> Decision:
        before = self._tickets.get(ticket_id)
        state = before.state if before else None
        seq = before.seq + 1 if before else 1
        request = Request(
            tenant=self._tenant,
            ticket_id=ticket_id,
            workflow_id=workflow_id(self._tenant, ticket_id),
            decision_seq=seq,
            trigger=trigger,
            now=now,
            state=state,
            book=self._book,
            macros=self._macros,
            outside=self._outside,
            owner_available=state is not None and state.owner in self._team,
            owner_on_shift=state is not None and state.owner in self._team,
        )
        kept = self._team.kept()
        taken: dict[str, Decimal] = {}
        try:
            decision = self._drive(decide(request), ticket_id, now, taken)
        except Exception:
            self._team.put_back(kept)
            raise
        self._settle(before, decision.state, taken)
        self._tally.now(decision.state, decision.standing)
        self._queue(before, decision, now, passed=passed_by(trigger, decision.actions))
        due = _waited_for(decision)
        self._tickets[ticket_id] = _Ticket(decision.state, seq, decision.state.units, due)
        if due is not None and (before is None or before.due != due or trigger == due):
            heappush(self._agenda, (due.at, ticket_id, due.key))
        return decision

    def _queue(
        self, before: _Ticket | None, decision: Decision, now: datetime, *, passed: bool
    ) -> None:
        """Keep what waits for an owner, and that there is room for it since `now`."""
        state = decision.state
        waiting = waiting_ticket(state, decision.standing.next_due_at)
        freed = before is not None and frees(before.state.owner, before.units, state)
        if freed and self._waiting.holds_others(state.ticket_id):
            self._freed = (now, state.ticket_id)
        if waiting is None or passed:
            self._waiting.drop(state.ticket_id)
        else:
            self._waiting.put(waiting)

    def _drive(
        self,
        deciding: Generator[Need, Answer, Decision],
        ticket_id: str,
        at: datetime,
        taken: dict[str, Decimal],
    ) -> Decision:
        try:
            need = next(deciding)
            while True:
                need = deciding.send(self._answer(need, ticket_id, at, taken))
        except StopIteration as done:
            decision: Decision = done.value
            return decision

    def _answer(
        self, need: Need, ticket_id: str, at: datetime, taken: dict[str, Decimal]
    ) -> Answer:
        match need:
            case EvaluateRules():
                return self._evaluate(need)
            case FindCandidates() | FindOutlook() | FindPeople():
                return self._team.answer(need)
            case ReadLanes():
                return self._tally.reading()
            case FindCustomer(customer_id):
                return self._tally.customer(customer_id, ticket_id, at)
            case ClaimOwner(agent_id, units):
                done = self._team.claim(need, at)
                if done:
                    taken[agent_id] = taken.get(agent_id, Decimal(0)) + units
                return done

    def _settle(
        self, before: _Ticket | None, state: TicketState, taken: Mapping[str, Decimal]
    ) -> None:
        """Make loads say what the decision ended with."""
        carried = dict(taken)
        if before is not None and before.state.owner:
            owner = before.state.owner
            carried[owner] = carried.get(owner, Decimal(0)) + before.units
        for agent_id in sorted({*carried, *([state.owner] if state.owner else [])}):
            wanted = state.units if agent_id == state.owner else Decimal(0)
            change = wanted - carried.get(agent_id, Decimal(0))
            if change:
                self._team.carry(agent_id, change)


def _waited_for(decision: Decision) -> Deadline | None:
    """Return the next deadline; the workflow of a closed ticket has ended and waits for none."""
    due = decision.next_due
    if due is None or decision.state.status is TicketStatus.CLOSED:
        return None
    return Deadline(due.at, due.key)
