"""A desk of one tenant on a real database, by a clock of the test, one step after the other."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar, cast

from temporalio.client import Client

from activities.decide import DecideActivities, Rulebook
from activities.messages import DeadlineRef, DecideInput, Verdict
from activities.relay import Relay
from hub import assignment
from rules.load import load_pack
from store import presences, roster
from store.pool import Pool, open_pool
from support.balancing import Terms
from support.errors import ChangeRunningError
from support.model import Actor, ActorKind, EventKind, Presence, TicketEvent, workflow_id
from support.work import Outside
from tests.activities.desk_watch import Seen, look
from tests.deciding import shipped_policies
from tests.rules.judging import ReferenceRules
from tests.store.seeding import START

T = TypeVar("T")

LEAD = Actor(ActorKind.AGENT, "lead")
EAGER = Terms(cool_down=timedelta(0), tolerance=Decimal(0))
ROUNDS = 30
"""Deliveries after which nothing is left to hand out, or there never will be."""


@dataclass
class Desk:
    """Takes events as the tickets' workflows do; `signals` are those that they have yet to take.

    `now` is calendar time: whatever comes is taken up at it.
    """

    pool: Pool
    activities: DecideActivities
    url: str
    tenant: str
    now: datetime
    seqs: dict[str, int] = field(default_factory=dict)
    deadlines: dict[str, DeadlineRef] = field(default_factory=dict)
    signals: deque[tuple[str, TicketEvent]] = field(default_factory=deque)
    events: int = 0

    def get_workflow_handle(self, key: str) -> "_Handle":
        return _Handle(self, key.rpartition("/")[2])

    async def happens(self, ticket_id: str, kind: EventKind, actor: Actor, **more: Any) -> Verdict:
        self.events += 1
        event = TicketEvent(f"e-{self.events}", kind, self.now, self.now, actor, **more)
        return await self.decided(ticket_id, event)

    async def decided(self, ticket_id: str, event: TicketEvent | None) -> Verdict:
        """Decide the event, or the deadline of the ticket."""
        verdict = await self.activities.decide(
            DecideInput(
                tenant=self.tenant,
                ticket_id=ticket_id,
                workflow_id=workflow_id(self.tenant, ticket_id),
                run_id="run-1",
                decision_seq=self.seqs.get(ticket_id, 0) + 1,
                now=self.now,
                event=event,
                deadline=None if event else self.deadlines[ticket_id],
            )
        )
        assert not verdict.ahead
        self.seqs[ticket_id] = verdict.decision_seq
        self.deadlines.pop(ticket_id, None)
        if verdict.deadline is not None:
            self.deadlines[ticket_id] = verdict.deadline
        return verdict

    @property
    def due(self) -> str | None:
        """The ticket whose deadline is the first that has come."""
        come = [(ref.at, key) for key, ref in self.deadlines.items() if ref.at <= self.now]
        return min(come)[1] if come else None

    async def deliver(self) -> bool:
        """Let the relay take what there is, also what is due in a moment; False: nothing."""
        async with self.pool.connection() as conn:
            await conn.execute(
                "update outbox set due_at = now() where tenant = %s and delivered_at is null"
                " and kind in ('hand_out', 'bulk_change')",
                (self.tenant,),
            )
        taken = await Relay(self.pool, self.url, cast("Client", self)).deliver()
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select last_error from outbox where last_error <> '' and tenant = %s",
                (self.tenant,),
            )
            assert await cursor.fetchall() == []
        return taken > 0

    async def agent(self, agent_id: str, capacity: int, team: str, skills: tuple[str, ...]) -> None:
        agent = roster.Agent(
            agent_id, team=team, skills=skills, capacity_units=Decimal(capacity), presence="online"
        )
        async with self.pool.connection() as conn, conn.transaction():
            await roster.add(conn, tenant=self.tenant, agent=agent)

    async def present(self, agent_id: str, presence: Presence) -> None:
        async with self.pool.connection() as conn, conn.transaction():
            await presences.set_presence(
                conn, tenant=self.tenant, agent_id=agent_id, presence=presence
            )

    async def balance(self) -> str:
        """Begin to balance the work; return the change, empty where there is nothing to move."""
        try:
            asked = assignment.Request(self.tenant, LEAD, "balance")
            return (await assignment.run(self.pool, asked, terms=EAGER)).change_id
        except ChangeRunningError:
            return ""

    async def undo(self, change_id: str) -> assignment.Planned | None:
        """Begin to undo a change; None while it goes on."""
        try:
            asked = assignment.Request(self.tenant, LEAD, "undo")
            return await assignment.undo(self.pool, asked, change_id)
        except ChangeRunningError:
            return None

    async def seen(self) -> Seen:
        return await look(self.pool, self.tenant, at=self.now, excess=True)

    async def rows(self, query: Any) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn:
            return await (await conn.execute(query, {"tenant": self.tenant})).fetchall()

    async def leave(self) -> None:
        """Leave nothing to the relay of the next desk."""
        async with self.pool.connection() as conn:
            await conn.execute("delete from outbox where tenant = %s", (self.tenant,))

    def retimed(self, event: TicketEvent) -> TicketEvent:
        """Return what the relay sent by the clock of this desk."""
        return replace(event, occurred_at=self.now, received_at=self.now)


@dataclass(frozen=True, slots=True)
class _Handle:
    desk: Desk
    ticket_id: str

    async def signal(self, _name: str, event: TicketEvent, **_options: Any) -> None:
        self.desk.signals.append((self.ticket_id, event))


@dataclass
class World:
    """What all examples share: a database, the shipped rules, and a loop to wait in."""

    runner: asyncio.Runner
    pool: Pool
    activities: DecideActivities
    url: str
    numbers: "count[int]" = field(default_factory=count)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def desk(self) -> Desk:
        return Desk(self.pool, self.activities, self.url, f"desk-{next(self.numbers)}", START)


@contextmanager
def opened_world(url: str) -> Iterator[World]:
    """Yield the world of a database, decided by the shipped rules."""
    pack = load_pack(None)
    with asyncio.Runner() as runner:
        opened = open_pool(url, max_size=2)
        pool = runner.run(opened.__aenter__())
        policies = runner.run(shipped_policies(pool))
        rulebook = Rulebook(ReferenceRules(pack), pack.macros, policies, Outside())
        try:
            yield World(runner, pool, DecideActivities(pool, rulebook), url)
        finally:
            runner.run(opened.__aexit__(None, None, None))
