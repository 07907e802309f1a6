"""Many tickets in memory: deadlines in order, claims and loads as in the ledger."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from support.decision import Decision
from support.errors import TransitionRefusedError
from support.model import EventKind, TicketStatus, WaitingOn
from support.needs import FindCandidates, FindPeople, RuleAction, RuleVerdict
from support.routing import Role
from support.simulate import Member, Simulation, Team
from tests.support.deciding import BOOK, MONDAY, action, created, event

HOUR = timedelta(hours=1)
_ZOE = Member("zoe", capacity_units=Decimal(20), load_units=Decimal(5))


def simulation(*rules: RuleAction, team: Team) -> Simulation:
    verdict = RuleVerdict(("a-rule",), rules, (), "test", "0")
    return Simulation("acme", BOOK, team, lambda _facts: verdict, {})


def desk(*names: str, capacity: int = 12) -> Team:
    return Team([Member(name, capacity_units=Decimal(capacity)) for name in names], MONDAY)


def loads(team: Team) -> dict[str, Decimal]:
    found = team.candidates(FindCandidates(Role.AGENT, "", (), MONDAY))
    return {candidate.agent_id: candidate.load_units for candidate in found}


def assigned(simulated: Simulation, count: int, at: datetime = MONDAY) -> list[Decision]:
    return [simulated.submit(f"T-{n}", created(at)) for n in range(count)]


def test_tickets_go_to_the_least_loaded_until_all_are_full() -> None:
    team = desk("kim", "lou", capacity=2)
    owners = [d.state.owner for d in assigned(simulation(action("assign"), team=team), 5)]
    assert owners == ["kim", "lou", "kim", "lou", ""]


def test_capacity_follows_the_status_of_the_ticket() -> None:
    team = desk("kim")
    simulated = simulation(action("assign"), team=team)
    assigned(simulated, 1)
    waiting = event(
        EventKind.WAIT,
        MONDAY + HOUR,
        status=TicketStatus.WAITING_INTERNAL,
        waiting_on=WaitingOn.TEAM,
    )
    simulated.submit("T-0", waiting)
    assert loads(team) == {"kim": Decimal("0.5")}
    simulated.submit("T-0", event(EventKind.RESOLVE, MONDAY + 2 * HOUR))
    assert loads(team) == {"kim": Decimal(0)}


def test_a_refused_event_changes_nothing() -> None:
    team = desk("kim")
    simulated = simulation(team=team)
    assigned(simulated, 1)
    before = simulated.states
    with pytest.raises(TransitionRefusedError):
        simulated.submit("T-0", event(EventKind.REOPEN, MONDAY + HOUR))
    assert (simulated.states, simulated.decisions) == (before, {"T-0": 1})


def test_deadlines_pass_by_instant_then_ticket_and_not_at_the_instant_itself() -> None:
    simulated = simulation(team=desk())
    assigned(simulated, 2)
    first = [d.next_due.at for d in assigned(simulation(team=desk()), 1) if d.next_due]
    assert list(simulated.pass_before(first[0])) == []
    passed = [p.decision for p in simulated.pass_before(MONDAY + timedelta(days=30))]
    order = [(d.at, d.state.ticket_id) for d in passed]
    assert order == sorted(order)
    assert {d.state.ticket_id for d in passed} == {"T-0", "T-1"}
    assert all(d.lateness == timedelta(0) for d in passed)


def test_a_closed_ticket_waits_for_nothing() -> None:
    simulated = simulation(action("assign"), action("lock_owner", minutes=60), team=desk("kim"))
    assigned(simulated, 1)
    simulated.submit("T-0", event(EventKind.RESOLVE, MONDAY + HOUR / 4))
    simulated.submit("T-0", event(EventKind.CLOSE, MONDAY + HOUR / 2))
    assert list(simulated.pass_before(MONDAY + timedelta(days=30))) == []


def test_people_are_those_of_the_team_or_else_of_all() -> None:
    team = Team([Member("b", "mail", Role.LEAD), Member("a", "print", Role.LEAD)], MONDAY)
    assert team.people(FindPeople(Role.LEAD, "mail", MONDAY)) == ("b",)
    assert team.people(FindPeople(Role.LEAD, "voice", MONDAY)) == ("a", "b")
    assert team.people(FindPeople(Role.MANAGER, "mail", MONDAY)) == ()


def test_of_more_than_fifty_those_with_room_for_all_of_the_units_are_found_first() -> None:
    small = [Member(f"a{n:02}", capacity_units=Decimal(4)) for n in range(50)]
    team = Team([*(replace(m, load_units=Decimal(1)) for m in small), _ZOE], MONDAY)
    need = FindCandidates(Role.AGENT, "", (), MONDAY, units=Decimal(4))
    assert team.candidates(need)[0].agent_id == "zoe"
