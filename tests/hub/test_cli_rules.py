"""`flowhub rules`: packs checked, tested, listed and explained from the command line."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hub.cli.main import app
from rules.handbook import facts_page, pack_page
from rules.load import load_pack
from store.pool import open_pool
from support.errors import FlowHubError, InputError, PackError, UnknownTicketError
from tests.store.seeding import START, add_history, add_ticket

PACK = """name: own
rules:
  - id: second
    description: The second.
    on: [created]
    when: {tier: gold}
    then: [{escalate: {to: lead}}]
    tests:
      - {facts: {tier: gold}, then: [{escalate: {to: lead}}]}
      - {facts: {tier: silver}, then: [{escalate: {to: lead}}]}
  - {id: first, description: "The [first].", on: [created, note], then: [assign], priority: 1,
     owner: Team leads}
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test."""
    monkeypatch.setenv("FLOWHUB_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("FLOWHUB_PACK", raising=False)
    monkeypatch.setenv("FLOWHUB_ENGINE_TIMEOUT_S", "30")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    file = tmp_path / "own.yaml"
    file.write_text(PACK, encoding="utf-8")
    return file


def flowhub(*words: object) -> Result:
    return CliRunner().invoke(app, ["rules", *map(str, words)])


def answer(*words: object) -> Any:
    result = flowhub(*words, "--json")
    assert result.exit_code == 0, result.output or repr(result.exception)
    return json.loads(result.stdout)


def refusal(*words: object) -> FlowHubError:
    error = flowhub(*words).exception
    assert isinstance(error, FlowHubError)
    return error


def test_a_good_pack_is_counted(pack: Path) -> None:
    found = answer("check", pack)
    assert found == {
        "file": "own.yaml",
        "name": "own",
        "version": load_pack(pack).version,
        "rules": 2,
        "rulesets": 1,
        "facts_read": ["on", "tier"],
        "tests": 2,
        "untested": ["first"],
    }
    said = flowhub("check", pack).stdout
    assert "2 rules, 1 ruleset, 2 facts read, 2 tests" in said
    assert "Without a test: first" in said


def test_a_refused_pack_ends_with_code_1_and_names_file_line_and_what_to_do(pack: Path) -> None:
    pack.write_text(PACK.replace("tier: gold}\n    then", "teir: gold}\n    then"))
    result = flowhub("check", pack)
    assert result.exit_code == 1
    assert "own.yaml, line 6: there is no fact `teir`; did you mean `tier`?" in result.stderr
    result = flowhub("check", pack, "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["details"]) == ("PackError", {"file": "own.yaml", "line": 6})
    assert isinstance(refusal("test", pack), PackError)


def test_without_a_file_the_pack_of_the_setting_counts_else_the_one_that_ships(
    pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer("check")["name"] == "default"
    monkeypatch.setenv("FLOWHUB_PACK", str(pack))
    assert answer("check")["name"] == "own"
    assert answer("list")["pack"] == "own"
    assert flowhub("check", pack.parent / "gone.yaml").exit_code == 2


def test_a_failed_test_ends_with_code_1_and_says_what_was_expected_got_and_why(pack: Path) -> None:
    result = flowhub("test", pack, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["tests"], found["failed"]) == (2, 1)
    (failure,) = found["failures"]
    assert (failure["rule_id"], failure["line"], failure["got"]) == ("second", 10, [])
    assert [action["kind"] for action in failure["expected"]] == ["escalate"]
    assert failure["reason"] == "tier is silver, not gold"
    shown = " ".join(flowhub("test", pack).stdout.split())
    assert "second 10 escalate to: lead nothing" in shown
    assert "1 of 2 tests passed" in shown


def test_the_tests_of_the_shipped_pack_pass() -> None:
    found = answer("test")
    assert found["failed"] == 0
    assert found["tests"] >= 2 * len(load_pack(None).rules)
    assert flowhub("test").exit_code == 0


def test_rules_are_listed_as_they_are_asked(pack: Path) -> None:
    listed = answer("list", pack)["rules"]
    assert [rule["id"] for rule in listed] == ["first", "second"]
    assert listed[0] == {
        "id": "first",
        "on": ["created", "note"],
        "priority": 1,
        "stop": False,
        "enabled": True,
        "owner": "Team leads",
        "description": "The [first].",
        "file": "own.yaml",
        "line": 11,
        "cooldown_s": None,
        "once_per": None,
    }
    assert "The [first]." in flowhub("list", pack).stdout


def test_facts_of_a_file_are_explained_rule_by_rule(pack: Path, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"on": "created", "tier": "silver", "age_s": 60}))
    found = answer("explain", "--facts", file, "--pack", pack)
    assert (found["pack"], found["facts"]["age_s"], found["facts"]["tags"]) == ("own", 60, [])
    assert found["rules"] == [
        {"rule_id": "first", "fired": 1, "reason": "it has no conditions"},
        {"rule_id": "second", "fired": 0, "reason": "tier is silver, not gold"},
    ]
    assert found["actions"] == [{"rule_id": "first", "kind": "assign", "params": {}}]
    shown = flowhub("explain", "--facts", file, "--pack", pack).stdout
    assert "tier is silver, not gold" in shown
    file.write_text(json.dumps({"on": "note"}))
    shown = flowhub("explain", "--facts", file, "--pack", pack).stdout
    assert "Not for note: second\n" in shown
    assert shown.count("second") == 1
    file.write_text(json.dumps({"on": "wait"}))
    assert "Nothing is asked for" in flowhub("explain", "--facts", file).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{on: created, teir: x}", "facts.yaml, line 1: there is no fact `teir`; did you mean"),
        ("{tier: x}", "has no `on`"),
        ("{on: [", "this is not YAML"),
    ],
)
def test_facts_that_cannot_be_read_are_refused(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text(text)
    error = refusal("explain", "--facts", file)
    assert isinstance(error, InputError)
    assert said in str(error)


def test_what_to_explain_must_be_said_once(pack: Path) -> None:
    both = ("--facts", pack, "--ticket", "T-1")
    for words in ((), both, ("--ticket", "T-1", "--pack", pack), ("--facts", pack, "--at", "x")):
        assert isinstance(refusal("explain", *words), InputError)


@pytest.fixture
async def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticket T-1 with two decisions, after one minute and after two."""
    monkeypatch.setenv("FLOWHUB_DATABASE_URL", database_url)
    monkeypatch.delenv("FLOWHUB_TEMPORAL_ADDRESS", raising=False)
    async with open_pool(database_url, max_size=1) as pool, pool.connection() as conn:
        await add_ticket(conn, "T-1")
        await add_history(conn, "T-1")


@pytest.mark.usefixtures("stored")
async def test_a_stored_decision_is_explained_as_the_ledger_has_it() -> None:
    at = ("--at", f"{START:%Y-%m-%d}T09:01:30")  # on the office's clock
    found = await asyncio.to_thread(answer, "explain", "--ticket", "T-1", *at)
    assert (found["decision_seq"], found["trigger"], found["at"]) == (
        1,
        "created",
        "2026-03-02T08:01:00+00:00",
    )
    assert (found["pack"], found["version"]) == ("default", "default@1")
    assert found["facts"] == {"priority": "normal", "owner_set": False}
    assert found["rules"] == [
        {"rule_id": "assign-new", "fired": 1, "reason": "on is created"},
        {"rule_id": "lock-urgent", "fired": 0, "reason": "priority is normal, not urgent"},
    ]
    assert [(a["kind"], a["outcome"], a["detail"]) for a in found["actions"]] == [
        ("assign", "done", "kim carries 1 of 12 units")
    ]
    latest = await asyncio.to_thread(flowhub, "explain", "--ticket", "T-1")
    assert "decision 2, on deadline at 2026-03-02 08:02:00 UTC" in latest.stdout
    assert "priority is normal, not urgent" in latest.stdout
    assert "kim carries 1" in latest.stdout


@pytest.mark.usefixtures("stored")
async def test_a_ticket_or_time_without_a_decision_is_an_error() -> None:
    early = ("explain", "--ticket", "T-1", "--at", "2026-03-01T00:00Z")
    assert "nothing was decided" in str(await asyncio.to_thread(refusal, *early))
    elsewhere = ("explain", "--ticket", "T-1", "--tenant", "other")
    assert isinstance(await asyncio.to_thread(refusal, *elsewhere), UnknownTicketError)


def test_pages_of_rules_and_facts_are_printed_as_they_are_kept(pack: Path) -> None:
    page = flowhub("list", pack, "--markdown").stdout
    assert page == pack_page(load_pack(pack))
    assert flowhub("facts", "--markdown").stdout == facts_page()
    listed = {fact["name"]: fact for fact in answer("facts")}
    assert listed["age_s"] == {
        "name": "age_s",
        "subjects": ["ticket"],
        "type": "duration",
        "unit": "s",
        "meaning": "time since the ticket was created",
        "choices": [],
    }
    assert "customer_waiting_s" in flowhub("facts").stdout
