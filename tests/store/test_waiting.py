"""What a hand-out looks at: only tickets that somebody has room for, by kind of work as well."""

from decimal import Decimal
from typing import Any

import pytest

from store import profiles, roster, rotas, waiting
from store.pool import Connection
from store.profiles import Profile
from support.rota import Rota
from support.routing import WorkKind
from tests.store.seeding import START, add_agent, add_ticket


async def waits(conn: Connection, ticket_id: str, **changes: Any) -> None:
    await add_ticket(conn, ticket_id, waits_since=START, **changes)


async def found(conn: Connection) -> list[str]:
    return [one.ticket_id for one in await waiting.tickets(conn, tenant="global")]


async def limit(conn: Connection, agent_id: str, **units: float) -> None:
    profile = Profile(kind_capacity=units)
    await profiles.set_profile(conn, tenant="global", agent_id=agent_id, profile=profile, now=START)


@pytest.mark.parametrize(("full", "left"), [("chat", "T-web"), ("ticket", "T-chat")])
async def test_a_kind_of_work_that_nobody_has_room_for_is_not_offered(
    conn: Connection, full: str, left: str
) -> None:
    await waits(conn, "T-chat", channel="chat")
    await waits(conn, "T-web")
    await add_agent(conn, "kim")
    await limit(conn, "kim", **{full: 4})
    assert await found(conn) == ["T-chat", "T-web"]
    await roster.claim(
        conn,
        tenant="global",
        agent_id="kim",
        units=Decimal(4),
        at=START,
        forced=False,
        kind=WorkKind(full),
    )
    assert await found(conn) == [left]
    (kim,) = await waiting.rooms(conn, tenant="global")
    own = {"chat": kim.chat_units, "ticket": kim.ticket_units}
    assert own == {"chat": None, "ticket": None} | {full: Decimal(0)}
    assert kim.units == 8
    await add_agent(conn, "lou")
    assert await found(conn) == ["T-chat", "T-web"]


async def test_a_team_that_was_asked_for_a_ticket_of_another_counts(conn: Connection) -> None:
    await waits(conn, "T-day", team="day")
    await waits(conn, "T-helped", team="day", skills=("tv",), sought_teams=("night",))
    await add_agent(conn, "nina", team="night")
    assert await found(conn) == []
    await add_agent(conn, "nils", team="night", skills=("tv",))
    assert await found(conn) == ["T-helped"]
    await add_agent(conn, "dan", team="day")
    assert await found(conn) == ["T-day", "T-helped"]


async def test_room_of_one_agent_and_skills_of_another_are_not_put_together(
    conn: Connection,
) -> None:
    await waits(conn, "T-chat", channel="chat", skills=("hifi",))
    await waits(conn, "T-team", team="audio", skills=("hifi",))
    await waits(conn, "T-plain", skills=())
    await add_agent(conn, "kim", capacity_units=Decimal(3), skills=("hifi", "tv"))
    await add_agent(conn, "lou", capacity_units=Decimal(12), skills=("tv",), team="audio")
    assert await found(conn) == ["T-plain"]


async def test_every_need_is_found_however_many_there_are_and_whatever_they_ask(
    conn: Connection,
) -> None:
    many = tuple(f"{number:02}-{'x' * 60}" for number in range(60))
    needs = [
        {"channel": channel, "team": team, "skills": skills}
        for channel in ("chat", "mail", "web")
        for team in ("", "audio", "video")
        for skills in ((), ("hifi",), ("hifi", "tv"), many)
    ]
    for number, need in enumerate(needs):
        await waits(conn, f"T-{number:02}", **need)
    await add_agent(conn, "kim", team="audio", skills=("hifi", "tv"))
    await add_agent(conn, "lou", team="audio", skills=many)
    expected = [f"T-{n:02}" for n, need in enumerate(needs) if need["team"] != "video"]
    assert await found(conn) == expected


async def test_ids_sort_alike_in_every_table_so_that_joins_can_use_the_indexes(
    conn: Connection,
) -> None:
    cursor = await conn.execute(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = current_schema() and column_name in ('ticket_id', 'agent_id')"
        "   and collation_name is distinct from 'C'"
    )
    assert await cursor.fetchall() == []


async def test_tickets_for_others_than_agents_are_read_with_whoever_can_be_asked(
    conn: Connection,
) -> None:
    await waits(conn, "T-plain")
    await waits(conn, "T-lead", sought_roles=("lead",))
    await waits(conn, "T-night", sought_roles=("on_call", "manager"))
    await add_ticket(conn, "T-owned", sought_roles=("lead",))
    called = await waiting.called(conn, tenant="global")
    assert [one.ticket_id for one in called] == ["T-lead", "T-night"]
    for name, role in (("ada", "agent"), ("bo", "agent"), ("lea", "lead"), ("oscar", "on_call")):
        await add_agent(conn, name, role=role)
    await conn.execute("update agents set scheduled = true where agent_id in ('ada', 'bo')")
    rota = Rota("UTC", ("ada",), START.replace(tzinfo=None))
    await rotas.put(conn, tenant="global", rota_id="nights", rota=rota)
    found = await waiting.rooms_of_all(conn, tenant="global")
    assert {one.agent_id: list(one.roles) for one in found} == {
        "ada": ["on_call"],
        "lea": ["lead"],
        "oscar": ["on_call"],
    }
    await conn.execute("update agents set scheduled = false")
    found = await waiting.rooms_of_all(conn, tenant="global")
    roles = {one.agent_id: list(one.roles) for one in found}
    assert (roles["ada"], roles["bo"]) == (["agent", "on_call"], ["agent"])
