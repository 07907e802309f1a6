"""Plans that are made while others work: nothing is left behind, and nothing is planned twice."""

import asyncio
from decimal import Decimal
from typing import Any

from hub import assignment
from hub.assignment import Request
from store import roster
from store.pool import Pool, transaction
from support.errors import ChangeRunningError
from support.model import Actor, ActorKind
from tests.store.seeding import START, add_agent, add_ticket

INES = Actor(ActorKind.AGENT, "ines")
TICKETS = [f"T-{number:02}" for number in range(30)]


async def claimed(pool: Pool, ticket_id: str) -> bool:
    """Give kim a ticket as `decide` does: capacity and claim row in one transaction."""
    about: dict[str, Any] = {"tenant": "global", "agent_id": "kim"}
    async with transaction(pool) as conn:
        units = Decimal(1)
        if not await roster.claim(conn, **about, units=units, at=START, forced=False):
            return False
        await roster.set_claim(
            conn, **about, ticket_id=ticket_id, units=units, locked_until=None, at=START, seq=1
        )
        return True


async def test_every_ticket_that_was_claimed_in_time_is_in_the_plan(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim", capacity_units=Decimal(100))
        for name in TICKETS:
            await add_ticket(conn, name)
    asked = Request("global", INES, "moves on")
    claims = [asyncio.create_task(claimed(pool, name)) for name in TICKETS]
    await asyncio.wait(claims, return_when=asyncio.FIRST_COMPLETED)
    planned = await assignment.offboard(pool, asked, "kim")
    given = [
        name for name, done in zip(TICKETS, await asyncio.gather(*claims), strict=True) if done
    ]
    assert given == sorted(move.ticket_id for move in planned.plan.moves)
    assert not await claimed(pool, TICKETS[0])


async def test_of_two_runs_at_once_one_is_refused(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim")
        await add_agent(conn, "lou")
        for name in TICKETS[:12]:
            await add_ticket(conn, name)
            await claimed(pool, name)
    asked = Request("global", INES, "Monday")
    runs = [assignment.run(pool, asked) for _ in range(3)]
    ended = await asyncio.gather(*runs, return_exceptions=True)
    refused = [one for one in ended if isinstance(one, ChangeRunningError)]
    (begun,) = [one for one in ended if isinstance(one, assignment.Planned)]
    assert len(refused) == 2
    assert all(begun.change_id in str(one) for one in refused)
