"""Changes of the roster over HTTP: what they do, what they refuse, and what they wake up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from store.pool import Pool
from tests.hub.conftest import MONDAY_NOON, Clock
from tests.hub.test_api import error_of
from tests.store.seeding import add_agent, add_ticket

ROSTER = "/api/v1/tenants/global/roster"
CSV = {"Content-Type": "text/csv; charset=utf-8"}
HEAD = "agent,weekdays,date,hours,from,until,holidays\n"
NIGHTS = {"tz": "Europe/Stockholm", "members": ["kim", "lou"], "first_handover": "2026-03-02T08:00"}


class Desk:
    """Sends one request after another and reads what comes back."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, method: str, path: str, form: Any = None, *, status: int = 200) -> Any:
        answer = await self._http.request(method, ROSTER + path, json=form)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def refused(self, method: str, path: str, form: Any = None) -> str:
        answer = await self._http.request(method, ROSTER + path, json=form)
        assert answer.status_code == 422, answer.text
        return str(error_of(answer)["message"])

    async def sheet(self, text: str | bytes, headers: dict[str, str] = CSV) -> httpx.Response:
        return await self._http.post(f"{ROSTER}/shifts", content=text, headers=headers)

    async def hire(self, *names: str) -> None:
        for name in names:
            await self.ask("PUT", f"/{name}", {"team": "audio", "online": True})
            await self.ask("PATCH", f"/{name}/profile", {"tz": "Europe/Stockholm"})


@pytest.fixture
def desk(http: httpx.AsyncClient) -> Desk:
    return Desk(http)


async def woken(pool: Pool, kind: str = "hand_out") -> int:
    """Count the wake-ups of a kind, and forget all."""
    async with pool.connection() as conn:
        cursor = await conn.execute("delete from outbox where tenant = 'global' returning kind")
        return sum(row["kind"] == kind for row in await cursor.fetchall())


async def test_an_agent_is_added_and_changed_as_a_whole_but_for_presence(
    desk: Desk, pool: Pool
) -> None:
    form = {"name": "Kim", "team": "audio", "skills": ["hifi"], "capacity_units": 8, "online": True}
    added = (await desk.ask("PUT", "/kim", form))["agent"]
    assert (added["name"], added["team"], added["presence"]) == ("Kim", "audio", "online")
    assert await woken(pool) == 1
    changed = (await desk.ask("PUT", "/kim", {"role": "lead", "capacity_units": "2.5"}))["agent"]
    assert (changed["name"], changed["role"], changed["presence"]) == ("", "lead", "online")
    assert (changed["skills"], float(changed["capacity_units"])) == ([], 2.5)


async def test_presence_counts_at_once_and_wakes_up_what_waits(desk: Desk, pool: Pool) -> None:
    await desk.ask("PUT", "/kim", {})
    assert await woken(pool) == 0
    told = await desk.ask("PUT", "/kim/presence", {"presence": "online"})
    assert (told["agent"]["presence"], await woken(pool)) == ("online", 1)
    await desk.ask("PUT", "/kim/presence", {"presence": "away"})
    assert await woken(pool) == 0
    assert "no agent lou" in await desk.refused("PUT", "/lou/presence", {"presence": "away"})


async def test_a_profile_changes_where_it_is_told_to(desk: Desk, pool: Pool) -> None:
    await desk.hire("kim")
    await woken(pool)
    first = {"languages": ["SV"], "levels": {"hifi": 4}, "kind_capacity": {"chat": 8}}
    await desk.ask("PATCH", "/kim/profile", {**first, "limit_new": 5, "limit_minutes": 30})
    assert await woken(pool) == 1
    told = (await desk.ask("PATCH", "/kim/profile", {"country": "SE"}))["profile"]
    assert (told["tz"], told["country"], told["languages"]) == ("Europe/Stockholm", "SE", ["sv"])
    assert (told["levels"], told["kind_capacity"]) == ({"hifi": 4}, {"chat": 8.0})
    assert (told["limit_new"], told["limit_window"]) == (5, "PT30M")
    last = {"levels": {"hifi": 0}, "kind_capacity": {"chat": None}, "limit_new": 0}
    told = (await desk.ask("PATCH", "/kim/profile", last))["profile"]
    assert (told["levels"], told["kind_capacity"], told["limit_new"]) == ({}, {}, None)


async def test_shifts_are_added_once_listed_and_removed(desk: Desk) -> None:
    await desk.hire("kim")
    weekly = {"hours": "09:00-17:00", "weekdays": "mon-fri", "from": "2026-03-01"}
    assert (await desk.ask("POST", "/kim/shifts", weekly, status=201))["added"] == 1
    assert (await desk.ask("POST", "/kim/shifts", weekly, status=201))["kept"] == 1
    await desk.ask(
        "POST", "/kim/shifts", {"hours": "10:00-12:00", "date": "2026-03-07"}, status=201
    )
    listed = (await desk.ask("GET", "/kim/shifts"))["shifts"]
    assert [one["shift"]["first"] for one in listed] == ["2026-03-01", "2026-03-07"]
    number = listed[0]["shift_id"]
    assert (await desk.ask("DELETE", f"/kim/shifts/{number}"))["removed"] == number
    assert f"no shift {number}" in await desk.refused("DELETE", f"/kim/shifts/{number}")


async def test_leave_is_given_by_the_agents_clock_and_ended(desk: Desk, clock: Clock) -> None:
    await desk.hire("kim")
    given = await desk.ask("POST", "/kim/leave", {}, status=201)
    assert given["leave"] == {"starts_at": "2026-03-02T11:00:00Z", "ends_at": None}
    assert (await desk.ask("GET", "/kim"))["on_shift"] is False
    clock.at += timedelta(hours=1)
    assert (await desk.ask("DELETE", "/kim/leave"))["ended"] == [given["leave_id"]]
    assert (await desk.ask("GET", "/kim"))["on_shift"] is True
    coming = {"from": "2026-07-01T09:00", "until": "2026-08-03T09:00+02:00"}
    given = await desk.ask("POST", "/kim/leave", coming, status=201)
    assert given["leave"]["starts_at"] == "2026-07-01T07:00:00Z"
    path = f"/kim/leave/{given['leave_id']}"
    assert (await desk.ask("DELETE", path))["ended"] == [given["leave_id"]]
    assert "not on leave now" in await desk.refused("DELETE", "/kim/leave")


async def test_a_sheet_of_shifts_is_taken_once_and_all_or_none(desk: Desk) -> None:
    await desk.hire("kim", "lou")
    good = HEAD + "kim,mon-fri,,09:00-17:00,,,\nlou,,2026-03-07,10:00-12:00,,,\n"
    taken = await desk.sheet("\ufeff" + good)
    assert (taken.status_code, taken.json()["added"]) == (201, 2)
    assert (await desk.sheet(good)).json() == {"lines": 2, "agents": 2, "added": 0, "kept": 2}
    for sent, named in (
        (HEAD + "kim,sun,,09:00-17:00,,,\nnobody,sun,,09:00-17:00,,,\n", "no agent nobody"),
        (HEAD + "kim,mon,,9-17,,,\n", "the body, line 2: '9-17'"),
        ("agent,day,hours\n", "the body, line 1: column 'day'"),
        (b"agent,hours\n\xff", "no CSV in UTF-8"),
        ("", "`agent` is missing"),
    ):
        answer = await desk.sheet(sent)
        assert answer.status_code == 422
        assert named in error_of(answer)["message"]
    answer = await desk.sheet(good, {"Content-Type": "application/json"})
    assert "text/csv" in error_of(answer)["message"]
    assert len((await desk.ask("GET", "/kim/shifts"))["shifts"]) == 1


async def test_every_change_of_time_wakes_up_what_waits(
    desk: Desk, pool: Pool, clock: Clock
) -> None:
    clock.at = datetime.now(UTC)
    await desk.hire("kim")
    await woken(pool)
    daily = {"hours": "00:00-24:00", "weekdays": "mon-sun"}
    await desk.ask("POST", "/kim/shifts", daily, status=201)
    assert await woken(pool) == 1
    assert (await desk.sheet(HEAD + "kim,sat,,09:00-17:00,,,\n")).status_code == 201
    assert await woken(pool) == 1
    (number, _) = [one["shift_id"] for one in (await desk.ask("GET", "/kim/shifts"))["shifts"]]
    await desk.ask("DELETE", f"/kim/shifts/{number}")
    assert await woken(pool, "agent_due") == 1
    await desk.ask("POST", "/kim/leave", {}, status=201)
    assert await woken(pool) == 0
    clock.at += timedelta(seconds=1)
    await desk.ask("DELETE", "/kim/leave")
    assert await woken(pool, "agent_due") == 1


async def test_a_rota_is_put_shown_swapped_and_removed(desk: Desk) -> None:
    await desk.hire("kim", "lou")
    put = await desk.ask("PUT", "/rotas/nights", {**NIGHTS, "team": "audio"})
    assert (put["on_duty"], put["days"], put["first_handover"]) == ("kim", 7, "2026-03-02T08:00:00")
    shown = await desk.ask("GET", "/rotas/nights?turns=5")
    assert [turn["agent_id"] for turn in shown["turns"]] == ["kim", "lou", "kim", "lou", "kim"]
    assert [turn["starts_at"] for turn in shown["turns"][3:]] == [
        "2026-03-23T07:00:00Z",
        "2026-03-30T06:00:00Z",
    ]
    swap = {"agent_id": "lou", "until": "2026-03-03T08:00"}
    made = await desk.ask("POST", "/rotas/nights/swaps", swap, status=201)
    assert made["swap"]["ends_at"] == "2026-03-03T07:00:00Z"
    (listed,) = (await desk.ask("GET", "/rotas"))["rotas"]
    assert (listed["on_duty"], listed["swaps"][0]["swap_id"]) == ("lou", made["swap_id"])
    path = f"/rotas/nights/swaps/{made['swap_id']}"
    assert (await desk.ask("DELETE", path))["removed"] == made["swap_id"]
    assert (await desk.ask("GET", "/rotas/nights"))["on_duty"] == "kim"
    assert "no swap" in await desk.refused("DELETE", path)
    assert (await desk.ask("DELETE", "/rotas/nights"))["removed"] == "nights"
    for method, of, form in (
        ("GET", "/rotas/nights", None),
        ("DELETE", "/rotas/nights", None),
        ("POST", "/rotas/nights/swaps", swap),
    ):
        assert "no rota nights" in await desk.refused(method, of, form)


async def test_teams_say_who_is_there_what_waits_and_who_is_on_call(desk: Desk, pool: Pool) -> None:
    await desk.hire("kim", "lou")
    async with pool.connection() as conn:
        await add_agent(conn, "oscar", role="on_call", team="video")
        await add_agent(conn, "eve", tenant="other", team="other")
        for number, team in enumerate(("audio", "audio", "mail")):
            await add_ticket(conn, f"T-{number}", team=team, waits_since=MONDAY_NOON)
    await desk.ask("PUT", "/rotas/nights", {**NIGHTS, "team": "audio"})
    await desk.ask("PUT", "/lou/presence", {"presence": "offline"})
    await desk.ask("POST", "/kim/leave", {}, status=201)
    found = {one["standing"]["team"]: one for one in (await desk.ask("GET", "/teams"))["teams"]}
    assert set(found) == {"audio", "mail"}
    audio = found["audio"]["standing"]
    assert [audio[name] for name in ("agents", "online", "on_shift", "waiting")] == [2, 1, 1, 2]
    assert float(audio["capacity_units"]) == 24
    assert (found["audio"]["on_call"], found["mail"]["on_call"]) == (["lou"], ["oscar"])
    assert found["mail"]["standing"]["waiting"] == 1


async def test_coverage_counts_who_is_on_shift_in_each_open_hour(desk: Desk) -> None:
    await desk.hire("kim", "lou")
    await desk.ask(
        "POST", "/kim/shifts", {"hours": "08:00-12:00", "weekdays": "mon-sun"}, status=201
    )
    covered = await desk.ask("GET", "/coverage?days=1&team=audio")
    assert covered["tz"] == "Europe/Stockholm"
    assert [hour["agents"] for hour in covered["hours"]] == [2] * 4 + [1] * 5
    assert {h["agents"] for h in (await desk.ask("GET", "/coverage?team=none"))["hours"]} == {0}


REFUSED: tuple[tuple[str, str, Any, str], ...] = (
    ("PUT", "/k%20m", {}, "k m"),
    ("PUT", "/teams", {}, "cannot be called teams"),
    ("PUT", "/kim", {"phone": "1"}, "phone"),
    ("PUT", "/kim", {"role": "king"}, "role"),
    ("PUT", "/kim", {"capacity_units": -1}, "capacity_units"),
    ("PUT", "/kim", {"capacity_units": "NaN"}, "capacity_units"),
    ("PUT", "/kim", {"capacity_units": 10_000}, "capacity_units"),
    ("PUT", "/kim", {"name": "two\nlines"}, "one line"),
    ("PUT", "/kim/presence", {"presence": "asleep"}, "presence"),
    ("PUT", "/kim/presence", {}, "presence"),
    ("PATCH", "/kim/profile", {"tz": "Mars/Olympus"}, "Mars"),
    ("PATCH", "/kim/profile", {"tz": ""}, "time zone is empty"),
    ("PATCH", "/kim/profile", {"tz": "../UTC"}, "UTC"),
    ("PATCH", "/kim/profile", {"tz": "U\x00TC"}, "zone"),
    ("PATCH", "/kim/profile", {"country": "XX"}, "XX"),
    ("PATCH", "/kim/profile", {"languages": ["svenska"]}, "svenska"),
    ("PATCH", "/kim/profile", {"levels": {"hifi": 9}}, "levels"),
    ("PATCH", "/kim/profile", {"levels": {"hi fi": 1}}, "levels"),
    ("PATCH", "/kim/profile", {"kind_capacity": {"mail": 1}}, "kind_capacity"),
    ("PATCH", "/kim/profile", {"limit_new": 5}, "needs both"),
    ("PATCH", "/nobody/profile", {"tz": "UTC"}, "no agent nobody"),
    ("POST", "/kim/shifts", {"hours": "09:00-17:00"}, "needs either"),
    ("POST", "/kim/shifts", {"hours": "9-17", "weekdays": "mon"}, "9-17"),
    ("POST", "/kim/shifts", {"hours": "x" * 65, "weekdays": "mon"}, "hours"),
    ("POST", "/kim/shifts", {"hours": "09:00-17:00", "first": "2026-03-01"}, "first"),
    ("POST", "/nobody/shifts", {"hours": "09:00-17:00", "weekdays": "mon"}, "nobody"),
    ("POST", "/kim/leave", {"until": "2000-01-01T00:00"}, "before it begins"),
    ("POST", "/kim/leave", {"until": "tomorrow"}, "tomorrow"),
    ("POST", "/kim/leave", {"until": "9999-12-31T00:00"}, "outside the years"),
    ("DELETE", "/kim/leave/0", None, "leave_id"),
    ("DELETE", f"/kim/shifts/{2**63}", None, "shift_id"),
    ("PUT", "/rotas/n%20s", NIGHTS, "n s"),
    ("PUT", "/rotas/nights", {**NIGHTS, "members": []}, "members"),
    ("PUT", "/rotas/nights", {**NIGHTS, "members": ["nobody"]}, "no agent nobody"),
    ("PUT", "/rotas/nights", {**NIGHTS, "days": 0}, "days"),
    ("PUT", "/rotas/nights", {**NIGHTS, "tz": "Mars/Olympus"}, "Mars"),
    ("PUT", "/rotas/nights", {**NIGHTS, "first_handover": "soon"}, "soon"),
    ("PUT", "/rotas/nights", {**NIGHTS, "rota_id": "nights"}, "rota_id"),
    ("GET", "/rotas/nights?turns=0", None, "turns"),
    ("GET", "/coverage?days=57", None, "days"),
    ("GET", "/coverage?team=a%20b", None, "a b"),
)


async def test_what_cannot_be_is_refused_by_name_and_changes_nothing(
    desk: Desk, pool: Pool
) -> None:
    await desk.hire("kim")
    before = await desk.ask("GET", "/kim")
    await woken(pool)
    said = [await desk.refused(method, path, form) for method, path, form, _ in REFUSED]
    assert [
        text for text, (*_, named) in zip(said, REFUSED, strict=True) if named not in text
    ] == []
    assert await desk.ask("GET", "/kim") == before
    assert (await desk.ask("GET", "/rotas"))["rotas"] == []
    assert await woken(pool) == 0


async def test_a_page_of_another_site_changes_nothing(http: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://elsewhere.example"}
    answer = await http.put(f"{ROSTER}/kim", json={}, headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "OriginRefused")
    assert (await http.get(ROSTER)).json()["agents"] == []
