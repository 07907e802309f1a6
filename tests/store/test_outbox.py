"""The outbox: with its cause or not at all, to one relay at a time, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from store import ledger, outbox, presences, roster, waiting
from store.outbox import AGENT_DUE, HAND_OUT, OutboxRow
from store.pool import Connection, Pool, open_pool, transaction
from support.model import Presence
from tests.store.seeding import START, add_agent, add_ticket, ticket_row

TENANT = "global"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url) as opened:
        yield opened


async def add(conn: Connection, number: int = 1, after: timedelta = timedelta(0)) -> None:
    await outbox.add(conn, tenant=TENANT, kind=HAND_OUT, about={"n": number}, after=after)


async def numbers(conn: Connection, limit: int = 100) -> list[int]:
    return [row.about["n"] for row in await outbox.take(conn, limit)]


async def waiting_rows(pool: Pool) -> tuple[OutboxRow, ...]:
    async with pool.connection() as conn, conn.transaction():
        return await outbox.take(conn, 100)


async def test_two_takers_never_get_the_same_row(pool: Pool) -> None:
    async with pool.connection() as conn:
        for number in range(4):
            await add(conn, number)
    async with (
        pool.connection() as one,
        pool.connection() as two,
        one.transaction(),
        two.transaction(),
    ):
        assert await numbers(one, 2) == [0, 1]
        assert await numbers(two, 100) == [2, 3]


async def test_what_was_taken_and_not_delivered_is_there_again(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add(conn)

    async def take_and_die() -> None:
        async with pool.connection() as conn, conn.transaction():
            assert await numbers(conn) == [1]
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await take_and_die()
    (again,) = await waiting_rows(pool)
    async with pool.connection() as conn:
        await outbox.delivered(conn, [again.id])
    assert await waiting_rows(pool) == ()


async def test_a_cause_that_is_rolled_back_leaves_nothing(pool: Pool) -> None:
    async def cause_and_die() -> None:
        async with transaction(pool) as conn:
            await roster.add(conn, tenant=TENANT, agent=roster.Agent("kim", presence="online"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await cause_and_die()
    assert await waiting_rows(pool) == ()


async def test_a_commit_notifies_who_listens(pool: Pool, database_url: str) -> None:
    listening = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with listening:
        await listening.execute("listen outbox")

        async def told() -> str:
            async for notify in listening.notifies(timeout=20, stop_after=1):
                return notify.channel
            return ""

        hearing = asyncio.create_task(told())
        async with transaction(pool) as conn:
            await add(conn)
            await numbers(conn)
            assert not hearing.done()
        assert await hearing == "outbox"


async def test_a_row_is_taken_when_it_is_due_and_not_before(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add(conn, after=timedelta(hours=1))
        assert await numbers(conn) == []
        left_s = await outbox.next_due_s(conn)
        assert left_s is not None
        assert 3500 < left_s <= 3600
        await conn.execute("update outbox set due_at = now() - interval '1 second'")
        assert (await outbox.next_due_s(conn) or 0) < 0
        assert await numbers(conn) == [1]


async def test_what_failed_comes_later_each_time_and_says_why(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add(conn)
        (row,) = await waiting_rows(pool)
        waits = []
        for _ in range(9):
            await outbox.failed(conn, [row.id], "RPCError: UNAVAILABLE")
            waits.append(round(await outbox.next_due_s(conn) or 0))
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        await conn.execute("update outbox set created_at = now() - interval '2 minutes'")
        found = await outbox.overdue(conn, by=timedelta(minutes=1))
        assert (found.count, found.last_error) == (1, "RPCError: UNAVAILABLE")


async def test_who_has_room_is_a_cause_and_who_has_none_is_not(pool: Pool) -> None:
    async def causes(**agent: Any) -> list[str]:
        async with pool.connection() as conn:
            await conn.execute("delete from outbox")
            await roster.add(conn, tenant=TENANT, agent=roster.Agent(**agent))
            rows = await outbox.take(conn, 9)
        return [row.about["agent"] for row in rows]

    assert await causes(agent_id="kim", presence="online") == ["kim"]
    assert await causes(agent_id="kim", skills=("hifi",)) == ["kim"]
    assert await causes(agent_id="lou", presence="away") == []
    assert await causes(agent_id="lea", presence="online", role="lead") == []
    assert await causes(agent_id="max", presence="online", capacity_units=Decimal(0)) == []


async def test_coming_online_is_a_cause_and_going_is_not(pool: Pool) -> None:
    async with pool.connection() as conn:
        await roster.add(conn, tenant=TENANT, agent=roster.Agent("kim"))
    for presence, expected in ((Presence.ONLINE, 1), (Presence.AWAY, 1), (Presence.ONLINE, 2)):
        async with transaction(pool) as conn:
            assert await presences.set_presence(
                conn, tenant=TENANT, agent_id="kim", presence=presence
            )
        assert len(await waiting_rows(pool)) == expected


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def set_alarm(pool: Pool, hours: int, alarm: str = "agent/kim", tenant: str = TENANT) -> None:
    """Set an alarm so many hours after noon, in a transaction."""
    async with transaction(pool) as conn:
        due_at = NOON + hours * timedelta(hours=1)
        about = {"hours": hours}
        await outbox.set_alarm(
            conn, tenant=tenant, alarm=alarm, kind=AGENT_DUE, about=about, due_at=due_at
        )


async def alarms(pool: Pool) -> list[tuple[str, int, int]]:
    """Return the pending alarms with the hour that each is due, and was set for first."""
    async with pool.connection() as conn:
        cursor = await conn.execute(
            "select alarm, due_at, about from outbox where delivered_at is null"
            " order by alarm, tenant"
        )
        rows = await cursor.fetchall()
    hour = timedelta(hours=1)
    return [(row["alarm"], (row["due_at"] - NOON) // hour, row["about"]["hours"]) for row in rows]


async def test_of_an_alarm_the_earliest_is_pending_and_each_name_and_tenant_has_its_own(
    pool: Pool,
) -> None:
    await set_alarm(pool, 3)
    await set_alarm(pool, 5)
    assert await alarms(pool) == [("agent/kim", 3, 3)]
    await set_alarm(pool, 1)
    assert await alarms(pool) == [("agent/kim", 1, 3)]
    await set_alarm(pool, 2, alarm="agent/lou")
    await set_alarm(pool, 4, tenant="other")
    assert await alarms(pool) == [("agent/kim", 1, 3), ("agent/kim", 4, 4), ("agent/lou", 2, 2)]


async def test_alarms_set_at_once_are_one_and_the_earliest(pool: Pool) -> None:
    await asyncio.gather(*(set_alarm(pool, hours) for hours in (7, 3, 9, 2, 8, 4, 6, 5)))
    [(alarm, due, _)] = await alarms(pool)
    assert (alarm, due) == ("agent/kim", 2)


async def test_an_alarm_that_is_being_delivered_holds_up_nobody_and_can_be_set_anew(
    pool: Pool,
) -> None:
    await set_alarm(pool, 1)
    async with pool.connection() as conn, conn.transaction():
        (row,) = await outbox.take(conn, 9)
        await outbox.delivered(conn, [row.id])
        async with asyncio.timeout(20):
            await set_alarm(pool, 2)
        await outbox.set_alarm(
            conn,
            tenant=TENANT,
            alarm="agent/kim",
            kind=AGENT_DUE,
            about={"hours": 6},
            due_at=NOON + timedelta(hours=6),
        )
    assert await alarms(pool) == [("agent/kim", 6, 6)]


async def freed(pool: Pool, ticket_id: str = "T-freed", tenant: str = TENANT) -> int:
    """Let kim give up capacity of a ticket; return how many wake-ups that was."""
    async with pool.connection() as conn:
        await conn.execute("delete from outbox")
        await outbox.capacity_freed(conn, tenant=tenant, agent_id="kim", ticket_id=ticket_id, seq=4)
    return len(await waiting_rows(pool))


async def test_freed_capacity_is_a_cause_only_where_another_ticket_waits(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim")
        await add_agent(conn, "kim", tenant="other")
        await add_ticket(conn, "T-owned", owner="kim")
    assert await freed(pool) == 0
    async with pool.connection() as conn:
        await add_ticket(conn, "T-1", waits_since=START)
    assert await freed(pool) == 1
    assert await freed(pool, "T-1") == 0
    assert await freed(pool, tenant="other") == 0
    async with pool.connection() as conn:
        await presences.set_presence(conn, tenant=TENANT, agent_id="kim", presence=Presence.OFFLINE)
    assert await freed(pool) == 0


async def test_a_ticket_waits_since_the_first_instant_until_it_has_an_owner(pool: Pool) -> None:
    later = datetime(2026, 3, 2, 9, tzinfo=UTC)
    since = []
    for waits_since in (START, later, None, later):
        async with pool.connection() as conn:
            await ledger.write_ticket(
                conn, ticket_row("T-1", skills=("hifi",), waits_since=waits_since)
            )
            cursor = await conn.execute("select waits_since, skills from tickets")
            row = await cursor.fetchone() or {}
        since.append(row["waits_since"])
        assert row["skills"] == ["hifi"]
    assert since == [START, START, None, later]


_SPAN = """
with scheduled as (
    update agents set scheduled = true where tenant = %(tenant)s and agent_id = 'kim'
)
insert into shift_spans (tenant, agent_id, starts_at, ends_at)
values (%(tenant)s, 'kim', now() + %(begins)s, now() + %(ends)s)
"""


async def on_shift(pool: Pool, begins: timedelta, ends: timedelta) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim")
        await conn.execute("delete from outbox")
        await conn.execute(_SPAN, {"tenant": TENANT, "begins": begins, "ends": ends})


async def come_online(pool: Pool, kind: str = HAND_OUT) -> list[float]:
    """Let kim come online; return how many seconds ahead the wake-ups of a kind are due."""
    async with transaction(pool) as conn:
        await presences.set_presence(conn, tenant=TENANT, agent_id="kim", presence=Presence.ONLINE)
    async with pool.connection() as conn:
        cursor = await conn.execute(
            "select extract(epoch from due_at - created_at)::float8 as ahead_s from outbox"
            " where kind = %s",
            (kind,),
        )
        return [row["ahead_s"] for row in await cursor.fetchall()]


HOUR = timedelta(hours=1)


async def test_who_is_there_before_the_shift_is_looked_at_when_it_begins(pool: Pool) -> None:
    await on_shift(pool, HOUR, 9 * HOUR)
    assert await come_online(pool) == []
    [ahead_s] = await come_online(pool, AGENT_DUE)
    assert 3500 < ahead_s <= 3600


async def test_who_is_on_shift_gets_work_at_once_and_after_the_last_shift_none(pool: Pool) -> None:
    await on_shift(pool, -HOUR, HOUR)
    assert await come_online(pool) == [0.0]
    async with pool.connection() as conn:
        await conn.execute("update shift_spans set ends_at = now() - interval '1 second'")
        await conn.execute("delete from outbox")
    assert await come_online(pool) == []


async def test_a_ticket_that_only_agents_off_shift_could_take_is_not_offered(pool: Pool) -> None:
    await on_shift(pool, HOUR, 9 * HOUR)
    async with pool.connection() as conn:
        await add_ticket(conn, "T-1", waits_since=START)
        assert await waiting.tickets(conn, tenant=TENANT) == ()
        assert await waiting.rooms(conn, tenant=TENANT) == ()
        await conn.execute("update shift_spans set starts_at = now() - interval '1 hour'")
        assert [one.ticket_id for one in await waiting.tickets(conn, tenant=TENANT)] == ["T-1"]
        assert [one.agent_id for one in await waiting.rooms(conn, tenant=TENANT)] == ["kim"]
