"""Shifts are written out ahead by whoever runs, for all tenants."""

import asyncio
from datetime import UTC, datetime, timedelta

from activities.shift_spans import extend_all, keep_ahead
from store import profiles, roster, shifts
from store.pool import Pool, open_pool, transaction
from store.profiles import Profile
from support.shifts import recurring
from tests.waiting import eventually

LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)
OFFICE = recurring("mon-sun", "00:00-24:00")


async def add(pool: Pool, tenant: str) -> None:
    async with transaction(pool) as conn:
        await roster.add(conn, tenant=tenant, agent=roster.Agent("kim"))
        await profiles.set_profile(
            conn, tenant=tenant, agent_id="kim", profile=Profile(tz="UTC"), now=LONG_AGO
        )
        await shifts.add_shifts(conn, tenant=tenant, shifts={"kim": [OFFICE]}, now=LONG_AGO)


async def ends(pool: Pool) -> set[datetime]:
    async with pool.connection() as conn:
        cursor = await conn.execute("select ends_at from shift_spans")
        return {row["ends_at"] for row in await cursor.fetchall()}


async def test_all_that_runs_out_is_extended_and_one_tenant_on_request(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        for tenant in ("a", "b"):
            await add(pool, tenant)
        later = LONG_AGO + timedelta(weeks=4)
        assert await extend_all(pool, now=later) == 2
        assert await extend_all(pool, now=later) == 0
        assert await ends(pool) == {later + shifts.AHEAD}
        assert await extend_all(pool, now=later + timedelta(days=1), tenant="a") == 1


async def test_a_worker_extends_when_it_starts(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        await add(pool, "a")
        before = await ends(pool)
        task = asyncio.create_task(keep_ahead(pool))

        async def extended() -> bool:
            return await ends(pool) not in (set(), before)

        try:
            await eventually(extended)
        finally:
            task.cancel()
