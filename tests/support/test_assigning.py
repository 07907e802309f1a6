"""Who gets a ticket, what it remembers of its owners, and what it says where nobody can have it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decision import Decision
from support.errors import InputError, NoRoomError, OwnerChangedError, OwnerLockedError
from support.model import Actor, ActorKind, EventKind, LeftCause
from support.needs import Answer, FindOutlook, Need, Outlook, RuleVerdict
from support.ownership import DECLINED_FOR, MISSED_FOR, NoOwnerWhy, Ownership
from tests.support.deciding import KIM, MONDAY, Desk, action, created, event

IDA = Actor(ActorKind.AGENT, "ida")
LEAD = Actor(ActorKind.AGENT, "lea", role="lead")
BULK = Actor(ActorKind.SYSTEM, "bulk")
FREE = (Decimal(0), Decimal(12))
FULL = (Decimal(12), Decimal(12))
LATER = MONDAY + timedelta(minutes=10)


def desk_of(*agents: str, **params: Any) -> Desk:
    rules = (action("assign", **params),)
    return Desk(rules=rules, agents=dict.fromkeys(agents, FREE))


def owner(decision: Decision) -> str:
    return decision.state.owner


def test_a_declined_ticket_goes_to_the_next_as_old_as_it_is() -> None:
    desk = desk_of("kim")
    opened = desk.take(created())
    assert owner(opened) == "kim"
    desk.agents["ida"] = FREE
    declined = desk.take(event(EventKind.DECLINE, LATER))
    assert owner(declined) == "ida"
    assert declined.state.created_at == opened.state.created_at
    assert declined.state.ownership.declined_by(LATER) == ("kim",)
    assert declined.state.marks[0] == opened.state.marks[0]
    assert not declined.new_breaches


def test_who_declined_is_asked_again_only_after_a_while() -> None:
    desk = desk_of("kim")
    desk.take(created())
    declined = desk.take(event(EventKind.DECLINE, LATER))
    assert owner(declined) == ""
    assert declined.state.ownership.none is not None
    assert declined.state.ownership.none.why is NoOwnerWhy.ALL_DECLINED
    (refused,) = declined.actions
    assert [place.rejected for place in refused.ranked] == [
        "declined it, or did not accept it in time"
    ]
    passed = desk.pass_until(LATER + DECLINED_FOR)
    assert [str(d.due.kind) for d in passed if d.due and d.state.owner] == ["decline_over"]


def test_a_ticket_that_is_reopened_remembers_who_declined_it() -> None:
    desk = desk_of("kim")
    desk.take(created())
    desk.take(event(EventKind.DECLINE, LATER))
    desk.take(event(EventKind.RESOLVE, LATER + timedelta(minutes=1)))
    again = desk.take(event(EventKind.REOPEN, LATER + timedelta(minutes=2)))
    assert again.state.ownership.declined_by(again.at) == ("kim",)
    assert owner(again) == ""


def test_only_the_owner_can_decline() -> None:
    desk = desk_of("kim")
    desk.take(created())
    with pytest.raises(InputError, match="only its owner kim can decline"):
        desk.take(event(EventKind.DECLINE, LATER, IDA))


def test_an_owner_who_does_not_accept_in_time_loses_the_ticket_at_that_second() -> None:
    desk = desk_of("kim", accept_within_s=30)
    opened = desk.take(created())
    assert opened.state.ownership.accept_by == MONDAY + timedelta(seconds=30)
    desk.agents["ida"] = FREE
    (missed,) = desk.pass_until(MONDAY + timedelta(seconds=30))
    assert (missed.at, owner(missed)) == (MONDAY + timedelta(seconds=30), "ida")
    assert missed.state.ownership.declined_by(missed.at + MISSED_FOR) == ()


@pytest.mark.parametrize("kind", [EventKind.ACK, EventKind.NOTE, EventKind.REPLY])
def test_anything_that_the_owner_does_accepts_the_ticket(kind: EventKind) -> None:
    desk = desk_of("kim", accept_within_s=30)
    desk.take(created())
    desk.rules = ()
    desk.take(event(kind, MONDAY + timedelta(seconds=9), IDA))
    assert desk.state is not None
    assert desk.state.ownership.accept_by is not None
    accepted = desk.take(event(kind, MONDAY + timedelta(seconds=10), KIM))
    assert accepted.state.ownership.accept_by is None


def test_skills_are_no_longer_insisted_on_after_a_time() -> None:
    desk = desk_of(strategy="skill_match", overflow_after_s=600)
    opened = desk.take(created())
    assert opened.state.ownership.overflow_at == MONDAY + timedelta(minutes=10)
    assert opened.state.ownership.overflows(MONDAY + timedelta(minutes=10))
    desk.agents["kim"] = FREE
    passed = desk.pass_until(MONDAY + timedelta(minutes=10))
    assert [str(d.due.kind) for d in passed if d.due] == ["overflow"]
    assert owner(passed[-1]) == "kim"
    assert passed[-1].state.ownership.overflow_at is None


def test_a_ticket_that_nobody_takes_is_kept_or_released_as_the_rule_says() -> None:
    for otherwise, left in (("keep", "kim"), ("release", "")):
        desk = desk_of("kim")
        desk.take(created())
        desk.rules = (action("assign", otherwise=otherwise),)
        asked = desk.take(event(EventKind.CUSTOMER_MESSAGE, LATER))
        assert owner(asked) == left
        assert (asked.state.ownership.last, asked.actions[0].outcome) == (
            ("kim", "done") if not left else ("", "refused")
        )


class Roster(Desk):
    """A desk whose roster says when the next shift begins."""

    def _answer(self, need: Need) -> Answer:
        if isinstance(need, FindOutlook):
            return Outlook(3, MONDAY + timedelta(hours=2))
        return super()._answer(need)


def test_a_ticket_without_an_owner_says_why_and_when_somebody_comes() -> None:
    desk = Roster(rules=(action("assign"),))
    decision = desk.take(created())
    none = decision.state.ownership.none
    assert none is not None
    assert (none.why, none.next_shift_at) == (
        NoOwnerWhy.NOBODY_AT_WORK,
        MONDAY + timedelta(hours=2),
    )
    assert decision.actions[0].detail == (
        "no agent is at work; the next suitable shift begins 2026-03-02T10:00:00+00:00"
    )
    asked = desk.take(event(EventKind.NOTE, MONDAY + timedelta(hours=1)))
    assert asked.facts["no_owner"] == "nobody_at_work"
    assert asked.facts["next_shift_in_s"] == 3600
    assert asked.facts["ownerless_s"] == 3600


def test_another_team_that_was_asked_in_vain_is_remembered_should_the_ticket_come_back() -> None:
    desk = desk_of(team="night")
    assert desk.take(created()).state.ownership.sought_teams == ("night",)
    desk.agents["kim"] = FREE
    given_to = desk.take(event(EventKind.CUSTOMER_MESSAGE, LATER))
    assert owner(given_to) == "kim"
    assert given_to.state.ownership.none is None
    assert given_to.state.ownership.sought_teams == ("night",)


def test_a_role_that_was_asked_in_vain_is_remembered_and_agents_are_not() -> None:
    for role, sought in (("on_call", ("on_call",)), ("agent", ())):
        desk = desk_of(role=role)
        assert desk.take(created()).state.ownership.sought_roles == sought


class Listening(Desk):
    """A desk with a rule on no_owner."""

    def _answer(self, need: Need) -> Answer:
        answer = super()._answer(need)
        if isinstance(answer, RuleVerdict):
            return replace(answer, listens=frozenset({"no_owner"}))
        return answer


def test_rules_hear_once_a_decision_that_nobody_takes_a_ticket() -> None:
    desk = Listening(rules=(action("assign"), action("assign", team="night")))
    assert [(r.trigger, r.cause) for r in desk.take(created()).rounds] == [("no_owner", 0)]
    again = desk.take(event(EventKind.CUSTOMER_MESSAGE, LATER))
    assert [r.trigger for r in again.rounds] == ["no_owner"]


def test_a_person_overrides_a_lock_only_with_a_reason() -> None:
    desk = desk_of("kim", "ida")
    desk.rules = ()
    desk.take(created())
    desk.take(event(EventKind.ASSIGN, LATER, LEAD, assignee="kim", lock=True))
    soon = LATER + timedelta(minutes=1)
    with pytest.raises(OwnerLockedError, match=r"locked to kim until .* give the reason"):
        desk.take(event(EventKind.ASSIGN, soon, LEAD, assignee="ida"))
    moved = desk.take(event(EventKind.ASSIGN, soon, LEAD, assignee="ida", message_ref="why"))
    assert owner(moved) == "ida"
    assert not moved.state.locked(soon)


def test_a_released_lock_lets_automation_move_the_ticket() -> None:
    desk = desk_of("kim", "ida")
    desk.take(created())
    desk.rules = ()
    desk.take(event(EventKind.ASSIGN, LATER, LEAD, assignee="kim", lock=True))
    free = desk.take(event(EventKind.UNLOCK, LATER + timedelta(minutes=1), LEAD))
    assert free.state.locked_until is None


def test_a_lock_drops_when_its_owner_goes() -> None:
    desk = desk_of("kim")
    desk.rules = ()
    desk.take(created())
    desk.take(event(EventKind.ASSIGN, LATER, LEAD, assignee="kim", lock=True))
    soon = LATER + timedelta(minutes=1)
    left = {"left_cause": LeftCause.SHIFT_ENDED, "expected_owner": "kim"}
    gone = desk.take(event(EventKind.OWNER_LEFT, soon, BULK, **left))
    assert gone.state.locked_until is None
    with pytest.raises(OwnerChangedError, match="the owner is kim now, no more ida"):
        desk.take(event(EventKind.OWNER_LEFT, soon, BULK, **{**left, "expected_owner": "ida"}))


def test_a_move_of_a_bulk_change_is_for_the_owner_it_was_planned_for() -> None:
    desk = desk_of("kim", "ida")
    desk.rules = ()
    desk.take(created())
    desk.take(event(EventKind.ASSIGN, LATER, LEAD, assignee="kim"))
    move = event(
        EventKind.REASSIGN,
        LATER + timedelta(minutes=1),
        BULK,
        assignee="ida",
        expected_owner="kim",
        expected_since=LATER,
        change_id="c-1",
    )
    with pytest.raises(OwnerChangedError, match="has had it only since"):
        desk.take(replace(move, expected_since=MONDAY))
    desk.agents["ida"] = FULL
    with pytest.raises(NoRoomError, match="ida has no room"):
        desk.take(move)
    assert owner(desk.take(replace(move, forced=True))) == "ida"


def test_no_bulk_change_moves_a_locked_ticket() -> None:
    desk = desk_of("kim", "ida")
    desk.rules = ()
    desk.take(created())
    desk.take(event(EventKind.ASSIGN, LATER, LEAD, assignee="kim", lock=True))
    move = event(EventKind.REASSIGN, LATER, BULK, assignee="ida", expected_owner="kim")
    with pytest.raises(OwnerLockedError):
        desk.take(move)


OWNERS = st.sampled_from(["", "kim", "ida", "ola"])


@given(st.lists(st.tuples(OWNERS, st.booleans(), st.integers(1, 20_000)), max_size=12))
def test_who_has_a_ticket_never_counts_as_having_declined_it(
    moves: list[tuple[str, bool, int]],
) -> None:
    ownership, has, at = Ownership(since=MONDAY), "", MONDAY
    for to, back, later_s in moves:
        at += timedelta(seconds=later_s)
        if back and has:
            ownership = ownership.given_back(has, at, spared=DECLINED_FOR)
            assert has in ownership.declined_by(at)
            has = ""
        else:
            ownership, has = ownership.passed(has, to, at, sticks=back), to
        assert has not in ownership.declined_by(at)
        assert ownership.since is not None
        assert ownership.since <= at


def test_declines_that_have_run_out_are_over_however_many_there_were() -> None:
    names = [f"a{number:02}" for number in range(20)]
    desk = desk_of(*names)
    at = desk.take(created()).at
    for _ in names:
        at += timedelta(minutes=1)
        assert desk.state is not None
        desk.take(event(EventKind.DECLINE, at, Actor(ActorKind.AGENT, desk.state.owner)))
    desk.agents.clear()
    passed = desk.pass_until(MONDAY + timedelta(hours=5))
    over = [d for d in passed if d.due and str(d.due.kind) == "decline_over"]
    assert len(over) == len(names)
    assert desk.state is not None
    assert desk.state.ownership.declined == ()


def test_who_is_given_a_late_ticket_has_the_whole_time_to_accept_it() -> None:
    desk = desk_of("kim", accept_within_s=30)
    late = timedelta(minutes=10)
    decision = desk.take(created(), late)
    assert decision.state.ownership.accept_by == MONDAY + late + timedelta(seconds=30)


def test_each_who_misses_a_ticket_is_spared_it_longer() -> None:
    ownership, at = Ownership(since=MONDAY), MONDAY
    spared = []
    for number in range(9):
        ownership = ownership.passed("", f"a{number}", at, sticks=True)
        ownership = ownership.not_accepted(f"a{number}", at)
        spared.append(ownership.declined[-1].until - at)
    minutes = [5, 10, 20, 40, 80, 160, 240, 240, 240]
    assert spared == [timedelta(minutes=each) for each in minutes]
    taken = ownership.passed("", "a9", at, sticks=True).accepted()
    assert taken.missed == 0


def test_asking_another_team_does_not_take_back_when_skills_are_no_longer_insisted_on() -> None:
    desk = desk_of()
    desk.rules = (action("assign", overflow_after_s=600), action("assign", team="night"))
    ownership = desk.take(created()).state.ownership
    assert ownership.overflow_at == MONDAY + timedelta(minutes=10)
    assert ownership.sought_teams == ("night",)


def test_a_decline_does_not_put_off_when_skills_are_no_longer_insisted_on() -> None:
    desk = desk_of(overflow_after_s=600)
    desk.take(created())
    desk.agents["kim"] = FREE
    taken = MONDAY + timedelta(minutes=9)
    assert owner(desk.take(event(EventKind.CUSTOMER_MESSAGE, taken))) == "kim"
    declined = desk.take(event(EventKind.DECLINE, taken + timedelta(seconds=30)))
    assert declined.state.ownership.overflow_at == MONDAY + timedelta(minutes=10)
    assert declined.state.reassign_count == 1


def test_what_is_done_on_behalf_of_the_owner_accepts_the_ticket() -> None:
    desk = desk_of("kim", accept_within_s=30)
    desk.take(created())
    desk.rules = ()
    robot = Actor(ActorKind.SYSTEM, "mail", on_behalf_of="kim")
    answered = desk.take(event(EventKind.NOTE, MONDAY + timedelta(seconds=9), robot))
    assert answered.state.ownership.accept_by is None


def test_a_ticket_that_ended_waits_for_nobody_to_accept_it() -> None:
    desk = desk_of("kim", accept_within_s=30)
    desk.take(created())
    desk.rules = ()
    desk.take(event(EventKind.RESOLVE, MONDAY + timedelta(seconds=9), LEAD))
    back = desk.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + timedelta(hours=2)))
    assert owner(back) == "kim"
    assert back.state.ownership.accept_by is None


def test_a_customer_cannot_say_whose_a_ticket_is() -> None:
    desk = desk_of("kim", "ida")
    desk.take(created())
    customer = Actor(ActorKind.CUSTOMER, "c-1")
    with pytest.raises(InputError, match="a customer cannot"):
        desk.take(event(EventKind.ASSIGN, LATER, customer, assignee="ida"))


def test_an_assignment_that_comes_late_does_not_undo_a_newer_one() -> None:
    desk = desk_of("kim", "ida")
    desk.rules = ()
    desk.take(created())
    desk.take(event(EventKind.ASSIGN, LATER, LEAD, assignee="kim", lock=True))
    before = LATER - timedelta(minutes=5)
    for late in (
        event(EventKind.ASSIGN, before, LEAD, assignee="ida", message_ref="why"),
        event(EventKind.UNLOCK, before, LEAD),
    ):
        with pytest.raises(OwnerChangedError, match="the newer one stands"):
            desk.take(replace(late, received_at=LATER + timedelta(minutes=1)))
