"""Publications of rule packs: their sequence, who may change what, and what counts afterwards."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rules.pack import Pack
from store import packs, publishing, shadows
from store.packs import ActivePacks, Publication
from store.pool import Pool, open_pool, transaction
from store.shadows import Comparison
from support.errors import InputError, PackMovedError
from tests.publishing import TENANT, published, shadowed, tagging
from tests.waiting import eventually

V1, V2, V3 = tagging("one"), tagging("two"), tagging("three")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on a fresh ledger."""
    async with open_pool(database_url, max_size=6) as opened:
        yield opened


async def active(pool: Pool, tenant: str = TENANT) -> ActivePacks:
    async with pool.connection() as conn:
        return await packs.active(conn, tenant=tenant)


async def statuses(pool: Pool, tenant: str = TENANT) -> list[tuple[int, str, str]]:
    async with pool.connection() as conn:
        listed = await packs.history(conn, tenant=tenant)
    return [(one.number, one.kind, one.status) for one in reversed(listed)]


async def sequence(pool: Pool, *listed: Pack) -> None:
    """Publish the packs one after the other."""
    base = ""
    for pack in listed:
        await published(pool, pack, base=base)
        base = pack.version


async def roll_back(pool: Pool, to: int | None = None, by: str = "kim") -> Publication:
    base = (await active(pool)).version
    async with transaction(pool) as conn:
        return await publishing.roll_back(
            conn, tenant=TENANT, to=to, base=base, by=by, reason="worse"
        )


async def set_approval(pool: Pool, *, required: bool, by: str = "kim") -> Publication:
    async with transaction(pool) as conn:
        return await publishing.set_approval(
            conn, tenant=TENANT, required=required, by=by, reason="audit"
        )


async def approve(pool: Pool, number: int, by: str) -> Publication:
    async with transaction(pool) as conn:
        return await publishing.approve(conn, tenant=TENANT, number=number, by=by, reason="read")


async def park(pool: Pool, number: int, error: str = "it crashed") -> ActivePacks:
    async with transaction(pool) as conn:
        return await publishing.park(conn, tenant=TENANT, number=number, error=error)


async def test_a_tenant_without_publications_decides_by_the_workers_own_pack(pool: Pool) -> None:
    assert await active(pool) == ActivePacks()
    assert await statuses(pool) == []


async def test_each_tenant_has_a_sequence_of_its_own(pool: Pool) -> None:
    await sequence(pool, V1, V2)
    other = await published(pool, V3, tenant="other")
    assert (other.number, other.status) == (1, "active")
    assert await statuses(pool) == [(1, "publish", "superseded"), (2, "publish", "active")]
    assert (await active(pool)).version == V2.version
    assert (await active(pool, "other")).version == V3.version


async def test_a_tenant_reads_no_pack_of_another(pool: Pool) -> None:
    await published(pool, V1)
    async with pool.connection() as conn:
        assert await packs.body(conn, V1.version, tenant=TENANT) == V1.text
        assert await packs.body(conn, V1.version, tenant="other") is None


async def test_what_was_made_on_other_rules_is_refused_with_who_when_and_why(pool: Pool) -> None:
    await sequence(pool, V1)
    await published(pool, V2, base=V1.version, by="lou")
    with pytest.raises(PackMovedError, match=r"publish 2 by lou at .* UTC: try two") as refused:
        await published(pool, V3, base=V1.version)
    assert refused.value.details["active"] == V2.version
    assert (await active(pool)).version == V2.version
    done = await published(pool, V3, base=V2.version)
    assert (done.number, done.base_number, done.base_version) == (3, 2, V2.version)


@pytest.mark.parametrize("first", [True, False], ids=["the first ever", "a later one"])
async def test_of_two_who_publish_at_once_one_is_refused(pool: Pool, *, first: bool) -> None:
    if not first:
        await published(pool, V3)
    base = "" if first else V3.version
    done = await asyncio.gather(
        published(pool, V1, base=base, by="kim"),
        published(pool, V2, base=base, by="lou"),
        return_exceptions=True,
    )
    [won] = [one for one in done if isinstance(one, Publication)]
    [lost] = [one for one in done if isinstance(one, PackMovedError)]
    assert f"by {won.author}" in str(lost)
    assert (await active(pool)).version == won.version
    assert won.number == (1 if first else 2)


async def test_one_who_publishes_waits_for_the_other_and_sees_what_it_did(pool: Pool) -> None:
    await published(pool, V1)
    async with transaction(pool) as conn:
        await packs.locked(conn, tenant=TENANT)
        late = asyncio.create_task(published(pool, V3, base=V1.version))
        await _until_somebody_waits(pool)
        await packs.activate(conn, tenant=TENANT, number=None, version="")
    with pytest.raises(PackMovedError):
        await late


async def _until_somebody_waits(pool: Pool) -> None:
    async def waits() -> bool:
        async with pool.connection() as conn:
            cursor = await conn.execute(
                "select exists (select from pg_locks where not granted) as waits"
            )
            row = await cursor.fetchone()
        return bool(row and row["waits"])

    await eventually(waits)


async def test_what_is_active_already_is_not_published_again(pool: Pool) -> None:
    await published(pool, V1)
    with pytest.raises(InputError, match="is active already, as publication 1"):
        await published(pool, V1, base=V1.version)


async def test_a_rollback_is_a_new_publication_of_the_one_before(pool: Pool) -> None:
    await sequence(pool, V1, V2)
    done = await roll_back(pool)
    assert (done.number, done.version, done.brings_back) == (3, V1.version, 1)
    assert await statuses(pool) == [
        (1, "publish", "superseded"),
        (2, "publish", "superseded"),
        (3, "rollback", "active"),
    ]


async def test_rolling_back_twice_goes_further_back_and_ends_with_the_workers_pack(
    pool: Pool,
) -> None:
    await sequence(pool, V1, V2, V3)
    assert [(await roll_back(pool)).version for _ in range(3)] == [V2.version, V1.version, ""]
    assert (await active(pool)).version == ""


async def test_a_rollback_to_a_number_or_to_the_workers_own_pack(pool: Pool) -> None:
    await sequence(pool, V1, V2, V3)
    assert (await roll_back(pool, to=1)).version == V1.version
    own = await roll_back(pool, to=0)
    assert (own.version, own.status) == ("", "active")
    with pytest.raises(InputError, match="never decided by a publication 99"):
        await roll_back(pool, to=99)


async def test_nothing_published_cannot_be_rolled_back(pool: Pool) -> None:
    with pytest.raises(InputError, match="nothing to roll back"):
        await roll_back(pool)


async def test_two_who_roll_back_at_once_go_back_once(pool: Pool) -> None:
    await sequence(pool, V1, V2, V3)

    async def back(by: str) -> Publication:
        async with transaction(pool) as conn:
            return await publishing.roll_back(
                conn, tenant=TENANT, to=None, base=V3.version, by=by, reason="worse"
            )

    done = await asyncio.gather(back("kim"), back("lou"), return_exceptions=True)
    assert sum(isinstance(one, PackMovedError) for one in done) == 1
    assert (await active(pool)).version == V2.version


async def test_a_proposal_does_nothing_until_another_person_approves_it(pool: Pool) -> None:
    await published(pool, V1)
    await set_approval(pool, required=True)
    proposal = await published(pool, V2, base=V1.version, by="kim")
    assert proposal.status == "proposed"
    assert (await active(pool)).version == V1.version
    for same in ("kim", "Kim"):
        with pytest.raises(InputError, match="another person must approve"):
            await approve(pool, proposal.number, same)
    done = await approve(pool, proposal.number, "lou")
    assert (done.status, done.answered_by, done.answered_reason) == ("active", "lou", "read")
    assert (await active(pool)).version == V2.version
    with pytest.raises(InputError, match="is no proposal"):
        await approve(pool, proposal.number, "lou")


async def test_a_rollback_needs_the_second_person_too(pool: Pool) -> None:
    await sequence(pool, V1, V2)
    await set_approval(pool, required=True)
    proposal = await roll_back(pool)
    assert (await active(pool)).version == V2.version
    await approve(pool, proposal.number, "lou")
    assert (await active(pool)).version == V1.version


async def test_a_proposal_made_on_rules_that_changed_is_refused(pool: Pool) -> None:
    await published(pool, V1)
    await set_approval(pool, required=True)
    first = await published(pool, V2, base=V1.version, by="kim")
    second = await published(pool, V3, base=V1.version, by="lou")
    await approve(pool, first.number, "lou")
    with pytest.raises(PackMovedError, match=r"publish 3 by lou.*: try two"):
        await approve(pool, second.number, "kim")
    assert (await active(pool)).version == V2.version


async def test_a_rejected_proposal_never_counts(pool: Pool) -> None:
    await published(pool, V1)
    await set_approval(pool, required=True)
    proposal = await published(pool, V2, base=V1.version)
    async with transaction(pool) as conn:
        gone = await publishing.reject(
            conn, tenant=TENANT, number=proposal.number, by="lou", reason="mails would wait"
        )
    assert gone.status == "rejected"
    with pytest.raises(InputError, match="rejected, answered by lou"):
        await approve(pool, proposal.number, "lou")
    with pytest.raises(InputError, match="never decided by"):
        await roll_back(pool, to=proposal.number)


async def test_waiving_approval_needs_the_second_person(pool: Pool) -> None:
    await set_approval(pool, required=True)
    proposal = await set_approval(pool, required=False)
    assert (await active(pool)).approval_required
    with pytest.raises(InputError, match="another person"):
        await approve(pool, proposal.number, "kim")
    await approve(pool, proposal.number, "lou")
    assert not (await active(pool)).approval_required
    with pytest.raises(InputError, match="not required for acme already"):
        await set_approval(pool, required=False)


async def test_a_parked_pack_gives_way_to_the_last_that_is_not_parked(pool: Pool) -> None:
    await sequence(pool, V1, V2, V3)
    assert (await park(pool, 3)).version == V2.version
    assert (await park(pool, 2)).version == V1.version
    assert (await park(pool, 1)).version == ""
    assert {status for _, _, status in await statuses(pool)} == {"parked"}
    async with pool.connection() as conn:
        assert [one.number for one in await packs.parked(conn, tenant=None)] == [1, 2, 3]


async def test_two_workers_park_the_same_publication_once(pool: Pool) -> None:
    await sequence(pool, V1, V2, V3)
    assert await park(pool, 3) == await park(pool, 3)
    assert (await active(pool)).version == V2.version


async def test_a_parked_pack_that_is_published_again_is_not_parked(pool: Pool) -> None:
    await sequence(pool, V1, V2)
    await park(pool, 2)
    again = await published(pool, V2, base=V1.version)
    assert (again.number, again.status) == (3, "active")
    async with pool.connection() as conn:
        assert await packs.parked(conn, tenant=TENANT) == ()


async def test_whoever_publishes_on_a_pack_that_was_parked_is_told(pool: Pool) -> None:
    await sequence(pool, V1, V2)
    await park(pool, 2, "disagree on r")
    with pytest.raises(PackMovedError, match=r"publication 2 was parked at .*: disagree on r"):
        await published(pool, V3, base=V2.version)


async def test_after_a_rollback_parking_does_not_return_to_what_was_rolled_back(
    pool: Pool,
) -> None:
    await sequence(pool, V1, V2, V3)
    await roll_back(pool)
    assert (await park(pool, 4)).version == V1.version


async def test_a_shadow_needs_no_approval_and_leaves_what_counts(pool: Pool) -> None:
    await published(pool, V1)
    await set_approval(pool, required=True)
    await shadowed(pool, V2)
    now = await active(pool)
    assert (now.version, now.shadow_version, now.shadow_number) == (V1.version, V2.version, 3)
    async with transaction(pool) as conn:
        assert (
            await publishing.end_shadow(conn, tenant=TENANT, by="x", reason="y", number=1) is None
        )
    async with transaction(pool) as conn:
        await publishing.end_shadow(conn, tenant=TENANT, by="kim", reason="seen")
    assert (await active(pool)).shadow_number is None
    async with transaction(pool) as conn:
        with pytest.raises(InputError, match="nothing to end"):
            await publishing.end_shadow(conn, tenant=TENANT, by="kim", reason="seen")


async def test_a_shadow_is_summed_up_by_rule_with_examples(pool: Pool) -> None:
    said: dict[str, list[str]] = {"fired": [], "asked": []}
    async with pool.connection() as conn:
        for seq, rules in enumerate(((), ("a",), ("a", "b")), start=1):
            apart = said if rules else None
            one = Comparison(7, "w", seq, "T-1", "created", "v", rules, apart, apart)
            await shadows.add(conn, one, tenant=TENANT)
            await shadows.add(conn, one, tenant=TENANT)
        found = await shadows.summary(conn, tenant=TENANT, number=7)
        elsewhere = await shadows.summary(conn, tenant="other", number=7)
    assert (found.compared, found.differing) == (3, 2)
    assert [(one.rule_id, one.decisions) for one in found.by_rule] == [("a", 2), ("b", 1)]
    assert [one.decision_seq for one in found.examples] == [3, 2]
    assert elsewhere.compared == 0


async def test_versions_in_use_are_those_that_decide_or_are_tried(pool: Pool) -> None:
    await sequence(pool, V1, V2)
    await shadowed(pool, V3, tenant="other")
    async with pool.connection() as conn:
        assert list(await packs.newest_in_use(conn, limit=5)) == [V3.version, V2.version]
        assert list(await packs.newest_in_use(conn, limit=1)) == [V3.version]
