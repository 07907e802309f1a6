"""Which pack decides: what is published counts at once, for its tenant alone, and failures end."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import psycopg
import pytest
from structlog.testing import capture_logs
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import engines as engines_module
from activities import shadowing
from activities.decide import DecideActivities, Rulebook
from activities.engines import Engines
from activities.messages import DecideInput, Verdict
from rules import engine as engine_module
from rules.bundle import Bundle
from rules.child import Child
from rules.engine import Engine
from rules.load import parse_pack
from rules.pack import Pack
from rules.policies_file import load_policies
from rules.reference import Finding
from store import engine_faults, ledger, packs, publishing, shadows
from store.packs import Standing
from store.pool import Pool, open_pool, transaction
from support.actions import Outside
from support.errors import RulesEngineError
from support.model import (
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Opening,
    TicketEvent,
    workflow_id,
)
from support.needs import EvaluateRules, RuleVerdict
from tests.fix_desk import KIM, ScriptedMacros, ScriptedRules
from tests.publishing import TENANT, published, remembered, shadowed, tagging
from tests.rules.situations import MACROS
from tests.waiting import eventually

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
V1, V2, V3 = tagging("one"), tagging("two"), tagging("three")


@dataclass
class Bench:
    pool: Pool
    own: ScriptedRules
    engines: Engines
    activities: DecideActivities

    async def decide(self, asked: DecideInput) -> Verdict:
        verdict: Verdict = await ActivityEnvironment().run(self.activities.decide, asked)
        return verdict

    async def decided_by(self, ticket_id: str, tenant: str = TENANT) -> tuple[str, str]:
        """Open a ticket; return which pack decided, and by its tag which rules acted."""
        await self.decide(created(ticket_id, tenant))
        row = await self.row(
            "select d.pack_name, t.state::text as state from decisions as d"
            " join tickets as t using (tenant, ticket_id) where tenant = %s and ticket_id = %s",
            tenant,
            ticket_id,
        )
        tags = [tag for tag in ("one", "two", "three") if f'"{tag}"' in row["state"]]
        return row["pack_name"], ",".join(tags)

    async def row(self, query: Any, *params: object) -> dict[str, Any]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(query, params)
            return await cursor.fetchone() or {}

    async def standing(self, tenant: str = TENANT) -> Standing:
        async with self.pool.connection() as conn:
            return await packs.standing(conn, tenant=tenant)


def created(ticket_id: str, tenant: str = TENANT) -> DecideInput:
    customer = Actor(ActorKind.CUSTOMER, "c-1")
    event = TicketEvent("e-0", EventKind.CREATED, NOW, NOW, customer, opening=Opening())
    key = workflow_id(tenant, ticket_id)
    return DecideInput(tenant, ticket_id, key, "run-1", 1, NOW, event=event)


def noted(ticket_id: str, seq: int) -> DecideInput:
    event = TicketEvent(f"n-{seq}", EventKind.NOTE, NOW, NOW, KIM)
    key = workflow_id(TENANT, ticket_id)
    return DecideInput(TENANT, ticket_id, key, "run-1", seq, NOW, event=event)


async def bench_of(pool: Pool, *, most: int, timeout_s: float = 20.0) -> Bench:
    policies, form = load_policies()
    async with pool.connection() as conn:
        await ledger.remember_policies(conn, version=policies.version, body=form)
    own = ScriptedRules()
    outside = Outside(notify=True, reply=frozenset(Channel))
    engines = Engines(most=most, timeout_s=timeout_s)
    rulebook = Rulebook(own, ScriptedMacros(), policies, outside)
    return Bench(pool, own, engines, DecideActivities(pool, rulebook, engines))


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    async with open_pool(database_url, max_size=8) as pool:
        made = await bench_of(pool, most=3)
        yield made
        await made.activities.published.settle()
        await made.engines.close()


def children() -> int:
    """Engine processes of this process that have not ended."""
    found = 0
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            found += "engine_process.py" in " ".join(child.cmdline())
    return found


def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the child of every engine of pack `name` be killed whenever it is asked."""
    real = Engine._match

    def crash(engine: Engine, message: Any) -> set[str]:
        if engine.pack.name == name:
            os.kill(engine._running().pid, signal.SIGKILL)
        return real(engine, message)

    monkeypatch.setattr(Engine, "_match", crash)


async def test_the_next_decision_is_by_what_was_published(bench: Bench) -> None:
    assert await bench.decided_by("T-1") == ("scripted", "")
    await published(bench.pool, V1)
    assert await bench.decided_by("T-2") == ("one", "one")
    await published(bench.pool, V2, base=V1.version)
    assert await bench.decided_by("T-3") == ("two", "two")
    async with transaction(bench.pool) as conn:
        await publishing.roll_back(
            conn, tenant=TENANT, to=0, base=V2.version, by="kim", reason="worse"
        )
    assert await bench.decided_by("T-4") == ("scripted", "")


async def test_a_decision_that_is_asked_again_is_not_made_by_newer_rules(bench: Bench) -> None:
    await published(bench.pool, V1)
    first = await bench.decide(created("T-1"))
    await published(bench.pool, V2, base=V1.version)
    assert await bench.decide(created("T-1")) == first


async def test_decisions_of_tenants_at_once_never_cross_packs(bench: Bench) -> None:
    by_tenant = {"a": V1, "b": V2, "c": V3}
    for tenant, pack in by_tenant.items():
        await published(bench.pool, pack, tenant=tenant)
    tenants = [*by_tenant, "nobody"] * 10
    done = await asyncio.gather(
        *(bench.decided_by(f"T-{number}", tenant) for number, tenant in enumerate(tenants))
    )
    expected = [by_tenant[t].name if t in by_tenant else "scripted" for t in tenants]
    assert [pack for pack, _ in done] == expected
    assert [tags for _, tags in done] == [name if name != "scripted" else "" for name in expected]


async def test_macros_texts_and_rules_of_a_decision_are_of_one_version(bench: Bench) -> None:
    rule = "{id: r, description: d, on: [created], then: [{macro: {name: greet}}]}"
    text = f"name: p\nrules:\n  - {rule}\n"
    macros = MACROS.replace("Hello", "Good day")
    old, new = (parse_pack(Bundle(text, form, "p.yaml", "m.yaml")) for form in (MACROS, macros))
    assert old.version != new.version
    await published(bench.pool, old)
    await bench.decide(created("T-1"))
    await published(bench.pool, new, base=old.version)
    await bench.decide(created("T-2"))
    said = await bench.row(
        "select string_agg(body, ' | ' order by ticket_id) as said from messages where tenant = %s",
        TENANT,
    )
    assert [part.split()[0] for part in said["said"].split(" | ")] == ["Hello", "Good"]


async def test_engines_stay_bounded_over_fifty_publications(bench: Bench) -> None:
    before, base, most = children(), "", 0
    for number in range(50):
        pack = tagging(f"p{number}")
        await published(bench.pool, pack, base=base)
        base = pack.version
        assert (await bench.decided_by(f"T-{number}"))[0] == pack.name
        most = max(most, len(bench.engines.versions))
    assert most == bench.engines.most

    async def bounded() -> bool:
        return children() - before <= bench.engines.most

    await eventually(bounded)
    await bench.engines.close()
    assert children() == before


async def test_many_that_need_a_new_version_at_once_start_it_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    real = parse_pack

    def counted(bundle: Bundle) -> Pack:
        started.append(bundle.file)
        return real(bundle)

    monkeypatch.setattr(engines_module, "parse_pack", counted)
    await published(bench.pool, V1)
    done = await asyncio.gather(*(bench.decided_by(f"T-{n}") for n in range(12)))
    assert set(done) == {("one", "one")}
    assert started == ["one.yaml"]


async def test_an_engine_in_use_outlives_its_eviction(bench: Bench) -> None:
    texts = {pack.version: pack.text for pack in (V1, *(tagging(f"p{n}") for n in range(5)))}

    async def read(version: str) -> str:
        return texts[version]

    async with bench.engines.using(V1.version, read) as running:
        for version in list(texts)[1:]:
            async with bench.engines.using(version, read):
                pass
        assert running.engine.child_pid is not None
        assert psutil.pid_exists(running.engine.child_pid)
        assert V1.version in bench.engines.versions
    assert len(bench.engines.versions) == bench.engines.most


async def test_a_worker_starts_what_was_activated_before_a_decision_needs_it(
    bench: Bench,
) -> None:
    await published(bench.pool, V1)
    await shadowed(bench.pool, V2, tenant="other")
    await bench.activities.published.refresh()
    assert set(bench.engines.versions) == {V1.version, V2.version}


async def test_a_pack_that_crashes_twice_is_parked_and_the_one_before_decides(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)
    await published(bench.pool, V2, base=V1.version)
    failing(monkeypatch, "two")
    with capture_logs() as logged:
        assert await bench.decided_by("T-1") == ("one", "one")
    [parked] = [entry for entry in logged if entry["event"] == "rule pack parked"]
    assert (parked["log_level"], parked["publication"]) == ("error", 2)
    assert (await bench.standing()).version == V1.version
    async with bench.pool.connection() as conn:
        [one] = await packs.parked(conn, tenant=TENANT)
        faults = await engine_faults.counted(conn, within=DAY)
    assert (one.number, one.name, one.version) == (2, "two", V2.version)
    assert "also not in a fresh engine" in one.error
    assert [(f.name, f.kind, f.count) for f in faults] == [("two", "crash", 2)]
    assert await bench.decided_by("T-2") == ("one", "one")


async def test_without_an_earlier_publication_the_workers_own_pack_decides(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)
    failing(monkeypatch, "one")
    assert await bench.decided_by("T-1") == ("scripted", "")
    assert await bench.standing() == Standing()


async def test_a_pack_that_disagrees_with_the_reference_is_parked_and_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)
    wrong = (Finding("mark", matched=False, reason="wrong"),)
    monkeypatch.setattr(engine_module, "examine", lambda *_: wrong)
    assert await bench.decided_by("T-1") == ("scripted", "")
    async with bench.pool.connection() as conn:
        faults = await engine_faults.counted(conn, within=DAY)
    assert [(f.kind, f.count, f.last_reason) for f in faults] == [
        ("disagreement", 2, "engine and reference disagree on mark")
    ]


async def test_a_pack_that_this_worker_cannot_read_is_parked(bench: Bench) -> None:
    async with bench.pool.connection() as conn:
        bad = Bundle("name: bad\nrules: 7\n", MACROS, "bad.yaml", "m.yaml")
        await ledger.remember_pack(conn, version="bad", name="bad", body=bad.to_json())
    async with transaction(bench.pool) as conn:
        await publishing.publish(
            conn, tenant=TENANT, version="bad", base="", by="kim", reason="restored"
        )
    assert await bench.decided_by("T-1") == ("scripted", "")
    async with bench.pool.connection() as conn:
        [one] = await packs.parked(conn, tenant=TENANT)
    assert "bad.yaml, line 2" in one.error


async def test_a_machine_that_starts_no_process_parks_no_pack(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("no process left")

    with monkeypatch.context() as patch:
        patch.setattr("rules.child.subprocess.Popen", refuse)
        with pytest.raises(ApplicationError, match="cannot be started"):
            await bench.decide(created("T-1"))
    assert await bench.decided_by("T-1") == ("one", "one")
    async with bench.engines.using(V1.version, _never) as running:
        assert running.engine.child_pid
        os.kill(running.engine.child_pid, signal.SIGKILL)
    with monkeypatch.context() as patch:
        patch.setattr("rules.child.subprocess.Popen", refuse)
        with pytest.raises(ApplicationError, match="cannot be started"):
            await bench.decide(created("T-2"))
    assert await bench.decided_by("T-2") == ("one", "one")
    assert (await bench.standing()).version == V1.version


async def test_a_stored_pack_that_trips_the_parser_over_is_parked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)

    def trip(_bundle: Bundle) -> Pack:
        raise KeyError("newer")

    monkeypatch.setattr(engines_module, "parse_pack", trip)
    assert await bench.decided_by("T-1") == ("scripted", "")
    async with bench.pool.connection() as conn:
        [one] = await packs.parked(conn, tenant=TENANT)
    assert "cannot be read: KeyError: 'newer'" in one.error


async def test_a_fault_that_a_fresh_engine_mends_parks_nothing_and_is_counted(
    bench: Bench,
) -> None:
    await published(bench.pool, V1)
    await bench.decided_by("T-1")
    async with bench.engines.using(V1.version, _never) as running:
        assert running.engine.child_pid
        os.kill(running.engine.child_pid, signal.SIGKILL)
    assert await bench.decided_by("T-2") == ("one", "one")
    async with bench.pool.connection() as conn:
        faults = await engine_faults.counted(conn, within=DAY)
    assert [(f.kind, f.count) for f in faults] == [("crash", 1)]
    assert (await bench.standing()).version == V1.version


async def _never(version: str) -> str:
    raise AssertionError(version)


async def test_the_workers_own_pack_is_not_parked(bench: Bench) -> None:
    await published(bench.pool, V1)
    async with transaction(bench.pool) as conn:
        await publishing.roll_back(
            conn, tenant=TENANT, to=0, base=V1.version, by="kim", reason="worse"
        )
    bench.own.failure = RulesEngineError("also afresh", pack="scripted", version="0")
    with pytest.raises(ApplicationError, match="also afresh"):
        await bench.decide(created("T-1"))
    assert (await bench.standing()).number == 2


async def test_a_decision_that_is_given_up_while_its_pack_hangs_still_parks_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = Child.match

    def hang(child: Child, message: Any) -> list[str]:
        loop.call_soon_threadsafe(asked.set)
        os.kill(child.pid, signal.SIGSTOP)
        return real(child, message)

    async with open_pool(database_url, max_size=4) as pool:
        bench = await bench_of(pool, most=3, timeout_s=0.5)
        await published(pool, V1)
        await bench.activities.published.refresh()
        monkeypatch.setattr(Child, "match", hang)
        deciding = asyncio.create_task(bench.decide(created("T-1")))
        await asked.wait()
        deciding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deciding
        await bench.activities.published.settle()
        assert await bench.standing() == Standing()
        async with pool.connection() as conn:
            faults = await engine_faults.counted(conn, within=DAY)
        assert [(f.kind, f.count) for f in faults] == [("hang", 2)]
        await bench.engines.close()


async def test_a_shadow_says_where_it_differs_and_does_nothing(bench: Bench) -> None:
    await published(bench.pool, V1)
    await shadowed(bench.pool, tagging("two", then="resolve"))
    assert await bench.decided_by("T-1") == ("one", "one")
    await bench.decide(noted("T-1", 2))
    await bench.activities.published.settle()
    async with bench.pool.connection() as conn:
        found = await shadows.summary(conn, tenant=TENANT, number=2)
    assert (found.compared, found.differing) == (2, 1)
    [one] = found.examples
    assert (one.ticket_id, one.decision_seq, one.trigger, one.rules) == (
        "T-1",
        1,
        "created",
        ["mark"],
    )
    assert [action["kind"] for action in one.active["asked"]] == ["tag"]
    assert [action["kind"] for action in one.shadow["asked"]] == ["tag", "resolve"]
    row = await bench.row("select status from tickets where tenant = %s", TENANT)
    assert row["status"] == "new"


async def test_a_shadow_runs_beside_the_workers_own_pack_too(bench: Bench) -> None:
    await shadowed(bench.pool, V1)
    assert await bench.decided_by("T-1") == ("scripted", "")
    await bench.activities.published.settle()
    async with bench.pool.connection() as conn:
        found = await shadows.summary(conn, tenant=TENANT, number=1)
    assert (found.compared, found.differing) == (1, 1)


async def test_a_shadow_that_crashes_is_switched_off_and_harms_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)
    await shadowed(bench.pool, V2)
    failing(monkeypatch, "two")
    assert await bench.decided_by("T-1") == ("one", "one")
    await bench.activities.published.settle()
    now = await bench.standing()
    assert (now.version, now.shadow_number) == (V1.version, None)
    async with bench.pool.connection() as conn:
        last, *_ = await packs.history(conn, tenant=TENANT)
    assert (last.kind, last.version, last.author) == ("unshadow", V2.version, "flowhub")
    assert "it failed: RulesEngineError: pack two" in last.reason


async def test_no_decision_waits_for_a_shadow(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    real = Engine.judge_now

    def slow(engine: Engine, question: EvaluateRules) -> RuleVerdict:
        if engine.pack.name == "two":
            assert answered.wait(30)
        return real(engine, question)

    monkeypatch.setattr(Engine, "judge_now", slow)
    await published(bench.pool, V1)
    await shadowed(bench.pool, V2)
    done = [await bench.decided_by(f"T-{number}") for number in range(10)]
    answered.set()
    assert set(done) == {("one", "one")}
    await bench.activities.published.settle()
    async with bench.pool.connection() as conn:
        found = await shadows.summary(conn, tenant=TENANT, number=2)
    assert found.compared == 10


async def test_a_comparison_that_cannot_be_written_ends_no_shadow(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(shadows, "add", lost)
    await shadowed(bench.pool, V1)
    await bench.decided_by("T-1")
    await bench.activities.published.settle()
    assert (await bench.standing()).shadow_number == 1


async def test_more_than_a_slow_shadow_can_take_is_left_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadowing, "MOST_WAITING", 0)
    await shadowed(bench.pool, V1)
    with capture_logs() as logged:
        await bench.decided_by("T-1")
    assert any("not compared" in entry["event"] for entry in logged)


async def test_a_shadow_that_cannot_be_read_is_switched_off(bench: Bench) -> None:
    async with bench.pool.connection() as conn:
        await ledger.remember_pack(conn, version="bad", name="bad", body="{}")
    async with transaction(bench.pool) as conn:
        await publishing.shadow(conn, tenant=TENANT, version="bad", by="kim", reason="try")
    assert await bench.decided_by("T-1") == ("scripted", "")
    await bench.activities.published.settle()
    assert (await bench.standing()).shadow_number is None


async def test_a_worker_without_engines_decides_by_its_own_pack(bench: Bench) -> None:
    await remembered(bench.pool, V1)
    await published(bench.pool, V1)
    alone = Rulebook(bench.own, ScriptedMacros(), load_policies()[0], Outside())
    bench.activities = DecideActivities(bench.pool, alone)
    assert await bench.decided_by("T-1") == ("scripted", "")
