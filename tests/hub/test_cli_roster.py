"""The roster from the command line: shifts, leave, a planner's file, and who covers which hour."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from hub.cli.main import app

HEAD = "agent,weekdays,date,hours,from,until,holidays\n"


@pytest.fixture(autouse=True)
def at_hand(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url,
        "TENANT": "acme",
    }.items():
        monkeypatch.setenv(f"FLOWHUB_{name}", value)


def roster(*words: str) -> Result:
    return CliRunner().invoke(app, ["roster", *words])


def answer(*words: str) -> Any:
    result = roster(*words, "--json")
    assert result.exit_code == 0, result.output or repr(result.exception)
    return json.loads(result.stdout)


def refused(*words: str) -> str:
    result = roster(*words)
    assert result.exception is not None
    assert result.exit_code != 0
    return str(result.exception) + result.output


def hire(*names: str) -> None:
    for name in names:
        answer("add", name, "--team", "audio", "--skill", "hifi", "--online")
        answer("set", name, "--tz", "Europe/Stockholm", "--country", "SE")


def test_shifts_are_added_listed_and_removed() -> None:
    hire("kim")
    assert answer("shift", "add", "kim", "22:00-06:00", "--on", "mon-fri")["added"] == 1
    assert answer("shift", "add", "kim", "22:00-06:00", "--on", "mon-fri")["added"] == 0
    answer("shift", "add", "kim", "08:00-12:00", "--date", "2026-12-24")
    listed = answer("shift", "list", "kim")
    assert [one["shift"] for one in listed] == [
        "mon,tue,wed,thu,fri 22:00-06:00",
        "2026-12-24 08:00-12:00 also on holidays",
    ]
    assert "22:00-06:00" in roster("shift", "list", "kim").stdout
    number = str(listed[0]["shift_id"])
    assert answer("shift", "remove", "kim", number)["removed"] == int(number)
    assert len(answer("shift", "list", "kim")) == 1
    for words, named in (
        (("shift", "remove", "kim", number), "no shift"),
        (("shift", "add", "kim", "9-17", "--on", "mon"), "9-17"),
        (("shift", "add", "kim", "09:00-17:00"), "--on"),
        (("shift", "add", "kim", "09:00-17:00", "--date", "2026-12-24", "--holidays"), "--on"),
        (("shift", "list", "nobody"), "nobody"),
    ):
        assert named in refused(*words)


def test_leave_is_given_shown_and_ended() -> None:
    hire("kim")
    assert answer("show", "kim")["on_shift"] is True
    answer("leave", "add", "kim")
    assert (answer("show", "kim")["on_shift"], answer("show", "kim")["next_shift"]) == (False, None)
    (leave,) = answer("leave", "list", "kim")
    assert leave["leave"]["ends_at"] is None
    assert answer("leave", "end", "kim")["ended"] == [leave["leave_id"]]
    assert answer("show", "kim")["on_shift"] is True
    words = ("--from", "2099-07-01T09:00", "--until", "2099-07-01T08:00")
    assert "before it begins" in refused("leave", "add", "kim", *words)


def test_what_is_set_stays_until_it_is_changed() -> None:
    hire("kim")
    answer("set", "kim", "--language", "sv", "--level", "hifi=4", "--capacity", "chat=8")
    told = answer("set", "kim", "--limit-new", "5", "--limit-minutes", "30", "--language", "de")
    assert (told["tz"], told["languages"], told["levels"], told["kind_capacity"]) == (
        "Europe/Stockholm",
        ["de"],
        {"hifi": 4},
        {"chat": 8.0},
    )
    shown = roster("show", "kim").stdout
    for said in ("hifi 4", "chat 8", "5 new in 30 minutes", "always on shift", "0.0 of 12.0"):
        assert said in shown
    told = answer("set", "kim", "--limit-new", "0", "--level", "hifi=0", "--capacity", "chat=")
    assert (told["limit_new"], told["levels"], told["kind_capacity"]) == (None, {}, {})
    for words, named in (
        (("--limit-new", "5"), "--limit-minutes"),
        (("--level", "hifi=9"), "hifi=9"),
        (("--capacity", "mail=9"), "mail=9"),
        (("--capacity", "chat=many"), "many"),
        (("--language", "svenska"), "svenska"),
        (("--tz", "Mars/Olympus"), "Mars"),
        (("--country", "XX"), "XX"),
    ):
        assert named in refused("set", "kim", *words)


def test_a_file_of_shifts_is_taken_once_and_all_or_none(tmp_path: Path) -> None:
    hire("kim", "lou")
    file = tmp_path / "march.csv"
    file.write_text(
        HEAD + "kim,mon-fri,,09:00-17:00,2026-03-01,,\nlou,,2026-03-07,10:00-12:00,,,\n"
        "lou,sat-sun,,22:00-06:00,,2026-04-01,yes\n"
    )
    assert answer("import-shifts", str(file)) == {
        "lines": 3,
        "agents": 2,
        "added": 3,
        "kept": 0,
    }
    assert answer("import-shifts", str(file))["added"] == 0
    file.write_text(HEAD + "kim,sun,,09:00-17:00,,,\nnobody,sun,,09:00-17:00,,,\n")
    assert "nobody" in refused("import-shifts", str(file))
    assert len(answer("shift", "list", "kim")) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (HEAD + "kim,mon,,9-17,,,\n", "line 2"),
        (HEAD + "kim,mon,,09:00-17:00,,,\nkim,,,09:00-17:00,,,\n", "line 3: needs either"),
        (HEAD + "kim,,2026-03-01,09:00-17:00,,,yes\n", "line 2: `from`"),
        (HEAD + "kim,mon,,09:00-17:00,,,maybe\n", "maybe"),
        (HEAD + "kim,mon,,09:00-17:00,,,,more\n", "more fields"),
        (HEAD + "k m,mon,,09:00-17:00,,,\n", "k m"),
        (HEAD, "no shifts"),
        ("agent,day,hours\n", "line 1: column 'day'"),
        ("agent,date\n", "`hours` is missing"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str, named: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    said = refused("import-shifts", str(file))
    assert named in said
    assert "bad.csv" in said


def test_coverage_counts_who_is_on_shift_in_each_open_hour() -> None:
    hire("kim", "lou")
    answer("shift", "add", "kim", "00:00-12:00", "--on", "mon-sun", "--holidays")
    hours = answer("coverage", "--days", "14")["hours"]
    assert {hour["agents"] for hour in hours} == {1, 2}
    assert {
        hour["agents"] for hour in hours if hour["starts_at"].endswith(("T13:00:00+00:00",))
    } == {1}
    assert answer("coverage", "--days", "14", "--team", "none")["hours"][0]["agents"] == 0
    shown = roster("coverage", "--days", "14").stdout
    assert "fewer than 2 agents" in shown
    assert answer("refresh") == {"agents": 1}


def test_a_rota_is_added_shown_swapped_and_removed() -> None:
    hire("kim", "lou")
    first = ("--tz", "Europe/Stockholm", "--first", "2026-01-05T08:00")
    members = ("--member", "kim", "--member", "lou")
    added = answer("rota", "add", "nights", "--team", "audio", *members, *first)
    assert (added["members"], added["days"]) == (["kim", "lou"], 7)
    assert added["on_duty"] in ("kim", "lou")
    (listed,) = answer("rota", "list")
    assert (listed["rota_id"], listed["team"]) == ("nights", "audio")
    assert "nights" in roster("rota", "list").stdout
    other = {"kim": "lou", "lou": "kim"}[added["on_duty"]]
    swap = answer("rota", "swap", "nights", other, "--until", "2099-01-05T08:00")["swap_id"]
    shown = answer("rota", "show", "nights", "--turns", "3")
    assert (shown["on_duty"], len(shown["turns"])) == (other, 1)
    for said in ("nights", "audio", "Europe/Stockholm", "2099-01-05 08:00"):
        assert said in roster("rota", "show", "nights").stdout
    answer("rota", "remove", "nights", "--swap", str(swap))
    assert answer("rota", "show", "nights")["on_duty"] == added["on_duty"]
    for words, named in (
        (("rota", "add", "n", "--member", "eve", *first), "no agent eve"),
        (("rota", "add", "n", "--member", "kim", *first[2:], "--tz", "Mars/Olympus"), "Mars"),
        (("rota", "swap", "nights", "kim", "--until", "soon"), "soon"),
        (("rota", "swap", "nights", "kim", "--until", "2020-01-01T00:00"), "before it begins"),
        (("rota", "remove", "nights", "--swap", str(swap)), "no swap"),
        (("rota", "show", "days"), "no rota days"),
    ):
        assert named in refused(*words)
    assert answer("rota", "remove", "nights")["removed"] == "nights"
    assert answer("rota", "list") == []


def test_teams_are_shown_with_who_is_on_call() -> None:
    hire("kim", "lou")
    answer("presence", "lou", "away")
    answer("add", "oscar", "--role", "on_call")
    (audio,) = answer("teams")
    assert audio["standing"]["agents"] == audio["standing"]["on_shift"] == 2
    assert (audio["standing"]["online"], audio["on_call"]) == (1, ["oscar"])
    shown = roster("teams").stdout
    for said in ("audio", "0.0/24.0", "oscar"):
        assert said in shown


async def test_the_api_reads_the_roster(http: httpx.AsyncClient) -> None:
    await asyncio.to_thread(hire, "kim")
    answered = await http.get("/api/v1/tenants/acme/roster")
    assert [agent["agent_id"] for agent in answered.json()["agents"]] == ["kim"]
    kim = (await http.get("/api/v1/tenants/acme/roster/kim")).json()
    assert (kim["agent"]["team"], kim["profile"]["tz"]) == ("audio", "Europe/Stockholm")
    assert (kim["on_shift"], kim["shifts"]) == (True, [])
    assert (await http.get("/api/v1/tenants/acme/roster/nobody")).status_code == 422


def test_a_heartbeat_says_until_when_an_agent_is_online() -> None:
    hire("kim")
    answer("presence", "kim", "offline")
    told = answer("heartbeat", "kim", "--for", "5m")
    until = datetime.fromisoformat(told["presence_until"])
    assert told["presence"] == "online"
    assert timedelta(minutes=4) < until - datetime.now(UTC) <= timedelta(minutes=5)
    assert "online until" in roster("show", "kim").stdout
    assert "is online until" in roster("heartbeat", "kim").stdout
    answer("presence", "kim", "online")
    assert answer("show", "kim")["agent"]["presence_until"] is None
    for words, named in (
        (("kim", "--for", "5s"), "10s to 1h"),
        (("kim", "--for", "2h"), "10s to 1h"),
        (("kim", "--for", "soon"), "no duration"),
        (("nobody",), "no agent nobody"),
    ):
        assert named in refused("heartbeat", *words)


async def test_the_api_takes_heartbeats(http: httpx.AsyncClient) -> None:
    await asyncio.to_thread(hire, "kim")
    path = "/api/v1/tenants/acme/roster/kim/heartbeat"
    told = (await http.post(path, json={})).json()
    assert (told["agent_id"], told["presence"]) == ("kim", "online")
    longer = (await http.post(path, json={"for_s": 3600})).json()
    assert longer["presence_until"] > told["presence_until"]
    for wrong in ({"for_s": 9}, {"for_s": 3601}, {"for_s": "x"}, {"until": 1}):
        assert (await http.post(path, json=wrong)).status_code == 422
    unknown = await http.post("/api/v1/tenants/acme/roster/nobody/heartbeat", json={})
    assert (unknown.status_code, "nobody" in unknown.text) == (422, True)
