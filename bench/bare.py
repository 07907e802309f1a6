"""The least that a durable ticket could be, to compare with: wait, insert one row, answer.

It has the updates, the waits and the one timer of `TicketWorkflow`, and nothing that makes a
support hub of it: no rules, clocks, claims, search attributes, texts or retries.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

with workflow.unsafe.imports_passed_through():
    from psycopg import sql

    from store.pool import Pool

KINDS = ("created", "assigned", "replied", "resolved", "closed")
TABLE = sql.SQL(
    "create table bare (workflow_id text, seq int, kind text, primary key (workflow_id, seq))"
)


@dataclass(frozen=True, slots=True)
class BareDecision:
    """What a bare decision inserts."""

    workflow_id: str
    seq: int
    kind: str


@workflow.defn
class BareWorkflow:
    """Takes five updates, inserts one row for each, and ends."""

    def __init__(self) -> None:
        self._seq = 0
        self._closed = False
        self._inbox: list[tuple[str, asyncio.Future[int]]] = []

    @workflow.run
    async def run(self) -> int:
        """Work until `closed`; returns the number of decisions."""
        timer = asyncio.create_task(workflow.sleep(timedelta(hours=8), summary="deadline"))
        while not self._closed:
            await workflow.wait_condition(lambda: bool(self._inbox))
            kind, answer = self._inbox.pop(0)
            self._seq += 1
            decision = BareDecision(workflow.info().workflow_id, self._seq, kind)
            await workflow.execute_local_activity(
                "insert_row", decision, schedule_to_close_timeout=timedelta(seconds=10)
            )
            self._closed = kind == "closed"
            answer.set_result(self._seq)
        await workflow.wait_condition(workflow.all_handlers_finished)
        timer.cancel()
        return self._seq

    @workflow.update
    async def submit(self, kind: str) -> int:
        """Take one event and answer with the number of its decision."""
        answer: asyncio.Future[int] = asyncio.Future()
        self._inbox.append((kind, answer))
        return await answer


class BareActivities:
    """The one row."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @activity.defn
    async def insert_row(self, decision: BareDecision) -> None:
        """Insert the decision, durably."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "insert into bare (workflow_id, seq, kind) values (%s, %s, %s)"
                " on conflict do nothing",
                (decision.workflow_id, decision.seq, decision.kind),
            )


async def bare_life(client: Client, task_queue: str, workflow_id: str) -> None:
    """Live one bare life from the first update to the end."""
    first, *later = KINDS
    start = WithStartWorkflowOperation(
        BareWorkflow.run,
        id=workflow_id,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
    await client.execute_update_with_start_workflow(
        BareWorkflow.submit, first, start_workflow_operation=start
    )
    handle = client.get_workflow_handle_for(BareWorkflow.run, workflow_id)
    for kind in later:
        await handle.execute_update(BareWorkflow.submit, kind)
    await handle.result()
