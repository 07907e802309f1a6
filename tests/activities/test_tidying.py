"""What is kept for a time only is dropped when that is over, and nothing before."""

from datetime import timedelta

from activities.tidying import KEPT, tidy
from store import engine_faults, outbox, shadows
from store.pool import Pool, open_pool
from store.shadows import Comparison

DAY = timedelta(days=1)


async def compared(pool: Pool, number: int, age: timedelta) -> None:
    one = Comparison(1, f"ticket/acme/T-{number}", 1, f"T-{number}", "created", "v1")
    async with pool.connection() as conn:
        await shadows.add(conn, one, tenant="acme")
        await conn.execute(
            "update shadow_comparisons set compared_at = clock_timestamp() - %s::interval"
            " where workflow_id = %s",
            (age, one.workflow_id),
        )


async def failed(pool: Pool, reason: str, age: timedelta) -> None:
    async with pool.connection() as conn:
        await engine_faults.add(
            conn, tenant="acme", version="v1", name="p", kind="crash", reason=reason
        )
        await conn.execute(
            "update engine_faults set at = clock_timestamp() - %s::interval where reason = %s",
            (age, reason),
        )


async def test_only_wake_ups_that_were_delivered_long_ago_go(database_url: str) -> None:
    async with open_pool(database_url) as pool, pool.connection() as conn:
        for number in range(7):
            await outbox.add(conn, tenant="acme", kind=outbox.HAND_OUT, about={"n": number})
        await conn.execute(
            "update outbox set created_at = now() - interval '30 days',"
            " delivered_at = case when (about ->> 'n')::int < 5 then now() - interval '8 days'"
            "                     when (about ->> 'n')::int = 5 then now() end"
        )
        assert await tidy(pool, at_once=2) == 5
        cursor = await conn.execute("select (about ->> 'n')::int as n from outbox order by 1")
        assert [row["n"] for row in await cursor.fetchall()] == [5, 6]


async def test_old_comparisons_and_faults_go_and_newer_ones_stay(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        for number in range(5):
            await compared(pool, number, KEPT + DAY)
        await compared(pool, 5, KEPT - DAY)
        await failed(pool, "old", KEPT + DAY)
        await failed(pool, "new", KEPT - DAY)
        assert await tidy(pool, at_once=2) == 6
        assert await tidy(pool) == 0
        async with pool.connection() as conn:
            left = await shadows.summary(conn, tenant="acme", number=1)
            (fault,) = await engine_faults.counted(conn, within=2 * KEPT)
    assert left.compared == 1
    assert (fault.count, fault.last_reason) == (1, "new")
