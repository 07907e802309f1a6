"""A decision reaches who is on call at its own instant, not who has the role or is on call now."""

from dataclasses import replace
from datetime import timedelta

from activities.messages import DecideInput
from store import roster, rotas
from store.roster import Agent
from support.needs import RuleAction
from support.rota import Rota
from tests.activities.bench import NOW, Bench, created
from tests.publishing import TENANT

ASSIGN = RuleAction("at-night", "assign", {"role": "on_call"})
ESCALATE = RuleAction("at-night", "escalate", {"to": "on_call"})


def later(asked: DecideInput, days: int) -> DecideInput:
    at = NOW + timedelta(days=days)
    event = replace(asked.event, occurred_at=at, received_at=at) if asked.event else None
    return replace(asked, now=at, event=event)


async def on_call(bench: Bench) -> None:
    """Let kim and lou, who are agents, take turns of a week from now on; oscar has the role."""
    async with bench.pool.connection() as conn:
        for name, role in (("kim", "agent"), ("lou", "agent"), ("oscar", "on_call")):
            agent = Agent(name, role=role, presence="online")
            await roster.add(conn, tenant=TENANT, agent=agent)
        rota = Rota("UTC", ("kim", "lou"), NOW.replace(tzinfo=None))
        await rotas.put(conn, tenant=TENANT, rota_id="nights", rota=rota)


async def owner(bench: Bench, ticket_id: str) -> str:
    row = await bench.row(
        "select agent_id from claims where tenant = %s and ticket_id = %s", TENANT, ticket_id
    )
    return str(row.get("agent_id", ""))


async def test_a_step_for_on_call_is_for_whose_turn_it_is_then(bench: Bench) -> None:
    await on_call(bench)
    for number, action in enumerate((ASSIGN, ESCALATE)):
        bench.own.actions = [action]
        await bench.decide(created(f"T-{number}"))
        assert await owner(bench, f"T-{number}") == "kim"
        await bench.decide(later(created(f"L-{number}"), 8))
        assert await owner(bench, f"L-{number}") == "lou"
