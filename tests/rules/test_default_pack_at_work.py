"""The shipped pack drives the pure core: what happens to a ticket when nobody touches it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest

from rules.engine import Engine
from rules.load import load_pack
from support.decision import Deadline, Decision, Request, decide
from support.model import (
    Channel,
    EventKind,
    LeftCause,
    Priority,
    TicketEvent,
    TicketStatus,
    WaitingOn,
)
from support.needs import Answer, EvaluateRules, Need
from support.work import Outcome
from tests.support.deciding import BOOK, CUSTOMER, KIM, MONDAY, Desk, created, event

PACK = load_pack(None)
ROOM = {"kim": (Decimal(0), Decimal(12))}
PEOPLE = {"lead": ("lea",), "manager": ("max",), "on_call": ("ona",)}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(PACK, timeout_s=30) as running:
        yield running


@dataclass
class RuledDesk(Desk):
    """A desk whose rules are the shipped pack in a real engine."""

    engine: Engine | None = None
    owner_available: bool = True

    def take(self, trigger: TicketEvent | Deadline, late: timedelta = timedelta(0)) -> Decision:
        at = trigger.at if isinstance(trigger, Deadline) else trigger.occurred_at
        request = Request(
            tenant="acme",
            ticket_id="T-1",
            workflow_id="ticket/acme/T-1",
            decision_seq=self.seq + 1,
            trigger=trigger,
            now=at + late,
            state=self.state,
            book=BOOK,
            macros=PACK.macros.actions,
            owner_available=self.owner_available,
        )
        decision = self._drive(decide(request))
        self.state, self.seq = decision.state, self.seq + 1
        self.decisions.append(decision)
        return decision

    def _answer(self, need: Need) -> Answer:
        if isinstance(need, EvaluateRules) and self.engine:
            return self.engine.judge_now(need)
        return super()._answer(need)


def _desk(engine: Engine) -> RuledDesk:
    return RuledDesk(engine=engine, agents=dict(ROOM), people=dict(PEOPLE))


def _done(decision: Decision) -> list[str]:
    return [a.kind for a in decision.actions if a.outcome is not Outcome.REFUSED]


def test_a_new_urgent_mail_is_assigned_locked_and_confirmed(engine: Engine) -> None:
    decision = _desk(engine).take(created(priority=Priority.URGENT, channel=Channel.EMAIL))
    assert _done(decision) == ["assign", "lock_owner", "reply"]
    assert decision.state.owner == "kim"
    assert [message.macro for message in decision.messages] == ["received"]
    assert decision.pack_version == PACK.version


def test_an_untouched_ticket_climbs_the_ladder_and_keeps_its_priority(engine: Engine) -> None:
    desk = _desk(engine)
    desk.take(created(priority=Priority.HIGH))
    passed = desk.pass_until(MONDAY + timedelta(hours=4))
    fired = [rule for decision in passed for rule in decision.fired]
    assert fired[:4] == ["step-early", "step-at-target", "breach", "step-late-on-call"]
    assert desk.state is not None
    assert desk.state.priority is Priority.HIGH
    assert [str(b.metric) for b in desk.state.breaches] == ["first_response"]


def test_a_ticket_that_nobody_can_take_ends_with_the_lead(engine: Engine) -> None:
    desk = _desk(engine)
    desk.agents = {"lea": (Decimal(12), Decimal(12))}
    assert _done(desk.take(created(channel=Channel.PHONE))) == []
    desk.agents["lea"] = (Decimal(0), Decimal(12))
    passed = desk.pass_until(MONDAY + timedelta(hours=7))
    assert "step-lead-for-owner" in passed[0].fired
    assert passed[0].state.owner == "lea"


def test_a_wait_for_the_customer_is_reminded_resolved_and_closed(engine: Engine) -> None:
    desk = _desk(engine)
    desk.take(created())
    desk.take(event(EventKind.REPLY, MONDAY + timedelta(minutes=5), KIM))
    waiting = TicketStatus.WAITING_CUSTOMER
    desk.take(event(EventKind.WAIT, MONDAY + timedelta(minutes=6), KIM, status=waiting))
    passed = desk.pass_until(MONDAY + timedelta(days=30))
    fired = [rule for decision in passed for rule in decision.fired]
    assert fired == ["remind-customer", "resolve-without-answer", "close-resolved"]
    sent = [message.macro for decision in passed for message in decision.messages]
    assert sent == ["reminder", "no-reply-resolve"]
    assert desk.state is not None
    assert desk.state.status is TicketStatus.CLOSED


def test_an_internal_wait_past_its_date_is_open_again(engine: Engine) -> None:
    desk = _desk(engine)
    desk.take(created())
    desk.take(event(EventKind.REPLY, MONDAY + timedelta(minutes=5), KIM))
    desk.take(
        event(
            EventKind.WAIT,
            MONDAY + timedelta(minutes=6),
            KIM,
            status=TicketStatus.WAITING_INTERNAL,
            waiting_on=WaitingOn.TEAM,
            waiting_ref="billing",
            follow_up_at=MONDAY + timedelta(hours=2),
        )
    )
    (passed,) = desk.pass_until(MONDAY + timedelta(hours=2))
    assert passed.fired == ("follow-up-internal",)
    assert _done(passed) == ["resume", "notify", "notify"]
    assert passed.state.status is TicketStatus.OPEN


def test_a_customer_who_writes_to_an_absent_owner_gets_another(engine: Engine) -> None:
    desk = _desk(engine)
    desk.owner_available = False
    desk.take(created())
    desk.agents["ida"] = (Decimal(0), Decimal(12))
    message = event(EventKind.CUSTOMER_MESSAGE, MONDAY + timedelta(minutes=9), CUSTOMER)
    assert desk.take(message).state.owner == "ida"


LATER = MONDAY + timedelta(minutes=1)


def _left(desk: RuledDesk, cause: LeftCause) -> Decision:
    """Let kim, who has the ticket, go."""
    desk.owner_available = False
    return desk.take(event(EventKind.OWNER_LEFT, LATER, expected_owner="kim", left_cause=cause))


@pytest.mark.parametrize(
    ("channel", "priority", "cause", "owners"),
    [
        (Channel.CHAT, Priority.NORMAL, LeftCause.SHIFT_ENDED, ("", "ida")),
        (Channel.CHAT, Priority.URGENT, LeftCause.OFFLINE, ("", "ida")),
        (Channel.WEB, Priority.URGENT, LeftCause.OFFLINE, ("kim", "ida")),
        (Channel.WEB, Priority.NORMAL, LeftCause.SHIFT_ENDED, ("kim", "kim")),
        (Channel.WEB, Priority.NORMAL, LeftCause.ON_LEAVE, ("", "ida")),
        (Channel.WEB, Priority.URGENT, LeftCause.ON_LEAVE, ("", "ida")),
    ],
)
def test_what_who_left_had_goes_to_who_is_there_waits_or_stays(
    engine: Engine,
    channel: Channel,
    priority: Priority,
    cause: LeftCause,
    owners: tuple[str, str],
) -> None:
    """`owners` have it then: where nobody else is there, and where ida is."""
    for others, owner in zip(({}, {"ida": (Decimal(0), Decimal(12))}), owners, strict=True):
        desk = _desk(engine)
        desk.take(created(channel=channel, priority=priority))
        desk.agents = {"kim": (Decimal(12), Decimal(12)), **others}
        decision = _left(desk, cause)
        assert (decision.state.owner, decision.state.locked_until) == (owner, None)


def test_an_owner_who_is_back_keeps_ticket_and_lock(engine: Engine) -> None:
    desk = _desk(engine)
    desk.take(created(channel=Channel.CHAT, priority=Priority.URGENT))
    desk.agents["ida"] = (Decimal(0), Decimal(12))
    left = event(
        EventKind.OWNER_LEFT, LATER, expected_owner="kim", left_cause=LeftCause.SHIFT_ENDED
    )
    decision = desk.take(left)
    assert decision.state.owner == "kim"
    assert decision.state.locked(LATER)


def test_a_chat_moves_at_its_target_and_reaches_the_lead_at_twice(engine: Engine) -> None:
    desk = _desk(engine)
    desk.take(created(channel=Channel.CHAT))
    desk.agents["ida"] = (Decimal(0), Decimal(12))
    desk.take(event(EventKind.NOTE, MONDAY + timedelta(seconds=20), KIM))
    passed = desk.pass_until(MONDAY + timedelta(minutes=3))
    fired = [rule for decision in passed for rule in decision.fired]
    assert fired[:2] == ["step-chat-reassign", "breach"]
    assert "step-chat-lead" in fired
    assert passed[0].state.owner == "ida"


def test_a_chat_that_is_not_taken_goes_round_until_somebody_takes_it(engine: Engine) -> None:
    desk = _desk(engine)
    assert desk.take(created(channel=Channel.CHAT)).state.owner == "kim"
    desk.agents["ida"] = (Decimal(0), Decimal(12))
    missed, *_ = desk.pass_until(MONDAY + timedelta(seconds=30))
    assert (missed.fired, missed.state.owner) == (("assign-unaccepted",), "ida")
    del desk.agents["ida"]
    desk.pass_until(MONDAY + timedelta(minutes=4))
    assert desk.state is not None
    assert desk.state.owner == ""
    back, *_ = (
        d for d in desk.pass_until(MONDAY + timedelta(minutes=5, seconds=35)) if d.state.owner
    )
    assert back.due is not None
    assert (str(back.due.kind), back.state.owner) == ("decline_over", "kim")
    desk.take(event(EventKind.REPLY, MONDAY + timedelta(minutes=5, seconds=40), KIM))
    desk.pass_until(MONDAY + timedelta(minutes=9))
    assert desk.state.owner == "kim"


def test_an_urgent_ticket_that_nobody_can_take_goes_to_who_is_on_call(engine: Engine) -> None:
    desk = _desk(engine)
    desk.agents, desk.people = {}, {"on_call": ("olle",)}
    decision = desk.take(created(priority=Priority.URGENT))
    assert "urgent-without-anybody" in decision.fired
    done = [a.detail for a in decision.actions if a.rule_id == "urgent-without-anybody"]
    assert done[0] == "escalated to on_call olle"
    desk = _desk(engine)
    desk.agents = {"olle": (Decimal(0), Decimal(12))}
    assert "urgent-without-anybody" not in desk.take(created(priority=Priority.URGENT)).fired


def test_a_wait_that_ends_without_an_owner_is_assigned_once(engine: Engine) -> None:
    desk = _desk(engine)
    desk.agents = {}
    desk.take(created())
    wait = event(
        EventKind.WAIT,
        MONDAY + timedelta(minutes=6),
        KIM,
        status=TicketStatus.WAITING_INTERNAL,
        waiting_on=WaitingOn.TEAM,
        follow_up_at=MONDAY + timedelta(hours=2),
    )
    desk.take(wait)
    desk.agents = dict(ROOM)
    (passed,) = desk.pass_until(MONDAY + timedelta(hours=2))
    assert passed.fired == ("follow-up-internal", "assign-without-owner")
    assert [r.path for r in passed.rounds] == [("follow-up-internal",)]
    assert [a.kind for a in passed.actions] == ["resume", "notify", "notify", "assign"]
    assert passed.state.owner == "kim"


@pytest.mark.parametrize("channel", [Channel.WEB, Channel.CHAT])
@pytest.mark.parametrize("priority", list(Priority))
def test_a_ticket_that_nobody_touches_stays_within_its_quota(
    engine: Engine, channel: Channel, priority: Priority
) -> None:
    desk = _desk(engine)
    desk.take(created(priority=priority, channel=channel))
    for minutes in (1, 3, 10, 20, 40):
        at = MONDAY + timedelta(minutes=minutes)
        desk.pass_until(at)
        desk.take(event(EventKind.CUSTOMER_MESSAGE, at, CUSTOMER))
    desk.pass_until(MONDAY + timedelta(days=20))
    passed = desk.decisions
    assert passed[-1].state.halted is None
    assert max(len(d.state.notifications) for d in passed) <= 6
    assert not [a for d in passed for a in d.actions if a.detail.startswith("quota")]
    told = [d for d in passed if d.new_steps and "step-quiet" not in d.fired]
    assert told
    assert all(d.fired for d in passed if d.new_steps or d.new_breaches)
