"""`flowhub rules publish` and what follows: by the command line alone, with a database alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hub import publishing as hub_publishing
from hub.cli.main import app
from rules.load import load_pack
from rules.pack import Pack
from store import packs, publishing, shadows
from store.pool import Pool, open_pool, transaction
from store.shadows import Comparison
from support.errors import FlowHubError, InputError, PackMovedError
from tests.publishing import published, tagging

PACK = """name: own
rules:
  - id: gold
    description: d
    on: [created]
    when: {tier: gold}
    then: [assign]
    tests: [{facts: {tier: gold}, then: [assign]}]
"""
WHY = ("--reason", "chats wait")


@pytest.fixture(autouse=True)
async def pool(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Pool]:
    """Settings that name a database, and neither Temporal nor a pack."""
    monkeypatch.setenv("FLOWHUB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FLOWHUB_DATABASE_URL", database_url)
    for name in ("FLOWHUB_TEMPORAL_ADDRESS", "FLOWHUB_PACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLOWHUB_ENGINE_TIMEOUT_S", "30")
    monkeypatch.setenv("FLOWHUB_TENANT", "acme")
    monkeypatch.setenv("USER", "kim")
    async with open_pool(database_url, max_size=2) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(PACK, encoding="utf-8")
    return path


def changed(file: Path, old: str, new: str) -> Path:
    """A file beside it, with something changed."""
    path = file.with_name(f"{new[:8].strip(' {[:')}.yaml")
    path.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return path


async def flowhub(*words: object) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["rules", *map(str, words)])


async def answer(*words: object) -> Any:
    result = await flowhub(*words, "--json")
    assert result.exit_code == 0, result.output or repr(result.exception)
    return json.loads(result.stdout)


async def refusal(*words: object) -> FlowHubError:
    error = (await flowhub(*words)).exception
    assert isinstance(error, FlowHubError)
    return error


async def test_a_pack_is_checked_tested_compared_and_published(file: Path, pool: Pool) -> None:
    done = await answer("publish", file, *WHY)
    version = load_pack(file).version
    assert (done["version"], done["tests"], done["untested"]) == (version, 1, [])
    assert "gold" in done["diff"]["added"]
    assert "assign-without-owner" in done["diff"]["removed"]
    one = done["publication"]
    assert (one["number"], one["status"], one["author"], one["reason"]) == (
        1,
        "active",
        "kim",
        "chats wait",
    )
    async with pool.connection() as conn:
        assert (await packs.active(conn, tenant="acme")).version == version
        assert (await packs.active(conn, tenant="global")).version == ""


async def test_people_read_what_changes_and_from_when_it_counts(file: Path) -> None:
    await answer("publish", file, *WHY)
    other = changed(file, "    then: [assign]\n    tests", "    then: [assign, resolve]\n    tests")
    other.write_text(other.read_text().replace("then: [assign]}", "then: [assign, resolve]}"))
    said = " ".join((await flowhub("publish", other, *WHY)).stdout.split())
    assert "assign assign; resolve" in said
    assert "Publication 2: acme decides by own" in said


async def test_what_a_rule_does_that_is_new_or_gone_is_read_in_the_difference(file: Path) -> None:
    shown = " ".join((await flowhub("diff", "own", file)).stdout.split())
    assert "gold" in shown
    assert "on: created" in shown
    assert "when: tier is gold" in shown
    assert "then: assign" in shown
    back = " ".join((await flowhub("diff", file, "own")).stdout.split())
    assert "An urgent ticket stays with its owner for an hour." in back
    assert "then: lock_owner minutes: 60" in back


async def test_a_command_that_is_shown_is_about_the_same_tenant(file: Path) -> None:
    done = await flowhub("approval", "require", *WHY)
    assert done.stdout == (
        "1: a second person is needed from now on for each change of the rules of acme\n"
    )
    proposal = await flowhub("publish", file, *WHY)
    assert "`flowhub rules approve 2 --tenant acme --reason ...`" in proposal.stdout
    assert "publish FILE --shadow --tenant acme`" in (await flowhub("shadow")).stdout


async def test_a_failed_test_ends_with_code_1_and_publishes_nothing(file: Path) -> None:
    bad = changed(file, "then: [assign]}]", "then: []}]")
    result = await flowhub("publish", bad, *WHY, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failed"] == 1
    refused = changed(file, "tier: gold}\n    then", "teir: gold}\n    then")
    assert (await flowhub("publish", refused, *WHY)).exit_code == 1
    assert (await answer("history"))["publications"] == []


async def test_a_rule_without_a_test_is_warned_of(file: Path) -> None:
    untested = changed(file, "    tests: [{facts: {tier: gold}, then: [assign]}]\n", "")
    result = await flowhub("publish", untested, *WHY)
    assert result.exit_code == 0
    assert "Without a test: gold" in result.stdout


async def test_a_dry_run_publishes_nothing_and_needs_no_reason(file: Path) -> None:
    done = await answer("publish", file, "--dry-run")
    assert done["publication"] is None
    assert (await answer("history"))["publications"] == []


@pytest.mark.parametrize("why", [(), ("--reason", "  "), ("--reason", "a\nb")])
async def test_every_change_says_why(file: Path, why: tuple[str, ...]) -> None:
    for words in (("publish", file), ("rollback",), ("approve", 1), ("approval", "require")):
        assert isinstance(await refusal(*words, *why), InputError)


async def test_a_pack_of_other_tenants_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pack, "serves", lambda _pack, tenant: tenant == "other")
    assert "not for acme: add it to the `tenant`" in str(await refusal("publish", file, *WHY))
    assert (await answer("publish", file, *WHY, "--tenant", "other"))["publication"]["number"] == 1


async def test_who_publishes_on_old_rules_learns_what_changed_and_what_to_do(
    file: Path, pool: Pool
) -> None:
    first = await answer("publish", file, *WHY)
    await published(pool, tagging("two"), base=first["version"], by="lou")
    error = await refusal("publish", file, *WHY, "--base", first["version"])
    assert isinstance(error, PackMovedError)
    active = tagging("two").version
    for part in ("publish 2 by lou", "try two", "rule mark added", "rule gold removed", active):
        assert part in str(error)
    done = await answer("publish", file, *WHY, "--base", active)
    assert done["publication"]["status"] == "active"


async def test_what_was_published_while_the_tests_ran_is_not_overwritten(
    file: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    real = hub_publishing.tested

    def meanwhile(pack: Pack, *rest: Any) -> Any:
        async def other() -> None:
            async with open_pool(database_url, max_size=1) as own:
                await published(own, tagging("two"), by="lou")

        asyncio.run(other())
        return real(pack, *rest)

    monkeypatch.setattr(hub_publishing, "tested", meanwhile)
    assert "publish 1 by lou" in str(await refusal("publish", file, *WHY))
    async with pool.connection() as conn:
        assert (await packs.active(conn, tenant="acme")).version == tagging("two").version


async def test_roll_back_to_a_version_and_to_the_workers_own(file: Path, pool: Pool) -> None:
    first = await answer("publish", file, *WHY)
    await published(pool, tagging("two"), base=first["version"])
    back = await answer("rollback", *WHY, "--to", first["version"])
    assert (back["number"], back["version"], back["brings_back"]) == (3, first["version"], 1)
    own = await answer("rollback", *WHY, "--to", "own")
    assert (own["version"], own["status"]) == ("", "active")
    assert "never decided by version" in str(await refusal("rollback", *WHY, "--to", "0" * 12))
    assert "name another with --to" in str(await refusal("rollback", *WHY))


async def test_a_second_person_approves_and_a_history_tells_it(file: Path) -> None:
    await answer("approval", "require", *WHY)
    proposal = await flowhub("publish", file, *WHY)
    assert "does nothing until another person" in proposal.stdout
    assert "another person must approve" in str(await refusal("approve", 2, *WHY))
    done = await answer("approve", 2, *WHY, "--as", "lou")
    assert (done["status"], done["answered_by"]) == ("active", "lou")
    waive = await answer("approval", "waive", *WHY)
    assert waive["status"] == "proposed"
    gone = await answer("reject", waive["number"], "--reason", "no", "--as", "lou")
    assert gone["status"] == "rejected"
    listed = (await answer("history"))["publications"]
    assert [(one["number"], one["kind"], one["status"]) for one in listed] == [
        (3, "waive", "rejected"),
        (2, "publish", "active"),
        (1, "require", "done"),
    ]
    shown = (await flowhub("history")).stdout
    assert "Rules of acme" in shown
    assert "Changes need a second person" in shown


async def test_a_parked_pack_is_in_the_history_with_its_error(file: Path, pool: Pool) -> None:
    await answer("publish", file, *WHY)
    async with transaction(pool) as conn:
        await publishing.park(conn, tenant="acme", number=1, error="disagree on gold")
    shown = (await flowhub("history")).stdout
    assert "1 is parked" in shown
    assert "disagree on gold" in shown


async def test_a_published_pack_is_read_tried_and_compared_like_a_file(
    file: Path, tmp_path: Path
) -> None:
    version = (await answer("publish", file, *WHY))["version"]
    facts = tmp_path / "facts.yaml"
    facts.write_text("{on: created, tier: gold}")
    for name in (version, "active", "1"):
        assert (await flowhub("show", name)).stdout == PACK
        assert (await answer("check", name))["version"] == version
        assert (await answer("test", name))["failed"] == 0
        assert (await answer("list", name))["rules"][0]["id"] == "gold"
        found = await answer("explain", "--facts", facts, "--pack", name)
        assert [action["kind"] for action in found["actions"]] == ["assign"]
        assert (await answer("diff", name, file))["diff"]["changed"] == []
    assert "texts:" in (await flowhub("show", version, "--macros")).stdout
    other = changed(file, "tier: gold}\n    then", "tier: silver}\n    then")
    found = await answer("diff", "active", other)
    assert found["diff"]["changed"] == [
        {
            "rule_id": "gold",
            "changes": [{"part": "when", "before": "tier is gold", "after": "tier is silver"}],
        }
    ]
    assert "tier is silver" in " ".join((await flowhub("diff", "active", other)).stdout.split())
    assert "Nothing that decides" in (await flowhub("diff", "active", file)).stdout


async def test_packs_that_are_not_there_are_named(file: Path) -> None:
    version = (await answer("publish", file, *WHY))["version"]
    assert (await flowhub("check", "gone.yaml")).exit_code == 2
    assert "has no publication 99" in str(await refusal("show", "99"))
    assert (await answer("approval", "require", *WHY))["number"] == 2
    assert "publication 2 of acme holds no pack" in str(await refusal("show", "2"))
    assert "has no pack 000000000000" in str(await refusal("show", "0" * 12))
    assert "has no pack" in str(await refusal("show", version, "--tenant", "other"))
    assert (await answer("check", "active", "--tenant", "other"))["name"] == "default"


async def test_a_shadow_is_begun_read_and_ended(file: Path, pool: Pool) -> None:
    assert (await answer("shadow"))["shadow"] is None
    assert "never had a shadow" in (await flowhub("shadow")).stdout
    done = await answer("publish", file, *WHY, "--shadow")
    assert done["publication"]["status"] == "shadowing"
    said = {"fired": ["gold"], "asked": [{"rule_id": "gold", "kind": "assign", "params": {}}]}
    nothing: dict[str, list[str]] = {"fired": [], "asked": []}
    async with pool.connection() as conn:
        one = Comparison(1, "w", 1, "T-1", "created", "v", ("gold",), nothing, said)
        await shadows.add(conn, one, tenant="acme")
    found = await answer("shadow")
    assert (found["running"], found["summary"]["compared"], found["summary"]["differing"]) == (
        True,
        1,
        1,
    )
    shown = " ".join((await flowhub("shadow")).stdout.split())
    assert "1 decision compared, 1 differ" in shown
    assert "T-1" in shown
    assert isinstance(await refusal("shadow", "--off"), InputError)
    assert "has ended" in (await flowhub("shadow", "--off", "--reason", "seen")).stdout
    assert (await answer("shadow"))["running"] is False
    assert (await answer("history"))["publications"][0]["kind"] == "unshadow"


async def test_a_tenant_that_published_nothing_is_told_so() -> None:
    assert "published nothing" in (await flowhub("history")).stdout
