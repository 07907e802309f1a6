"""Statements of one transaction count together or not at all, though nobody waits for each."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from store import roster
from store.pool import Pool, open_pool, snapshot, transaction


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, max_size=2) as opened:
        yield opened


async def names(pool: Pool) -> list[str]:
    async with pool.connection() as conn:
        return [agent.agent_id for agent in await roster.listed(conn, tenant="acme")]


async def test_a_transaction_is_committed_at_its_end(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await roster.add(conn, tenant="acme", agent=roster.Agent("kim"))
        await roster.add(conn, tenant="acme", agent=roster.Agent("lou"))
        assert await names(pool) == []
    assert await names(pool) == ["kim", "lou"]


async def test_an_exception_undoes_what_was_sent_before(pool: Pool) -> None:
    async def work() -> None:
        async with transaction(pool) as conn:
            await roster.add(conn, tenant="acme", agent=roster.Agent("kim"))
            await roster.listed(conn, tenant="acme")
            raise LookupError

    with pytest.raises(LookupError):
        await work()
    assert await names(pool) == []


async def test_a_write_that_fails_is_raised_and_undoes_the_others(pool: Pool) -> None:
    async def work() -> None:
        async with transaction(pool) as conn:
            await roster.add(conn, tenant="acme", agent=roster.Agent("kim"))
            await conn.execute("insert into agents (tenant) values ('acme')")
            await roster.add(conn, tenant="acme", agent=roster.Agent("lou"))

    with pytest.raises(psycopg.errors.NotNullViolation):
        await work()
    assert await names(pool) == []
    async with transaction(pool) as conn:
        await roster.add(conn, tenant="acme", agent=roster.Agent("mia"))
    assert await names(pool) == ["mia"]


async def test_a_cancelled_transaction_leaves_nothing_and_a_pool_that_works(pool: Pool) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with transaction(pool) as conn:
            await roster.add(conn, tenant="acme", agent=roster.Agent("kim"))
            await roster.listed(conn, tenant="acme")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(pool) == []


async def test_a_snapshot_agrees_with_itself_and_writes_nothing(pool: Pool) -> None:
    async with snapshot(pool) as conn:
        assert await roster.listed(conn, tenant="acme") == ()
        async with pool.connection() as other:
            await roster.add(other, tenant="acme", agent=roster.Agent("kim"))
        assert await roster.listed(conn, tenant="acme") == ()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await roster.add(conn, tenant="acme", agent=roster.Agent("lou"))
