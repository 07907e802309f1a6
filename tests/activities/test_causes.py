"""Which decisions wake up others: those that free capacity, and the one that begins to wait."""

from dataclasses import replace
from typing import Any

import pytest

from activities.messages import DecideInput, Parking
from store import roster
from support.model import EventKind, TicketEvent, TicketStatus, WaitingOn, workflow_id
from support.needs import RuleAction
from tests.activities.bench import NOW, Bench, created
from tests.fix_desk import KIM
from tests.publishing import TENANT

GIVING_UP: tuple[dict[str, Any], ...] = (
    {"kind": EventKind.RESOLVE},
    {"kind": EventKind.ASSIGN},
    {"kind": EventKind.ASSIGN, "assignee": "lou"},
    {
        "kind": EventKind.WAIT,
        "status": TicketStatus.WAITING_INTERNAL,
        "waiting_on": WaitingOn.VENDOR,
    },
)
WAITS_NO_MORE: tuple[dict[str, Any], ...] = (
    {"kind": EventKind.RESOLVE},
    {"kind": EventKind.ASSIGN, "assignee": "kim"},
    {"kind": EventKind.REASSIGN, "assignee": "kim"},
)
KEEPING: tuple[dict[str, Any], ...] = (
    {"kind": EventKind.NOTE},
    {"kind": EventKind.ACK},
    {"kind": EventKind.ASSIGN, "assignee": "kim"},
)


def doing(ticket_id: str, seq: int, **form: Any) -> DecideInput:
    event = TicketEvent(f"x-{seq}", occurred_at=NOW, received_at=NOW, actor=KIM, **form)
    key = workflow_id(TENANT, ticket_id)
    return DecideInput(TENANT, ticket_id, key, "run-1", seq, NOW, event=event)


async def causes(bench: Bench) -> list[dict[str, Any]]:
    async with bench.pool.connection() as conn:
        cursor = await conn.execute(
            "select about, due_at > created_at as later from outbox where tenant = %s order by id",
            (TENANT,),
        )
        return [{**row["about"], "later": row["later"]} for row in await cursor.fetchall()]


async def forget(bench: Bench) -> None:
    async with bench.pool.connection() as conn:
        await conn.execute("delete from outbox")


async def seated(bench: Bench, *, beside: bool) -> None:
    """Let kim own T-1, and T-2 wait where `beside` says so."""
    async with bench.pool.connection() as conn:
        for name in ("kim", "lou"):
            agent = roster.Agent(name, presence="online")
            await roster.add(conn, tenant=TENANT, agent=agent)
    bench.own.actions = [RuleAction("give", "assign", {})]
    await bench.decide(created("T-1"))
    bench.own.actions = []
    if beside:
        await bench.decide(created("T-2"))
    await forget(bench)


@pytest.mark.parametrize("form", GIVING_UP)
async def test_freed_capacity_is_a_cause_while_a_ticket_waits(
    bench: Bench, form: dict[str, Any]
) -> None:
    await seated(bench, beside=True)
    await bench.decide(doing("T-1", 2, **form))
    (row,) = await causes(bench)
    assert (row["agent"], row["ticket"], row["seq"], row["later"]) == ("kim", "T-1", 2, False)


@pytest.mark.parametrize("form", GIVING_UP)
async def test_freed_capacity_wakes_nobody_where_nothing_waits(
    bench: Bench, form: dict[str, Any]
) -> None:
    await seated(bench, beside=False)
    await bench.decide(doing("T-1", 2, **form))
    assert await causes(bench) == []


@pytest.mark.parametrize("form", KEEPING)
async def test_who_carries_as_much_as_before_frees_nothing(
    bench: Bench, form: dict[str, Any]
) -> None:
    await seated(bench, beside=True)
    await bench.decide(doing("T-1", 2, **form))
    assert await causes(bench) == []


async def test_a_decision_asked_again_is_one_cause(bench: Bench) -> None:
    await seated(bench, beside=True)
    ask = doing("T-1", 2, kind=EventKind.RESOLVE)
    await bench.decide(ask)
    await bench.decide(replace(ask))
    assert len(await causes(bench)) == 1


async def test_a_ticket_that_begins_to_wait_is_looked_at_again_and_only_then(bench: Bench) -> None:
    await bench.decide(created("T-1"))
    await bench.decide(doing("T-1", 2, kind=EventKind.NOTE))
    (row,) = await causes(bench)
    assert (row["began"], row["later"]) == ("T-1", True)
    await forget(bench)
    await bench.decide(doing("T-1", 3, kind=EventKind.RESOLVE))
    assert await causes(bench) == []
    await bench.decide(doing("T-1", 4, kind=EventKind.REOPEN))
    assert [row["seq"] for row in await causes(bench)] == [4]


async def full_house(bench: Bench) -> None:
    """Let T-1 and T-2 wait, and one agent have room whom neither has been offered to."""
    await bench.decide(created("T-1"))
    await bench.decide(created("T-2"))
    async with bench.pool.connection() as conn:
        await roster.add(conn, tenant=TENANT, agent=roster.Agent("kim", presence="online"))
    await forget(bench)


@pytest.mark.parametrize("form", WAITS_NO_MORE)
async def test_what_waits_no_more_leaves_the_room_that_it_was_offered_for_to_others(
    bench: Bench, form: dict[str, Any]
) -> None:
    await full_house(bench)
    await bench.decide(doing("T-1", 2, **form))
    (row,) = await causes(bench)
    assert (row["unused"], row.get("after"), row["later"]) == ("T-1", None, False)


async def test_an_offer_that_comes_to_nothing_goes_on_behind_the_ticket(bench: Bench) -> None:
    await full_house(bench)
    await bench.decide(doing("T-1", 2, kind=EventKind.OFFER))
    (row,) = await causes(bench)
    assert (row["unused"], row["after"][-1], row["later"]) == ("T-1", "T-1", False)


async def test_an_offer_that_is_taken_leaves_no_room_to_others(bench: Bench) -> None:
    await full_house(bench)
    bench.own.actions = [RuleAction("give", "assign", {})]
    await bench.decide(doing("T-1", 2, kind=EventKind.OFFER))
    assert await causes(bench) == []


async def test_an_offer_in_vain_wakes_nobody_where_nobody_has_room(bench: Bench) -> None:
    await full_house(bench)
    async with bench.pool.connection() as conn:
        await conn.execute("update agents set load_units = capacity_units")
    await bench.decide(doing("T-1", 2, kind=EventKind.OFFER))
    assert await causes(bench) == []


async def test_a_ticket_that_another_team_is_asked_for_is_looked_at_again(bench: Bench) -> None:
    await bench.decide(created("T-1"))
    await forget(bench)
    bench.own.actions = [RuleAction("give", "assign", {"team": "night"})]
    await bench.decide(doing("T-1", 2, kind=EventKind.NOTE))
    (row,) = await causes(bench)
    assert (row["began"], row["later"]) == ("T-1", True)


async def test_a_ticket_whose_rules_want_no_owner_for_it_is_passed_by_until_its_next_decision(
    bench: Bench,
) -> None:
    async def passed_by() -> bool:
        return bool((await bench.row("select passed_by from tickets"))["passed_by"])

    await bench.decide(created("T-1"))
    found = [await passed_by()]
    for seq, kind in enumerate((EventKind.OFFER, EventKind.NOTE), start=2):
        await bench.decide(doing("T-1", seq, kind=kind))
        found.append(await passed_by())
    bench.own.actions = [RuleAction("give", "assign", {})]
    await bench.decide(doing("T-1", 4, kind=EventKind.OFFER))
    assert [*found, await passed_by()] == [False, True, False, False]


async def test_a_waiting_ticket_is_handed_out_once_what_could_not_be_decided_is(
    bench: Bench,
) -> None:
    await bench.decide(created("T-1"))
    parking = Parking(TENANT, "T-1", "x-2", "no policies")
    await bench.activities.park(parking)
    await forget(bench)
    await bench.decide(doing("T-1", 2, kind=EventKind.NOTE))
    (row,) = await causes(bench)
    assert (row["began"], row["later"]) == ("T-1", True)
    await forget(bench)
    await bench.decide(doing("T-1", 3, kind=EventKind.NOTE))
    assert await causes(bench) == []
