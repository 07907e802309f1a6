"""Where automation is halted, and where rules set off rules, as people see it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from hub.cli.main import app
from store import ledger
from store.pool import open_pool
from tests.store.seeding import add_ticket, decision_row

REASON = "rule up sets itself off without end: up -> down -> up"


def _trace(rule_id: str, reason: str, *, fired: bool) -> dict[str, Any]:
    return {"rule_id": rule_id, "fired": fired, "reason": reason}


ROUND = {
    "trigger": "priority",
    "cause": 0,
    "path": ["up"],
    "changed": {"on": "priority", "actor_kind": "rule", "priority": "high"},
    "fired": ["down"],
    "trace": [
        _trace("up", "priority is high, not low", fired=False),
        _trace("down", "priority is high", fired=True),
    ],
    "actions": [1],
}


@pytest.fixture(autouse=True)
async def _stored(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """T-1 is halted, T-2 is not; a rule has set off another on T-1."""
    monkeypatch.setenv("FLOWHUB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FLOWHUB_DATABASE_URL", database_url)
    monkeypatch.setenv("FLOWHUB_TEMPORAL_ADDRESS", "127.0.0.1:1")  # nobody asks it
    row = decision_row(
        "T-1",
        1,
        trigger="priority",
        fired=json.dumps(["up", "down"]),
        trace=json.dumps(
            [
                _trace("up", "priority is low", fired=True),
                _trace("down", "priority is low, not high", fired=False),
            ]
        ),
        rounds=json.dumps([ROUND]),
    )
    async with open_pool(database_url, max_size=1) as pool, pool.connection() as conn:
        await add_ticket(conn, "T-1", halted=REASON)
        await add_ticket(conn, "T-2")
        await add_ticket(conn, "T-1", tenant="acme", halted=REASON)
        await ledger.write_decision(conn, row)


async def flowhub(*words: str) -> Result:
    return await asyncio.to_thread(
        lambda: CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    )


async def answer(*words: str) -> Any:
    result = await flowhub(*words, "--json")
    return json.loads(result.stdout)


async def test_the_list_names_what_is_halted_and_can_keep_to_it() -> None:
    everything = await answer("ticket", "list")
    assert {t["ticket_id"]: t["halted"] for t in everything} == {"T-1": REASON, "T-2": ""}
    assert [t["ticket_id"] for t in await answer("ticket", "list", "--halted")] == ["T-1"]
    assert "halted: rule up" in " ".join((await flowhub("ticket", "list")).stdout.split())


async def test_a_ticket_says_why_it_is_halted_what_to_do_and_which_rule_set_off_which() -> None:
    shown = " ".join((await flowhub("ticket", "show", "T-1")).stdout.split())
    assert f"Automation halted: {REASON}" in shown
    assert "`flowhub ticket ack T-1`, or any other step but a note" in shown
    other = " ".join((await flowhub("ticket", "show", "T-1", "--tenant", "acme")).stdout.split())
    assert "`flowhub ticket ack T-1 --tenant acme`" in other
    assert "up set off down by priority" in shown
    assert (await answer("ticket", "show", "T-1"))["ticket"]["halted"] == REASON


async def test_an_explanation_has_every_round_with_what_had_changed() -> None:
    found = await answer("rules", "explain", "--ticket", "T-1")
    assert found["rounds"] == [ROUND]
    assert [(line["rule_id"], line["fired"]) for line in found["rules"]] == [("up", 1), ("down", 0)]
    shown = " ".join((await flowhub("rules", "explain", "--ticket", "T-1")).stdout.split())
    assert "Then on priority, which action 0 made, by up" in shown
    assert "Changed since: priority is high" in shown
    assert "priority is high, not low" in shown


async def test_doctor_counts_them_and_does_not_fail_for_them() -> None:
    checks = {check["name"]: check for check in (await answer("doctor"))["checks"]}
    assert checks["automation"]["ok"]
    assert checks["automation"]["found"].startswith("warning: halted on 2 tickets:")


async def test_the_api_lists_them(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/api/v1/tenants/global/tickets", params={"halted": True})).json()
    assert [(t["ticket_id"], t["halted"]) for t in listed["tickets"]] == [("T-1", REASON)]
    both = {"halted": "true", "lane": "unassigned"}
    assert (await http.get("/api/v1/tenants/global/tickets", params=both)).status_code == 422


async def test_the_pages_show_a_badge_the_reason_and_what_to_do(http: httpx.AsyncClient) -> None:
    board = (await http.get("/")).text
    assert board.count("automation halted") == 1
    assert "any step but a note lets automation go on" in board
    page = (await http.get("/tickets/T-1")).text
    assert "Automation halted: rule up" in page
    assert "Then on priority, set off by up" in page
    assert "priority is high, not low" in page
    assert "flowhub ticket ack T-1</code>" in page
    assert "Automation halted" not in (await http.get("/tickets/T-2")).text
    other = (await http.get("/tickets/T-1", params={"tenant": "acme"})).text
    assert "flowhub ticket ack T-1 --tenant acme</code>" in other
