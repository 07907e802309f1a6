"""A process of the race: two workers that decide, a relay beside them, and people who work.

Temporal is stood in for by what its workflows do: one decision after the other for each ticket,
asked again until the database answers. The transaction, the relay and the rules are the product's.
"""

import asyncio
import logging
import multiprocessing
import random
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any, cast

import psycopg
from psycopg_pool import PoolTimeout
from temporalio.client import Client

import logs
from activities.decide import DecideActivities, Rulebook
from activities.messages import DeadlineRef, DecideInput, Verdict
from activities.relay import Relay
from rules.load import load_pack
from rules.policies_file import load_policies
from store.pool import open_pool
from support.model import (
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Opening,
    Priority,
    TicketEvent,
    WaitingOn,
    workflow_id,
)
from support.model import TicketStatus as Status
from support.work import Outside
from tests.rules.judging import ReferenceRules

TENANT = "race"
WORKERS, PROCESSES = 16, 8
ACTIVE_EACH = 13
"""Tickets that a worker has open at a time: in all, about twice what the agents have room for."""
_LANES = 2
_AT_ONCE = 2
"""Tickets that the people of a worker have in hand: more would only queue before its lanes."""
_STALE, _ASKED_TWICE = 0.02, 0.02
CUSTOMER = Actor(ActorKind.CUSTOMER, "c-1")
BULK = Actor(ActorKind.SYSTEM, "bulk")

Signal = tuple[str, TicketEvent]


@dataclass(frozen=True, slots=True)
class Race:
    """What the processes share. `calm`: nobody begins anything; `over`: all go home."""

    url: str
    tickets_each: int
    seed: int
    agents: tuple[str, ...]
    inboxes: "tuple[Queue[Signal], ...]"
    told: "Queue[Told]"
    calm: Event
    over: Event


@dataclass(slots=True)
class Told:
    """What one worker did: how many of what, and what went wrong that must not."""

    worker: int
    decisions: int = 0
    offers: int = 0
    handed_out: int = 0
    refused: int = 0
    retries: int = 0
    ahead: int = 0
    dropped: int = 0
    wrong: list[str] = field(default_factory=list)


def worker_of(ticket_id: str) -> int:
    """Which worker runs the workflow of a ticket."""
    return zlib.crc32(ticket_id.encode()) % WORKERS


@dataclass(slots=True)
class Ticket:
    """What a workflow remembers: its number, what it waits for, and how the ticket stands."""

    ticket_id: str
    seq: int = 0
    owner: str = ""
    status: Status = Status.NEW
    deadline: DeadlineRef | None = None
    alarm: asyncio.TimerHandle | None = None
    inbox: deque[TicketEvent | None] = field(default_factory=deque)
    busy: bool = False
    declines: int = 0
    events: int = 0

    @property
    def to_work_on(self) -> bool:
        return bool(self.owner) and self.status.active and not self.busy and not self.inbox


@dataclass(frozen=True, slots=True)
class Signals:
    """Brings a relay's signals to the worker that runs the workflow."""

    race: Race

    def get_workflow_handle(self, key: str) -> "_Handle":
        return _Handle(self.race, key.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class _Handle:
    race: Race
    ticket_id: str

    async def signal(self, _name: str, event: TicketEvent, **_options: Any) -> None:
        inboxes = self.race.inboxes
        inboxes[worker_of(self.ticket_id) % len(inboxes)].put((self.ticket_id, event))


class Worker:
    """Runs the workflows of its tickets, and is the people who work on them."""

    def __init__(self, race: Race, number: int, activities: DecideActivities) -> None:
        self.told = Told(number)
        self._race = race
        self._activities = activities
        self._draw = random.Random(f"{race.seed} {number}")  # noqa: S311  a test may be predicted
        names = (f"T-{n:05}" for n in range(10 * WORKERS * race.tickets_each))
        mine = [name for name in names if worker_of(name) == number]
        self._to_create = deque(mine[: race.tickets_each])
        self.tickets: dict[str, Ticket] = {}
        self._lanes = asyncio.Semaphore(_LANES)
        self._changed = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def deliver(self, ticket_id: str, event: TicketEvent | None) -> None:
        """Put an event, or that the deadline has come, to the ticket's workflow."""
        ticket = self.tickets[ticket_id]
        if (
            event is not None
            and event.kind is EventKind.OFFER
            and any(one is not None and one.kind is EventKind.OFFER for one in ticket.inbox)
        ):
            self.told.dropped += 1
            return
        ticket.inbox.append(event)
        if not ticket.busy:
            ticket.busy = True
            task = asyncio.create_task(self._work_off(ticket))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    @property
    def idle(self) -> bool:
        return not self._running

    async def work(self) -> None:
        """Create, resolve, decline and reassign, as fast as the desk allows, until all is done."""
        parent = multiprocessing.parent_process()
        while not self._race.over.is_set() and parent is not None and parent.is_alive():
            self._changed.clear()
            held = self._race.calm.is_set() or len(self._running) >= _AT_ONCE
            if held or not self._step():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.1)
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        for ticket in self.tickets.values():
            if ticket.alarm is not None:
                ticket.alarm.cancel()

    def _step(self) -> bool:
        """Do one thing; False where there is nothing to do."""
        active = [one for one in self.tickets.values() if one.status.active]
        if self._to_create and len(active) < ACTIVE_EACH:
            self._create(self._to_create.popleft())
            return True
        ready = [one for one in active if one.to_work_on]
        if not ready:
            return False
        self._touch(self._draw.choice(ready))
        return True

    def _create(self, ticket_id: str) -> None:
        draw = self._draw
        channel = Channel.CHAT if draw.random() < 0.15 else Channel.WEB
        opening = Opening(
            channel=channel,
            priority=draw.choices(list(Priority), (3, 10, 4, 1))[0],
            team=draw.choice(("", "audio", "video")),
            skills=draw.choice(((), (), (), ("hifi",), ("tv",))),
            customer_id="c-1",
        )
        self.tickets[ticket_id] = Ticket(ticket_id)
        self._send(self.tickets[ticket_id], EventKind.CREATED, CUSTOMER, opening=opening)

    def _touch(self, ticket: Ticket) -> None:
        draw, owner = self._draw, Actor(ActorKind.AGENT, ticket.owner)
        kind = draw.choices(("resolve", "decline", "move", "wait"), (18, 3, 2, 1))[0]
        if kind == "decline" and ticket.declines < 2:
            ticket.declines += 1
            self._send(ticket, EventKind.DECLINE, owner)
        elif kind == "move":
            to, expected = draw.choice(self._race.agents), ticket.owner
            if draw.random() < 0.1:
                expected = draw.choice(self._race.agents)
            more = {"assignee": to, "expected_owner": expected, "change_id": "change-1"}
            self._send(ticket, EventKind.REASSIGN, BULK, **more)
        elif kind == "wait" and ticket.status is not Status.WAITING_INTERNAL:
            waits: dict[str, Any] = {
                "status": Status.WAITING_INTERNAL,
                "waiting_on": WaitingOn.TEAM,
            }
            self._send(ticket, EventKind.WAIT, owner, **waits)
        else:
            self._send(ticket, EventKind.RESOLVE, owner)

    def _send(self, ticket: Ticket, kind: EventKind, actor: Actor, **more: Any) -> None:
        now = datetime.now(UTC)
        ticket.events += 1
        event = TicketEvent(f"e-{ticket.events}", kind, now, now, actor, **more)
        self.deliver(ticket.ticket_id, event)

    async def _work_off(self, ticket: Ticket) -> None:
        try:
            while ticket.inbox:
                async with self._lanes:
                    event = ticket.inbox.popleft()
                    if event is None and (ticket.deadline is None or not _due(ticket.deadline)):
                        continue
                    self._adopt(ticket, event, await self._decide(ticket, event))
        except Exception as error:  # noqa: BLE001  said by the test, which else would only hang
            self.told.wrong.append(f"{ticket.ticket_id}: {type(error).__name__}: {error}")
        finally:
            ticket.busy = False
            self._changed.set()

    async def _decide(self, ticket: Ticket, event: TicketEvent | None) -> Verdict:
        """Ask until there is an answer, sometimes as a worker that has missed the last ones."""
        seq = ticket.seq
        if seq and self._draw.random() < _STALE:
            seq -= 1
        while True:
            asked = DecideInput(
                tenant=TENANT,
                ticket_id=ticket.ticket_id,
                workflow_id=workflow_id(TENANT, ticket.ticket_id),
                run_id="run-1",
                decision_seq=seq + 1,
                now=datetime.now(UTC),
                event=event,
                deadline=None if event else ticket.deadline,
            )
            try:
                verdict = await self._activities.decide(asked)
                if not verdict.ahead and self._draw.random() < _ASKED_TWICE:
                    await self._ask_again(asked, verdict)
            except (psycopg.Error, PoolTimeout):
                self.told.retries += 1
                await asyncio.sleep(0.05)
                continue
            if not verdict.ahead:
                return verdict
            self.told.ahead += 1
            seq = verdict.decision_seq

    async def _ask_again(self, asked: DecideInput, verdict: Verdict) -> None:
        """Ask as a worker does whose answer was lost on the way: it must hear the same."""
        again = await self._activities.decide(asked)
        if (again.decision_seq, again.result) != (verdict.decision_seq, verdict.result):
            self.told.wrong.append(f"{asked.ticket_id}: decided twice: {verdict} and {again}")

    def _adopt(self, ticket: Ticket, event: TicketEvent | None, verdict: Verdict) -> None:
        told = self.told
        told.decisions += verdict.decision_seq > ticket.seq
        told.refused += verdict.result is not None and verdict.result.refusal is not None
        ticket.seq = verdict.decision_seq
        if verdict.glance is None:
            told.wrong.append(f"{ticket.ticket_id}: unknown to the ledger")
            return
        if event is not None and event.kind is EventKind.OFFER:
            told.offers += 1
            told.handed_out += not ticket.owner and bool(verdict.glance.owner)
        ticket.owner, ticket.status = verdict.glance.owner, verdict.glance.status
        ticket.deadline = verdict.deadline
        self._aim(ticket)

    def _aim(self, ticket: Ticket) -> None:
        if ticket.alarm is not None:
            ticket.alarm.cancel()
            ticket.alarm = None
        if ticket.deadline is not None:
            left = (ticket.deadline.at - datetime.now(UTC)).total_seconds()
            loop = asyncio.get_running_loop()
            ticket.alarm = loop.call_later(max(left, 0.0), self.deliver, ticket.ticket_id, None)


def _due(deadline: DeadlineRef) -> bool:
    return deadline.at <= datetime.now(UTC)


@contextmanager
def _receiving(race: Race, place: int, workers: dict[int, Worker]) -> Iterator[None]:
    """Bring what relays send to the workers of this process."""
    loop = asyncio.get_running_loop()

    def receive() -> None:
        while True:
            ticket_id, event = race.inboxes[place].get()
            if not ticket_id:
                return
            loop.call_soon_threadsafe(workers[worker_of(ticket_id)].deliver, ticket_id, event)

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        yield
    finally:
        race.inboxes[place].put(("", cast("TicketEvent", None)))
        thread.join()


async def _run(race: Race, place: int) -> None:
    pack = load_pack(None)
    policies, _ = load_policies()
    rulebook = Rulebook(ReferenceRules(pack), pack.macros, policies, Outside())
    async with open_pool(race.url, max_size=2 * _LANES + 1) as pool:
        workers = {
            number: Worker(race, number, DecideActivities(pool, rulebook))
            for number in range(WORKERS)
            if number % PROCESSES == place
        }
        relay = Relay(pool, race.url, cast("Client", Signals(race)))
        relaying = asyncio.create_task(relay.run() if place % 2 else asyncio.sleep(0))
        with _receiving(race, place, workers):
            try:
                await asyncio.gather(*(worker.work() for worker in workers.values()))
            finally:
                relaying.cancel()
                with suppress(asyncio.CancelledError):
                    await relaying
        for worker in workers.values():
            race.told.put(replace(worker.told))


def run(race: Race, place: int) -> None:
    """Take part in the race until it is over."""
    logs.configure("CRITICAL")
    logging.disable()  # connections die here by the dozen
    asyncio.run(_run(race, place))
