"""A whole desk on real servers: a worker with rules that the test chooses, and the way in."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.decide import DecideActivities, Rulebook
from activities.messages import EffectFailure
from hub.intake import Gateway
from rules.policies_file import load_policies
from settings import Settings
from store import policy_books, roster
from store.pool import Pool, open_pool
from support.errors import FlowHubError
from support.model import Actor, ActorKind
from support.needs import EvaluateRules, Fact, RuleAction, RuleVerdict
from support.work import Outside
from worker import ticket_worker
from workflows.runner import TicketSandbox
from workflows.ticket import TicketWorkflow

KIM = Actor(ActorKind.AGENT, "kim")
CUSTOMER = Actor(ActorKind.CUSTOMER, "c-1")


@dataclass
class ScriptedRules:
    """Answers with `actions`; raises `failure` where one is set. Remembers the facts it saw."""

    actions: Sequence[RuleAction] = ()
    failure: Exception | None = None
    asked: list[Mapping[str, Fact]] = field(default_factory=list)

    async def judge(self, question: EvaluateRules) -> RuleVerdict:
        self.asked.append(question.facts)
        if self.failure is not None:
            raise self.failure
        fired = tuple(action.rule_id for action in self.actions)
        return RuleVerdict(fired, tuple(self.actions), (), "scripted", "0")


@dataclass
class ScriptedMacros:
    actions: Mapping[str, tuple[RuleAction, ...]] = field(default_factory=dict)

    def render(self, name: str, locale: str, values: Mapping[str, str]) -> str:
        return f"{name} in {locale} for {values['ticket_id']}"


@dataclass
class ScriptedOutside:
    """The outside world: fails with `failure` where one is set, and remembers what it did."""

    failure: Exception | None = None
    done: list[str] = field(default_factory=list)
    parked: list[EffectFailure] = field(default_factory=list)

    @activity.defn(name="perform_effect")
    async def perform(self, key: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.done.append(key)

    @activity.defn(name="park_effect")
    async def park(self, failure: EffectFailure) -> None:
        self.parked.append(failure)


@dataclass
class RunningDesk:
    """What a test works with; its tenant is its own. `worker()` makes another worker."""

    tenant: str
    client: Client
    pool: Pool
    gateway: Gateway
    rules: ScriptedRules
    outside: ScriptedOutside
    task_queue: str
    worker: Callable[[], Worker]


StartDesk = Callable[..., AbstractAsyncContextManager[RunningDesk]]


@asynccontextmanager
async def running_desk(
    client: Client,
    database_url: str,
    task_queue: str,
    *,
    outside: Outside | None = None,
    clock_offset_s: float = 0.0,
    macros: ScriptedMacros | None = None,
) -> AsyncIterator[RunningDesk]:
    """Yield a desk with its worker running and agents kim and lou online."""
    policies, form = load_policies()
    rules, world = ScriptedRules(), ScriptedOutside()
    async with open_pool(database_url) as pool:
        tenant = f"t-{uuid4().hex[:12]}"
        async with pool.connection() as conn:
            await policy_books.remember(conn, version=policies.version, body=form)
            for name in ("kim", "lou"):
                agent = roster.Agent(name, presence="online")
                await roster.add(conn, tenant=tenant, agent=agent)
        rulebook = Rulebook(rules, macros or ScriptedMacros(), policies, outside or Outside())
        decide = DecideActivities(pool, rulebook)

        def worker() -> Worker:
            return Worker(
                client,
                task_queue=task_queue,
                workflows=[TicketWorkflow],
                workflow_runner=TicketSandbox(),
                activities=[decide.decide, decide.park, world.perform, world.park],
                graceful_shutdown_timeout=timedelta(seconds=5),
            )

        gateway = Gateway(pool, client, task_queue, clock_offset_s=clock_offset_s)
        async with worker():
            yield RunningDesk(tenant, client, pool, gateway, rules, world, task_queue, worker)


@pytest.fixture
async def desk(
    temporal_client: Client, database_url: str, task_queue: str
) -> AsyncIterator[RunningDesk]:
    """A desk on the development server, with no way out."""
    async with running_desk(temporal_client, database_url, task_queue) as running:
        yield running


def refused_with(error: BaseException) -> str:
    """Code of a refusal."""
    assert isinstance(error, FlowHubError)
    return error.code


@asynccontextmanager
async def production(client: Client, database_url: str, task_queue: str) -> AsyncIterator[Pool]:
    """Yield the pool beside a running worker as production has it, with the shipped pack."""
    settings = Settings(
        database_url=SecretStr(database_url),
        task_queue=task_queue,
        engine_timeout_s=30,
        _env_file=None,
    )
    async with (
        open_pool(database_url) as pool,
        ticket_worker(client, pool, settings) as worker,
        worker,
    ):
        yield pool
