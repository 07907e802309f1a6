"""Who can be asked: shifts, leave, languages, capacity of each kind, and new assignments."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from store import candidates, ledger, presences, profiles, roster, shifts
from store.pool import Connection, open_pool, transaction
from store.profiles import Profile
from support.errors import InputError
from support.model import Presence
from support.needs import FindCandidates
from support.routing import Candidate, Role, Strategy, WorkKind
from support.shifts import Leave, dated, recurring
from tests.store.seeding import START, add_agent, add_ticket

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOME = Profile(tz="Europe/Stockholm", country="SE")
OFFICE = recurring("mon-fri", "09:00-17:00")
OPENS, CLOSES = START, START + 8 * HOUR


async def found(
    conn: Connection, at: datetime, *, skills: tuple[str, ...] = (), **more: Any
) -> tuple[Candidate, ...]:
    need = FindCandidates(Role.AGENT, "", skills, at, **more)
    return await candidates.find(conn, tenant="global", need=need)


async def names(conn: Connection, at: datetime) -> list[str]:
    return [candidate.agent_id for candidate in await found(conn, at)]


async def settle(conn: Connection, agent_id: str, profile: Profile = HOME) -> None:
    await profiles.set_profile(conn, tenant="global", agent_id=agent_id, profile=profile, now=START)


async def works_in_the_office(conn: Connection, agent_id: str = "kim") -> None:
    await add_agent(conn, agent_id)
    await settle(conn, agent_id)
    await shifts.add_shifts(conn, tenant="global", shifts={agent_id: [OFFICE]}, now=START)


async def test_who_has_shifts_is_asked_only_in_them_and_who_has_none_always(
    conn: Connection,
) -> None:
    await works_in_the_office(conn)
    await add_agent(conn, "lou")
    for at, expected in (
        (OPENS - timedelta(seconds=1), ["lou"]),
        (OPENS, ["kim", "lou"]),
        (CLOSES - timedelta(seconds=1), ["kim", "lou"]),
        (CLOSES, ["lou"]),
        (OPENS + 5 * DAY, ["lou"]),
    ):
        assert sorted(await names(conn, at)) == expected
    await presences.set_presence(conn, tenant="global", agent_id="kim", presence=Presence.AWAY)
    assert await names(conn, OPENS) == ["lou"]


async def test_leave_takes_an_agent_off_with_and_without_shifts_until_it_is_ended(
    conn: Connection,
) -> None:
    await works_in_the_office(conn)
    await add_agent(conn, "lou")
    for name in ("kim", "lou"):
        leave = Leave(OPENS + HOUR)
        await shifts.add_leave(conn, tenant="global", agent_id=name, leave=leave, now=START)
    assert sorted(await names(conn, OPENS)) == ["kim", "lou"]
    assert await names(conn, OPENS + HOUR) == []
    assert await names(conn, OPENS + 3 * DAY) == []
    for name in ("kim", "lou"):
        await shifts.end_leave(conn, tenant="global", agent_id=name, now=OPENS + 2 * HOUR)
    assert await names(conn, OPENS + HOUR) == []
    assert sorted(await names(conn, OPENS + 2 * HOUR)) == ["kim", "lou"]
    with pytest.raises(InputError, match="not on leave now"):
        await shifts.end_leave(conn, tenant="global", agent_id="lou", now=OPENS + 3 * HOUR)


async def test_a_coming_leave_is_taken_back_by_its_number(conn: Connection) -> None:
    await add_agent(conn, "lou")
    leave = Leave(START + DAY, START + 2 * DAY)
    number = await shifts.add_leave(conn, tenant="global", agent_id="lou", leave=leave, now=START)
    with pytest.raises(InputError, match="not on leave now"):
        await shifts.end_leave(conn, tenant="global", agent_id="lou", now=START)
    ended = await shifts.end_leave(
        conn, tenant="global", agent_id="lou", now=START, leave_id=number
    )
    assert ended == (number,)
    assert await names(conn, START + 1.5 * DAY) == ["lou"]


async def test_another_zone_moves_the_shifts_at_once(conn: Connection) -> None:
    await works_in_the_office(conn)
    await settle(conn, "kim", replace(HOME, tz="America/New_York"))
    assert await names(conn, OPENS) == []
    assert await names(conn, OPENS + 6 * HOUR) == ["kim"]


async def test_what_is_added_twice_is_there_once_and_can_be_removed(conn: Connection) -> None:
    await works_in_the_office(conn)
    again = await shifts.add_shifts(conn, tenant="global", shifts={"kim": [OFFICE]}, now=START)
    assert again == 0
    saturday = dated("2026-03-07", "10:00-12:00")
    both = {"kim": [OFFICE, saturday]}
    assert await shifts.add_shifts(conn, tenant="global", shifts=both, now=START) == 1
    kept = await shifts.kept(conn, tenant="global", agent_id="kim")
    assert [one.shift for one in kept.shifts] == [OFFICE, saturday]
    assert await names(conn, OPENS + 5 * DAY + HOUR) == ["kim"]
    number = kept.shifts[1].shift_id
    await shifts.remove_shift(conn, tenant="global", agent_id="kim", shift_id=number, now=START)
    assert await names(conn, OPENS + 5 * DAY + HOUR) == []
    with pytest.raises(InputError, match="has no shift"):
        await shifts.remove_shift(conn, tenant="global", agent_id="kim", shift_id=number, now=START)


async def test_shifts_need_a_known_agent_and_where_they_work(conn: Connection) -> None:
    await add_agent(conn, "lou")
    for agent_id, named in (("lou", "--tz"), ("nobody", "no agent nobody")):
        with pytest.raises(InputError, match=named):
            await shifts.add_shifts(conn, tenant="global", shifts={agent_id: [OFFICE]}, now=START)
    with pytest.raises(InputError, match="Mars"):
        await settle(conn, "lou", Profile(tz="Mars/Olympus"))


async def test_spans_that_run_out_are_extended_and_the_others_left(conn: Connection) -> None:
    await works_in_the_office(conn)
    later = START + 7 * timedelta(weeks=1)
    far = later + 3 * timedelta(weeks=1)
    assert await names(conn, far) == []
    assert await shifts.extend(conn, now=START + DAY) == 0
    assert await shifts.extend(conn, now=later) == 1
    assert await shifts.extend(conn, now=later) == 0
    assert await names(conn, far + HOUR) == ["kim"]
    assert await shifts.extend(conn, now=later + DAY, every="global") == 1
    assert await shifts.extend(conn, now=later + DAY, every="global") == 0


@pytest.mark.parametrize(
    ("at", "presence", "scheduled", "expected"),
    [
        (OPENS, "online", True, (True, True)),
        (CLOSES, "online", True, (False, False)),
        (OPENS, "offline", True, (False, True)),
        (CLOSES, "online", False, (True, True)),
        (CLOSES, "away", False, (False, False)),
    ],
)
async def test_the_owner_is_available_online_and_on_shift_by_the_roster(
    conn: Connection,
    at: datetime,
    presence: str,
    *,
    scheduled: bool,
    expected: tuple[bool, bool],
) -> None:
    if scheduled:
        await works_in_the_office(conn)
    else:
        await add_agent(conn, "kim")
    await add_ticket(conn, "T-1", owner="kim")
    await presences.set_presence(conn, tenant="global", agent_id="kim", presence=Presence(presence))
    told = await ledger.read(
        conn,
        tenant="global",
        ticket_id="T-1",
        workflow_id="ticket/global/T-1",
        decision_seq=2,
        event_id="e",
        at=at,
    )
    assert (told.owner_available, told.owner_on_shift) == expected


async def test_who_is_on_leave_is_not_available(conn: Connection) -> None:
    await add_agent(conn, "kim")
    await add_ticket(conn, "T-1", owner="kim")
    leave = Leave(START, START + HOUR)
    await shifts.add_leave(conn, tenant="global", agent_id="kim", leave=leave, now=START)
    for at, expected in ((START, (False, False)), (START + HOUR, (True, True))):
        told = await ledger.read(
            conn,
            tenant="global",
            ticket_id="T-1",
            workflow_id="ticket/global/T-1",
            decision_seq=2,
            event_id="e",
            at=at,
        )
        assert (told.owner_available, told.owner_on_shift) == expected


async def test_a_candidate_says_what_ranking_asks(conn: Connection) -> None:
    await add_agent(conn, "kim", skills=("hifi", "radio"))
    await settle(conn, "kim", replace(HOME, languages=("sv", "de"), levels={"hifi": 4}))
    await conn.execute(
        "insert into customers (tenant, customer_id, locale) values"
        " ('global', 'c-1', 'sv-SE'), ('global', 'c-2', 'fi')"
    )
    (kim,) = await found(conn, START, skills=("hifi",), customer_id="c-1")
    assert (kim.speaks, kim.skills, kim.level(("hifi", "radio", "tv"))) == (
        True,
        ("hifi", "radio"),
        5,
    )
    for customer in ("c-2", "c-none", ""):
        (kim,) = await found(conn, START, customer_id=customer)
        assert not kim.speaks


async def take(
    conn: Connection, at: datetime, *, units: int = 1, kind: WorkKind, forced: bool = False
) -> bool:
    return await roster.claim(
        conn, tenant="global", agent_id="kim", units=Decimal(units), at=at, forced=forced, kind=kind
    )


def units(*numbers: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(number) for number in numbers)


async def test_each_kind_of_work_has_its_own_capacity_within_the_total(conn: Connection) -> None:
    await add_agent(conn, "kim")
    await settle(conn, "kim", Profile(kind_capacity={"chat": 8}))
    chat, ticket = WorkKind.CHAT, WorkKind.TICKET
    assert [await take(conn, START, units=4, kind=chat) for _ in range(3)] == [True, True, False]
    (kim,) = await found(conn, START, kind=chat)
    assert (kim.load_units, kim.kind_load, kim.kind_capacity) == units(8, 8, 8)
    assert [await take(conn, START, units=2, kind=ticket) for _ in range(3)] == [True, True, False]
    (kim,) = await found(conn, START)
    assert (kim.load_units, kim.kind_load, kim.kind_capacity) == (*units(12, 4), None)
    (back,) = units(-4)
    await roster.adjust_load(conn, tenant="global", agent_id="kim", units=back, kind=chat)
    assert await take(conn, START, units=4, kind=chat)


async def test_new_assignments_are_limited_in_any_stretch_of_the_window(conn: Connection) -> None:
    await add_agent(conn, "kim")
    limits = Profile(limit_new=2, limit_window=timedelta(minutes=30))
    await settle(conn, "kim", limits)
    kind = WorkKind.TICKET

    async def after(minutes: int, *, forced: bool = False) -> bool:
        return await take(conn, START + timedelta(minutes=minutes), kind=kind, forced=forced)

    assert [await after(0), await after(20), await after(29)] == [True, True, False]
    (kim,) = await found(conn, START + timedelta(minutes=29))
    assert kim.limited
    (kim,) = await found(conn, START + timedelta(minutes=30))
    assert not kim.limited
    assert [await after(30), await after(49), await after(50)] == [True, False, True]
    assert await after(51, forced=True)
    assert [await after(79), await after(80)] == [False, True]


async def test_a_limit_is_kept_however_many_ask_at_once(database_url: str) -> None:
    async with open_pool(database_url, max_size=8) as pool:
        async with transaction(pool) as conn:
            await add_agent(conn, "kim")
            limits = Profile(limit_new=3, limit_window=HOUR, kind_capacity={"ticket": 5})
            await settle(conn, "kim", limits)

        async def one() -> bool:
            async with transaction(pool) as conn:
                return await take(conn, START, kind=WorkKind.TICKET)

        assert sum(await asyncio.gather(*(one() for _ in range(12)))) == 3
        async with pool.connection() as conn:
            (kim,) = await found(conn, START)
        assert kim.limited
        assert kim.load_units == 3


async def test_coverage_asks_who_is_on_shift_when(conn: Connection) -> None:
    await works_in_the_office(conn)
    await add_agent(conn, "lea", role="lead")
    await add_agent(conn, "lou", team="audio")
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    week = await shifts.on_shift(conn, tenant="global", start=midnight, end=midnight + 7 * DAY)
    assert week["lou"] == ((midnight, midnight + 7 * DAY),)
    assert (len(week["kim"]), week["kim"][0]) == (5, (OPENS, CLOSES))
    assert set(week) == {"kim", "lou"}
    audio = await shifts.on_shift(
        conn, tenant="global", start=midnight, end=midnight + DAY, team="audio"
    )
    assert set(audio) == {"lou"}


async def test_of_more_than_fifty_the_best_by_strategy_are_found(conn: Connection) -> None:
    for number in range(51):
        await add_agent(conn, f"a{number:02}", skills=("hifi",))
    await settle(conn, "a50", Profile(levels={"hifi": 5}))
    await conn.execute(
        "update agents set load_units = 3, idle_since = %s where agent_id = 'a50'",
        (START - DAY,),
    )
    for strategy, expected in (
        (Strategy.LEAST_LOADED, False),
        (Strategy.SKILL_MATCH, True),
        (Strategy.ROUND_ROBIN, True),
    ):
        some = await found(conn, START, skills=("hifi",), strategy=strategy)
        assert len(some) == 50
        assert ("a50" in [one.agent_id for one in some]) == expected


async def test_of_more_than_fifty_those_with_room_for_all_of_the_units_are_found_first(
    conn: Connection,
) -> None:
    for number in range(50):
        await add_agent(conn, f"a{number:02}", capacity_units=Decimal(4))
    await add_agent(conn, "zoe", capacity_units=Decimal(20))
    await conn.execute(
        "update agents set idle_since = %s,"
        "       load_units = case agent_id when 'zoe' then 5 else 1 end",
        (START,),
    )

    async def for_a_chat(at: datetime = START) -> str:
        return (await found(conn, at, kind=WorkKind.CHAT, units=Decimal(4)))[0].agent_id

    assert await for_a_chat() == "zoe"
    assert "zoe" in [one.agent_id for one in await found(conn, START)]
    await conn.execute(
        "update agents set capacity_units = 40, kind_capacity = '{\"chat\": 3}'"
        " where agent_id <> 'zoe'"
    )
    assert await for_a_chat() == "zoe"
    await conn.execute(
        "update agents set kind_capacity = '{}', limit_new = 1, limit_window = interval '1 hour',"
        "       recent_claims = array[%s::timestamptz] where agent_id <> 'zoe'",
        (START,),
    )
    assert await for_a_chat() == "zoe"
    assert await for_a_chat(START + HOUR) != "zoe"
