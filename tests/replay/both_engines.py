"""The same events through both engines; from each, the steps of every ticket."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from activities.decide import Rulebook
from embedded.time_skipping import obtain_test_server, time_skipping_environment
from hub.progress import Shown
from hub.replay.events import in_order, roster_of
from hub.replay.mapping import ReplayMapping
from hub.replay.run import drive
from hub.replay.scratch import scratch_database
from hub.replay.simulate import TENANT, SimulatedEngine
from hub.replay.source import Incident
from hub.replay.temporal import temporal_engine
from hub.simulation.trail import Act, Step
from rules.caching import CachingEngine
from rules.engine import Engine
from rules.load import load_pack
from rules.policies_file import load_policies
from settings import Settings
from store import packs, policy_books
from store.pool import Pool, open_pool
from support.decision import Decision
from support.model import TicketEvent
from support.work import Outside
from tests.replay.exporting import quiet

Steps = Mapping[str, Sequence[Step]]


async def simulated(incidents: Sequence[Incident], mapping: ReplayMapping) -> Steps:
    """Steps by ticket of the pure core."""
    happenings, members = in_order(incidents, mapping), roster_of(incidents, mapping.roster)
    found: defaultdict[str, list[Step]] = defaultdict(list)

    def watch(event: TicketEvent | None, decision: Decision) -> None:
        steps = found[decision.state.ticket_id]
        steps.append(Step.of(len(steps) + 1, event, decision))

    pack, (policies, _) = load_pack(None), load_policies(None)
    with Engine(pack) as rules:
        engine = SimulatedEngine(
            policies,
            pack.macros.actions,
            CachingEngine(rules).judge,
            members,
            happenings[0].instant,
            watch=watch,
        )
        await drive(engine, happenings, members, quiet)
    return found


async def by_workflows(
    incidents: Sequence[Incident], mapping: ReplayMapping, servers: Path, database: str
) -> Steps:
    """Steps by ticket of the real workflows, as their ledger has them."""
    happenings, members = in_order(incidents, mapping), roster_of(incidents, mapping.roster)
    settings = Settings(data_dir=servers, database_url=SecretStr(database))
    pack, (policies, text) = load_pack(None), load_policies(None)
    obtain_test_server(servers, Shown(quiet))
    with Engine(pack) as rules:
        async with (
            scratch_database(settings, quiet) as url,
            open_pool(url) as pool,
            time_skipping_environment(servers) as environment,
        ):
            async with pool.connection() as conn:
                await packs.remember(conn, version=pack.version, name=pack.name, body=pack.text)
                await policy_books.remember(conn, version=policies.version, body=text)
            rulebook = Rulebook(rules, pack.macros, policies, Outside())
            since = happenings[0].instant
            async with temporal_engine(environment, pool, rulebook, members, since) as engine:
                await drive(engine, happenings, members, quiet)
                return await recorded(pool, TENANT)


_DECISIONS = """
select ticket_id, decision_seq, trigger_id, trigger, nominal_at, fired, actions, result
  from decisions where tenant = %s order by ticket_id, decision_seq
"""


async def recorded(pool: Pool, tenant: str) -> Steps:
    """Steps by ticket as a ledger has them."""
    async with pool.connection() as conn:
        rows = await (await conn.execute(_DECISIONS, (tenant,))).fetchall()
    found: defaultdict[str, list[Step]] = defaultdict(list)
    for row in rows:
        glance, due = row["result"]["glance"], row["result"]["deadline"]
        step = Step(
            seq=row["decision_seq"],
            trigger_id=row["trigger_id"],
            trigger=row["trigger"],
            at=row["nominal_at"],
            fired=tuple(row["fired"]),
            actions=tuple(
                Act(a["kind"], a["rule_id"], a["params"], a["outcome"], a["detail"])
                for a in row["actions"]
            ),
            owner=glance["owner"],
            status=glance["status"],
            priority=glance["priority"],
            due=due and datetime.fromisoformat(due["at"]),
        )
        found[row["ticket_id"]].append(step)
    return found


def as_lines(steps: Steps) -> Mapping[str, Sequence[str]]:
    """The steps of each ticket as lines, which are equal where the steps are."""
    return {ticket: [step.to_json() for step in told] for ticket, told in sorted(steps.items())}
