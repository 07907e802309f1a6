"""How many ticket lives a second: the ticket's workflow beside a bare one on the same servers.

    .venv/bin/python bench/lifecycle.py            # 5 interleaved runs of each, about 4 minutes
    .venv/bin/python bench/lifecycle.py --quick    # 3 short runs of each, under a minute

A life is created, assigned, replied, resolved and closed, each an update whose answer is awaited.
Worker and callers share one process; PostgreSQL and Temporal are the embedded ones, fresh. The
last line is JSON: `ratio_to_bare` is the ratio of the two medians.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

# Else the package `rules` would be the script beside this one.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.worker import Worker

import logs
from bench.bare import TABLE, BareActivities, BareWorkflow, bare_life
from embedded.postgres import start_postgres
from embedded.temporal_binary import obtain_temporal
from embedded.temporal_server import start_temporal
from hub.drafts import Command, NewTicket
from hub.intake import Gateway
from settings import Settings
from store import roster
from store.migrate import migrate
from store.pool import Pool, open_pool
from support.model import Actor, ActorKind, EventKind, workflow_id
from worker import ticket_worker
from workflows.connection import connect

IN_FLIGHT = 30
TENANT = "bench"
AGENTS = tuple(f"agent-{number}" for number in range(20))
KIM = Actor(ActorKind.AGENT, AGENTS[0])
CUSTOMER = Actor(ActorKind.CUSTOMER, "c-1")
BARE_QUEUE = "bench-bare"

Life = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Bench:
    """The running servers and workers."""

    client: Client
    pool: Pool
    gateway: Gateway

    async def ticket(self, name: str) -> None:
        """Live one ticket's life through the hub's way in."""
        new = NewTicket(subject="No sound", body="There is none.", ticket_id=name)
        await self.gateway.create(TENANT, new, actor=CUSTOMER, source="bench")
        agent = AGENTS[hash(name) % len(AGENTS)]
        for command in (
            Command(EventKind.ASSIGN, assignee=agent),
            Command(EventKind.REPLY, text="Try the other cable."),
            Command(EventKind.RESOLVE),
            Command(EventKind.CLOSE),
        ):
            await self.gateway.command(TENANT, name, command, actor=KIM, source="bench")
        await self.client.get_workflow_handle(workflow_id(TENANT, name)).result()

    async def bare(self, name: str) -> None:
        """Live one bare life."""
        await bare_life(self.client, BARE_QUEUE, f"bare/{name}")


async def lives_per_s(life: Life, count: int) -> float:
    """Live `count` lives, IN_FLIGHT at a time; return how many a second."""
    names = iter([f"L-{uuid4().hex[:12]}" for _ in range(count)])

    async def lane() -> None:
        for name in names:
            await life(name)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as lanes:
        for _ in range(IN_FLIGHT):
            lanes.create_task(lane())
    return count / (time.perf_counter() - begun)


async def history_of(bench: Bench) -> tuple[int, float]:
    """Return events and KiB of the history of one ticket on an idle server."""
    name = f"L-{uuid4().hex[:12]}"
    await bench.ticket(name)
    handle = bench.client.get_workflow_handle(workflow_id(TENANT, name))
    info = (await handle.describe()).raw_description.workflow_execution_info
    return info.history_length, info.history_size_bytes / 1024


@asynccontextmanager
async def running(database_url: str, address: str) -> AsyncIterator[Bench]:
    """Yield a bench with both workers running on the given servers."""
    await migrate(database_url)
    settings = Settings(
        database_url=SecretStr(database_url), temporal_address=address, _env_file=None
    )
    client = await connect(settings, address)
    async with (
        open_pool(database_url, max_size=settings.db_pool_max) as pool,
        open_pool(database_url, max_size=settings.db_pool_max) as bare_pool,
    ):
        async with pool.connection() as conn:
            await conn.execute(TABLE)
            for agent_id in AGENTS:
                agent = roster.Agent(agent_id, presence="online")
                await roster.add(conn, tenant=TENANT, agent=agent)
        bare = Worker(
            client,
            task_queue=BARE_QUEUE,
            workflows=[BareWorkflow],
            activities=[BareActivities(bare_pool).insert_row],
        )
        async with ticket_worker(client, pool, settings) as tickets, tickets, bare:
            yield Bench(client, pool, Gateway(pool, client, settings.task_queue))


async def measure(bench: Bench, console: Console, *, runs: int, lives: int) -> dict[str, float]:
    """Run both sides in turn and return the figures of the last line."""
    for life in (bench.bare, bench.ticket):
        await lives_per_s(life, IN_FLIGHT)
    events, kib = await history_of(bench)
    console.print(f"Warmed up; a plain ticket has {events} events and {kib:.1f} KiB of history")
    table = Table("run", "bare lives/s", "ticket lives/s", title=f"{lives} lives a run")
    bare, tickets = [], []
    for number in range(1, runs + 1):
        bare.append(await lives_per_s(bench.bare, lives))
        tickets.append(await lives_per_s(bench.ticket, lives))
        console.print(f"Run {number}: bare {bare[-1]:.1f}, ticket {tickets[-1]:.1f} lives a second")
        table.add_row(str(number), f"{bare[-1]:.1f}", f"{tickets[-1]:.1f}")
    table.add_row("median", f"{median(bare):.1f}", f"{median(tickets):.1f}")
    console.print(table)
    return {
        "ratio_to_bare": round(median(tickets) / median(bare), 3),
        "history_events": events,
        "history_kib": round(kib, 1),
        "lifecycles_per_s": round(median(tickets), 2),
        "bare_per_s": round(median(bare), 2),
    }


def main() -> None:
    """Start the servers, measure, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description="Ticket lives a second, beside a bare workflow.")
    parser.add_argument("--quick", action="store_true", help="3 short runs, under a minute")
    quick = parser.parse_args().quick
    runs, lives = (3, 60) if quick else (5, 240)
    console = Console()
    logs.configure("WARNING")
    with tempfile.TemporaryDirectory(prefix="flowhub-bench-") as folder:
        data = Path(folder)
        # The sandbox imports a workflow's module for each run: from compiled code, as in the image.
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(data / "compiled")
        console.print("Starting PostgreSQL and Temporal")
        postgres = start_postgres(data)
        try:
            executable = obtain_temporal(Settings().data_dir)
            temporal = start_temporal(data, port=0, ui_port=0, executable=executable)
            try:
                figures = asyncio.run(_on(postgres.url, temporal.address, console, runs, lives))
            finally:
                temporal.stop()
        finally:
            postgres.stop()
    sys.stdout.write(json.dumps(figures) + "\n")


async def _on(
    database_url: str, address: str, console: Console, runs: int, lives: int
) -> dict[str, float]:
    async with running(database_url, address) as bench:
        return await measure(bench, console, runs=runs, lives=lives)


if __name__ == "__main__":
    main()
