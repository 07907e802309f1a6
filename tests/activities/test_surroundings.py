"""Claims of one transaction among many: nobody waits in a circle, and loads stay true."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from itertools import permutations

from activities.surroundings import Surroundings
from store.ledger import Claim
from store.pool import Pool, open_pool, transaction
from support.handing_out import waits
from support.model import Channel, Priority, TicketStatus
from support.needs import FindCandidates, candidates, claim
from support.routing import Role, WorkKind
from support.ticket import TicketState
from tests.fix_desk import ScriptedRules
from tests.store.seeding import START, add_agent, add_ticket

UNIT = Decimal(1)
CLIENTS, MOVES = 8, 15


def ticket(client: int, owner: str) -> TicketState:
    web, normal, status = Channel.WEB, Priority.NORMAL, TicketStatus.OPEN
    return TicketState("global", f"T-{client}", web, normal, status, START, START, owner=owner)


async def moved(pool: Pool, client: int, seq: int, owner: str) -> str:
    """Give the ticket to the first who has room, asked in any order, or to nobody."""
    async with transaction(pool) as conn:
        at = START + timedelta(seconds=seq)
        around = Surroundings(conn, "global", f"T-{client}", at, ScriptedRules(), owner)
        need = FindCandidates(Role.AGENT, "", (), at)
        orders = list(permutations(one.agent_id for one in await around.drive(candidates(need))))
        found = orders[(client + seq) % len(orders)]
        taker = ""
        for agent_id in found:
            asking = claim(agent_id, UNIT, forced=False, kind=WorkKind.TICKET)
            if agent_id != owner and await around.drive(asking):
                taker = agent_id
                break
        state = ticket(client, taker)
        assert waits(state) is (not taker)
        before = Claim(owner, UNIT, None) if owner else None
        await around.settle_claim(before, state, seq)
    return taker


async def test_eight_who_race_for_a_full_team_never_deadlock_and_loads_equal_the_claims(
    database_url: str,
) -> None:
    async with open_pool(database_url, max_size=CLIENTS) as pool:
        async with pool.connection() as conn:
            for number in range(3):
                await add_agent(conn, f"agent-{number}", capacity_units=Decimal(2))
            for client in range(CLIENTS):
                await add_ticket(conn, f"T-{client}")

        async def lane(client: int) -> None:
            owner = ""
            for seq in range(1, MOVES + 1):
                owner = await moved(pool, client, seq, owner)

        async with asyncio.TaskGroup() as lanes:
            for client in range(CLIENTS):
                lanes.create_task(lane(client))
        async with pool.connection() as conn:
            cursor = await conn.execute(
                "select a.load_units, count(c.ticket_id) as claims from agents as a"
                " left join claims as c using (tenant, agent_id) group by a.agent_id, a.load_units"
            )
            rows = await cursor.fetchall()
            deadlocks = await conn.execute(
                "select deadlocks from pg_stat_database where datname = current_database()"
            )
            assert await deadlocks.fetchall() == [{"deadlocks": 0}]
    assert all(row["load_units"] == row["claims"] <= 2 for row in rows)
