"""How many claims a second: waiting tickets get owners at 1,000 agents and 100,000 that wait.

    .venv/bin/python bench/assign.py            # about half a minute
    .venv/bin/python bench/assign.py --quick    # about 20 seconds

A claim is what `decide` does to give one waiting ticket an owner, in one durable transaction by the
product's own functions: read the ticket, find and rank the candidates, claim, write the ticket,
settle the claim, hand out. Rules are not asked, for `bench/rules.py` says what they cost. The 8
clients are 2 processes of 4 asyncio tasks, each with a connection; server and clients share the
machine. The rounds of 100,000 and 10,000 tickets and of the peer are interleaved. After the run it
is checked that nobody is over capacity or limits, that no ticket has two owners, and that loads
equal the claims. The last line is JSON:

- `claims_per_s` (at least 300 on 2 cores), `p50_ms` and `p99_ms` at 100,000 tickets, with tries
  that the server ended and that were made again, which `retries` counts;
- `growth_ratio` (at most 1.5): the time a claim at 100,000 tickets beside that at 10,000;
- `to_skip_locked_ratio`: claims beside a bare queue's, one `for update skip locked` each;
- `hand_out_ms`, `hand_out_growth_ratio`: one look for what can be handed out, when many have room;
  `hand_out_scarce_ms`: when 3 agents of one team have.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

# Else the package `rules` would be the script beside this one.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from activities.records import state_from_json
from activities.surroundings import Surroundings
from bench.busy_desk import TENANT, add_agents, add_tickets, broken, key_of, row_of
from embedded.postgres import RunningPostgres, start_postgres
from rules.policies_file import load_policies
from store import ledger, waiting
from store.migrate import create_database, migrate
from store.pool import Connection, Pool, open_pool, transaction
from support.assigning import assign
from support.handing_out import chosen
from support.needs import EvaluateRules, RuleAction, RuleVerdict
from support.work import Outcome, Outside, Work

PROCESSES, CLIENTS_EACH = 2, 4
MANY, FEW = 100_000, 10_000
WARM_UP = 10
"""Claims of each client that are not measured: until then statements are not prepared."""
LEAST_CLAIMS_PER_S, MOST_GROWTH = 300.0, 1.5
ASSIGN = RuleAction("assign-new", "assign", {"strategy": "least_loaded"})
BOOK, _ = load_policies()

One = Callable[[Pool, int], Awaitable[None]]


class NoRules:
    """A claim asks no rules: the one action is known."""

    async def judge(self, question: EvaluateRules) -> RuleVerdict:
        """Never asked."""
        raise AssertionError(question)


async def give_owner(pool: Pool, number: int) -> None:
    """Give one waiting ticket an owner, as the transaction of `decide` does."""
    ticket_id, workflow_id = key_of(number)
    now = datetime.now(UTC)
    async with transaction(pool) as conn:
        found = await ledger.read(
            conn,
            tenant=TENANT,
            ticket_id=ticket_id,
            workflow_id=workflow_id,
            decision_seq=2,
            event_id="",
            at=now,
        )
        state = state_from_json(found.state or "")
        surroundings = Surroundings(conn, TENANT, ticket_id, now, NoRules())
        work = Work(
            state=state,
            at=now,
            now=now,
            owner_left=False,
            book=BOOK,
            follow_up_default=now,
            workflow_id=workflow_id,
            decision_seq=2,
            outside=Outside(),
            macros={},
        )
        done = await surroundings.drive(assign(work, ASSIGN))
        assert done.outcome is Outcome.DONE, done.detail
        await ledger.write_ticket(conn, row_of(work.state, 2, now))
        await surroundings.settle_claim(found.claim, work.state, 2)
        await surroundings.hand_out(found.claim, state, work.state, 2)


_PEER = """
create table queue (id bigint primary key, taken_by text);
insert into queue (id) select generate_series(1, 100000);
create index queue_free on queue (id) where taken_by is null;
"""
_TAKE = """
update queue set taken_by = 'kim'
 where id = (select id from queue where taken_by is null order by id limit 1
                for update skip locked)
returning id
"""


async def take_next(pool: Pool, _number: int) -> None:
    """Take the first free row of a bare queue."""
    async with transaction(pool) as conn:
        assert await (await conn.execute(_TAKE)).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Run:
    """What one process measured; `begun` and `ended` are by the machine's monotonic clock."""

    begun: float
    ended: float
    costs_ms: Sequence[float]
    retries: int


async def _drive(url: str, one: One, numbers: Sequence[int]) -> Run:
    costs_ms: list[float] = []
    retries = 0

    async def lane(pool: Pool, left: Sequence[int]) -> None:
        nonlocal retries
        for number in left:
            begun = time.perf_counter()
            while True:
                try:
                    await one(pool, number)
                    break
                except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                    retries += 1
            costs_ms.append((time.perf_counter() - begun) * 1000)

    async def lanes(pool: Pool, some: Sequence[int]) -> None:
        async with asyncio.TaskGroup() as group:
            for client in range(CLIENTS_EACH):
                group.create_task(lane(pool, some[client::CLIENTS_EACH]))

    async with open_pool(url, max_size=CLIENTS_EACH) as pool:
        await lanes(pool, numbers[: WARM_UP * CLIENTS_EACH])
        costs_ms.clear()
        begun = time.perf_counter()
        await lanes(pool, numbers[WARM_UP * CLIENTS_EACH :])
        return Run(begun, time.perf_counter(), costs_ms, retries)


def drive(url: str, one: One, numbers: Sequence[int]) -> Run:
    """Work off the numbers by the clients of this process."""
    return asyncio.run(_drive(url, one, numbers))


class Clients:
    """The processes, kept for the whole run. `used`: numbers taken of each database so far."""

    def __init__(self, processes: Sequence[ProcessPoolExecutor]) -> None:
        self._processes = processes
        self.used: dict[str, int] = {}
        self.retries = 0

    def rate(self, url: str, one: One, each: int) -> tuple[float, list[float]]:
        """Let each client do `each`; return how many a second that were, and what each cost."""
        first, total = self.used.get(url, 0), (each + WARM_UP) * CLIENTS_EACH * PROCESSES
        self.used[url] = first + total
        numbers = range(first, first + total)
        runs = [
            future.result()
            for future in [
                process.submit(drive, url, one, numbers[part::PROCESSES])
                for part, process in enumerate(self._processes)
            ]
        ]
        self.retries += sum(run.retries for run in runs)
        costs = [cost for run in runs for cost in run.costs_ms]
        took_s = max(run.ended for run in runs) - min(run.begun for run in runs)
        return len(costs) / took_s, costs


async def look(conn: Connection) -> float:
    """Return the milliseconds of one look for what can be handed out, the median of five."""
    costs = []
    for _ in range(5):
        begun = time.perf_counter()
        rooms = await waiting.rooms(conn, tenant=TENANT)
        offered = chosen(await waiting.tickets(conn, tenant=TENANT), rooms)
        costs.append((time.perf_counter() - begun) * 1000)
        assert offered
    return median(costs)


_SCARCE = """
update agents set load_units = capacity_units
 where team <> 'team-07'
    or agent_id not in (select agent_id from agents
                         where team = 'team-07' and presence = 'online' and not scheduled
                         order by agent_id limit 3)
"""


async def looks(url: str) -> tuple[float, float]:
    """Return the milliseconds of a look when many have room, and when three of one team have."""
    async with open_pool(url) as pool, pool.connection() as conn:
        plenty = await look(conn)
        async with conn.transaction(force_rollback=True):
            await conn.execute(_SCARCE)
            return plenty, await look(conn)


async def _prepare(server: RunningPostgres, urls: dict[int, str]) -> None:
    await migrate(urls[MANY])
    async with open_pool(urls[MANY]) as pool:
        await add_agents(pool)
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as conn:
        names = (sql.Identifier(f"with_{FEW}"), sql.Identifier("flowhub"))
        conn.execute(sql.SQL("create database {} template {}").format(*names))
    for tickets, url in urls.items():
        add_tickets(url, tickets)
    await create_database(server.url_of("postgres"), "peer")
    with psycopg.connect(server.url_of("peer"), autocommit=True) as conn:
        conn.execute(_PEER)
        conn.execute("vacuum analyze queue")


async def _check(urls: dict[int, str], clients: Clients) -> None:
    for url in urls.values():
        async with open_pool(url) as pool, pool.connection() as conn:
            wrong = await broken(conn, clients.used[url])
        if wrong:
            sys.exit(f"what must hold after the run does not: {'; '.join(wrong)}")


def measure(
    server: RunningPostgres, clients: Clients, console: Console, *, rounds: int, each: int
) -> dict[str, float | bool]:
    """Measure all sides in turn, check the ledger, and return the figures of the last line."""
    urls = {MANY: server.url, FEW: server.url_of(f"with_{FEW}")}
    console.print("Filling the roster and the queues")
    asyncio.run(_prepare(server, urls))
    plenty, scarce = asyncio.run(looks(urls[MANY]))
    plenty_few, scarce_few = asyncio.run(looks(urls[FEW]))
    sides: dict[str, tuple[str, One]] = {
        "many": (urls[MANY], give_owner),
        "few": (urls[FEW], give_owner),
        "peer": (server.url_of("peer"), take_next),
    }
    table = Table("round", *sides, title="100,000 tickets, 10,000 tickets, bare queue: a second")
    rates: dict[str, list[float]] = {name: [] for name in sides}
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, (url, one) in sides.items():
            rate, some = clients.rate(url, one, each)
            rates[name].append(rate)
            costs[name].extend(some)
        table.add_row(str(number), *(f"{rates[name][-1]:,.0f}" for name in sides))
        console.print(f"Round {number} of {rounds}: {rates['many'][-1]:,.0f} claims a second")
    asyncio.run(_check(urls, clients))
    console.print(table)
    a_second = {name: median(some) for name, some in rates.items()}
    growth = a_second["few"] / a_second["many"]
    return {
        "claims_per_s": round(a_second["many"], 1),
        "p50_ms": round(median(costs["many"]), 2),
        "p99_ms": round(quantiles(costs["many"], n=100)[98], 2),
        "growth_ratio": round(growth, 3),
        "skip_locked_per_s": round(a_second["peer"], 1),
        "to_skip_locked_ratio": round(a_second["many"] / a_second["peer"], 3),
        "retries": clients.retries,
        "hand_out_ms": round(plenty, 1),
        "hand_out_growth_ratio": round(plenty / plenty_few, 2),
        "hand_out_scarce_ms": round(scarce, 1),
        "hand_out_scarce_growth_ratio": round(scarce / scarce_few, 2),
        "targets_met": a_second["many"] >= LEAST_CLAIMS_PER_S and growth <= MOST_GROWTH,
    }


def main() -> None:
    """Start the server, measure, show, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="fewer claims and rounds")
    rounds, each = (3, 25) if parser.parse_args().quick else (7, 60)
    console = Console()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="flowhub-bench-") as folder, ExitStack() as stack:
        console.print("Starting PostgreSQL")
        server = start_postgres(Path(folder))
        stack.callback(server.stop)
        # One executor each, so that no process does the work of two.
        clients = Clients(
            [
                stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn))
                for _ in range(PROCESSES)
            ]
        )
        figures = measure(server, clients, console, rounds=rounds, each=each)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
