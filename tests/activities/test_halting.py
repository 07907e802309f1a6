"""Chains, halts and what a ticket remembers of its rules, through the one transaction."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.decide import DecideActivities, Rulebook
from activities.messages import DeadlineRef, DecideInput, Verdict
from activities.records import plain, state_from_json, state_to_json
from rules.engine import Engine
from rules.pack import OncePer, Pack
from store import chronicle, effects, roster, views
from store.pool import Pool, open_pool
from support.errors import InputError
from support.model import (
    Actor,
    Channel,
    EventKind,
    Opening,
    Priority,
    TicketEvent,
    workflow_id,
)
from support.ticket import TicketState
from support.work import Outside
from tests.deciding import decided, shipped_policies
from tests.fix_desk import CUSTOMER, KIM
from tests.rules.situations import pack_of
from tests.support.deciding import created as opened
from tests.support.ruled import resting, rule, ruled
from workflows.payloads import DATA_CONVERTER

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PINGPONG = (
    rule("up", "[priority]", "[{set_priority: {priority: high}}]", "{priority: low}"),
    rule("down", "[priority]", "[{set_priority: {priority: low}}]", "{priority: high}"),
)


def pack(*rules: str) -> Pack:
    return pack_of("name: p\nrules:\n" + "".join(rules))


@dataclass
class Bench:
    """One ticket in the database, decided by a pack in a real engine."""

    pool: Pool
    activities: DecideActivities
    seq: int = 0
    verdicts: list[Verdict] = field(default_factory=list)

    async def take(
        self, kind: EventKind, minutes: int = 0, actor: Actor = KIM, **more: Any
    ) -> Verdict:
        at = NOW + minutes * MINUTE
        event = TicketEvent(f"e-{self.seq}", kind, at, at, actor, **more)
        return await self.decide(at, event=event)

    async def create(self) -> Verdict:
        opening = Opening(channel=Channel.WEB)
        return await self.take(EventKind.CREATED, actor=CUSTOMER, opening=opening)

    async def decide(
        self, now: datetime, event: TicketEvent | None = None, deadline: DeadlineRef | None = None
    ) -> Verdict:
        asked = DecideInput(
            "acme", "T-1", workflow_id("acme", "T-1"), "run-1", self.seq + 1, now, event, deadline
        )
        verdict = await decided(self.activities, asked)
        self.seq = verdict.decision_seq
        self.verdicts.append(verdict)
        return verdict

    async def state(self) -> TicketState:
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select state::text as state from tickets")
            row = await cursor.fetchone()
        assert row is not None
        return state_from_json(row["state"])

    async def decisions(self) -> list[chronicle.DecisionEntry]:
        async with self.pool.connection() as conn:
            entries = await chronicle.timeline(conn, tenant="acme", ticket_id="T-1")
        return [entry for entry in entries if isinstance(entry, chronicle.DecisionEntry)]

    async def listed(self, **asked: Any) -> list[views.TicketView]:
        async with self.pool.connection() as conn:
            return list(await views.list_tickets(conn, tenant="acme", **asked))


@asynccontextmanager
async def bench_under(database_url: str, rules: Pack) -> AsyncIterator[Bench]:
    async with open_pool(database_url) as pool:
        policies = await shipped_policies(pool)
        with Engine(rules, timeout_s=30) as engine:
            rulebook = Rulebook(engine, rules.macros, policies, Outside(notify=True))
            yield Bench(pool, DecideActivities(pool, rulebook))


async def test_a_loop_ends_in_one_decision_whose_rounds_are_on_record(database_url: str) -> None:
    async with bench_under(database_url, pack(*PINGPONG)) as bench:
        await bench.create()
        verdict = await bench.take(EventKind.PRIORITY, 1, priority=Priority.LOW)
        decision = (await bench.decisions())[-1]
        (listed,) = await bench.listed(halted=True)
    assert decision.fired == ["up", "down"]
    assert [(r["trigger"], r["path"], r["fired"]) for r in decision.rounds] == [
        ("priority", ["up"], ["down"]),
        ("priority", ["up", "down"], []),
    ]
    assert decision.rounds[0]["changed"]["priority"] == "high"
    assert decision.rounds[0]["cause"] == 0
    assert [trace["rule_id"] for trace in decision.rounds[1]["trace"]] == ["up", "down"]
    assert [a["kind"] for a in decision.actions] == ["set_priority", "set_priority", "notify"]
    assert decision.digest == verdict.digest
    assert [effect.summary for effect in verdict.effects] == ["notify channel automation-halted"]
    assert listed.halted == "rule up sets itself off without end: up -> down -> up"
    (payload,) = DATA_CONVERTER.payload_converter.to_payloads([verdict])
    assert len(payload.data) <= 4096


async def test_somebody_who_looks_lets_it_go_on_and_leaves_the_list(database_url: str) -> None:
    async with bench_under(database_url, pack(*PINGPONG)) as bench:
        await bench.create()
        await bench.take(EventKind.PRIORITY, 1, priority=Priority.LOW)
        await bench.take(EventKind.CUSTOMER_MESSAGE, 2, CUSTOMER)
        assert (await bench.state()).halted is not None
        await bench.take(EventKind.ACK, 3)
        assert (await bench.state()).halted is None
        assert await bench.listed(halted=True) == []
        last = (await bench.decisions())[-1]
    assert [(a["kind"], a["detail"].partition(";")[0]) for a in last.actions] == [
        ("automation_goes_on", "kim looked")
    ]


async def test_the_notification_of_a_halt_is_an_effect_like_others(database_url: str) -> None:
    async with bench_under(database_url, pack(*PINGPONG)) as bench:
        await bench.create()
        await bench.take(EventKind.PRIORITY, 1, priority=Priority.LOW)
        async with bench.pool.connection() as conn:
            (row,) = await effects.waiting(
                conn, tenant="acme", ticket_id="T-1", states=["intended"]
            )
    assert row.kind == "notify"
    assert row.params["template"] == "automation-halted"


def test_the_seal_covers_what_rules_set_off() -> None:
    desk = ruled(*PINGPONG)
    desk.take(opened())
    change = TicketEvent("p-1", EventKind.PRIORITY, NOW, NOW, KIM, priority=Priority.LOW)
    decision = desk.take(change)
    assert plain(decision).digest != plain(replace(decision, rounds=())).digest


async def test_what_automation_does_by_itself_is_not_waited_for_while_it_is_halted(
    database_url: str,
) -> None:
    rules = (
        rule("revive", "[resolve]", "[reopen]"),
        rule("solve", "[reopen]", "[resolve]"),
        rule("shut", "[deadline]", "[close]", "{due_kind: auto_close}"),
    )
    async with bench_under(database_url, pack(*rules)) as bench:
        await bench.create()
        await bench.take(EventKind.REPLY, 1)
        halting = await bench.take(EventKind.RESOLVE, 2)
        assert halting.glance is not None
        assert halting.glance.status == "resolved"
        assert halting.deadline is None
        due = NOW + 2 * MINUTE + timedelta(hours=120)
        late = await bench.decide(due, deadline=DeadlineRef(due, "auto_close", "closes"))
        assert (late.decision_seq, late.deadline) == (halting.decision_seq, None)
        seen = await bench.take(EventKind.TAG, 3, tags_added=("seen",))
        assert seen.deadline is not None
        assert (seen.deadline.key, seen.deadline.at) == ("auto_close", due)
        shut = await bench.decide(due, deadline=seen.deadline)
    assert shut.glance is not None
    assert shut.glance.status == "closed"


async def test_a_cooldown_holds_across_decisions_in_the_store(database_url: str) -> None:
    note = pack(rule("seen", "[note]", "[{record: {note: x}}]"))
    async with bench_under(database_url, resting(note, cooldown=timedelta(hours=1))) as bench:
        await bench.create()
        fired = [(await bench.take(EventKind.NOTE, minutes)).fired for minutes in (1, 60, 61, 62)]
        assert fired == [("seen",), (), ("seen",), ()]
        (firing,) = (await bench.state()).firings
    assert (firing.rule_id, firing.at, firing.scope) == ("seen", NOW + 61 * MINUTE, "")


async def test_once_per_day_and_ticket_hold_across_decisions_in_the_store(
    database_url: str,
) -> None:
    note = pack(rule("seen", "[note]", "[{record: {note: x}}]"))
    async with bench_under(database_url, resting(note, once_per=OncePer.DAY)) as bench:
        await bench.create()
        minutes = (1, 2, 14 * 60, 15 * 60, 16 * 60)
        fired = [bool((await bench.take(EventKind.NOTE, at)).fired) for at in minutes]
        assert fired == [True, False, False, True, False]
        reasons = [decision.trace[0]["reason"] for decision in (await bench.decisions())[1:3]]
    assert reasons[1].endswith("it has fired at 2026-03-02 08:01:00 UTC, once per day")


def test_a_snapshot_of_before_is_read_and_what_is_default_is_left_out() -> None:
    at = NOW.isoformat()
    old = {
        "tenant": "acme",
        "ticket_id": "T-1",
        "channel": "web",
        "priority": "low",
        "status": "open",
        "created_at": at,
        "last_at": at,
    }
    state = state_from_json(json.dumps(old))
    assert (state.halted, state.firings) == (None, ())
    assert not {"halted", "firings"} & json.loads(state_to_json(state)).keys()


async def test_what_is_halted_is_listed_finished_or_not_and_in_no_lane(database_url: str) -> None:
    rules = (rule("revive", "[resolve]", "[reopen]"), rule("solve", "[reopen]", "[resolve]"))
    async with bench_under(database_url, pack(*rules)) as bench:
        await bench.create()
        await bench.take(EventKind.RESOLVE, 2)
        assert [t.ticket_id for t in await bench.listed(halted=True)] == ["T-1"]
        assert await bench.listed() == []
        with pytest.raises(InputError, match="one of the two"):
            await bench.listed(halted=True, lane="unassigned")


async def test_owners_that_a_chain_exchanges_carry_what_the_last_one_left(
    database_url: str,
) -> None:
    rules = (
        rule("first", "[created]", "[assign]"),
        rule("second", "[assign]", "[assign]", "{reassign_count: 0}"),
    )
    async with bench_under(database_url, pack(*rules)) as bench:
        async with bench.pool.connection() as conn:
            for name in ("kim", "lou"):
                await roster.add(conn, tenant="acme", agent=roster.Agent(name, presence="online"))
        created = await bench.create()
        async with bench.pool.connection() as conn:
            loads = {a.agent_id: a.load_units for a in await roster.listed(conn, tenant="acme")}
        (entry,) = await bench.decisions()
    assert created.glance is not None
    assert [a["outcome"] for a in entry.actions] == ["done", "done"]
    assert loads == {created.glance.owner: 1, ({"kim", "lou"} - {created.glance.owner}).pop(): 0}
    assert [r["fired"] for r in entry.rounds] == [["second"], []]


async def test_an_owner_who_went_while_it_was_halted_is_told_of_again_once_somebody_looks(
    database_url: str,
) -> None:
    async with bench_under(database_url, pack(*PINGPONG)) as bench:
        async with bench.pool.connection() as conn:
            for name in ("kim", "lou"):
                agent = roster.Agent(name, presence="online")
                await roster.add(conn, tenant="acme", agent=agent)
        await bench.create()
        await bench.take(EventKind.ASSIGN, 1, assignee="lou")

        async def told_by_looking(left_cause: str, minutes: int) -> list[str]:
            await bench.take(EventKind.PRIORITY, minutes, priority=Priority.LOW)
            assert (await bench.state()).halted is not None
            async with bench.pool.connection() as conn:
                await conn.execute(
                    "update agents set left_cause = %s, presence = %s where agent_id = 'lou'",
                    (left_cause, "offline" if left_cause else "online"),
                )
                await conn.execute("delete from outbox")
            await bench.take(EventKind.TAG, minutes + 1, tags_added=("seen",))
            assert (await bench.state()).halted is None
            async with bench.pool.connection() as conn:
                cursor = await conn.execute(
                    "select about ->> 'agent' as who from outbox where kind = 'owner_left'"
                )
                return [row["who"] for row in await cursor.fetchall()]

        assert await told_by_looking("", 10) == []
        assert await told_by_looking("offline", 20) == ["lou"]
