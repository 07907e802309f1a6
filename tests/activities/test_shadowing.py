"""A shadow says what it would have done; it does nothing, delays nothing and harms nothing."""

import threading

import psycopg
import pytest
from structlog.testing import capture_logs

from activities import shadowing
from rules.engine import Engine
from store import packs, publishing, shadows
from store.pool import transaction
from support.needs import EvaluateRules, RuleVerdict, Wanted
from tests.activities.bench import V1, V2, Bench, failing, noted
from tests.publishing import TENANT, published, shadowed, tagging


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


async def test_a_shadow_is_told_what_it_alone_wants_to_know(bench: Bench) -> None:
    await published(bench.pool, V1)
    curious = tagging("two", when="{lanes: {id: unassigned, signal: {ge: 1}}}")
    await shadowed(bench.pool, curious)
    for ticket_id in ("T-1", "T-2"):
        assert await bench.decided_by(ticket_id) == ("one", "one")
    await bench.activities.published.settle()
    async with bench.pool.connection() as conn:
        found = await shadows.summary(conn, tenant=TENANT, number=2)
    assert found.compared == 2
    assert [action["kind"] for one in found.examples for action in one.shadow["asked"]] == [
        "tag",
        "tag",
    ]


async def test_a_shadow_that_crashes_is_switched_off_and_harms_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)
    await shadowed(bench.pool, V2)
    failing(monkeypatch, "two")
    assert await bench.decided_by("T-1") == ("one", "one")
    await bench.activities.published.settle()
    now = await bench.active()
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

    def slow(engine: Engine, question: EvaluateRules) -> RuleVerdict | Wanted:
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
    assert (await bench.active()).shadow_number == 1


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
        await packs.remember(conn, version="bad", name="bad", body="{}")
    async with transaction(bench.pool) as conn:
        await publishing.shadow(conn, tenant=TENANT, version="bad", by="kim", reason="try")
    assert await bench.decided_by("T-1") == ("scripted", "")
    await bench.activities.published.settle()
    assert (await bench.active()).shadow_number is None
