"""Bulk changes in the ledger: one balance at a time, each outcome once, tenants apart."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from store import bulk_changes, outbox, presences, profiles, roster, shifts, workload
from store.bulk_changes import ChangeKind, Decided, NewChange
from store.pool import Connection
from store.profiles import Profile
from support.balancing import Kept, Move, Plan
from support.errors import ChangeRunningError, InputError, UnknownChangeError
from support.model import Actor, ActorKind, Presence
from support.routing import Role, WorkKind
from support.shifts import recurring
from support.workload import Figures
from tests.store.seeding import START, add_agent, add_ticket

HOUR = timedelta(hours=1)
INES = Actor(ActorKind.AGENT, "ines")


def planned(*names: str, to: str = "lou") -> Plan:
    moves = tuple(Move(name, "kim", to, "kim is full", START) for name in names)
    kept = (Kept("T-9", "kim", "locked"),)
    return Plan(moves, kept, Figures(2, 0.5, 1.5), Figures(2, 1.0, 0.75))


async def begun(
    conn: Connection,
    change_id: str,
    *names: str,
    tenant: str = "global",
    kind: ChangeKind = ChangeKind.BALANCE,
    to: str = "lou",
) -> None:
    change = NewChange(tenant, change_id, kind, INES, "Monday")
    await bulk_changes.begin(conn, change=change, plan=planned(*names, to=to))


async def record(
    conn: Connection, ticket_id: str, decided: Decided, change_id: str = "b-1"
) -> None:
    about = {"tenant": "global", "change_id": change_id, "ticket_id": ticket_id}
    await bulk_changes.record(conn, **about, decided=decided)


async def outcomes(conn: Connection, tenant: str = "global") -> dict[str, str]:
    found = await bulk_changes.moves(conn, tenant=tenant, change_id="b-1")
    return {move.ticket_id: move.outcome for move in found.moves}


async def rows(conn: Connection) -> list[tuple[str, dict[str, Any]]]:
    taken = await outbox.take(conn, 100)
    return [(row.kind, dict(row.about)) for row in taken]


async def test_a_change_is_kept_with_its_moves_what_stays_and_a_first_wake_up(
    conn: Connection,
) -> None:
    await begun(conn, "b-1", "T-1", "T-2")
    change = await bulk_changes.change(conn, tenant="global", change_id="b-1")
    assert (change.kind, change.actor, change.reason, change.state) == (
        "balance",
        "ines",
        "Monday",
        "running",
    )
    assert (change.jain_before, change.most_loaded_before, change.jain_after) == (0.5, 1.5, None)
    assert (change.moves, change.pending) == (2, 2)
    found = await bulk_changes.moves(conn, tenant="global", change_id="b-1")
    assert [(m.ticket_id, m.before_owner, m.after_owner) for m in found.moves] == [
        ("T-1", "kim", "lou"),
        ("T-2", "kim", "lou"),
    ]
    assert found.kept == (Kept("T-9", "kim", "locked"),)
    assert await rows(conn) == [("bulk_change", {"change_id": "b-1"})]
    with pytest.raises(UnknownChangeError):
        await bulk_changes.change(conn, tenant="other", change_id="b-1")


async def test_a_tenant_is_balanced_once_at_a_time_and_others_do_not_mind(
    conn: Connection,
) -> None:
    await begun(conn, "b-1", "T-1")
    with pytest.raises(ChangeRunningError, match=r"ines has balanced global since .* show b-1"):
        await begun(conn, "b-2", "T-2")
    await begun(conn, "b-1", "T-1", tenant="other")
    await begun(conn, "b-3", "T-3", kind=ChangeKind.OFFBOARD)
    await record(conn, "T-1", Decided("moved", owner="lou", since=START))
    assert await bulk_changes.finish(conn, tenant="global", change_id="b-1", at=START)
    await begun(conn, "b-4", "T-4")
    assert await outcomes(conn, "other") == {"T-1": "pending"}


async def test_each_outcome_is_recorded_once_and_the_last_ones_ask_whether_that_was_all(
    conn: Connection,
) -> None:
    names = [f"T-{number:02}" for number in range(70)]
    await begun(conn, "b-1", *names)
    await rows(conn)
    for name in names:
        await record(conn, name, Decided("moved", "", 7, "lou", START))
        await record(conn, name, Decided("skipped", "too late"))
    await record(conn, "T-none", Decided("moved"))
    assert set((await outcomes(conn)).values()) == {"moved"}
    asked = [about for _, about in await rows(conn) if "settles" in about]
    assert asked == [{"settles": "b-1"}] * 64


async def test_a_change_ends_when_nothing_is_pending_with_the_figures_of_then(
    conn: Connection,
) -> None:
    await add_agent(conn, "kim")
    await add_agent(conn, "lou")
    await conn.execute("update agents set load_units = 6 where agent_id = 'kim'")
    await begun(conn, "b-1", "T-1", "T-2")
    await record(conn, "T-1", Decided("failed", "PackError"))
    assert not await bulk_changes.finish(conn, tenant="global", change_id="b-1", at=START)
    await record(conn, "T-2", Decided("moved", "", 7, "max", START))
    for _ in range(2):
        assert await bulk_changes.finish(conn, tenant="global", change_id="b-1", at=START)
    change = await bulk_changes.change(conn, tenant="global", change_id="b-1")
    assert (change.state, change.jain_after, change.most_loaded_after) == ("done", 0.5, 0.5)
    said = (await bulk_changes.moves(conn, tenant="global", change_id="b-1")).moves[1].said
    assert said == "was planned for lou"
    await record(conn, "T-1", Decided("moved", "", 9, "lou", START))
    assert await outcomes(conn) == {"T-1": "moved", "T-2": "moved"}


async def test_what_a_change_released_is_handed_out_when_it_ends(conn: Connection) -> None:
    await begun(conn, "b-1", "T-1", kind=ChangeKind.OFFBOARD, to="")
    await record(conn, "T-1", Decided("moved", "", 7, "", START))
    await bulk_changes.finish(conn, tenant="global", change_id="b-1", at=START)
    assert ("hand_out", {"change": "b-1"}) in await rows(conn)


async def test_a_review_is_open_until_somebody_closes_it_once(conn: Connection) -> None:
    await begun(conn, "b-1", "T-1")
    await begun(conn, "b-2", "T-1", kind=ChangeKind.UNDO)
    review = {"tenant": "global", "change_id": "b-1", "by": "ines", "note": "fine"}
    with pytest.raises(ChangeRunningError, match="review it when all is decided"):
        await bulk_changes.review(conn, **review)
    await conn.execute("update bulk_changes set state = 'done', done_at = now()")
    await bulk_changes.review(conn, **review)
    still_open = await bulk_changes.listed(conn, tenant="global", to_review=True)
    assert [one.change_id for one in still_open] == ["b-2"]
    with pytest.raises(InputError, match="reviewed by ines"):
        await bulk_changes.review(conn, tenant="global", change_id="b-1", by="kim", note="")
    with pytest.raises(UnknownChangeError):
        await bulk_changes.review(conn, tenant="other", change_id="b-2", by="kim", note="")


async def test_a_plan_reads_who_is_there_what_room_they_have_and_when_they_are_back(
    conn: Connection,
) -> None:
    await add_agent(conn, "kim", team="audio", skills=("hifi",))
    office = Profile(
        tz="Europe/Stockholm",
        kind_capacity={"chat": 8.0},
        limit_new=3,
        limit_window=HOUR,
    )
    about = {"tenant": "global", "agent_id": "kim"}
    await profiles.set_profile(conn, **about, profile=office, now=START)
    nine = recurring("mon-fri", "09:00-17:00")
    await shifts.add_shifts(conn, tenant="global", shifts={"kim": [nine]}, now=START)
    await add_agent(conn, "lou", role="lead")
    await presences.set_presence(conn, tenant="global", agent_id="lou", presence=Presence.AWAY)
    for at in (START - 2 * HOUR, START):
        units = Decimal(4)
        await roster.claim(conn, **about, units=units, at=at, forced=True, kind=WorkKind.CHAT)
    kim, lou = await workload.carriers(conn, tenant="global", at=START)
    assert (kim.team, kim.skills, kim.takes, kim.new_left) == ("audio", ("hifi",), True, 2)
    eight = Decimal(8)
    assert kim.load_units == eight
    assert kim.kind_load == kim.kind_capacity == {"chat": eight}
    assert kim.next_shift_at == START + 24 * HOUR
    assert (lou.role, lou.at_work, lou.there, lou.next_shift_at) == (Role.LEAD, False, True, None)
    (kim,) = await workload.carriers(conn, tenant="global", at=START + 9 * HOUR, team="audio")
    assert (kim.at_work, kim.there, kim.next_shift_at) == (False, False, START + 24 * HOUR)
    assert await workload.carriers(conn, tenant="other", at=START) == ()
    await conn.execute("update agents set presence_until = %s", (START,))
    (kim,) = await workload.carriers(conn, tenant="global", at=START, team="audio")
    assert (kim.at_work, kim.there) == (False, False)


async def test_a_plan_reads_active_tickets_with_their_owners_and_who_declined_them(
    conn: Connection,
) -> None:
    await add_agent(conn, "kim")
    await add_agent(conn, "lou")
    until = (START + HOUR).isoformat()
    state = (
        f'{{"ownership": {{"since": "{START.isoformat()}", "last": "max", "declined": '
        f'[{{"agent_id": "lou", "until": "{until}"}}]}}}}'
    )
    await add_ticket(conn, "T-1", owner="kim", channel="chat", skills=("hifi",), state=state)
    await add_ticket(
        conn, "T-2", owner="lou", state='{"ownership": {"since": "2026-03-01T08:00Z"}}'
    )
    await add_ticket(conn, "T-3", owner="kim", status="resolved")
    await add_ticket(conn, "T-4")
    moved = f'{{"reassign_count": 1, "ownership": {{"since": "{START.isoformat()}"}}}}'
    await add_ticket(conn, "T-5", owner="lou", state=moved)
    one, two, five = await workload.owned_tickets(conn, tenant="global", at=START)
    assert (one.ticket_id, one.owner, one.kind, one.skills) == ("T-1", "kim", "chat", ("hifi",))
    assert (one.since, one.moved_at, one.declined) == (START, START, ("lou",))
    assert (two.since, two.moved_at, two.declined) == (START - 24 * HOUR, None, ())
    assert five.moved_at == START
    (only,) = await workload.owned_tickets(conn, tenant="global", at=START + HOUR, owner="kim")
    assert only.declined == ()
    assert await workload.owned_tickets(conn, tenant="other", at=START) == ()
