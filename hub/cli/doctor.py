"""What `flowhub doctor` looks at: one function for each check, each with what to do."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg.rows import TupleRow
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from embedded.discovery import Endpoints, resolve
from embedded.search_attributes import SEARCH_ATTRIBUTES, registered
from rules.load import load_pack
from rules.policies_file import load_policies
from settings import Settings
from store import engine_faults, outbox, packs, views
from store.pool import open_pool
from support.errors import FlowHubError
from workflows.connection import connect

FAULTS_WITHIN = timedelta(days=1)
MOST_COUNTED = 1000
UNDELIVERED_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what was found or what to do."""

    name: str
    ok: bool
    found: str


class _FailedError(Exception):
    """A check that did not hold; the message says what to do."""


async def examine(settings: Settings) -> tuple[Check, ...]:
    """Look at everything; later checks are left out where what they need is not there."""
    checks = [
        await _check("Python", _python),
        await _check("rule pack", lambda: _pack(settings)),
        await _check("SLA policies", lambda: _policies(settings)),
    ]
    try:
        endpoints = resolve(settings)
    except FlowHubError as error:
        return (*checks, Check("running hub", ok=False, found=str(error)))
    checks.append(await _check("PostgreSQL", lambda: _postgres(endpoints)))
    checks.append(await _check("parked work", lambda: _parked(endpoints)))
    checks.append(await _check("automation", lambda: _halted(endpoints)))
    checks.append(await _check("outbox", lambda: _outbox(endpoints)))
    checks.append(await _check("published packs", lambda: _published(endpoints)))
    checks.append(await _check("rules engines", lambda: _engines(endpoints)))
    try:
        client = await connect(settings, endpoints.temporal_address)
    except FlowHubError as error:
        return (*checks, Check("Temporal", ok=False, found=str(error)))
    checks.append(await _check("Temporal", lambda: _temporal(client)))
    checks.append(await _check("worker", lambda: _worker(client, settings)))
    return tuple(checks)


async def _check(name: str, look: Callable[[], Awaitable[str]]) -> Check:
    try:
        return Check(name, ok=True, found=await look())
    except (_FailedError, FlowHubError) as error:
        return Check(name, ok=False, found=str(error))
    except (psycopg.Error, RPCError) as error:
        return Check(name, ok=False, found=f"does not answer ({type(error).__name__})")


async def _python() -> str:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise _FailedError(f"{version}: use 3.11, 3.12 or 3.13")
    return version


async def _pack(settings: Settings) -> str:
    pack = load_pack(settings.pack)
    return f"{pack.name} {pack.version}"


async def _policies(settings: Settings) -> str:
    book, _ = load_policies(settings.policies)
    return f"{len(book.policies)} policies, version {book.version}"


async def _connected(endpoints: Endpoints) -> psycopg.AsyncConnection[TupleRow]:
    return await psycopg.AsyncConnection.connect(endpoints.database_url, connect_timeout=5)


async def _postgres(endpoints: Endpoints) -> str:
    async with await _connected(endpoints) as conn:
        cursor = await conn.execute(
            "select current_setting('server_version'), to_regclass('migrations')"
        )
        row = await cursor.fetchone()
        if row is None or row[1] is None:
            raise _FailedError("the migrations are not applied: run `flowhub setup`")
        count = await (await conn.execute("select count(*) from migrations")).fetchone()
        return f"PostgreSQL {row[0]}, {count[0] if count else 0} migrations"


async def _parked(endpoints: Endpoints) -> str:
    async with await _connected(endpoints) as conn:
        cursor = await conn.execute(
            "select (select count(*) from parkings),"
            "       (select count(*) from effects where state = 'parked'),"
            "       (select count(*) from effects where state in ('failed', 'unknown'))"
        )
        triggers, parked, lost = await cursor.fetchone() or (0, 0, 0)
    if triggers:
        raise _FailedError(
            f"{triggers} events or deadlines are parked: see `flowhub parked`, mend the cause, "
            "then `flowhub ticket retry`"
        )
    if parked:
        raise _FailedError(
            f"parked deliveries: {parked}, failed or unknown ones: {lost}; see `flowhub parked`, "
            "mend the cause, then `flowhub ticket retry`"
        )
    return f"nothing parked; {lost} deliveries failed or are unknown"


async def _halted(endpoints: Endpoints) -> str:
    """Say on how many tickets automation is halted: work for people, and no failure."""
    async with open_pool(endpoints.database_url, max_size=1) as pool, pool.connection() as conn:
        count = await views.halted_everywhere(conn)
    if not count:
        return "halted on no ticket"
    many = "1 ticket" if count == 1 else f"{count} tickets"
    return f"warning: halted on {many}: see `flowhub ticket list --halted` of each tenant"


async def _outbox(endpoints: Endpoints) -> str:
    async with open_pool(endpoints.database_url, max_size=1) as pool, pool.connection() as conn:
        left = await outbox.overdue(conn, by=UNDELIVERED_AFTER)
    if left.count and left.oldest_due_at is not None:
        why = f"; the last error was: {left.last_error}" if left.last_error else ""
        raise _FailedError(
            f"hand-outs of waiting tickets not delivered for more than a minute: {left.count}, the "
            f"first since {left.oldest_due_at:%Y-%m-%d %H:%M:%S} UTC{why}. A worker delivers "
            "them: start `flowhub worker`, and look into its log for `delivery failed`"
        )
    return "nothing undelivered for more than a minute"


async def _published(endpoints: Endpoints) -> str:
    async with open_pool(endpoints.database_url, max_size=1) as pool, pool.connection() as conn:
        parked = await packs.parked(conn, tenant=None)
        in_use = await packs.newest_in_use(conn, limit=MOST_COUNTED)
    if parked:
        named = "; ".join(
            f"publication {one.number} of {one.tenant}, {one.name} {one.version}: {one.error}"
            for one in parked
        )
        raise _FailedError(
            f"parked, and decided by what counted before: {named}. Mend the pack and publish it, "
            "or `flowhub rules rollback`"
        )
    return f"{len(in_use)} in use, none parked"


async def _engines(endpoints: Endpoints) -> str:
    async with open_pool(endpoints.database_url, max_size=1) as pool, pool.connection() as conn:
        counts = await engine_faults.counted(conn, within=FAULTS_WITHIN)
    said = "; ".join(
        f"{one.name} {one.version}: {one.count} x {one.kind}, last at "
        f"{one.last_at:%Y-%m-%d %H:%M:%S} UTC ({one.last_reason})"
        for one in counts
    )
    if any(one.kind == "disagreement" for one in counts):
        raise _FailedError(
            f"within a day: {said}. Where engine and reference disagreed nothing was decided by "
            "it: report it with the pack"
        )
    return f"within a day: {said}" if said else "no fault within a day"


async def _temporal(client: Client) -> str:
    missing = sorted(SEARCH_ATTRIBUTES.keys() - (await registered(client)).keys())
    if missing:
        raise _FailedError(
            f"search attributes {', '.join(missing)} are missing: run `flowhub setup`"
        )
    return f"namespace {client.namespace}, search attributes registered"


async def _worker(client: Client, settings: Settings) -> str:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=settings.task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    if not answer.pollers:
        raise _FailedError(
            f"none works on task queue {settings.task_queue}: start `flowhub worker`"
        )
    return f"{len(answer.pollers)} on task queue {settings.task_queue}"
