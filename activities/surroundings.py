"""Answers the needs of a decision from PostgreSQL and the rules engine, in its transaction."""

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from activities.messages import DecideInput
from store import attendance, candidates, customers, lanes, outbox, roster
from store.ledger import Claim
from store.pool import Connection, savepoint, undo
from support.decision import Decision
from support.handing_out import asks_else, behind, frees, waits
from support.lanes import read_lanes
from support.model import EventKind, TicketEvent
from support.needs import (
    Answer,
    ClaimOwner,
    EvaluateRules,
    FindCandidates,
    FindCustomer,
    FindOutlook,
    FindPeople,
    Need,
    ReadLanes,
    RuleVerdict,
    Wanted,
)
from support.ticket import TicketState

T = TypeVar("T")
CROSSED = timedelta(seconds=2)
"""When a ticket that found nobody is looked at again, should somebody have had room meanwhile.

Who frees capacity in a transaction that overlaps with its own sees no waiting ticket there.
"""


class Evaluator(Protocol):
    """The rules engine as a decision sees it."""

    async def judge(self, question: EvaluateRules) -> RuleVerdict | Wanted:
        """Return what fires, or what to fetch first; RulesEngineError when it cannot be told."""
        ...


@dataclass
class Surroundings:
    """Everything outside one ticket, as one transaction sees it. `at` is the nominal instant.

    `owner` has the ticket before the decision; empty: nobody. `owner_gone`: they are not at work.
    `parked`: something about it could not be decided before, so it was not handed out.
    """

    conn: Connection
    tenant: str
    ticket_id: str
    at: datetime
    rules: Evaluator
    owner: str = ""
    owner_gone: bool = False
    parked: bool = False
    taken: dict[str, Decimal] = field(default_factory=dict)

    async def drive(self, asking: Generator[Need, Answer, T]) -> T:
        """Run the generator to its end, answering what it asks."""
        try:
            need = next(asking)
            while True:
                need = asking.send(await self._answer(need))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _answer(self, need: Need) -> Answer:
        match need:
            case EvaluateRules():
                return await self.rules.judge(need)
            case FindCandidates() | FindOutlook():
                return await self._suited(need)
            case FindPeople():
                return await candidates.people(self.conn, tenant=self.tenant, need=need)
            case ReadLanes():
                return read_lanes(await lanes.signals(self.conn, tenant=self.tenant))
            case FindCustomer(customer_id):
                return await customers.standing(
                    self.conn,
                    tenant=self.tenant,
                    customer_id=customer_id,
                    ticket_id=self.ticket_id,
                    at=self.at,
                )
            case ClaimOwner():
                return await self._claim(need)

    async def _suited(self, need: FindCandidates | FindOutlook) -> Answer:
        if isinstance(need, FindOutlook):
            return await candidates.outlook(self.conn, tenant=self.tenant, need=need)
        return await candidates.find(self.conn, tenant=self.tenant, need=need)

    async def _claim(self, need: ClaimOwner) -> bool:
        agent_id, units = need.agent_id, need.units
        await savepoint(self.conn)
        done = await roster.claim(
            self.conn,
            tenant=self.tenant,
            agent_id=agent_id,
            units=units,
            at=self.at,
            forced=need.forced,
            kind=need.kind,
            owner=self.owner,
        )
        if done:
            self.taken[agent_id] = self.taken.get(agent_id, Decimal(0)) + units
        else:
            # Who turned out to be full is locked else, while the next is asked: a deadlock.
            await undo(self.conn)
        return done

    async def settle(
        self, before: Claim | None, was: TicketState | None, decision: Decision, asked: DecideInput
    ) -> None:
        """Write whose the ticket is now at the decision's instant, and wake up what comes of it."""
        self.at, state, seq = decision.at, decision.state, asked.decision_seq
        await self.settle_claim(before, state, seq)
        await self.hand_out(before, was, state, seq)
        await self.pass_on(asked.event, was, state, decision.standing.next_due_at, seq)

    async def settle_claim(self, before: Claim | None, state: TicketState, seq: int) -> None:
        """Make claim row and loads say what the decision ended with.

        Agents are adjusted in the order of their ids, as a claim locks them. What is left to
        deadlock is a decision that claims twice, for rules gave it on; it is tried again.
        """
        carried = dict(self.taken)
        if before is not None:
            carried[before.agent_id] = carried.get(before.agent_id, Decimal(0)) + before.units
        for agent_id in sorted({*carried, *([state.owner] if state.owner else [])}):
            wanted = state.units if agent_id == state.owner else Decimal(0)
            change = wanted - carried.get(agent_id, Decimal(0))
            if change:
                await roster.adjust_load(
                    self.conn,
                    tenant=self.tenant,
                    agent_id=agent_id,
                    units=change,
                    kind=state.kind,
                )
        if before == Claim(state.owner, state.units, state.locked_until):
            return
        if state.owner:
            await roster.set_claim(
                self.conn,
                tenant=self.tenant,
                ticket_id=self.ticket_id,
                agent_id=state.owner,
                units=state.units,
                locked_until=state.locked_until,
                at=self.at,
                seq=seq,
            )
        elif before is not None:
            await roster.drop_claim(self.conn, tenant=self.tenant, ticket_id=self.ticket_id)

    async def hand_out(
        self, before: Claim | None, was: TicketState | None, state: TicketState, seq: int
    ) -> None:
        """Wake up whoever waits for the capacity that the decision freed, after it is settled.

        `was` is the ticket before the decision. One that begins to wait, may be handed out again,
        or may go to others than before, is looked at once more; not one that a person released.
        Where a halt was lifted, an owner who has gone is told of again: nothing came of it before.
        """
        lifted = was is not None and was.halted is not None and state.halted is None
        if lifted and self.owner_gone and state.owner == self.owner:
            await attendance.tell_again(self.conn, tenant=self.tenant, agent_id=state.owner)
        if before is not None and frees(before.agent_id, before.units, state):
            await outbox.capacity_freed(
                self.conn,
                tenant=self.tenant,
                agent_id=before.agent_id,
                ticket_id=self.ticket_id,
                seq=seq,
            )
        fresh = before is None or self.owner_gone or state.ownership.none is not None
        if (fresh and asks_else(was, state)) or (self.parked and waits(state)):
            about = {"team": state.team, "began": self.ticket_id, "seq": seq}
            await outbox.add(
                self.conn, tenant=self.tenant, kind=outbox.HAND_OUT, about=about, after=CROSSED
            )

    async def pass_on(
        self,
        event: TicketEvent | None,
        was: TicketState | None,
        state: TicketState,
        next_due_at: datetime | None,
        seq: int,
    ) -> None:
        """Let others have the room that the ticket was offered for and did not take.

        Either its rules gave it to nobody, and those behind it are next; or it waits no more, and
        an offer that is still on its way will find so. `was` is the ticket before the decision.
        """
        after: tuple[str | None, ...] = ()
        if event is not None and event.kind is EventKind.OFFER and waits(state):
            after = behind(self.ticket_id, next_due_at, state.created_at)
        elif not waits(was) or waits(state) or (state.owner and not _by_hand(event)):
            return
        await outbox.room_unused(
            self.conn, tenant=self.tenant, ticket_id=self.ticket_id, seq=seq, after=after
        )


def _by_hand(event: TicketEvent | None) -> bool:
    return event is not None and event.kind in (EventKind.ASSIGN, EventKind.REASSIGN)
