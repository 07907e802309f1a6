"""Which pack decides: what is published counts at once, and for its tenant alone."""

import asyncio

import psutil
import pytest

from activities import engines as engines_module
from activities.decide import DecideActivities, Rulebook
from rules.bundle import Bundle
from rules.engine import Engine
from rules.load import parse_pack
from rules.pack import Pack
from rules.policies_file import load_policies
from store import packs, publishing
from store.pool import transaction
from support.work import Outside
from tests.activities.bench import (
    V1,
    V2,
    V3,
    Bench,
    children,
    created,
)
from tests.fix_desk import ScriptedMacros
from tests.publishing import TENANT, published, remembered, shadowed, tagging
from tests.rules.situations import MACROS
from tests.waiting import eventually


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


async def test_a_worker_without_engines_decides_by_its_own_pack(bench: Bench) -> None:
    await remembered(bench.pool, V1)
    await published(bench.pool, V1)
    alone = Rulebook(bench.own, ScriptedMacros(), load_policies()[0], Outside())
    bench.activities = DecideActivities(bench.pool, alone)
    assert await bench.decided_by("T-1") == ("scripted", "")


async def test_a_tenant_reads_the_workers_own_pack_that_decided_also_if_another_publishes_it(
    bench: Bench,
) -> None:
    await remembered(bench.pool, V1)
    with Engine(V1) as engine:
        own = Rulebook(engine, V1.macros, load_policies()[0], Outside())
        bench.activities = DecideActivities(bench.pool, own)
        assert await bench.decided_by("T-1") == ("one", "one")
    await published(bench.pool, V1, tenant="other")
    async with bench.pool.connection() as conn:
        assert await packs.body(conn, V1.version, tenant=TENANT) == V1.text
        assert await packs.body(conn, V1.version, tenant="third") is None
