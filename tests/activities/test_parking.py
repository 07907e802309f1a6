"""A pack that cannot decide gives way to what counted before, loudly; nothing else does."""

import asyncio
import os
import signal
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.exceptions import ApplicationError

from activities import engines as engines_module
from rules.bundle import Bundle
from rules.child import Child
from rules.findings import Finding, Reference
from rules.pack import Pack
from store import engine_faults, packs, publishing
from store.packs import ActivePacks
from store.pool import open_pool, transaction
from support.errors import RulesEngineError
from tests.activities.bench import (
    DAY,
    V1,
    V2,
    Bench,
    bench_of,
    created,
    failing,
    never,
)
from tests.publishing import TENANT, published
from tests.rules.situations import MACROS


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
    assert (await bench.active()).version == V1.version
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
    assert await bench.active() == ActivePacks()


async def test_a_pack_that_disagrees_with_the_reference_is_parked_and_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(bench.pool, V1)
    wrong = (Finding("mark", matched=False, reason="wrong"),)
    monkeypatch.setattr(Reference, "examine", lambda *_: wrong)
    assert await bench.decided_by("T-1") == ("scripted", "")
    async with bench.pool.connection() as conn:
        faults = await engine_faults.counted(conn, within=DAY)
    assert [(f.kind, f.count, f.last_reason) for f in faults] == [
        ("disagreement", 2, "engine and reference disagree on mark")
    ]


async def test_a_pack_that_this_worker_cannot_read_is_parked(bench: Bench) -> None:
    bad = Bundle("name: bad\nrules: 7\n", MACROS, "bad.yaml", "m.yaml")
    async with bench.pool.connection() as conn:
        await packs.remember(conn, version=bad.version, name="bad", body=bad.to_json())
    async with transaction(bench.pool) as conn:
        await publishing.publish(
            conn, tenant=TENANT, version=bad.version, base="", by="kim", reason="restored"
        )
    assert await bench.decided_by("T-1") == ("scripted", "")
    async with bench.pool.connection() as conn:
        [one] = await packs.parked(conn, tenant=TENANT)
    assert "bad.yaml, line 2" in one.error


async def test_a_stored_pack_that_was_changed_in_the_store_is_parked_and_decides_nothing(
    bench: Bench,
) -> None:
    await published(bench.pool, V1)
    async with bench.pool.connection() as conn:
        await conn.execute("update packs set body = %s where version = %s", (V2.text, V1.version))
    assert await bench.decided_by("T-1") == ("scripted", "")
    async with bench.pool.connection() as conn:
        [one] = await packs.parked(conn, tenant=TENANT)
    assert f"what is stored as pack {V1.version} is {V2.version}" in one.error
    await published(bench.pool, V1)
    assert await bench.decided_by("T-2") == ("one", "one")


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
    async with bench.engines.using(V1.version, never) as running:
        assert running.engine.child_pid
        os.kill(running.engine.child_pid, signal.SIGKILL)
    with monkeypatch.context() as patch:
        patch.setattr("rules.child.subprocess.Popen", refuse)
        with pytest.raises(ApplicationError, match="cannot be started"):
            await bench.decide(created("T-2"))
    assert await bench.decided_by("T-2") == ("one", "one")
    assert (await bench.active()).version == V1.version


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
    async with bench.engines.using(V1.version, never) as running:
        assert running.engine.child_pid
        os.kill(running.engine.child_pid, signal.SIGKILL)
    assert await bench.decided_by("T-2") == ("one", "one")
    async with bench.pool.connection() as conn:
        faults = await engine_faults.counted(conn, within=DAY)
    assert [(f.kind, f.count) for f in faults] == [("crash", 1)]
    assert (await bench.active()).version == V1.version


async def test_the_workers_own_pack_is_not_parked(bench: Bench) -> None:
    await published(bench.pool, V1)
    async with transaction(bench.pool) as conn:
        await publishing.roll_back(
            conn, tenant=TENANT, to=0, base=V1.version, by="kim", reason="worse"
        )
    bench.own.failure = RulesEngineError("also afresh", pack="scripted", version="0")
    with pytest.raises(ApplicationError, match="also afresh"):
        await bench.decide(created("T-1"))
    assert (await bench.active()).number == 2


async def test_a_decision_that_is_given_up_while_its_pack_hangs_still_parks_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = Child.match

    def hang(child: Child, message: Any, related: Any) -> list[str]:
        loop.call_soon_threadsafe(asked.set)
        os.kill(child.pid, signal.SIGSTOP)
        return real(child, message, related)

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
        assert await bench.active() == ActivePacks()
        async with pool.connection() as conn:
            faults = await engine_faults.counted(conn, within=DAY)
        assert [(f.kind, f.count) for f in faults] == [("hang", 2)]
        await bench.engines.close()
