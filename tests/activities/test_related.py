"""Rules that join a ticket with candidates, lanes and customer, in the transaction of decide."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from activities.decide import DecideActivities, Rulebook
from activities.messages import DecideInput
from rules.engine import Engine
from rules.policies_file import load_policies
from store import chronicle, roster
from store.pool import Pool, open_pool
from support.decision import Decision
from support.model import Actor, ActorKind, EventKind, Opening, Priority, TicketEvent, workflow_id
from support.simulate import Member, Simulation, Team
from support.work import Outside
from tests.deciding import decided, shipped_policies
from tests.rules.situations import pack_of
from tests.support.deciding import MONDAY

PACK = pack_of("""
name: joining
rules:
  - id: give-away
    description: Somebody who has room takes it.
    on: [created]
    when: {candidates: {room: true}}
    then: [{assign: {strategy: least_loaded}}]
  - id: nobody-free
    description: Nobody has room.
    on: [created]
    when: {not: {candidates: {room: true}}}
    then: [{record: {note: nobody}}]
  - id: known-customer
    description: The customer has other tickets open.
    on: [created]
    when: {customer: {active_tickets: {ge: 1}}}
    then: [{record: {note: again}}]
  - id: much-waits
    description: Tickets wait for an owner.
    on: [created]
    when: {lanes: {id: unassigned, signal: {ge: 1}}}
    then: [{record: {note: waiting}}]
""")
TICKETS = ("T-1", "T-2", "T-3", "T-4")


@dataclass
class Desk:
    """Decides through PostgreSQL, by the rules engine, for a tenant of its own."""

    tenant: str
    pool: Pool
    activities: DecideActivities

    async def create(self, ticket_id: str, number: int) -> None:
        asked = DecideInput(
            tenant=self.tenant,
            ticket_id=ticket_id,
            workflow_id=workflow_id(self.tenant, ticket_id),
            run_id="run-1",
            decision_seq=1,
            now=MONDAY + timedelta(minutes=number),
            event=opening(ticket_id, number),
        )
        verdict = await decided(self.activities, asked)
        assert verdict.result is not None
        assert verdict.result.refusal is None

    async def noted(self, ticket_id: str) -> chronicle.DecisionEntry:
        async with self.pool.connection() as conn:
            return await chronicle.decision_at(
                conn, tenant=self.tenant, ticket_id=ticket_id, at=None
            )


def opening(ticket_id: str, number: int) -> TicketEvent:
    at = MONDAY + timedelta(minutes=number)
    return TicketEvent(
        event_id=f"e-{ticket_id}",
        kind=EventKind.CREATED,
        occurred_at=at,
        received_at=at,
        actor=Actor(ActorKind.CUSTOMER, "c-1"),
        opening=Opening(priority=Priority.HIGH, customer_id="c-1"),
    )


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    tenant = "related"
    async with open_pool(database_url) as pool:
        policies = await shipped_policies(pool)
        async with pool.connection() as conn:
            agent = roster.Agent("kim", presence="online", capacity_units=Decimal(2))
            await roster.add(conn, tenant=tenant, agent=agent)
        with Engine(PACK) as engine:
            rulebook = Rulebook(engine, PACK.macros, policies, Outside())
            yield Desk(tenant, pool, DecideActivities(pool, rulebook))


def simulated() -> list[Decision]:
    policies, _ = load_policies()
    team = Team([Member("kim", capacity_units=Decimal(2))], MONDAY)
    with Engine(PACK) as engine:
        simulation = Simulation("acme", policies, team, engine.judge_now, {})
        return [
            simulation.submit(ticket_id, opening(ticket_id, number))
            for number, ticket_id in enumerate(TICKETS)
        ]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """What ledger and simulation must agree on: they differ in who last got work and language."""
    return {name: value for name, value in row.items() if name not in ("idle_s", "language")}


async def test_what_is_related_decides_and_is_on_record(desk: Desk) -> None:
    for number, ticket_id in enumerate(TICKETS):
        await desk.create(ticket_id, number)
    fired = [(await desk.noted(ticket_id)).fired for ticket_id in TICKETS]
    assert fired == [
        ["give-away"],
        ["give-away", "known-customer"],
        ["nobody-free", "known-customer"],
        ["nobody-free", "known-customer", "much-waits"],
    ]
    last = await desk.noted("T-4")
    assert last.related["candidates"] == [
        {"agent": "kim", "owner": False, "room": False, "load_share": 1.0, "free_units": 0.0,
         "speaks": False, "level": 0, "idle_s": 120.0}
    ]  # fmt: skip
    (customer,) = last.related["customer"]
    assert (customer["active_tickets"], customer["known_s"]) == (3, 180.0)
    unassigned = next(lane for lane in last.related["lanes"] if lane["id"] == "unassigned")
    assert (unassigned["signal"], unassigned["status"]) == (1, "stable")


async def test_a_simulation_relates_as_the_ledger_does(desk: Desk) -> None:
    decisions = simulated()
    for number, (ticket_id, decision) in enumerate(zip(TICKETS, decisions, strict=True)):
        await desk.create(ticket_id, number)
        noted = await desk.noted(ticket_id)
        assert tuple(noted.fired) == decision.fired
        for relation, rows in decision.related.items():
            kept = [_told(dict(row)) for row in noted.related[relation]]
            assert kept == [_told(dict(row)) for row in rows]
