"""Sixteen workers race for few agents who come and go, while connections to the database die."""

import asyncio
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from store import presences, roster
from store.pool import Pool, open_pool
from support.model import Presence
from tests.activities.desk_watch import Seen, audit, look
from tests.activities.racing import PROCESSES, TENANT, WORKERS, Race, Told, run
from tests.deciding import shipped_policies
from tests.waiting import eventually

TICKETS = int(os.environ.get("FLOWHUB_RACE_TICKETS", "5000"))
"""Fewer while the test is worked on."""
AGENTS = tuple(f"agent-{n:02}" for n in range(40))
LEAST_FAULTS = 50
CALMS = 4
_NAME = "race"
_FAULT_EVERY_S, _SHIFT_EVERY_S, _SAMPLE_EVERY_S = 0.7, 0.15, 0.5


async def _hire(pool: Pool, draw: random.Random) -> None:
    """Put 40 agents on the roster, of two teams, with room for 2 to 6 units, some for one chat."""
    async with pool.connection() as conn:
        for number, agent_id in enumerate(AGENTS):
            skills = ((), ("hifi",), ("tv",), ("hifi", "tv"))[number % 4]
            agent = roster.Agent(
                agent_id,
                team=("audio", "video")[number // 4 % 2],
                skills=skills,
                presence="online",
                capacity_units=Decimal(draw.randint(2, 6)),
            )
            await roster.add(conn, tenant=TENANT, agent=agent)
        await conn.execute(
            'update agents set kind_capacity = \'{"chat": 4, "ticket": 3}\''
            " where agent_id = any(%s)",
            (list(AGENTS[::3]),),
        )


async def _in_haste(pool: Pool) -> None:
    """Let commits not wait for the disk: connections die here, the server does not."""
    async with pool.connection() as conn:
        cursor = await conn.execute("select current_database() as name")
        row = await cursor.fetchone()
        assert row is not None
        await conn.execute(
            sql.SQL("alter database {} set synchronous_commit = off").format(
                sql.Identifier(row["name"])
            )
        )


@dataclass
class Watch:
    """Looks again and again; `longest_s` is how long a ticket waited beside room for it."""

    pool: Pool
    samples: int = 0
    longest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    since: dict[str, float] = field(default_factory=dict)

    async def look(self) -> Seen:
        seen, now = await look(self.pool, TENANT), time.monotonic()
        self.since = {one: self.since.get(one, now) for one in seen.kept_waiting}
        self.longest_s = max([self.longest_s, *(now - began for began in self.since.values())])
        self.samples += 1
        self.wrong += seen.wrong
        return seen

    async def keep_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_SAMPLE_EVERY_S)


@dataclass
class Trouble:
    """Lets agents come and go, and ends connections of the racing processes."""

    pool: Pool
    draw: random.Random
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    faults: int = 0

    async def agents_come_and_go(self) -> None:
        while True:
            await self.paused.wait()
            presence = self.draw.choices(list(Presence), (3, 1, 1))[0]
            await self.turn(self.draw.choice(AGENTS), presence)
            await asyncio.sleep(_SHIFT_EVERY_S)

    async def turn(self, agent_id: str, presence: Presence) -> None:
        async with self.pool.connection() as conn, conn.transaction():
            await presences.set_presence(conn, tenant=TENANT, agent_id=agent_id, presence=presence)

    async def connections_die(self) -> None:
        while True:
            await self.paused.wait()
            async with self.pool.connection() as conn:
                cursor = await conn.execute(
                    "select pg_terminate_backend(pid) as done from pg_stat_activity"
                    " where application_name = %s and datname = current_database()"
                    " order by state = 'idle', random() limit 1",
                    (_NAME,),
                )
                row = await cursor.fetchone()
            self.faults += bool(row and row["done"])
            await asyncio.sleep(_FAULT_EVERY_S)


@contextmanager
def _racing(race: Race) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=run, args=(race, place)) for place in range(PROCESSES)]
    for process in processes:
        process.start()
    try:
        yield
        for process in processes:
            process.join(30)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
            process.join()


async def _count(pool: Pool, query: Any) -> int:
    async with pool.connection() as conn:
        row = await (await conn.execute(query)).fetchone()
        return int(row["n"]) if row else 0


async def _calmed(race: Race, watch: Watch, trouble: Trouble) -> float:
    """Let nobody begin anything until no ticket waits for whom there is room; return how long."""
    race.calm.set()
    trouble.paused.clear()
    began = time.monotonic()

    async def nothing_waits() -> bool:
        return not (await watch.look()).kept_waiting

    try:
        await eventually(nothing_waits, 20)
    except AssertionError:
        pytest.fail(f"wait though somebody has room: {sorted(watch.since)}")
    race.calm.clear()
    trouble.paused.set()
    return time.monotonic() - began


async def _through(race: Race, watch: Watch, trouble: Trouble) -> float:
    """Go through the race, with calms in between; return the longest that one took."""
    calms, longest = 0, 0.0

    async def created() -> int:
        return await _count(watch.pool, "select count(*) as n from tickets")

    while (done := await created()) < TICKETS:
        if done > TICKETS * (calms + 1) // (CALMS + 1):
            longest, calms = max(longest, await _calmed(race, watch, trouble)), calms + 1
        await asyncio.sleep(0.3)
        assert not watch.wrong, watch.wrong[:5]
    return longest


def _summed(told: list[Told]) -> dict[str, int]:
    names = [one.name for one in fields(Told) if one.name not in ("worker", "wrong")]
    return {name: sum(getattr(one, name) for one in told) for name in names}


@pytest.mark.slow
async def test_nobody_is_overloaded_owned_twice_or_forgotten_while_workers_race(
    database_url: str,
) -> None:
    spawn = multiprocessing.get_context("spawn")
    draw = random.Random(6)  # noqa: S311  a test may be predicted
    race = Race(
        url=make_conninfo(database_url, application_name=_NAME),
        tickets_each=-(-TICKETS // WORKERS),
        seed=6,
        agents=AGENTS,
        inboxes=tuple(spawn.Queue() for _ in range(PROCESSES)),
        told=spawn.Queue(),
        calm=spawn.Event(),
        over=spawn.Event(),
    )
    async with open_pool(database_url) as pool:
        await shipped_policies(pool)
        await _in_haste(pool)
        await _hire(pool, draw)
        watch, trouble = Watch(pool), Trouble(pool, draw)
        trouble.paused.set()
        began = time.monotonic()
        with _racing(race):
            beside = [
                asyncio.create_task(one)
                for one in (
                    watch.keep_on(),
                    trouble.agents_come_and_go(),
                    trouble.connections_die(),
                )
            ]
            calm_s = await _through(race, watch, trouble)
            took_s = time.monotonic() - began
            for one in beside:
                one.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            for agent_id in AGENTS:
                await trouble.turn(agent_id, Presence.ONLINE)
            await _calmed(race, watch, trouble)
            race.over.set()
            told = [await asyncio.to_thread(race.told.get, timeout=30) for _ in range(WORKERS)]
        decisions = await _count(pool, "select count(*) as n from decisions")
        seen, twice = await look(pool, TENANT), await audit(pool, TENANT)
    figures = _summed(told)
    print(
        f"\n{TICKETS} tickets, {decisions} decisions, {decisions / took_s:.0f} a second;"
        f" {figures['handed_out']} handed out by {figures['offers']} offers;"
        f" {trouble.faults} connections ended, {figures['retries']} tries more;"
        f" {watch.samples} samples; waited while somebody had room: at most"
        f" {watch.longest_s:.1f} s, and {calm_s:.1f} s until none did in a calm; {figures}"
    )
    assert [wrong for one in told for wrong in one.wrong] == []
    assert watch.wrong == []
    assert seen == Seen((), frozenset())
    assert twice == ()
    assert trouble.faults >= LEAST_FAULTS * TICKETS // 5000
