"""Whole decisions of the pure core: events, deadlines, actions and what they leave behind."""

from datetime import timedelta
from decimal import Decimal

import pytest

from support.deadlines import DueKind
from support.errors import InputError, TicketExistsError, TransitionRefusedError, UnknownTicketError
from support.model import Actor, ActorKind, Channel, EventKind, Priority, TicketStatus, WaitingOn
from support.policy import Metric
from support.standing import SlaState
from support.work import Outcome, Outside
from tests.support.deciding import CUSTOMER, MONDAY, Desk, action, created, event

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def desk(*rules: object, **more: object) -> Desk:
    made = Desk(rules=rules, **more)  # type: ignore[arg-type]  # shorthand of the tests
    made.take(created())
    return made


def test_a_new_ticket_has_its_clocks_and_its_next_deadline() -> None:
    decision = Desk().take(created())
    assert {c.metric: c.target for c in decision.clocks} == {
        Metric.FIRST_RESPONSE: 8 * HOUR,
        Metric.RESOLUTION: 45 * HOUR,
    }
    assert decision.next_due is not None
    assert (decision.next_due.at, decision.next_due.label) == (
        MONDAY + 6 * HOUR,
        "first response at 75% of its target",
    )


def test_steps_and_breach_fall_due_in_order_each_once() -> None:
    ticket = desk()
    due = [d.due for d in ticket.pass_until(MONDAY + 30 * HOUR) if d.due]
    assert [(d.kind, d.fraction) for d in due if d.metric == Metric.FIRST_RESPONSE] == [
        (DueKind.STEP, 0.75),
        (DueKind.STEP, 1.0),
        (DueKind.BREACH, 0.0),
        (DueKind.STEP, 1.5),
    ]
    assert ticket.state is not None
    assert [b.due_at for b in ticket.state.breaches] == [MONDAY + 8 * HOUR]
    assert ticket.decisions[-1].standing.sla is SlaState.BREACHED


def test_a_ticket_that_missed_a_target_is_not_called_met_when_all_is_over() -> None:
    missed, kept = desk(), desk()
    missed.pass_until(MONDAY + 9 * HOUR)
    for ticket, at in ((missed, MONDAY + 10 * HOUR), (kept, MONDAY + HOUR)):
        ticket.take(event(EventKind.REPLY, at))
        ticket.take(event(EventKind.RESOLVE, at + MINUTE))
    assert missed.decisions[-1].standing.sla is SlaState.MISSED
    assert kept.decisions[-1].standing.sla is SlaState.MET


def test_met_at_the_due_instant_is_in_time_and_a_second_later_is_a_breach() -> None:
    in_time, late = desk(), desk()
    at = MONDAY + 8 * HOUR
    assert not in_time.take(event(EventKind.REPLY, at)).new_breaches
    late_reply = late.take(event(EventKind.REPLY, at + SECOND))
    assert [b.metric for b in late_reply.new_breaches] == [Metric.FIRST_RESPONSE]


def test_an_acknowledgement_silences_steps_until_it_lapses() -> None:
    ticket = desk()
    ticket.pass_until(MONDAY + 6 * HOUR)
    assert ticket.decisions[-1].standing.escalation_due
    acked = ticket.take(event(EventKind.ACK, MONDAY + 6 * HOUR + MINUTE))
    assert not acked.standing.escalation_due
    assert acked.next_due is not None
    assert acked.next_due.at == MONDAY + 8 * HOUR
    assert acked.next_due.fraction == 1.0


def test_after_an_outage_each_step_fires_once_at_its_own_instant() -> None:
    ticket = desk()
    fired = ticket.pass_until(MONDAY + 14 * 24 * HOUR)
    steps = [(s.metric, s.fraction, s.due_at) for d in fired for s in d.new_steps]
    assert len(steps) == len(set(steps)) == 6
    assert [s[2] for s in steps] == sorted(s[2] for s in steps)


def test_an_impossible_transition_names_state_and_what_is_allowed() -> None:
    ticket = desk()
    with pytest.raises(TransitionRefusedError) as refused:
        ticket.take(event(EventKind.RESUME, MONDAY + HOUR))
    assert refused.value.details["state"] == "new"
    assert "reply" in str(refused.value)


def test_events_without_their_ticket_and_tickets_twice_are_refused() -> None:
    with pytest.raises(UnknownTicketError):
        Desk().take(event(EventKind.NOTE, MONDAY))
    ticket = desk()
    with pytest.raises(TicketExistsError):
        ticket.take(created(MONDAY + HOUR))


def test_waiting_for_the_customer_needs_a_reply_then_reminds_and_resolves() -> None:
    ticket = desk()
    wait = event(EventKind.WAIT, MONDAY + HOUR, status=TicketStatus.WAITING_CUSTOMER)
    with pytest.raises(TransitionRefusedError):
        ticket.take(wait)
    ticket.take(event(EventKind.REPLY, MONDAY + HOUR))
    ticket.take(wait)
    kinds = [d.due.kind for d in ticket.pass_until(MONDAY + 20 * 24 * HOUR) if d.due]
    assert kinds == [DueKind.REMIND, DueKind.AUTO_RESOLVE]


def test_a_customer_message_reopens_a_waiting_and_a_resolved_ticket() -> None:
    ticket = desk()
    ticket.take(event(EventKind.REPLY, MONDAY + HOUR))
    ticket.take(event(EventKind.RESOLVE, MONDAY + 2 * HOUR))
    again = ticket.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + 3 * HOUR, CUSTOMER))
    assert again.state.status is TicketStatus.OPEN
    assert again.state.reopen_count == 1
    assert Metric.NEXT_RESPONSE in {c.metric for c in again.clocks}


def test_assignment_takes_the_least_loaded_with_room_and_keeps_the_ranking() -> None:
    ticket = Desk(
        rules=[action("assign")],
        agents={
            "full": (Decimal(12), Decimal(12)),
            "busy": (Decimal(6), Decimal(12)),
            "free": (Decimal(2), Decimal(12)),
        },
    )
    decision = ticket.take(created())
    assert decision.state.owner == "free"
    assert ticket.agents["free"][0] == 3
    ranked = decision.actions[0].ranked
    assert [r.agent_id for r in ranked] == ["free", "busy", "full"]
    assert "full" in ranked[-1].rejected


@pytest.mark.parametrize("kind", [ActorKind.SYSTEM, ActorKind.RULE])
def test_a_machine_that_replies_answers_no_clock(kind: ActorKind) -> None:
    ticket = desk()
    machine = event(EventKind.REPLY, MONDAY + HOUR, Actor(kind, "connector"))
    first = next(c for c in ticket.take(machine).clocks if c.metric is Metric.FIRST_RESPONSE)
    assert first.stopped_at is None


def test_a_customer_writes_messages_and_never_replies() -> None:
    with pytest.raises(InputError, match="customer_message"):
        desk().take(event(EventKind.REPLY, MONDAY + HOUR, CUSTOMER))


def test_nobody_to_assign_is_on_record_and_stops_nothing() -> None:
    decision = desk(action("assign"), action("record", note="next")).decisions[0]
    assert [a.outcome for a in decision.actions] == [Outcome.REFUSED, Outcome.RECORDED]
    assert not decision.state.owner


@pytest.mark.parametrize(("otherwise", "owner"), [("keep", "kim"), ("release", "")])
def test_where_nobody_takes_a_ticket_it_stays_or_is_released_as_the_rule_says(
    otherwise: str, owner: str
) -> None:
    ticket = desk(agents={"kim": (Decimal(0), Decimal(12))})
    ticket.take(event(EventKind.ASSIGN, MONDAY + HOUR, assignee="kim"))
    ticket.rules = [action("assign", otherwise=otherwise)]
    left = event(EventKind.OWNER_LEFT, MONDAY + 2 * HOUR, expected_owner="kim")
    decision = ticket.take(left)
    assert decision.state.owner == owner
    assert decision.actions[0].outcome is (Outcome.REFUSED if owner else Outcome.DONE)


def test_a_person_assigns_beyond_capacity_but_not_to_a_stranger() -> None:
    ticket = desk(agents={"kim": (Decimal(12), Decimal(12))})
    with pytest.raises(InputError, match="no agent"):
        ticket.take(event(EventKind.ASSIGN, MONDAY + HOUR, assignee="nobody"))
    given = ticket.take(event(EventKind.ASSIGN, MONDAY + HOUR, assignee="kim", lock=True))
    assert given.state.owner == "kim"
    assert given.state.locked(MONDAY + HOUR + 59 * MINUTE)
    assert not given.state.locked(MONDAY + 2 * HOUR)


def test_automation_never_raises_a_priority_because_of_a_breach() -> None:
    ticket = desk(action("set_priority", priority="urgent"))
    assert ticket.state is not None
    assert ticket.state.priority is Priority.URGENT
    other = desk()
    other.rules = [action("set_priority", priority="urgent")]
    step = other.pass_until(MONDAY + 6 * HOUR)[0]
    assert step.actions[0].outcome is Outcome.REFUSED


def test_automation_never_closes_an_unanswered_ticket() -> None:
    ticket = desk()
    ticket.take(event(EventKind.RESOLVE, MONDAY + HOUR))
    ticket.rules = [action("close")]
    closed = ticket.pass_until(MONDAY + 200 * HOUR)[-1]
    assert closed.actions[0].outcome is Outcome.REFUSED
    assert closed.state.status is TicketStatus.RESOLVED
    assert closed.next_due is None


def test_a_macro_runs_its_actions_in_order_under_the_rule() -> None:
    decision = desk(action("macro", name="hello")).decisions[0]
    assert [a.kind for a in decision.actions] == ["record", "set_priority", "macro"]
    assert {a.rule_id for a in decision.actions} == {"a-rule"}


def test_the_keys_of_outside_actions_never_meet() -> None:
    ticket = desk(
        action("notify", to="channel", template="x"),
        action("reply", text="received"),
        outside=Outside(notify=True, reply=frozenset({Channel.WEB})),
    )
    reply = ticket.take(event(EventKind.REPLY, MONDAY + HOUR, message_ref="m-1"))
    keys = [e.key for d in ticket.decisions for e in d.effects]
    assert [e.params.get("template", "") for e in reply.effects] == ["", "x", "automation-halted"]
    assert len(keys) == len(set(keys)) == 5


def test_notifications_stop_at_the_quota_of_a_day() -> None:
    ticket = desk(*[action("notify", to="channel", template="x")] * 8)
    outcomes = [a.outcome for a in ticket.decisions[0].actions]
    assert outcomes == [Outcome.RECORDED] * 6 + [Outcome.REFUSED] * 2 + [Outcome.RECORDED]


def test_a_reply_that_failed_brings_the_clock_and_the_ticket_back() -> None:
    ticket = desk()
    reply = event(EventKind.REPLY, MONDAY + HOUR)
    ticket.take(reply)
    ticket.take(event(EventKind.RESOLVE, MONDAY + 2 * HOUR))
    failed = ticket.take(event(EventKind.REPLY_FAILED, MONDAY + 3 * HOUR, voids=reply.event_id))
    assert failed.state.status is TicketStatus.OPEN
    assert failed.state.unanswered
    first = next(c for c in failed.clocks if c.metric is Metric.FIRST_RESPONSE)
    assert first.stopped_at is None


def test_an_internal_wait_is_followed_up_and_pauses_nothing() -> None:
    ticket = desk()
    waiting = ticket.take(
        event(
            EventKind.WAIT,
            MONDAY + HOUR,
            status=TicketStatus.WAITING_INTERNAL,
            waiting_on=WaitingOn.VENDOR,
            follow_up_at=MONDAY + 2 * HOUR,
        )
    )
    assert waiting.next_due is not None
    assert waiting.next_due.kind is DueKind.FOLLOW_UP
    ticket.rules = [action("resume")]
    assert ticket.pass_until(MONDAY + 2 * HOUR)[0].state.status is TicketStatus.OPEN


def test_new_terms_move_every_deadline_and_keep_what_was_consumed() -> None:
    ticket = desk()
    change = ticket.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.HIGH))
    first = next(c for c in change.clocks if c.metric is Metric.FIRST_RESPONSE)
    assert (first.consumed, first.due) == (HOUR, MONDAY + 2 * HOUR)


def test_lateness_is_told_apart_from_the_nominal_instant() -> None:
    decision = Desk().take(created(), late=2 * MINUTE)
    assert (decision.at, decision.lateness) == (MONDAY, 2 * MINUTE)
    assert decision.facts["lateness_s"] == 120.0


def test_nothing_falls_due_on_a_closed_ticket() -> None:
    ticket = desk(agents={"kim": (Decimal(0), Decimal(12))})
    ticket.take(event(EventKind.ASSIGN, MONDAY + HOUR, assignee="kim", lock=True))
    ticket.take(event(EventKind.RESOLVE, MONDAY + HOUR + MINUTE))
    assert ticket.take(event(EventKind.CLOSE, MONDAY + HOUR + 2 * MINUTE)).next_due is None


def test_nobody_is_claimed_for_a_ticket_that_cannot_be_assigned() -> None:
    ticket = desk()
    ticket.take(event(EventKind.RESOLVE, MONDAY + HOUR))
    free = {"kim": (Decimal(0), Decimal(12)), "lee": (Decimal(0), Decimal(12))}
    ticket.agents, ticket.people = dict(free), {"lead": ("lee",)}
    ticket.rules = [action("assign"), action("escalate", to="lead")]
    noted = ticket.take(event(EventKind.NOTE, MONDAY + 2 * HOUR))
    assert [record.outcome for record in noted.actions] == [Outcome.REFUSED, Outcome.DONE]
    assert (noted.state.owner, ticket.agents) == ("", free)
