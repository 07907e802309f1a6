"""What is handed out: in one order, never more than fits, and nobody held up without need."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.handing_out import (
    Room,
    WaitingLine,
    WaitingTicket,
    chosen,
    frees,
    offer,
    waiting_ticket,
)
from support.model import EventKind, Priority, TicketStatus, WaitingOn
from support.needs import EvaluateRules, RuleVerdict
from support.simulate import Member, Passed, Simulation, Team
from tests.support.deciding import BOOK, MONDAY, Desk, action, created, event

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TEAMS, SKILLS = ("", "audio", "video"), ("hifi", "tv")
ACTIVE = [status for status in TicketStatus if status.active]

hours = st.integers(-3, 3)
skills = st.sets(st.sampled_from(SKILLS)).map(sorted).map(tuple)


def waiting(ticket_id: str, due: int | None = 1, age: int = 0, **more: Any) -> WaitingTicket:
    """A ticket that is due in `due` hours and came in `age` hours ago."""
    ticket = WaitingTicket(
        ticket_id=ticket_id,
        channel="web",
        status="new",
        team="",
        skills=(),
        next_due_at=None if due is None else MONDAY + due * HOUR,
        created_at=MONDAY - age * HOUR,
    )
    return replace(ticket, **more)


def room(agent_id: str = "kim", units: int = 3, **more: Any) -> Room:
    return replace(Room(agent_id, "", (), Decimal(units), Decimal(12)), **more)


@st.composite
def queues(draw: st.DrawFn) -> list[WaitingTicket]:
    return [
        waiting(
            f"T-{number}",
            draw(st.none() | hours),
            draw(st.integers(0, 3)),
            channel=draw(st.sampled_from(("web", "chat"))),
            status=str(draw(st.sampled_from(ACTIVE))),
            team=draw(st.sampled_from(TEAMS)),
            skills=draw(skills),
            sought_teams=draw(st.sampled_from(((), ("video",), ("audio", "video")))),
            declined_by=draw(st.sampled_from(((), ("agent-0",), ("agent-0", "agent-1")))),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


@st.composite
def desks(draw: st.DrawFn) -> list[Room]:
    return [
        room(
            f"agent-{number}",
            draw(st.integers(0, 6)),
            team=draw(st.sampled_from(TEAMS)),
            skills=draw(skills),
            chat_units=draw(st.none() | st.integers(-4, 8).map(Decimal)),
            ticket_units=draw(st.none() | st.integers(-4, 8).map(Decimal)),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


@given(queue=queues(), rooms=desks(), chance=st.randoms(use_true_random=False))
def test_the_order_is_total_whatever_order_they_are_found_in(
    queue: list[WaitingTicket], rooms: list[Room], chance: Random
) -> None:
    expected = chosen(queue, rooms)
    chance.shuffle(queue)
    chance.shuffle(rooms)
    assert chosen(queue, rooms) == expected
    assert list(expected) == sorted(expected, key=lambda one: one.place)


@given(queue=queues(), rooms=desks())
def test_never_more_is_offered_than_fits_and_only_what_somebody_can_take(
    queue: list[WaitingTicket], rooms: list[Room]
) -> None:
    offered = chosen(queue, rooms)
    assert sum(one.keeps for one in offered) <= sum(one.units for one in rooms)
    assert all(any(agent.fits(one) for agent in rooms) for one in offered)
    assert len(set(offered)) == len(offered)


@given(queue=queues(), rooms=desks())
def test_the_first_that_somebody_can_take_is_never_passed_over(
    queue: list[WaitingTicket], rooms: list[Room]
) -> None:
    possible = [one for one in queue if any(agent.fits(one) for agent in rooms)]
    assert chosen(queue, rooms)[:1] == tuple(sorted(possible, key=lambda one: one.place))[:1]


@given(ages=st.lists(st.integers(0, 100), min_size=1, max_size=8), due=st.none() | hours)
def test_of_equal_urgency_the_oldest_goes_first(ages: list[int], due: int | None) -> None:
    queue = [waiting(f"T-{number}", due, age) for number, age in enumerate(ages)]
    (first,) = chosen(queue, [room(units=1)])
    assert first.created_at == MONDAY - max(ages) * HOUR


@given(queue=queues(), rooms=desks(), most=st.integers(0, 5))
def test_no_more_are_offered_than_asked_for(
    queue: list[WaitingTicket], rooms: list[Room], most: int
) -> None:
    assert chosen(queue, rooms, most) == chosen(queue, rooms)[:most]


@given(due_h=st.integers(1, 20), urgent_h=st.integers(0, 3), ahead=st.integers(0, 5))
def test_a_flood_of_urgent_tickets_never_starves_a_patient_one(
    due_h: int, urgent_h: int, ahead: int
) -> None:
    line = WaitingLine()
    line.put(waiting("patient", due_h))
    for number in range(ahead):
        line.put(waiting(f"early-{number}", urgent_h))
    for minute in range(24 * 60):
        line.put(
            waiting(f"urgent-{minute}", next_due_at=MONDAY + urgent_h * HOUR + minute * MINUTE)
        )
        (first,) = line.chosen([room(units=1)], without="")
        line.drop(first.ticket_id)
        if first.ticket_id == "patient":
            break
    assert minute <= max(0, due_h - urgent_h) * 60 + ahead + 1


def test_overdue_comes_before_due_before_old_before_what_is_never_due() -> None:
    queue = [
        waiting("T-never", None, 9),
        waiting("T-due", 1, 0),
        waiting("T-old", 2, 5),
        waiting("T-young", 2, 1),
        waiting("T-overdue", -1, 0),
    ]
    order = [one.ticket_id for one in chosen(queue, [room(units=9)])]
    assert order == ["T-overdue", "T-due", "T-old", "T-young", "T-never"]


def test_a_ticket_is_offered_to_a_team_that_was_asked_for_it_as_well() -> None:
    mine = waiting("T-1", team="audio")
    helped = replace(mine, sought_teams=("video",))
    somebody = room(team="video")
    assert chosen([mine], [somebody]) == ()
    assert chosen([helped], [somebody]) == (helped,)


def test_who_declined_a_ticket_does_not_have_it_reserved_for_them() -> None:
    declined, second = waiting("T-1", declined_by=("kim",)), waiting("T-2", 2)
    assert chosen([declined, second], [room("kim", 1)]) == (second,)
    assert chosen([declined, second], [room("kim", 1), room("lou", 1)]) == (declined, second)
    line = WaitingLine()
    line.put(declined)
    line.put(second)
    assert line.chosen([room("kim", 1)], without="") == (second,)


def test_a_ticket_that_takes_nothing_leaves_the_room_to_the_next() -> None:
    idle = waiting("T-idle", 1, status="waiting_customer")
    assert len(chosen([idle, waiting("T-new", 2)], [room(units=1)])) == 2


def test_tickets_go_where_rules_would_give_them_so_that_skills_are_not_used_up() -> None:
    queue = [waiting("T-1", 1), waiting("T-2", 2, skills=("hifi",))]
    rooms = [room("kim", 1, skills=("hifi",)), room("lou", 2)]
    assert [one.ticket_id for one in chosen(queue, rooms)] == ["T-1", "T-2"]


def test_a_kind_of_work_is_offered_as_far_as_there_is_room_for_it() -> None:
    chats = [waiting(f"T-chat-{number}", 1, 9 - number, channel="chat") for number in range(3)]
    others = [waiting(f"T-web-{number}", 2, 9 - number) for number in range(3)]
    few_chats = room(units=12, chat_units=Decimal(4))
    few_others = room(units=12, ticket_units=Decimal(1))
    for one, expected in (
        (few_chats, ["T-chat-0", "T-web-0", "T-web-1", "T-web-2"]),
        (few_others, ["T-chat-0", "T-chat-1", "T-chat-2"]),
        (replace(few_others, units=Decimal(9)), ["T-chat-0", "T-chat-1", "T-web-0"]),
        (room(units=3, chat_units=Decimal(8)), ["T-web-0", "T-web-1", "T-web-2"]),
    ):
        assert [ticket.ticket_id for ticket in chosen(chats + others, [one])] == expected


def test_what_takes_no_room_once_assigned_takes_none_of_its_kind() -> None:
    idle = [waiting(f"T-{n}", n, channel="chat", status="waiting_customer") for n in range(3)]
    assert len(chosen(idle, [room(units=12, chat_units=Decimal(4))])) == 3


@pytest.mark.parametrize("status", ACTIVE)
def test_an_offer_by_itself_changes_nothing_but_the_last_instant(status: TicketStatus) -> None:
    desk = Desk()
    desk.take(created())
    if status is not TicketStatus.NEW:
        desk.take(event(EventKind.REPLY, MONDAY + HOUR))
    if status not in (TicketStatus.NEW, TicketStatus.OPEN):
        on = WaitingOn.TEAM if status is TicketStatus.WAITING_INTERNAL else None
        desk.take(event(EventKind.WAIT, MONDAY + HOUR, status=status, waiting_on=on))
    before = desk.state
    assert before is not None
    assert before.status is status
    decision = desk.take(offer("offer.1", MONDAY + HOUR))
    after = decision.state
    assert (after.marks, after.acks, after.status) == (before.marks, before.acks, before.status)
    assert (after.waiting, after.replied_at) == (before.waiting, before.replied_at)
    assert decision.facts["on"] == "offer"
    assert waiting_ticket(after, None) is not None


def test_a_resolved_ticket_is_not_offered() -> None:
    desk = Desk()
    desk.take(created())
    state = desk.take(event(EventKind.RESOLVE, MONDAY + HOUR)).state
    assert waiting_ticket(state, None) is None


def test_who_carries_less_frees_capacity_and_who_carries_as_much_does_not() -> None:
    desk = Desk(rules=[action("assign")], agents={"kim": (Decimal(0), Decimal(12))})
    state = desk.take(created()).state
    assert state.owner == "kim"
    assert not frees("", Decimal(0), state)
    assert not frees("kim", Decimal(1), state)
    assert frees("kim", Decimal(4), state)
    assert frees("lou", Decimal(1), state)
    assert frees("kim", Decimal(1), desk.take(event(EventKind.RESOLVE, MONDAY + HOUR)).state)


def _assigning(question: EvaluateRules) -> RuleVerdict:
    wanted = not question.facts["owner_set"] and question.facts["active"]
    actions = (action("assign"),) if wanted else ()
    return RuleVerdict(tuple(a.rule_id for a in actions), actions, (), "test", "0")


def test_a_simulation_hands_out_at_the_instant_and_in_the_order_of_the_relay() -> None:
    team = Team([Member("kim", capacity_units=Decimal(2))], MONDAY)
    simulated = Simulation("acme", BOOK, team, _assigning, {})
    urgencies = (Priority.LOW, Priority.LOW, Priority.LOW, Priority.URGENT, Priority.HIGH)
    for number, priority in enumerate(urgencies):
        simulated.submit(f"T-{number}", created(MONDAY + number * timedelta(seconds=1), priority))
    assert [s.owner for s in simulated.states.values()] == ["kim", "kim", "", "", ""]
    at = MONDAY + timedelta(minutes=1)
    handed: list[Passed] = []
    for ticket_id in ("T-0", "T-1"):
        simulated.submit(ticket_id, event(EventKind.RESOLVE, at))
        handed += simulated.pass_before(at)
    assert [(p.decision.state.ticket_id, p.decision.at) for p in handed] == [
        ("T-3", at),
        ("T-4", at),
    ]
    assert all(p.event is not None and p.event.kind is EventKind.OFFER for p in handed)
    simulated.submit("T-3", event(EventKind.ASSIGN, at + HOUR))
    (passed,) = simulated.pass_before(at + HOUR)
    assert passed.decision.state.ticket_id == "T-2"


@given(queues(), queues(), st.lists(st.integers(0, 11), max_size=6), st.integers(0, 12))
def test_a_line_that_changes_chooses_as_all_that_wait_would_be_chosen(
    first: list[WaitingTicket], again: list[WaitingTicket], gone: list[int], without: int
) -> None:
    line, waits = WaitingLine(), {}
    for ticket in (*first, *again):
        line.put(ticket)
        waits[ticket.ticket_id] = ticket
    for number in gone:
        line.drop(f"T-{number}")
        waits.pop(f"T-{number}", None)
    rooms = (room("kim", 5, team="audio", skills=SKILLS), room("lou", 2, team="video"))
    others = [ticket for ticket in waits.values() if ticket.ticket_id != f"T-{without}"]
    assert line.chosen(rooms, f"T-{without}") == chosen(others, rooms)
    assert line.holds_others(f"T-{without}") is bool(others)


def test_whoever_has_a_role_that_was_asked_for_a_ticket_may_be_offered_it() -> None:
    mine = waiting("T-1", team="audio")
    lead, on_call = room("lea", team="audio", roles=("lead",)), room("ada", roles=("on_call",))
    for sought, offered in (((), ()), (("lead",), ("lead",)), (("on_call",), ("on_call",))):
        ticket = replace(mine, sought_roles=sought)
        assert tuple(one.roles[0] for one in (lead, on_call) if one.fits(ticket)) == offered
    elsewhere = replace(lead, team="video")
    assert not elsewhere.fits(replace(mine, sought_roles=("lead",)))
    assert elsewhere.fits(replace(mine, sought_roles=("lead",), sought_teams=("video",)))
    assert replace(on_call, roles=("agent", "on_call")).fits(replace(mine, team=""))
