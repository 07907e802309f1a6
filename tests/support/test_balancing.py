"""Which tickets change hands: why, to whom, how few, and never to and fro."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.balancing import NOBODY, Plan, Terms, balanced, cleared
from support.errors import InputError
from support.routing import Role, WorkKind
from support.workload import Carrier, OwnedTicket, figures
from tests.support.deciding import MONDAY

HOUR = timedelta(hours=1)
CHAT, TICKET = WorkKind.CHAT, WorkKind.TICKET


def carrier(agent_id: str, load: float = 0, capacity: float = 12, **more: Any) -> Carrier:
    made = Carrier(agent_id, load_units=Decimal(str(load)), capacity_units=Decimal(str(capacity)))
    return replace(made, **more)


def gone(agent_id: str, load: float = 1, **more: Any) -> Carrier:
    return carrier(agent_id, load, at_work=False, there=False, **more)


def owned(owner: str, *names: str, units: float = 1, **more: Any) -> list[OwnedTicket]:
    made = OwnedTicket("", owner, Decimal(str(units)))
    return [replace(made, ticket_id=name, **more) for name in names]


def chat(owner: str, name: str, **more: Any) -> list[OwnedTicket]:
    return owned(owner, name, units=4, kind=CHAT, **more)


def plan(carriers: Sequence[Carrier], tickets: Sequence[OwnedTicket], **terms: Any) -> Plan:
    return balanced(carriers, tickets, MONDAY, Terms(**terms))


def moved(found: Plan) -> list[tuple[str, str, str]]:
    return [(move.ticket_id, move.owner, move.to) for move in found.moves]


def test_who_is_not_at_work_loses_chats_and_what_is_due_before_they_are_back() -> None:
    kim = gone("kim", 7, next_shift_at=MONDAY + 16 * HOUR)
    tickets = [
        *chat("kim", "T-chat", next_due_at=MONDAY + 30 * HOUR),
        *owned("kim", "T-soon", next_due_at=MONDAY + HOUR),
        *owned("kim", "T-late", next_due_at=MONDAY + 17 * HOUR),
        *owned("kim", "T-never"),
    ]
    found = plan([kim, carrier("lou")], tickets)
    assert moved(found) == [("T-soon", "kim", "lou"), ("T-chat", "kim", "lou")]
    assert "it is due" in found.moves[0].why
    assert "a chat does not wait" in found.moves[1].why
    assert found.kept == ()


def test_everything_moves_from_somebody_of_whom_no_next_shift_is_known() -> None:
    found = plan([gone("kim", 2), carrier("lou")], owned("kim", "T-1", "T-2"))
    assert moved(found) == [("T-1", "kim", "lou"), ("T-2", "kim", "lou")]


def test_who_is_only_away_keeps_their_tickets_and_gets_none() -> None:
    away = carrier("kim", 6, at_work=False)
    found = plan([away, gone("max", 1)], [*owned("kim", "T-1"), *owned("max", "T-2")])
    assert moved(found) == []
    assert [(one.ticket_id, one.why) for one in found.kept] == [("T-2", NOBODY)]


def test_who_has_left_is_relieved_of_all_and_what_nobody_takes_is_released() -> None:
    kim = gone("kim", 3, left=True)
    tickets = [
        *owned("kim", "T-locked", locked_until=MONDAY + HOUR),
        *owned("kim", "T-just-moved", moved_at=MONDAY),
        *owned("kim", "T-skilled", skills=("hifi",)),
    ]
    for found in (
        plan([kim, carrier("lou")], tickets),
        cleared([kim, carrier("lou")], tickets, MONDAY),
    ):
        ends = {move.ticket_id: move.to for move in found.moves}
        assert ends == {"T-locked": "lou", "T-just-moved": "lou", "T-skilled": ""}
        assert all(move.owner_left for move in found.moves)
        assert found.kept == ()


def test_the_most_urgent_get_the_room_that_there_is() -> None:
    tickets = [
        *owned("kim", "T-late", next_due_at=MONDAY + 9 * HOUR),
        *owned("kim", "T-soon", next_due_at=MONDAY + HOUR),
    ]
    found = plan([gone("kim", 2), carrier("lou", 11)], tickets)
    assert moved(found) == [("T-soon", "kim", "lou")]
    assert [one.ticket_id for one in found.kept] == ["T-late"]


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (12.5, ["T-half"]),
        (13, ["T-1"]),
        (14, ["T-chat"]),
        (16, ["T-chat"]),
        (17, ["T-chat", "T-1"]),
    ],
)
def test_who_is_above_capacity_sheds_what_fits_best(load: float, expected: list[str]) -> None:
    tickets = [
        *owned("kim", "T-1", "T-2"),
        *owned("kim", "T-half", units=0.5),
        *chat("kim", "T-chat"),
        *owned("kim", "T-waits", units=0),
    ]
    found = plan([carrier("kim", load), carrier("lou")], tickets, tolerance=Decimal(1))
    assert [move.ticket_id for move in found.moves] == expected
    assert "units" in found.moves[0].why


def test_what_is_above_the_capacity_of_its_kind_is_shed_of_that_kind() -> None:
    kim = carrier("kim", 9, kind_load={"chat": Decimal(8)}, kind_capacity={"chat": Decimal(4)})
    tickets = [*owned("kim", "T-1"), *chat("kim", "T-2"), *chat("kim", "T-3")]
    lou = carrier("lou", 0, kind_capacity={"chat": Decimal(4)})
    found = plan([kim, lou], tickets, tolerance=Decimal(1))
    assert moved(found) == [("T-2", "kim", "lou")]
    assert "of the kind chat" in found.moves[0].why


def test_load_is_spread_until_the_difference_is_tolerated_and_chats_stay() -> None:
    tickets = [*owned("kim", *(f"T-{n}" for n in range(8))), *chat("kim", "T-chat")]
    found = plan([carrier("kim", 12), carrier("lou")], tickets)
    assert [move.ticket_id for move in found.moves] == [f"T-{n}" for n in range(5)]
    assert found.after is not None
    assert (found.before.most_loaded, found.after.most_loaded) == (1.0, 0.5833)
    assert found.before.jain < found.after.jain
    assert found.moves[0].why == "kim carries 100% of capacity, lou 0%"


def test_locked_tickets_and_those_that_have_just_moved_stay_and_say_why() -> None:
    tickets = [
        *owned("kim", "T-1", locked_until=MONDAY + HOUR),
        *owned("kim", "T-2", moved_at=MONDAY - 59 * HOUR / 60),
        *owned("kim", "T-3", moved_at=MONDAY - HOUR, locked_until=MONDAY),
    ]
    found = plan([gone("kim", 3), carrier("lou")], tickets)
    assert moved(found) == [("T-3", "kim", "lou")]
    assert [one.ticket_id for one in found.kept] == ["T-1", "T-2"]
    assert "locked to kim" in found.kept[0].why
    assert "less than 1h ago" in found.kept[1].why


def test_takers_suit_have_room_and_have_not_declined_and_the_least_loaded_is_taken() -> None:
    team = [
        gone("kim", 1),
        carrier("a-full", 12, team="audio", skills=("hifi",)),
        carrier("b-busy", 6, team="audio", skills=("hifi",)),
        carrier("c-idle", 3, team="audio", skills=("hifi", "tv")),
        carrier("d-declined", team="audio", skills=("hifi",)),
        carrier("e-unskilled", team="audio"),
        carrier("f-elsewhere", team="video", skills=("hifi",)),
        carrier("g-lead", team="audio", skills=("hifi",), role=Role.LEAD),
        carrier("h-limited", team="audio", skills=("hifi",), new_left=0),
    ]
    tickets = owned("kim", "T-1", team="audio", skills=("hifi",), declined=("d-declined",))
    assert moved(plan(team, tickets, tolerance=Decimal(1))) == [("T-1", "kim", "c-idle")]


def test_a_limit_of_new_assignments_counts_within_the_plan() -> None:
    found = plan([gone("kim", 3), carrier("lou", new_left=2)], owned("kim", "T-1", "T-2", "T-3"))
    assert len(found.moves) == 2


def test_a_plan_ends_at_its_limit_and_says_so() -> None:
    found = plan([gone("kim", 3), carrier("lou")], owned("kim", "T-1", "T-2", "T-3"), most=2)
    assert len(found.moves) == 2
    assert [one.why for one in found.kept] == ["the plan ends at 2 moves"]


@pytest.mark.parametrize(
    "wrong", [{"most": 0}, {"tolerance": Decimal(2)}, {"cool_down": timedelta(minutes=-1)}]
)
def test_terms_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Terms(**wrong)


def test_figures_of_nobody_or_of_nothing_are_even() -> None:
    assert figures([]).jain == 1.0
    assert figures([carrier("kim"), carrier("lou")]).jain == 1.0
    assert figures([carrier("kim", 6), carrier("lou"), gone("max", 12)]).jain == 0.5


TEAMS, SKILLS = ("", "audio", "video"), ("hifi", "tv")
INSTANTS = st.integers(-300, 300).map(lambda minutes: MONDAY + timedelta(minutes=minutes))
KINDS = st.sampled_from([(TICKET, "1"), (TICKET, "0.5"), (TICKET, "0"), (CHAT, "4")])


@st.composite
def desks(draw: st.DrawFn) -> tuple[list[Carrier], list[OwnedTicket]]:
    """Agents and their tickets, whose loads agree."""
    carriers: list[Carrier] = []
    tickets: list[OwnedTicket] = []
    for number in range(draw(st.integers(1, 5))):
        agent_id, presence = f"a{number}", draw(st.sampled_from(["work", "work", "away", "gone"]))
        mine: list[OwnedTicket] = []
        for _ in range(draw(st.integers(0, 8))):
            kind, units = draw(KINDS)
            mine.append(
                OwnedTicket(
                    f"T-{len(tickets) + len(mine):02}",
                    agent_id,
                    Decimal(units),
                    kind,
                    team=draw(st.sampled_from(TEAMS)),
                    skills=draw(st.sampled_from([(), ("hifi",), SKILLS])),
                    since=draw(st.none() | INSTANTS),
                    moved_at=draw(st.none() | INSTANTS),
                    locked_until=draw(st.none() | INSTANTS),
                    next_due_at=draw(st.none() | INSTANTS),
                    declined=draw(st.sampled_from([(), ("a0",), ("a1", "a2")])),
                )
            )
        chats = sum((one.units for one in mine if one.kind is CHAT), Decimal(0))
        rest = sum((one.units for one in mine if one.kind is TICKET), Decimal(0))
        carriers.append(
            Carrier(
                agent_id,
                team=draw(st.sampled_from(TEAMS)),
                role=draw(st.sampled_from([Role.AGENT, Role.AGENT, Role.LEAD])),
                skills=draw(st.sampled_from([(), ("hifi",), SKILLS])),
                at_work=presence == "work",
                there=presence != "gone",
                left=presence == "gone" and draw(st.booleans()),
                load_units=chats + rest,
                capacity_units=Decimal(draw(st.sampled_from([0, 2, 4, 8, 12]))),
                kind_load={CHAT: chats, TICKET: rest},
                kind_capacity=draw(st.sampled_from([{}, {CHAT: Decimal(4)}])),
                new_left=draw(st.sampled_from([None, None, 0, 2])),
                next_shift_at=draw(st.none() | INSTANTS),
            )
        )
        tickets.extend(mine)
    return carriers, tickets


TERMS = st.builds(
    Terms,
    cool_down=st.sampled_from([timedelta(minutes=1), HOUR]),
    tolerance=st.sampled_from([Decimal(0), Decimal("0.25"), Decimal(1)]),
)


def carried_out(
    carriers: Sequence[Carrier], tickets: Sequence[OwnedTicket], found: Plan, at: datetime
) -> tuple[list[Carrier], list[OwnedTicket]]:
    """The desk after the plan: claims as `decide` would make them."""
    by_id, after = {one.agent_id: one for one in carriers}, []
    goes = {move.ticket_id: move.to for move in found.moves}
    for ticket in tickets:
        if ticket.ticket_id not in goes:
            after.append(ticket)
            continue
        by_id[ticket.owner] = by_id[ticket.owner].without(ticket)
        if to := goes[ticket.ticket_id]:
            by_id[to] = replace(by_id[to].given(ticket), idle_since=at)
            new = replace(ticket, owner=to, since=at, moved_at=at, locked_until=None)
            after.append(new)
    return list(by_id.values()), after


@given(desks(), TERMS)
def test_a_plan_keeps_to_capacity_locks_and_cool_downs_and_a_second_one_is_empty(
    desk: tuple[list[Carrier], list[OwnedTicket]], terms: Terms
) -> None:
    carriers, tickets = desk
    found = balanced(carriers, tickets, MONDAY, terms)
    assert found == balanced(carriers[::-1], tickets[::-1], MONDAY, terms)
    by_id, owners = {t.ticket_id: t for t in tickets}, {c.agent_id: c for c in carriers}
    names = [move.ticket_id for move in found.moves]
    assert len(names) == len(set(names))
    assert not {*names} & {one.ticket_id for one in found.kept}
    for move in found.moves:
        ticket, owner = by_id[move.ticket_id], owners[move.owner]
        assert (move.owner, move.since) == (ticket.owner, ticket.since)
        assert move.to != move.owner
        assert move.to or owner.left
        if not owner.left:
            assert ticket.locked_until is None or ticket.locked_until <= MONDAY
            assert ticket.moved_at is None or ticket.moved_at + terms.cool_down <= MONDAY
    after, left = carried_out(carriers, tickets, found, MONDAY)
    for one in after:
        before = owners[one.agent_id]
        assert one.load_units <= max(one.capacity_units, before.load_units)
        assert one.takes or one.load_units <= before.load_units
        chats, most = one.kind_load[CHAT], one.kind_capacity.get(CHAT)
        assert most is None or chats <= max(most, before.kind_load[CHAT])
    assert found.after == figures(after)
    assert balanced(after, left, MONDAY, terms).moves == ()


@given(desks())
def test_moves_from_the_overloaded_stop_as_soon_as_capacity_is_met(
    desk: tuple[list[Carrier], list[OwnedTicket]],
) -> None:
    carriers, tickets = desk
    found = balanced(carriers, tickets, MONDAY, Terms(tolerance=Decimal(1)))
    by_id = {t.ticket_id: t for t in tickets}
    for one in carriers:
        mine = [by_id[move.ticket_id] for move in found.moves if move.owner == one.agent_id]
        if one.takes and mine:
            before_last = one
            for ticket in mine[:-1]:
                before_last = before_last.without(ticket)
            assert before_last.surplus[0] > 0


@given(desks())
def test_nothing_is_left_with_somebody_who_has_left(
    desk: tuple[list[Carrier], list[OwnedTicket]],
) -> None:
    carriers = [replace(one, left=one.left or one.agent_id == "a0") for one in desk[0]]
    tickets = [one for one in desk[1] if one.owner == "a0"]
    found = cleared(carriers, tickets, MONDAY)
    assert sorted(move.ticket_id for move in found.moves) == sorted(t.ticket_id for t in tickets)
