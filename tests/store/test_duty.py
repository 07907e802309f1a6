"""Duty by rota as work outside shifts: what is given then is kept until the duty ends."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from store import attendance, ledger, presences, roster, rotas, workload
from store.pool import Connection, Pool, open_pool, transaction
from support.model import Presence
from support.rota import Rota, Swap
from tests.store.seeding import add_agent, add_ticket

TENANT = "global"
WHOSE: dict[str, Any] = {"tenant": TENANT, "agent_id": "ada"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
async def night(database_url: str) -> AsyncIterator[Pool]:
    """Ada is online, on duty, and not on shift before an hour from now; bo is always at work."""
    async with open_pool(database_url) as pool:
        async with transaction(pool) as conn:
            for name in ("ada", "bo"):
                await add_agent(conn, name)
            await conn.execute("update agents set scheduled = true where agent_id = 'ada'")
            await conn.execute(
                "insert into shift_spans (tenant, agent_id, starts_at, ends_at)"
                " values (%s, 'ada', now() + interval '1 hour', now() + interval '9 hours')",
                (TENANT,),
            )
            await attendance.look(conn, **WHOSE)
            assert (await left(conn), await caused(conn)) == ("shift_ended", ["hand_out"] * 2)
        yield pool


async def put(conn: Connection, *members: str) -> None:
    today = datetime.now(UTC).replace(tzinfo=None)
    await rotas.put(
        conn, tenant=TENANT, rota_id="nights", rota=Rota("UTC", members, today - DAY, days=2)
    )


async def left(conn: Connection) -> str:
    cursor = await conn.execute("select left_cause from agents where agent_id = 'ada'")
    row = await cursor.fetchone()
    return str(row["left_cause"]) if row else "nobody"


async def caused(conn: Connection) -> list[str]:
    cursor = await conn.execute("delete from outbox where kind <> 'agent_due' returning kind")
    return sorted(row["kind"] for row in await cursor.fetchall())


async def available(conn: Connection, at: datetime | None = None) -> tuple[bool, bool]:
    found = await ledger.read(
        conn,
        tenant=TENANT,
        ticket_id="T-1",
        workflow_id="w",
        decision_seq=9,
        event_id="e",
        at=at or datetime.now(UTC),
    )
    return found.owner_available, found.owner_on_shift


async def given(conn: Connection) -> None:
    one = Decimal(1)
    assert await roster.claim(conn, **WHOSE, units=one, at=datetime.now(UTC), forced=False)
    await add_ticket(conn, "T-1", owner="ada")


async def test_what_is_given_on_duty_is_not_told_away_as_if_its_owner_had_gone(
    night: Pool,
) -> None:
    async with transaction(night) as conn:
        await put(conn, "ada", "bo")
        await conn.execute("update agents set left_cause = 'shift_ended' where agent_id = 'ada'")
        await caused(conn)
        await given(conn)
        assert await caused(conn) == []
        assert await available(conn) == (True, True)
        assert await available(conn, datetime.now(UTC) - 2 * DAY) == (False, False)
        found = await workload.carriers(conn, tenant=TENANT, at=datetime.now(UTC))
        there = {one.agent_id: (one.there, one.at_work) for one in found}
        assert there == {"ada": (True, False), "bo": (True, True)}


async def test_without_duty_a_claim_that_came_after_the_going_is_told(night: Pool) -> None:
    async with transaction(night) as conn:
        await put(conn, "bo")
        await caused(conn)
        await given(conn)
        assert await caused(conn) == ["owner_left"]
        assert await available(conn) == (False, False)


async def test_whoever_a_changed_rota_puts_on_duty_is_at_work_at_once_and_told_when_it_ends(
    night: Pool,
) -> None:
    async with transaction(night) as conn:
        await put(conn, "ada", "bo")
        assert await left(conn) == ""
        assert "hand_out" in await caused(conn)
        await given(conn)
        now = datetime.now(UTC)
        swap = Swap("bo", now - HOUR, now + HOUR)
        number = await rotas.add_swap(conn, tenant=TENANT, rota_id="nights", swap=swap)
        assert (await left(conn), "owner_left" in await caused(conn)) == ("shift_ended", True)
        await rotas.remove_swap(conn, tenant=TENANT, rota_id="nights", swap_id=number)
        assert (await left(conn), "hand_out" in await caused(conn)) == ("", True)
        await rotas.remove(conn, tenant=TENANT, rota_id="nights")
        assert (await left(conn), "owner_left" in await caused(conn)) == ("shift_ended", True)


async def test_who_goes_offline_on_duty_has_left_after_the_grace(night: Pool) -> None:
    async with transaction(night) as conn:
        await put(conn, "ada", "bo")
        await given(conn)
        offline = Presence.OFFLINE
        await presences.set_presence(conn, **WHOSE, presence=offline)
        assert (await left(conn), await available(conn)) == ("", (False, False))
        await conn.execute(
            "update agents set presence_since = now() - interval '1 hour' where agent_id = 'ada'"
        )
        await caused(conn)
        await attendance.look(conn, **WHOSE, since=EVER)
        assert (await left(conn), await caused(conn)) == ("offline", ["owner_left"])
