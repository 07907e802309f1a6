"""The command line against real servers, as a person or a script would use it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

from hub.cli.main import app
from store import effects, engine_faults, outbox, parkings, publishing
from store.pool import transaction
from support.errors import FlowHubError, InputError, RuntimeUnavailableError
from support.needs import RuleAction
from tests.fix_desk import RunningDesk
from tests.publishing import TENANT, published, tagging
from tests.waiting import eventually

Cli = Callable[..., Any]


async def flowhub(*words: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(words)))


async def answer(*words: str) -> Any:
    """The JSON that a command prints."""
    result = await flowhub(*words, "--json")
    assert result.exit_code == 0, result.output or repr(result.exception)
    return json.loads(result.stdout)


async def test_a_ticket_is_worked_from_the_command_line(at_work: RunningDesk) -> None:
    at_work.rules.actions = [RuleAction("assign-new", "assign", {})]
    new = ("create", "No sound", "--id", "T-1", "--priority", "high", "--tier", "gold")
    created = await answer("ticket", *new)
    assert (created["status"], created["owner"]) == ("open", "kim")
    why = await answer("rules", "explain", "--ticket", "T-1")
    assert (why["decision_seq"], why["trigger"], why["pack"]) == (1, "created", "scripted")
    assert why["facts"]["tier"] == "gold"
    assert [(a["kind"], a["outcome"]) for a in why["actions"]] == [("assign", "done")]
    at_work.rules.actions = []
    for words in (
        ("ack", "T-1", "--as", "kim"),
        ("note", "T-1", "Asked the vendor"),
        ("reply", "T-1", "Try the other cable"),
        ("priority", "T-1", "urgent"),
        ("tag", "T-1", "--add", "vip", "--add", "loud", "--reason", "knows the boss"),
        ("tag", "T-1", "--add", "calm", "--remove", "loud"),
        ("assign", "T-1", "lou", "--lock"),
        ("wait", "T-1", "--on", "vendor", "--until", "2099-12-01T09:00+01:00"),
        ("resume", "T-1"),
        ("resolve", "T-1"),
        ("reopen", "T-1"),
        ("resolve", "T-1"),
        ("close", "T-1"),
    ):
        result = await answer("ticket", *words)
    assert result["status"] == "closed"
    shown = await answer("ticket", "show", "T-1")
    assert (shown["ticket"]["owner"], shown["tags"]) == ("lou", ["vip", "calm"])
    seen = (await flowhub("ticket", "show", "T-1")).stdout
    for told in ("Tags: vip, calm", "Try the other cable", "priority urgent", "to lou, locked"):
        assert told in seen
    listed = await answer("ticket", "list", "--status", "closed")
    assert [t["ticket_id"] for t in listed] == ["T-1"]
    assert "T-1" in (await flowhub("ticket", "list", "--status", "closed")).stdout


@pytest.mark.usefixtures("at_work")
async def test_roster_lanes_and_automation_are_at_hand() -> None:
    await answer("roster", "add", "eva", "--team", "audio", "--skill", "hifi", "--online")
    await answer("roster", "presence", "eva", "away")
    agents = {a["agent_id"]: a["presence"] for a in await answer("roster", "list")}
    assert agents == {"eva": "away", "kim": "online", "lou": "online"}
    lanes = await answer("lanes")
    assert (lanes["score"], len(lanes["lanes"])) == (100, 7)
    stopped = await answer("automation", "stop", "--reason", "rules misbehave")
    assert stopped["running"] is False
    assert (await answer("automation", "start"))["running"] is True
    for words in (("roster", "list"), ("lanes",), ("automation", "status")):
        assert (await flowhub(*words)).exit_code == 0


async def test_what_waits_for_a_person_is_listed(at_work: RunningDesk) -> None:
    assert await answer("parked") == {"triggers": [], "effects": []}
    await answer("ticket", "create", "No sound", "--id", "T-1")
    key = "ticket/x/T-1/1/0"
    async with at_work.pool.connection() as conn:
        await parkings.park(
            conn, tenant=at_work.tenant, ticket_id="T-1", trigger_id="e", error="bad pack"
        )
        row = effects.EffectRow(key, at_work.tenant, "T-1", "notify", {}, datetime.now(UTC))
        await effects.intend(conn, row)
        await effects.settle(conn, action_key=key, state="parked", error="SMTP550")
    found = await answer("parked")
    assert [t["error"] for t in found["triggers"]] == ["bad pack"]
    assert [e["last_error"] for e in found["effects"]] == ["SMTP550"]
    shown = (await flowhub("parked")).stdout
    assert "bad pack" in shown
    assert "SMTP550" in shown
    doctor = await flowhub("doctor", "--json")
    assert doctor.exit_code == 1
    assert "parked" in doctor.stdout


async def leave_behind(desk: RunningDesk, ticket_id: str, *, error: str) -> str:
    """Leave a delivery of a closed ticket parked, and return its key."""
    await answer("ticket", "create", "No sound", "--id", ticket_id)
    await answer("ticket", "resolve", ticket_id)
    await answer("ticket", "close", ticket_id)
    key = f"ticket/{desk.tenant}/{ticket_id}/1/0"
    row = effects.EffectRow(key, desk.tenant, ticket_id, "notify", {}, datetime.now(UTC))
    async with desk.pool.connection() as conn:
        await effects.intend(conn, row)
        await effects.settle(conn, action_key=key, state="parked", error=error)
    return key


async def test_what_will_not_be_sent_is_dismissed_by_name_and_with_a_reason(
    at_work: RunningDesk,
) -> None:
    key = await leave_behind(at_work, "T-1", error="SMTP550")
    words = ("ticket", "dismiss", "T-1", "--reason", "the team is gone", "--as", "kim")
    assert (await answer(*words))["dismissed"] == [key]
    assert await answer("parked") == {"triggers": [], "effects": []}
    assert "0 deliveries" in (await flowhub("doctor", "--json")).stdout
    shown = (await answer("ticket", "show", "T-1"))["timeline"]
    entry = next(e for e in shown if e["kind"] == "effect")
    assert (entry["state"], entry["dismissed_by"]) == ("dismissed", "kim")
    assert entry["dismissed_reason"] == "the team is gone"
    assert "kim" in (await flowhub("ticket", "show", "T-1")).stdout
    assert (await answer(*words))["dismissed"] == []
    for wrong in (("T-404", "--reason", "gone"), ("T-1", "--reason", " ")):
        assert isinstance((await flowhub("ticket", "dismiss", *wrong)).exception, InputError)


async def test_a_start_of_automation_sends_what_it_held_back_on_closed_tickets(
    at_work: RunningDesk,
) -> None:
    key = await leave_behind(at_work, "T-1", error="AutomationStopped")
    await answer("automation", "start")

    async def sent() -> bool:
        return at_work.outside.done == [key]

    assert await eventually(sent)


async def test_doctor_names_a_parked_delivery(at_work: RunningDesk) -> None:
    key = f"ticket/{at_work.tenant}/T-1/1/0"
    async with at_work.pool.connection() as conn:
        row = effects.EffectRow(key, at_work.tenant, "T-1", "notify", {}, datetime.now(UTC))
        await effects.intend(conn, row)
        await effects.settle(conn, action_key=key, state="parked", error="SMTP550")
    doctor = await flowhub("doctor", "--json")
    assert doctor.exit_code == 1
    assert "nothing parked" not in doctor.stdout
    assert "parked deliveries: 1," in doctor.stdout


async def test_doctor_names_what_no_relay_delivers(at_work: RunningDesk) -> None:
    async def found() -> dict[str, object]:
        checks = json.loads((await flowhub("doctor", "--json")).stdout)["checks"]
        return next(check for check in checks if check["name"] == "outbox")

    async with at_work.pool.connection() as conn:
        await conn.execute("delete from outbox")
        await outbox.add(conn, tenant=TENANT, kind=outbox.HAND_OUT, about={})
    assert (await found())["ok"]
    async with at_work.pool.connection() as conn:
        await conn.execute(
            "update outbox set created_at = now() - interval '5 minutes',"
            " due_at = now() - interval '5 minutes', last_error = 'RPCError: UNAVAILABLE'"
        )
    check = await found()
    assert not check["ok"]
    assert "more than a minute: 1, " in str(check["found"])
    assert "UNAVAILABLE" in str(check["found"])


async def test_doctor_names_a_parked_pack_and_faults_of_engines(at_work: RunningDesk) -> None:
    pack = tagging("bad")
    await published(at_work.pool, pack)
    async with transaction(at_work.pool) as conn:
        await publishing.park(conn, tenant=TENANT, number=1, error="it crashed")
    async with at_work.pool.connection() as conn:
        await engine_faults.add(
            conn, tenant=TENANT, version="v", name="bad", kind="disagreement", reason="on mark"
        )
    doctor = await flowhub("doctor", "--json")
    assert doctor.exit_code == 1
    found = {check["name"]: check for check in json.loads(doctor.stdout)["checks"]}
    assert not found["published packs"]["ok"]
    said = f"publication 1 of acme, bad {pack.version}: it crashed"
    assert said in found["published packs"]["found"]
    assert not found["rules engines"]["ok"]
    assert "bad v: 1 x disagreement" in found["rules engines"]["found"]


@pytest.mark.usefixtures("at_work")
async def test_doctor_finds_everything_in_order() -> None:
    found = await answer("doctor")
    assert found["ok"], found


async def test_doctor_fails_with_code_1_where_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOWHUB_DATA_DIR", str(tmp_path))
    result = await flowhub("doctor")
    assert result.exit_code == 1
    assert "make run" in result.stdout


@pytest.mark.usefixtures("at_work")
async def test_a_file_of_events_is_imported_once(tmp_path: Path) -> None:
    lines = [
        {"ticket_id": "I-1", "event_id": "e-1", "kind": "created", "subject": "From afar"},
        {"ticket_id": "I-1", "event_id": "e-2", "kind": "note", "text": "seen"},
        {"ticket_id": "I-1", "event_id": "e-3", "kind": "resume"},
        {"ticket_id": "I-1", "event_id": "e-4", "kind": "melt"},
        {"ticket_id": "I-1", "event_id": "e-5", "kind": "ack", "at": "0001-01-01T00:00:00+14:00"},
        {"ticket_id": "I-1", "event_id": "e-2", "kind": "note", "text": "seen"},
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([*(json.dumps(line) for line in lines), "{broken", "[" * 100_000]))
    for _ in range(2):
        result = await flowhub("import", str(file), "--json")
        assert result.exit_code == 2
        done = json.loads(result.stdout)
        assert (done["lines"], done["repeated"]) == (8, 1)
        assert (done["accepted"], done["refused"], done["undecided"]) == (2, 1, 0)
        assert [number for number, _ in done["unusable"]] == [4, 5, 7, 8]


@pytest.mark.usefixtures("at_work")
async def test_an_imported_line_with_other_content_under_a_used_id_is_refused(
    tmp_path: Path,
) -> None:
    opening = {"ticket_id": "I-2", "event_id": "e-1", "kind": "created", "subject": "From afar"}
    note = {"ticket_id": "I-2", "event_id": "e-2", "kind": "note", "text": "seen"}
    tag = {"ticket_id": "I-2", "event_id": "e-3", "kind": "tag", "tags_added": ["a"]}
    file = tmp_path / "events.jsonl"

    async def imported(*lines: Mapping[str, object]) -> dict[str, Any]:
        file.write_text("\n".join(json.dumps(line) for line in lines))
        done: dict[str, Any] = json.loads((await flowhub("import", str(file), "--json")).stdout)
        return done

    assert (await imported(opening, note, tag))["accepted"] == 3
    again = await imported(
        {**opening, "priority": "urgent"}, {**note, "text": "other"}, {**tag, "tags_added": ["b"]}
    )
    assert (again["accepted"], again["refused"], again["repeated"]) == (0, 3, 0)
    assert {event_id for _, event_id, _ in again["refusals"]} == {"e-1", "e-2", "e-3"}
    within = {"ticket_id": "I-2", "event_id": "e-4", "kind": "note"}
    done = await imported({**within, "text": "one"}, {**within, "text": "another"})
    assert (done["accepted"], done["refused"]) == (1, 1)


@pytest.mark.usefixtures("at_work")
async def test_an_import_says_where_it_lists_only_the_first_of_many(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("{broken\n" * 70)
    told = await flowhub("import", str(file))
    assert (told.exit_code, "70 unusable" in told.stdout) == (2, True)
    assert "the first 50 of 70" in told.stdout
    assert json.loads((await flowhub("import", str(file), "--json")).stdout)["unusable_total"] == 70


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("ticket", "resume", "T-404"), FlowHubError),
        (("ticket", "note", "no such id!", "text"), InputError),
        (("roster", "presence", "nobody", "away"), InputError),
        (("ticket", "show", "T-404"), InputError),
    ],
)
@pytest.mark.usefixtures("at_work")
async def test_errors_are_the_hubs_own(words: tuple[str, ...], kind: type[FlowHubError]) -> None:
    result = await flowhub(*words)
    assert isinstance(result.exception, kind)


async def test_without_a_hub_the_command_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOWHUB_DATA_DIR", str(tmp_path))
    result = await flowhub("ticket", "list")
    assert isinstance(result.exception, RuntimeUnavailableError)
    assert "make run" in str(result.exception)


def commands() -> list[list[str]]:
    group: Any = typer.main.get_command(app)
    found: list[list[str]] = []
    for name, command in group.commands.items():
        found += [[name, sub] for sub in getattr(command, "commands", {})] or [[name]]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
async def test_every_command_has_help_with_an_example(words: list[str]) -> None:
    result = await flowhub(*words, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout


@pytest.mark.usefixtures("at_work")
async def test_an_unusable_line_is_told_what_belongs(tmp_path: Path) -> None:
    lines = [
        "[]",
        '{"ticket_id": "I-1", "event_id": "e-1", "kind": "reply_failed"}',
        '{"ticket_id": "I-1", "event_id": "e-1", "kind": "assign"}',
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines))
    done = json.loads((await flowhub("import", str(file), "--json")).stdout)
    why = [problem for _, problem in done["unusable"]]
    assert why[0] == "must be a JSON object"
    assert why[1].startswith("field 'kind': must be one of ack, assign, close, created, ")
    assert "reply_failed" not in why[1]
    assert why[2].startswith("assign needs its assignee")
