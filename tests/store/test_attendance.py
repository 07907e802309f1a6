"""Presence with a heartbeat, and what a change of an agent's time, or its alarm, causes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from store import (
    attendance,
    automation,
    candidates,
    ledger,
    outbox,
    presences,
    profiles,
    roster,
    shifts,
    waiting,
)
from store.outbox import AGENT_DUE, HAND_OUT, OWNER_LEFT, OutboxRow
from store.pool import Connection, Pool, open_pool, transaction
from store.profiles import Profile
from support.model import Presence
from support.needs import FindCandidates
from support.routing import Role
from support.shifts import Leave
from tests.store.seeding import START, add_agent, add_ticket

TENANT = "global"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BEAT = timedelta(seconds=90)
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Roster:
    """Agents of a fresh ledger, and the wake-ups that they cause."""

    pool: Pool

    async def change(self, agent_id: str = "kim", **columns: Any) -> None:
        """Write columns of an agent, instants as distances from now: time goes by in the past."""
        async with self.pool.connection() as conn:
            for name, value in columns.items():
                at = isinstance(value, timedelta)
                await conn.execute(_SET[name, at], (value, TENANT, agent_id))

    async def span(self, begins: timedelta, ends: timedelta, agent_id: str = "kim") -> None:
        await self.change(agent_id, scheduled=True)
        async with self.pool.connection() as conn:
            await conn.execute(
                "insert into shift_spans (tenant, agent_id, starts_at, ends_at)"
                " values (%s, %s, now() + %s, now() + %s)",
                (TENANT, agent_id, begins, ends),
            )

    async def beat(self, agent_id: str = "kim", lasts: timedelta = BEAT) -> datetime | None:
        async with transaction(self.pool) as conn:
            return await presences.heartbeat(conn, tenant=TENANT, agent_id=agent_id, lasts=lasts)

    async def say(self, presence: Presence, agent_id: str = "kim") -> None:
        async with transaction(self.pool) as conn:
            assert await presences.set_presence(
                conn, tenant=TENANT, agent_id=agent_id, presence=presence
            )

    async def alarm(self, agent_id: str = "kim", since: datetime = EVER) -> None:
        """Let the agent's alarm go off, wherever it is due."""
        async with self.pool.connection() as conn, conn.transaction():
            await conn.execute(
                "update outbox set delivered_at = now() where kind = %s and delivered_at is null",
                (AGENT_DUE,),
            )
            await attendance.fell_due(conn, tenant=TENANT, agent_id=agent_id, since=since)

    async def kinds(self) -> list[str]:
        """Take what was caused: hand-outs and departures, with the seconds until the alarm."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "delete from outbox where kind <> 'agent_due' returning kind, about ->> 'cause'"
                " as cause, id"
            )
            rows = sorted(await cursor.fetchall(), key=lambda row: row["id"])
        return [" ".join(filter(None, (row["kind"], row["cause"]))) for row in rows]

    async def due_s(self) -> list[int]:
        """Seconds until the pending alarms are due."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select round(extract(epoch from due_at - now())) as left_s from outbox"
                " where kind = 'agent_due' and delivered_at is null"
            )
            return [round(row["left_s"] / 10) * 10 for row in await cursor.fetchall()]

    async def row(self, agent_id: str = "kim") -> dict[str, Any]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "select presence, presence_until, left_cause, now() - presence_since as since"
                "  from agents where tenant = %s and agent_id = %s",
                (TENANT, agent_id),
            )
            return await cursor.fetchone() or {}


_SET = {
    ("presence_until", True): "update agents set presence_until = now() + %s"
    " where tenant = %s and agent_id = %s",
    ("presence_since", True): "update agents set presence_since = now() + %s"
    " where tenant = %s and agent_id = %s",
    ("scheduled", False): "update agents set scheduled = %s where tenant = %s and agent_id = %s",
    ("left_cause", False): "update agents set left_cause = %s where tenant = %s and agent_id = %s",
}


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Roster]:
    """Kim online until said otherwise, and nothing pending."""
    async with open_pool(database_url) as pool:
        async with pool.connection() as conn:
            await add_agent(conn, "kim")
        made = Roster(pool)
        assert await made.kinds() == [HAND_OUT]
        yield made


async def test_a_heartbeat_makes_online_and_one_that_prolongs_adds_no_row(desk: Roster) -> None:
    await desk.say(Presence.OFFLINE)
    until = await desk.beat()
    assert until is not None
    assert (await desk.kinds(), await desk.due_s()) == ([HAND_OUT], [90])
    before = await desk.row()
    for _ in range(3):
        assert await desk.beat() not in (None, until)
    assert (await desk.kinds(), await desk.due_s()) == ([], [90])
    assert (await desk.row())["since"] >= before["since"]
    await desk.beat(lasts=timedelta(seconds=30))
    assert await desk.due_s() == [30]
    assert await desk.beat("nobody") is None


async def test_who_is_online_until_said_otherwise_has_no_end(desk: Roster) -> None:
    await desk.beat()
    await desk.say(Presence.ONLINE)
    assert (await desk.row())["presence_until"] is None
    await desk.alarm()
    assert await desk.due_s() == []


async def seen_online(conn: Connection) -> tuple[bool, ...]:
    """Whether kim is online to all that ask: candidates, claims, hand-outs, tickets, lists."""
    whose: dict[str, Any] = {"tenant": TENANT}
    need = FindCandidates(role=Role.AGENT, team="", skills=(), at=START)
    found = await ledger.read(
        conn,
        **whose,
        ticket_id="T-kim",
        workflow_id="w",
        decision_seq=9,
        event_id="e",
        at=START,
    )
    await conn.execute("delete from outbox")
    await outbox.capacity_freed(conn, **whose, agent_id="kim", ticket_id="T-kim", seq=1)
    freed = await outbox.take(conn, 9)
    (agent,) = await roster.listed(conn, **whose)
    return (
        bool(await candidates.find(conn, **whose, need=need)),
        await roster.claim(conn, **whose, agent_id="kim", units=Decimal(1), at=START, forced=False),
        bool(await waiting.tickets(conn, **whose)),
        bool(await waiting.rooms(conn, **whose)),
        found.owner_available,
        bool(freed),
        agent.presence == Presence.ONLINE,
    )


async def test_whose_heartbeat_has_run_out_is_offline_everywhere_at_once(desk: Roster) -> None:
    async with desk.pool.connection() as conn:
        await add_ticket(conn, "T-kim", owner="kim")
        await add_ticket(conn, "T-1", waits_since=START)
    await desk.beat()
    async with desk.pool.connection() as conn:
        assert set(await seen_online(conn)) == {True}
    await desk.change(presence_until=-timedelta(seconds=1))
    async with desk.pool.connection() as conn:
        assert set(await seen_online(conn)) == {False}


async def test_a_heartbeat_that_ran_out_is_kept_as_offline_since_then(desk: Roster) -> None:
    await desk.beat()
    await desk.change(presence_since=-HOUR, presence_until=-MINUTE)
    await desk.alarm()
    now = await desk.row()
    assert (now["presence"], now["presence_until"], now["left_cause"]) == ("offline", None, "")
    assert MINUTE <= now["since"] < 2 * MINUTE
    assert (await desk.kinds(), await desk.due_s()) == ([], [14 * 60])


async def test_saying_offline_after_the_heartbeat_ran_out_does_not_begin_the_grace_anew(
    desk: Roster,
) -> None:
    await desk.change(presence_since=-HOUR, presence_until=-5 * MINUTE)
    await desk.say(Presence.OFFLINE)
    assert await desk.due_s() == [10 * 60]
    await desk.say(Presence.OFFLINE)
    assert 5 * MINUTE <= (await desk.row())["since"] < 6 * MINUTE
    await desk.beat()
    assert (await desk.row())["since"] < MINUTE


async def test_after_15_minutes_offline_tickets_are_told_once_and_only_where_there_are_any(
    desk: Roster,
) -> None:
    await desk.say(Presence.OFFLINE)
    await desk.change(presence_since=-15 * MINUTE)
    await desk.alarm()
    assert (await desk.kinds(), (await desk.row())["left_cause"]) == ([], "offline")
    await desk.change(left_cause="")
    async with desk.pool.connection() as conn:
        await add_ticket(conn, "T-done", owner="kim", status="resolved")
    await desk.alarm()
    assert await desk.kinds() == []
    await desk.change(left_cause="")
    async with desk.pool.connection() as conn:
        await add_ticket(conn, "T-1", owner="kim")
    await desk.alarm()
    assert await desk.kinds() == [f"{OWNER_LEFT} offline"]
    await desk.alarm()
    assert (await desk.kinds(), await desk.due_s()) == ([], [])


async def test_who_is_away_in_their_shift_has_not_left(desk: Roster) -> None:
    async with desk.pool.connection() as conn:
        await add_ticket(conn, "T-1", owner="kim")
    await desk.say(Presence.AWAY)
    await desk.change(presence_since=-HOUR)
    await desk.alarm()
    assert (await desk.kinds(), await desk.due_s()) == ([], [])


async def test_a_shift_that_ends_tells_and_one_that_begins_hands_out(desk: Roster) -> None:
    async with desk.pool.connection() as conn:
        await add_ticket(conn, "T-1", owner="kim")
    await desk.span(-9 * HOUR, -timedelta(0))
    await desk.span(HOUR, 9 * HOUR)
    await desk.alarm()
    assert (await desk.kinds(), await desk.due_s()) == ([f"{OWNER_LEFT} shift_ended"], [3600])
    async with desk.pool.connection() as conn:
        await conn.execute(
            "update shift_spans set starts_at = now() - interval '1 s' where starts_at > now()"
        )
    await desk.alarm()
    assert (await desk.kinds(), await desk.due_s()) == ([HAND_OUT], [9 * 3600])
    await desk.alarm()
    assert await desk.kinds() == []


async def test_leave_that_begins_tells_even_who_is_off_shift_already(desk: Roster) -> None:
    async with desk.pool.connection() as conn:
        await add_ticket(conn, "T-1", owner="kim")
    await desk.change(scheduled=True)
    await desk.alarm()
    assert await desk.kinds() == [f"{OWNER_LEFT} shift_ended"]
    now = datetime.now(UTC)
    async with transaction(desk.pool) as conn:
        leave = Leave(now - HOUR, now + HOUR)
        await shifts.add_leave(conn, tenant=TENANT, agent_id="kim", leave=leave, now=now)
    assert (await desk.kinds(), await desk.due_s()) == ([f"{OWNER_LEFT} on_leave"], [3600])
    async with transaction(desk.pool) as conn:
        await shifts.end_leave(conn, tenant=TENANT, agent_id="kim", now=datetime.now(UTC))
    await desk.alarm()  # it ended by the clock of who said so, perhaps just ahead of this one
    assert (await desk.kinds(), (await desk.row())["left_cause"]) == ([HAND_OUT], "")


async def claim(pool: Pool, *, forced: bool = False) -> bool:
    async with transaction(pool) as conn:
        return await roster.claim(
            conn,
            tenant=TENANT,
            agent_id="kim",
            units=Decimal(1),
            at=datetime.now(UTC),
            forced=forced,
        )


async def test_a_claim_that_came_after_the_going_tells_again_but_not_of_what_a_person_gave(
    desk: Roster,
) -> None:
    await desk.change(left_cause="shift_ended")
    assert await claim(desk.pool, forced=True)
    assert await desk.kinds() == []
    assert await claim(desk.pool)
    assert await desk.kinds() == [f"{OWNER_LEFT} shift_ended"]


async def test_a_limit_that_is_reached_hands_out_when_it_frees(desk: Roster) -> None:
    async with transaction(desk.pool) as conn:
        await shifts.hold(conn, tenant=TENANT, agent_id="kim")
        limit = Profile(limit_new=2, limit_window=HOUR)
        await profiles.set_profile(
            conn, tenant=TENANT, agent_id="kim", profile=limit, now=datetime.now(UTC)
        )
    assert await desk.kinds() == [HAND_OUT]
    assert await claim(desk.pool)
    assert await desk.due_s() == []
    assert await claim(desk.pool)
    assert await desk.due_s() == [3600]
    assert not await claim(desk.pool)
    await desk.alarm()
    assert (await desk.kinds(), await desk.due_s()) == ([], [3600])
    async with desk.pool.connection() as conn:
        await conn.execute(
            "update agents set recent_claims = array[now() - interval '61 min', now()]"
        )
    await desk.alarm(since=datetime.now(UTC) - 2 * MINUTE)
    assert await desk.kinds() == [HAND_OUT]
    await desk.alarm(since=datetime.now(UTC))
    assert await desk.kinds() == []


async def test_who_has_no_room_is_no_agent_or_has_left_for_good_is_handed_nothing(
    desk: Roster,
) -> None:
    async with desk.pool.connection() as conn:
        await add_agent(conn, "full", capacity_units=Decimal(0))
        await add_agent(conn, "lea", role="lead")
        await add_agent(conn, "gone")
        await desk.kinds()
        await conn.execute("update agents set left_at = now() where agent_id = 'gone'")
        await conn.execute("update agents set left_cause = 'shift_ended'")
    for agent_id in ("full", "lea", "gone", "nobody"):
        await desk.alarm(agent_id)
    assert (await desk.kinds(), await desk.due_s()) == ([], [])
    assert await desk.beat("gone") is None


async def test_an_agent_who_is_being_changed_is_looked_at_again_and_not_waited_for(
    desk: Roster,
) -> None:
    async with desk.pool.connection() as conn, conn.transaction():
        await shifts.hold(conn, tenant=TENANT, agent_id="kim")
        async with asyncio.timeout(20):
            await desk.alarm()
        async with desk.pool.connection() as other:
            left_s = await outbox.next_due_s(other)
    assert left_s is not None
    assert left_s <= 1


async def test_what_was_not_told_while_automation_was_stopped_is_told_when_it_runs(
    desk: Roster,
) -> None:
    async with desk.pool.connection() as conn:
        await add_agent(conn, "lou")
        await add_agent(conn, "max")
        for agent_id in ("kim", "lou"):
            await add_ticket(conn, f"T-{agent_id}", owner=agent_id)
        await desk.kinds()
    for agent_id in ("kim", "max"):
        await desk.change(agent_id, left_cause="shift_ended")
    async with transaction(desk.pool) as conn:
        await automation.move(conn, tenant=TENANT, stopped=False, by="kim", reason="")
        rows: tuple[OutboxRow, ...] = await outbox.take(conn, 9)
    assert [(row.kind, row.about) for row in rows if row.kind != HAND_OUT] == [
        (OWNER_LEFT, {"agent": "kim", "cause": "shift_ended"})
    ]
