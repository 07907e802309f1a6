"""Whom a step reaches: who is on duty by rota, and which lead or manager is at work."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from store import candidates, duty, presences, profiles, rotas, shifts
from store.pool import Connection
from store.profiles import Profile
from support.errors import InputError
from support.model import Presence
from support.needs import FindCandidates, FindPeople
from support.rota import Rota, Swap
from support.routing import Role
from support.shifts import Leave, recurring
from tests.store.seeding import START, add_agent

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HANDOVER = START.replace(tzinfo=None)


async def put(
    conn: Connection, rota_id: str, *members: str, team: str = "", tenant: str = "global"
) -> None:
    rota = Rota("UTC", members, HANDOVER, team=team)
    await rotas.put(conn, tenant=tenant, rota_id=rota_id, rota=rota)


async def on_duty(conn: Connection, at: datetime, team: str = "") -> tuple[str, ...] | None:
    return await duty.on_duty(conn, tenant="global", team=team, at=at)


async def people(
    conn: Connection, role: Role, at: datetime = START, team: str = ""
) -> tuple[str, ...]:
    return await candidates.people(conn, tenant="global", need=FindPeople(role, team, at))


async def on_call(conn: Connection, at: datetime, team: str = "") -> list[str]:
    need = FindCandidates(Role.ON_CALL, team, (), at)
    return [one.agent_id for one in await candidates.find(conn, tenant="global", need=need)]


async def hire(conn: Connection, names: Sequence[str], **more: str) -> None:
    for name in names:
        await add_agent(conn, name, **more)


async def off(conn: Connection, name: str, since: datetime, until: datetime | None = None) -> None:
    leave = Leave(since, until)
    await shifts.add_leave(conn, tenant="global", agent_id=name, leave=leave, now=START)


async def test_the_rota_of_the_team_goes_before_that_of_the_tenant(conn: Connection) -> None:
    await hire(conn, ("ada", "bo", "cleo"))
    assert await on_duty(conn, START, "audio") is None
    await put(conn, "all", "ada")
    await put(conn, "nights", "bo", "cleo", team="audio")
    await put(conn, "mail", "cleo", team="mail")
    assert await on_duty(conn, START) == ("ada",)
    assert await on_duty(conn, START, "video") == ("ada",)
    assert await on_duty(conn, START, "audio") == ("bo",)
    assert await on_duty(conn, START + 7 * DAY, "audio") == ("cleo",)
    await put(conn, "days", "ada", team="audio")
    assert await on_duty(conn, START, "audio") == ("ada", "bo")


async def test_the_next_in_order_stands_in_then_the_tenants_rota_then_nobody(
    conn: Connection,
) -> None:
    await hire(conn, ("ada", "bo", "cleo"))
    await put(conn, "all", "ada")
    await put(conn, "nights", "bo", "cleo", team="audio")
    for name, step in (("bo", 1), ("cleo", 2), ("ada", 3)):
        await off(conn, name, START + step * HOUR)
    reached = [await on_duty(conn, START + step * HOUR, "audio") for step in range(4)]
    assert reached == [("bo",), ("cleo",), ("ada",), ()]


async def test_a_swap_counts_from_instant_to_instant_until_it_is_taken_back(
    conn: Connection,
) -> None:
    await hire(conn, ("ada", "bo"))
    await put(conn, "all", "ada")
    swap = Swap("bo", START + HOUR, START + 2 * HOUR)
    number = await rotas.add_swap(conn, tenant="global", rota_id="all", swap=swap)
    reached = [await on_duty(conn, START + step * HOUR) for step in range(3)]
    assert reached == [("ada",), ("bo",), ("ada",)]
    kept = await rotas.one(conn, tenant="global", rota_id="all", since=START)
    assert (kept.rota.swaps, kept.swap_ids) == ((swap,), (number,))
    await rotas.remove_swap(conn, tenant="global", rota_id="all", swap_id=number)
    assert await on_duty(conn, START + HOUR) == ("ada",)
    with pytest.raises(InputError, match=f"no swap {number}"):
        await rotas.remove_swap(conn, tenant="global", rota_id="all", swap_id=number)


async def test_a_changed_rota_keeps_its_swaps_and_a_removed_one_is_gone(conn: Connection) -> None:
    await hire(conn, ("ada", "bo"))
    await put(conn, "all", "ada")
    swap = Swap("bo", START, START + HOUR)
    await rotas.add_swap(conn, tenant="global", rota_id="all", swap=swap)
    await put(conn, "all", "bo", "ada")
    kept = await rotas.one(conn, tenant="global", rota_id="all", since=START)
    assert (kept.rota.members, kept.rota.swaps) == (("bo", "ada"), (swap,))
    await rotas.remove(conn, tenant="global", rota_id="all")
    assert await on_duty(conn, START) is None
    with pytest.raises(InputError, match="no rota all"):
        await rotas.remove(conn, tenant="global", rota_id="all")


async def test_members_are_on_the_roster_of_the_same_tenant(conn: Connection) -> None:
    await add_agent(conn, "eve", tenant="other")
    await add_agent(conn, "ada")
    with pytest.raises(InputError, match="no agent eve in global"):
        await put(conn, "all", "ada", "eve")
    await put(conn, "all", "ada")
    await put(conn, "all", "eve", tenant="other")
    for swap, rota_id, named in (
        (Swap("eve", START, START + HOUR), "all", "no agent eve"),
        (Swap("ada", START, START + HOUR), "none", "no rota none"),
    ):
        with pytest.raises(InputError, match=named):
            await rotas.add_swap(conn, tenant="global", rota_id=rota_id, swap=swap)
    assert await on_duty(conn, START) == ("ada",)


async def test_on_call_is_who_is_on_duty_and_the_role_only_where_there_is_no_rota(
    conn: Connection,
) -> None:
    await hire(conn, ("ada", "bo"), team="audio")
    await add_agent(conn, "oscar", role="on_call")
    assert await people(conn, Role.ON_CALL) == ("oscar",)
    assert await on_call(conn, START) == ["oscar"]
    await put(conn, "nights", "ada", "bo", team="audio")
    assert await people(conn, Role.ON_CALL, team="audio") == ("ada",)
    assert await people(conn, Role.ON_CALL, START + 7 * DAY, "audio") == ("bo",)
    assert await on_call(conn, START, "audio") == ["ada"]
    assert await people(conn, Role.ON_CALL, team="mail") == ("oscar",)
    await off(conn, "ada", START)
    await off(conn, "bo", START)
    assert await people(conn, Role.ON_CALL, team="audio") == ()
    assert await on_call(conn, START, "audio") == []


async def test_who_is_on_duty_is_a_candidate_outside_their_shifts_but_not_offline(
    conn: Connection,
) -> None:
    await add_agent(conn, "ada")
    home = Profile(tz="Europe/Stockholm")
    await profiles.set_profile(conn, tenant="global", agent_id="ada", profile=home, now=START)
    office = {"ada": [recurring("mon-fri", "09:00-17:00")]}
    await shifts.add_shifts(conn, tenant="global", shifts=office, now=START)
    await put(conn, "all", "ada")
    assert await on_call(conn, START + 14 * HOUR) == ["ada"]
    await presences.set_presence(conn, tenant="global", agent_id="ada", presence=Presence.OFFLINE)
    assert await on_call(conn, START + 14 * HOUR) == []
    assert await people(conn, Role.ON_CALL, START + 14 * HOUR) == ("ada",)


@pytest.mark.parametrize("role", [Role.LEAD, Role.MANAGER])
async def test_of_leads_and_managers_those_at_work_are_told_else_all(
    conn: Connection, role: Role
) -> None:
    await hire(conn, ("ada", "bo"), team="audio", role=str(role))
    await add_agent(conn, "cleo", role=str(role))
    assert await people(conn, role, team="audio") == ("ada", "bo")
    assert await people(conn, role, team="mail") == ("ada", "bo", "cleo")
    await off(conn, "ada", START, START + HOUR)
    assert await people(conn, role, team="audio") == ("bo",)
    assert await people(conn, role, START + HOUR, "audio") == ("ada", "bo")
    await presences.set_presence(conn, tenant="global", agent_id="bo", presence=Presence.AWAY)
    assert await people(conn, role, team="audio") == ("ada", "bo")
    assert await people(conn, role, team="mail") == ("cleo",)
