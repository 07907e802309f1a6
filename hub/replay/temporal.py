"""The replay by the real workflows: a time-skipping server, a scratch database, one clock.

Time is moved to just before the next event, timers fire on the way in their order, and each event
is an update whose result is waited for.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import records
from activities.decide import DecideActivities, Rulebook
from hub.intake import Gateway
from hub.replay.agenda import Agenda
from hub.replay.engine import Ended, Owners, Taken, reason
from hub.replay.events import Happening
from hub.replay.ordered import OrderedDecide
from hub.replay.simulate import TENANT
from store import roster
from store.pool import Pool, transaction
from support.errors import InputError, RulesEngineError, RuntimeUnavailableError
from support.simulate import Member
from workflows.runner import TicketSandbox
from workflows.ticket import TicketWorkflow

TASK_QUEUE = "replay"
_AT_ONCE = 1000
"""Workflows that may wait for their turn at one instant."""
_CACHED = 5000
_BEFORE_FIRST = timedelta(minutes=5)
_LEAD = timedelta(seconds=2)
_LEAD_EACH = timedelta(milliseconds=100)
"""Time runs while events are taken: it starts so long before their instant, and 0.1 s an event."""
_TIMER_SLACK = timedelta(milliseconds=100)
"""A timer is armed, and so fires, some milliseconds after its decision."""


@dataclass
class TemporalEngine:
    """Takes events by updates; `offset` is the server's time less the time of the log."""

    environment: WorkflowEnvironment
    pool: Pool
    gateway: Gateway
    decide: OrderedDecide
    offset: timedelta
    agenda: Agenda
    owners: Owners = field(default_factory=Owners)

    async def pass_before(self, at: datetime, coming: int) -> None:
        """Skip from deadline to deadline, each decided before the next, to just before `at`."""
        while (first := self.agenda.first) is not None and first[0] < at:
            await self._skip_to(first[0] + _TIMER_SLACK)
            await self.agenda.passed(first[0])
        await self._skip_to(at - _LEAD - coming * _LEAD_EACH)

    async def submit(self, happening: Happening) -> Taken:
        """Send one event and wait for its result."""
        ticket_id = happening.ticket_id
        try:
            result = await self.gateway.submit(TENANT, ticket_id, happening.event)
        except InputError as error:
            return Taken(self.owners.of.get(ticket_id, ""), reason(happening.event, error))
        return Taken(result.owner)

    async def end(self) -> Ended:
        """Read how every ticket stands from the ledger. RulesEngineError if one was parked."""
        if self.decide.parked:
            ticket_id, error = min(self.decide.parked.items())
            raise RulesEngineError(
                f"{len(self.decide.parked)} tickets could not be decided, such as {ticket_id}: "
                f"{error}; mend the rules and replay again"
            )
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select ticket_id, decision_seq, state::text from tickets where tenant = %s",
                (TENANT,),
            )
            rows = await cursor.fetchall()
        return Ended(
            states={row["ticket_id"]: records.state_from_json(row["state"]) for row in rows},
            decisions={row["ticket_id"]: row["decision_seq"] for row in rows},
            assignments=self.owners.assignments,
        )

    async def _skip_to(self, at: datetime) -> None:
        ahead = at + self.offset - await self.environment.get_current_time()
        if ahead <= timedelta(0):
            return
        try:
            await self.environment.sleep(ahead)
        except RPCError as error:
            raise RuntimeUnavailableError(
                f"the time-skipping server stood still before {at.isoformat()} "
                f"({error.status.name}): replay again, with a smaller --limit if that repeats"
            ) from error


@asynccontextmanager
async def temporal_engine(
    environment: WorkflowEnvironment,
    pool: Pool,
    rulebook: Rulebook,
    members: Iterable[Member],
    since: datetime,
) -> AsyncIterator[TemporalEngine]:
    """Yield an engine with its worker running; `since` is the instant of the first event.

    `pool` is of a database that nothing else uses.
    """
    await _seat(pool, members, since)
    agenda, owners = Agenda(), Owners()
    ordered = OrderedDecide(DecideActivities(pool, rulebook), agenda, owners)
    offset = await environment.get_current_time() - since + _BEFORE_FIRST
    gateway = Gateway(pool, environment.client, TASK_QUEUE, clock_offset_s=offset.total_seconds())
    worker = Worker(
        environment.client,
        task_queue=TASK_QUEUE,
        workflows=[TicketWorkflow],
        workflow_runner=TicketSandbox(),
        activities=[ordered.decide, ordered.park],
        max_cached_workflows=_CACHED,
        max_concurrent_workflow_tasks=_AT_ONCE,
        max_concurrent_local_activities=_AT_ONCE,
    )
    async with worker:
        yield TemporalEngine(environment, pool, gateway, ordered, offset, agenda, owners)


async def _seat(pool: Pool, members: Iterable[Member], since: datetime) -> None:
    """Put the roster into the database: everybody online, and idle since the same instant."""
    async with transaction(pool) as conn:
        for member in members:
            agent = roster.Agent(
                member.agent_id,
                team=member.team,
                role=str(member.role),
                presence="online",
                capacity_units=member.capacity_units,
            )
            await roster.add(conn, tenant=TENANT, agent=agent)
        await conn.execute("update agents set idle_since = %s where tenant = %s", (since, TENANT))
