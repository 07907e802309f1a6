"""The one transaction: exactly once in the ledger, whatever is asked again or at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
import structlog
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.decide import LOOK_AGAIN, DecideActivities, Rulebook
from activities.messages import DeadlineRef, DecideInput, Parking, Verdict
from rules.policies_file import load_policies, read_policies
from store import automation, chronicle, policy_books, roster, views
from store.pool import Pool, open_pool
from support.errors import LedgerError, RulesEngineError
from support.model import (
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Opening,
    TicketEvent,
    workflow_id,
)
from support.needs import EvaluateRules, RuleAction, RuleVerdict
from support.work import Outside
from tests.deciding import decided, shipped_policies
from tests.fix_desk import KIM, ScriptedMacros, ScriptedRules
from tests.waiting import eventually

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ASSIGN = RuleAction("assign-new", "assign", {})


@dataclass
class Bench:
    pool: Pool
    rules: ScriptedRules
    activities: DecideActivities

    async def decide(self, asked: DecideInput) -> Verdict:
        return await decided(self.activities, asked)

    async def count(self, table: str) -> int:
        queries = {
            "decisions": "select count(*) as n from decisions",
            "events": "select count(*) as n from events",
            "claims": "select count(*) as n from claims",
        }
        async with self.pool.connection() as conn:
            row = await (await conn.execute(queries[table])).fetchone()
        return int(row["n"]) if row else 0


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    rules = ScriptedRules()
    async with open_pool(database_url, max_size=12) as pool:
        policies = await shipped_policies(pool)
        rulebook = Rulebook(
            rules, ScriptedMacros(), policies, Outside(notify=True, reply=frozenset(Channel))
        )
        yield Bench(pool, rules, DecideActivities(pool, rulebook))


def created(ticket_id: str = "T-1", event_id: str = "e-0") -> DecideInput:
    customer = Actor(ActorKind.CUSTOMER, "c-1")
    event = TicketEvent(event_id, EventKind.CREATED, NOW, NOW, customer, opening=Opening())
    return asked(event, ticket_id=ticket_id)


def asked(event: TicketEvent, seq: int = 1, ticket_id: str = "T-1") -> DecideInput:
    return DecideInput(
        "acme", ticket_id, workflow_id("acme", ticket_id), "run-1", seq, NOW, event=event
    )


def note(event_id: str) -> TicketEvent:
    return TicketEvent(event_id, EventKind.NOTE, NOW, NOW, KIM)


async def test_asked_again_after_a_crash_it_returns_what_it_decided(bench: Bench) -> None:
    first = await bench.decide(created())
    bench.rules.actions = [ASSIGN]
    assert await bench.decide(created()) == first
    assert await bench.count("decisions") == 1


async def test_asked_at_once_by_two_workers_it_decides_once(bench: Bench) -> None:
    verdicts = await asyncio.gather(*(bench.decide(created()) for _ in range(6)))
    assert all(verdict == verdicts[0] for verdict in verdicts)
    assert (await bench.count("decisions"), await bench.count("events")) == (1, 1)


async def test_a_run_that_is_behind_is_told_where_the_ledger_is(bench: Bench) -> None:
    await bench.decide(created())
    await bench.decide(asked(note("n-1"), seq=2))
    behind = await bench.decide(asked(note("n-2"), seq=1))
    assert (behind.ahead, behind.decision_seq) == (True, 2)


async def test_a_ledger_that_lost_decisions_is_not_overwritten(bench: Bench) -> None:
    await bench.decide(created())
    with pytest.raises(Exception, match="restored") as refused:
        await bench.decide(asked(note("n-1"), seq=9))
    assert getattr(refused.value, "type", "") == LedgerError.code


async def test_a_deadline_that_has_moved_decides_nothing(bench: Bench) -> None:
    verdict = await bench.decide(created())
    stale = DeadlineRef(NOW, "breach:first_response:0:0", "first response breaches")
    answer = await bench.decide(replace(asked(note("x"), seq=2), event=None, deadline=stale))
    assert (answer.decision_seq, answer.deadline) == (1, verdict.deadline)
    assert await bench.count("decisions") == 1


async def test_a_refused_event_is_on_record_and_leaves_no_decision(bench: Bench) -> None:
    await bench.decide(created())
    resume = TicketEvent("r-1", EventKind.RESUME, NOW, NOW, KIM)
    refused = await bench.decide(asked(resume, seq=2))
    assert refused.result is not None
    assert refused.result.refusal is not None
    assert refused.result.refusal.code == "TransitionRefused"
    assert "reply" in refused.result.refusal.allowed
    again = await bench.decide(asked(resume, seq=2))
    assert again.result == refused.result
    assert (await bench.count("decisions"), await bench.count("events")) == (1, 2)


async def test_claims_never_exceed_capacity_however_many_race(bench: Bench) -> None:
    async with bench.pool.connection() as conn:
        for name in ("kim", "lou"):
            agent = roster.Agent(name, presence="online", capacity_units=Decimal(5))
            await roster.add(conn, tenant="acme", agent=agent)
    bench.rules.actions = [ASSIGN]
    await asyncio.gather(*(bench.decide(created(f"T-{i}", f"e-{i}")) for i in range(30)))
    async with bench.pool.connection() as conn:
        loads = {a.agent_id: a.load_units for a in await roster.listed(conn, tenant="acme")}
    assert loads == {"kim": Decimal(5), "lou": Decimal(5)}
    assert await bench.count("claims") == 10


async def test_loads_follow_status_owner_and_close(bench: Bench) -> None:
    async with bench.pool.connection() as conn:
        for name in ("kim", "lou"):
            await roster.add(conn, tenant="acme", agent=roster.Agent(name, presence="online"))
    bench.rules.actions = [ASSIGN]
    await bench.decide(created())
    bench.rules.actions = []
    move = TicketEvent("a-1", EventKind.ASSIGN, NOW, NOW, KIM, assignee="lou")
    await bench.decide(asked(move, seq=2))

    async def loads() -> dict[str, Decimal]:
        async with bench.pool.connection() as conn:
            return {a.agent_id: a.load_units for a in await roster.listed(conn, tenant="acme")}

    assert await loads() == {"kim": Decimal(0), "lou": Decimal(1)}
    resolve = TicketEvent("r-1", EventKind.RESOLVE, NOW, NOW, KIM)
    await bench.decide(asked(resolve, seq=3))
    assert await loads() == {"kim": Decimal(0), "lou": Decimal(0)}


async def test_a_decision_is_explained_in_the_ledger_and_small_in_history(bench: Bench) -> None:
    notify = RuleAction("tell", "notify", {"to": "channel", "template": "x" * 40})
    bench.rules.actions = [replace(notify, rule_id=f"rule-number-{i}") for i in range(40)]
    verdict = await bench.decide(created())
    size = len(json.dumps(json.loads(_as_json(verdict))))
    assert size <= 4096
    async with bench.pool.connection() as conn:
        entries = await chronicle.timeline(conn, tenant="acme", ticket_id="T-1")
    decision = next(e for e in entries if isinstance(e, chronicle.DecisionEntry))
    assert len(decision.fired) == 40
    assert decision.digest == verdict.digest
    assert decision.inputs["on"] == "created"
    assert [c["metric"] for c in decision.clocks] == ["first_response", "resolution"]
    assert all(
        sum(s["counted_s"] for s in c["segments"]) == c["consumed_s"] for c in decision.clocks
    )


async def test_a_decision_that_sets_a_deadline_stores_its_proof_and_no_other_does(
    bench: Bench,
) -> None:
    await bench.decide(created())
    await bench.decide(asked(note("n-1"), seq=2))
    async with bench.pool.connection() as conn:
        entries = await chronicle.timeline(conn, tenant="acme", ticket_id="T-1")
    opened, noted = [e for e in entries if isinstance(e, chronicle.DecisionEntry)]
    for clock in opened.clocks:
        ahead = clock["derivation"]["ahead"]
        assert sum(part["counted_s"] for part in ahead) == clock["target_s"] - clock["consumed_s"]
        assert ahead[-1]["to"] == clock["due"]
    assert not any("derivation" in clock for clock in noted.clocks)


@dataclass
class Meeting(ScriptedRules):
    """Rules that two decisions reach together, unless one waits for a lock of the other."""

    pool: Pool | None = None
    here: int = 0

    async def judge(self, question: EvaluateRules) -> RuleVerdict:
        self.here += 1
        assert await eventually(self._met)
        return await super().judge(question)

    async def _met(self) -> bool:
        assert self.pool is not None
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select exists (select from pg_locks where not granted)")
            row = await cursor.fetchone()
        return self.here == 2 or (row is not None and row["exists"])


async def test_decisions_that_exchange_owners_do_not_deadlock(bench: Bench) -> None:
    owners = {"T-1": "kim", "T-2": "lou"}
    async with bench.pool.connection() as conn:
        for agent_id in owners.values():
            agent = roster.Agent(agent_id, presence="online")
            await roster.add(conn, tenant="acme", agent=agent)

    def assign(ticket_id: str, agent_id: str, seq: int) -> DecideInput:
        event = TicketEvent(f"a-{seq}", EventKind.ASSIGN, NOW, NOW, KIM, assignee=agent_id)
        return asked(event, seq, ticket_id)

    for ticket_id, agent_id in owners.items():
        await bench.decide(created(ticket_id))
        await bench.decide(assign(ticket_id, agent_id, 2))
    meeting = Meeting(pool=bench.pool)
    rulebook = Rulebook(meeting, ScriptedMacros(), load_policies()[0], Outside())
    bench.activities = DecideActivities(bench.pool, rulebook)
    both = (assign("T-1", "lou", 3), assign("T-2", "kim", 3))
    verdicts = await asyncio.gather(*(bench.decide(one) for one in both))
    assert [v.result.owner for v in verdicts if v.result] == ["lou", "kim"]


def _as_json(verdict: Verdict) -> str:
    from temporalio.converter import DataConverter  # noqa: PLC0415  only this measures payloads

    payloads = DataConverter.default.payload_converter.to_payloads([verdict])
    return payloads[0].data.decode()


async def test_logs_name_ids_and_no_text(bench: Bench) -> None:
    with structlog.testing.capture_logs() as said:
        await bench.decide(created())
    assert {"tenant", "ticket", "decision_seq"} <= set(said[0])


async def test_parking_shows_what_failed(bench: Bench) -> None:
    await bench.decide(created())
    parking = Parking("acme", "T-1", "e-9", "RulesEngineError: pack x")
    await ActivityEnvironment().run(bench.activities.park, parking)
    async with bench.pool.connection() as conn:
        ticket = await views.ticket(conn, tenant="acme", ticket_id="T-1")
    assert ticket.parked == "RulesEngineError: pack x"


async def test_a_lost_connection_is_raised_as_it_comes(bench: Bench) -> None:
    bench.rules.failure = psycopg.OperationalError("gone")
    with pytest.raises(psycopg.OperationalError):
        await bench.decide(created())
    assert await bench.count("events") == 0


async def test_effects_of_a_decision_whose_answer_was_lost_are_started_later(bench: Bench) -> None:
    await bench.decide(created())
    reply = TicketEvent("r-1", EventKind.REPLY, NOW, NOW, KIM, message_ref="r-1.x")
    lost = await bench.decide(asked(reply, seq=2))
    assert len(lost.effects) == 1
    behind = await bench.decide(asked(note("n-1"), seq=2))
    assert (behind.ahead, behind.effects) == (True, lost.effects)
    again = await bench.decide(asked(reply, seq=9))
    assert (again.repeat, again.effects) == (True, lost.effects)


async def test_what_automation_would_do_stays_due_while_it_is_stopped(bench: Bench) -> None:
    await bench.decide(created())
    for seq, kind in ((2, EventKind.REPLY), (3, EventKind.RESOLVE)):
        await bench.decide(asked(TicketEvent(str(seq), kind, NOW, NOW, KIM), seq=seq))
    verdict = await bench.decide(asked(note("n-1"), seq=4))
    due = verdict.deadline
    assert due is not None
    assert due.key == "auto_close"
    fallen = replace(asked(note("x"), seq=5), event=None, deadline=due, now=due.at)
    async with bench.pool.connection() as conn:
        await automation.move(conn, tenant="acme", stopped=True, by="kim", reason="")
    held = await bench.decide(fallen)
    assert held.decision_seq == 4
    assert held.deadline is not None
    assert held.deadline.at == due.at + LOOK_AGAIN
    later = replace(fallen, deadline=held.deadline, now=held.deadline.at)
    assert (await bench.decide(later)).deadline == due
    async with bench.pool.connection() as conn:
        await automation.move(conn, tenant="acme", stopped=False, by="kim", reason="")
    bench.rules.actions = [RuleAction("close-resolved", "close", {})]
    closed = await bench.decide(replace(fallen, now=held.deadline.at))
    assert closed.glance is not None
    assert closed.glance.status == "closed"


async def test_an_engine_that_cannot_decide_is_no_reason_to_wait_for_ever(bench: Bench) -> None:
    bench.rules.failure = RulesEngineError("disagrees, also afresh")
    with pytest.raises(ApplicationError) as failed:
        await bench.decide(created())
    assert failed.value.non_retryable


async def test_a_late_reply_withdraws_a_breach_and_the_ledger_keeps_both(bench: Bench) -> None:
    ahead = (await bench.decide(created())).deadline
    seq = 1
    while ahead is not None and seq < 4:
        seq += 1
        due = replace(asked(note("x"), seq=seq), event=None, deadline=ahead, now=ahead.at)
        ahead = (await bench.decide(due)).deadline
    assert ahead is not None
    at = NOW + timedelta(hours=7)
    reply = TicketEvent("late-1", EventKind.REPLY, at, ahead.at, KIM)
    await bench.decide(replace(asked(reply, seq=seq + 1), now=ahead.at))
    async with bench.pool.connection() as conn:
        entries = await chronicle.timeline(conn, tenant="acme", ticket_id="T-1")
    breach = next(e for e in entries if isinstance(e, chronicle.BreachEntry))
    assert (breach.metric, breach.withdrawn_seq) == ("first_response", seq + 1)
    last = [e for e in entries if isinstance(e, chronicle.DecisionEntry)][-1]
    assert {c["kind"] for c in last.corrections} == {"placed", "withdrawn"}


async def test_a_ticket_moved_to_new_policies_is_reckoned_by_both(bench: Bench) -> None:
    await bench.decide(created())
    form = json.dumps(
        {
            "calendars": {"always": {"tz": "UTC", "hours": "24/7"}},
            "office": "always",
            "policies": [{"id": "normal", "calendar": "always", "targets": {"resolution": "90h"}}],
        },
        sort_keys=True,
    )
    newer = read_policies(form)
    async with bench.pool.connection() as conn:
        await policy_books.remember(conn, version=newer.version, body=form)
    rulebook = Rulebook(bench.rules, ScriptedMacros(), newer, Outside())
    bench.activities = DecideActivities(bench.pool, rulebook)
    at = NOW + timedelta(hours=10)
    move = TicketEvent("move-1", EventKind.USE_POLICIES, at, at, KIM)
    await bench.decide(replace(asked(move, seq=2), now=at))
    later = NOW + timedelta(hours=30)
    last = TicketEvent("n-9", EventKind.NOTE, later, later, KIM)
    await bench.decide(replace(asked(last, seq=3), now=later))
    async with bench.pool.connection() as conn:
        entries = await chronicle.timeline(conn, tenant="acme", ticket_id="T-1")
    moved, after = [e for e in entries if isinstance(e, chronicle.DecisionEntry)][1:]
    assert [d.policy_version for d in (moved, after)] == [newer.version] * 2
    assert newer.version in moved.actions[0]["detail"]
    [clock] = after.clocks
    counted = [(part["calendar"], part["counted_s"] / 3600) for part in clock["segments"]]
    assert counted == [("office", 8.0), ("always", 20.0)]
