"""Decisions about callbacks: who gets them, what is dialled, who is told, and what is refused."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from rules.load import load_pack
from support.callback_decision import CallbackDecision
from support.callbacks import (
    CallbackStatus,
    CallOutcome,
    EndedWhy,
    Window,
    callback_fingerprint,
    callback_workflow_id,
    place_in_queue,
)
from support.decision import Deadline
from support.errors import (
    CallbackExistsError,
    ImplausibleTimeError,
    InputError,
    NotToBeCalledError,
    OwnerChangedError,
    OwnerLockedError,
    TransitionRefusedError,
    UnknownCallbackError,
)
from support.work import EffectKind, Outside
from tests.support.calling import (
    CB,
    DAY,
    HOUR,
    HUB,
    LOU,
    MINUTE,
    CallDesk,
    Kind,
    dispatched,
    ended_with,
    in_call,
    requested,
    told,
    utc,
)
from tests.support.deciding import CUSTOMER, KIM, MONDAY, action

Status = CallbackStatus
ROOM = Decimal(12)
PEOPLE = {"lead": ("lea",), "manager": ("max",), "on_call": ("ona",)}
PACK = load_pack(None)
TELEPHONE = Outside(notify=True, dial=True)


def done(decision: CallbackDecision) -> list[tuple[str, str]]:
    return [(record.kind, str(record.outcome)) for record in decision.actions]


def test_a_request_goes_to_an_agent_with_room_at_once() -> None:
    desk = dispatched(agents={"kim": Decimal(6), "lou": ROOM})
    state = desk.state
    assert (state.status, state.owner, desk.load("lou")) == (Status.DISPATCHED, "lou", ROOM)
    assert state.ownership.accept_by == MONDAY + 2 * MINUTE
    (record,) = desk.last.actions
    assert (record.kind, record.detail) == ("dispatch", "owner is lou")
    assert [place.agent_id for place in record.ranked if place.rejected] == ["kim"]


def test_a_retry_goes_to_who_called_before() -> None:
    desk = dispatched(agents={"kim": ROOM})
    desk.take(ended_with(CallOutcome.BUSY, MONDAY))
    desk.agents = {"abe": 4 * ROOM, "kim": ROOM}
    (again,) = desk.pass_until(MONDAY + 15 * MINUTE)
    assert again.state.owner == "kim"


def test_nobody_at_work_is_said_and_an_offer_brings_it_to_who_comes() -> None:
    desk = CallDesk(agents={})
    desk.take(requested(skills=("billing",), team="north"))
    assert desk.last.actions[0].detail == ("no agent of team north with billing is on the roster")
    assert desk.last.standing.queued
    desk.agents = {"kim": ROOM}
    desk.take(told(Kind.OFFER, MONDAY + MINUTE, HUB))
    assert (desk.state.owner, desk.state.ownership.none) == ("kim", None)


def test_at_night_it_waits_for_the_calling_hours() -> None:
    desk = CallDesk()
    desk.take(requested(utc("2026-03-27T20:00")))
    assert desk.state.status is Status.QUEUED
    assert "nobody may be called before 2026-03-30T06:00" in desk.last.actions[0].detail
    (morning,) = desk.pass_until(utc("2026-03-30T06:00"))
    assert (str(morning.facts["callback_due"]), morning.state.owner) == ("hours_open", "kim")


def test_who_does_not_accept_before_closing_time_has_it_no_longer() -> None:
    desk = CallDesk()
    closing = utc("2026-03-27T16:00")
    desk.take(requested(closing - MINUTE))
    assert desk.state.ownership.accept_by == closing
    with pytest.raises(NotToBeCalledError, match="accept is not possible now: nobody may be"):
        desk.take(told(Kind.ACCEPT, closing))
    (back,) = desk.pass_until(closing)
    assert back.state.status is Status.QUEUED


def test_a_number_on_the_list_is_never_dispatched() -> None:
    desk = CallDesk(do_not_call=True, pack=PACK, people=PEOPLE)
    ended = desk.take(requested())
    assert (ended.state.status, ended.state.ended) == (Status.ABANDONED, EndedWhy.DO_NOT_CALL)
    assert ended.fired == ("callback-given-up",)
    later = CallDesk()
    later.take(requested(window=Window(start=MONDAY + HOUR)))
    later.do_not_call = True
    (opened,) = later.pass_until(MONDAY + HOUR)
    assert opened.state.ended is EndedWhy.DO_NOT_CALL


def test_a_timer_whose_reason_went_away_looks_again_and_fires_nothing() -> None:
    desk = CallDesk(agents={})
    desk.take(requested())
    looked = desk.take(Deadline(MONDAY + MINUTE, "hours_open"))
    assert (looked.due, looked.state.settled) == (None, ())
    assert looked.next_due == desk.decisions[0][1].next_due
    desk.take(told(Kind.CANCEL, MONDAY + MINUTE, CUSTOMER))
    with pytest.raises(InputError, match="nothing named expiry is due"):
        desk.take(Deadline(MONDAY + MINUTE, "expiry"))


def test_with_a_telephone_the_acceptance_dials_once_under_its_key() -> None:
    desk = dispatched(outside=TELEPHONE)
    assert desk.last.effects == ()
    accepted = desk.take(told(Kind.ACCEPT, MONDAY + MINUTE))
    (effect,) = accepted.effects
    assert (effect.kind, effect.key) == (EffectKind.DIAL, "callback/acme/CB-1/2/0")
    assert effect.params == {
        "callback_id": "CB-1",
        "number_ref": "n-1",
        "agent": "kim",
        "attempt": 1,
    }
    assert desk.state.dialling == effect.key
    again = desk.take(told(Kind.ACCEPT, MONDAY + 2 * MINUTE))
    assert again.effects == ()
    for event in (
        told(Kind.DECLINE, MONDAY + 2 * MINUTE),
        told(Kind.ASSIGN, MONDAY + 2 * MINUTE, LOU, assignee="kim"),
    ):
        with pytest.raises(TransitionRefusedError, match="it is being dialled"):
            desk.take(event)


def test_without_a_telephone_the_agent_dials() -> None:
    desk = in_call()
    assert [effect for _, decision in desk.decisions for effect in decision.effects] == []


def test_a_person_gives_it_to_somebody_beyond_their_room_and_locks_it() -> None:
    desk = dispatched(agents={"kim": ROOM, "lou": Decimal(1)})
    given = desk.take(told(Kind.ASSIGN, MONDAY + MINUTE, LOU, assignee="lou", lock=True))
    assert (given.state.owner, desk.load("lou"), desk.load("kim")) == ("lou", ROOM, Decimal(0))
    assert given.state.locked_until == MONDAY + 61 * MINUTE
    with pytest.raises(OwnerLockedError, match="give the reason to override"):
        desk.take(told(Kind.ASSIGN, MONDAY + MINUTE, KIM, assignee="kim", event_id="a"))
    reason = told(Kind.ASSIGN, MONDAY + MINUTE, KIM, assignee="kim", event_id="b", message_ref="m")
    assert desk.take(reason).state.owner == "kim"
    released = desk.take(told(Kind.ASSIGN, MONDAY + MINUTE, KIM, event_id="c"))
    assert (released.state.status, released.state.owner) == (Status.QUEUED, "")
    with pytest.raises(InputError, match="there is no agent bob"):
        desk.take(told(Kind.ASSIGN, MONDAY + MINUTE, KIM, assignee="bob", event_id="d"))


def test_a_person_cannot_give_it_to_anybody_outside_the_hours() -> None:
    desk = CallDesk()
    desk.take(requested(utc("2026-03-27T20:00")))
    with pytest.raises(NotToBeCalledError, match="assign is not possible now"):
        desk.take(told(Kind.ASSIGN, utc("2026-03-27T20:01"), LOU, assignee="kim"))


def test_an_owner_who_leaves_gives_it_back_unless_they_have_accepted() -> None:
    desk = dispatched(agents={"kim": ROOM, "lou": ROOM})
    left = told(Kind.OWNER_LEFT, MONDAY, HUB, expected_owner="kim")
    desk.at_work = lambda agent, _at: agent == "lou"
    assert desk.take(left).state.owner == "lou"
    with pytest.raises(OwnerChangedError, match="lou has it now, not kim"):
        desk.take(left)
    busy = in_call()
    kept = busy.take(told(Kind.OWNER_LEFT, MONDAY + MINUTE, HUB, expected_owner="kim"))
    assert (kept.state.status, kept.state.owner) == (Status.IN_CALL, "kim")


def test_an_overdue_one_is_escalated_locked_and_told_and_then_goes_on_call() -> None:
    desk = CallDesk(agents={"lea": ROOM}, pack=PACK, people=PEOPLE, outside=TELEPHONE)
    desk.at_work = lambda _agent, _at: False
    desk.take(requested(ticket_id="T-1"))
    passed = desk.pass_until(MONDAY + 2 * HOUR)
    assert "callback-overdue" in passed[-1].fired
    assert done(passed[-1])[1:] == [
        ("escalate", "done"),
        ("lock_owner", "done"),
        ("notify", "queued"),
    ]
    assert (desk.state.owner, desk.state.locked_until) == ("lea", MONDAY + 3 * HOUR)
    assert passed[-1].effects[0].params["to"] == ("lea",)
    later = desk.pass_until(MONDAY + 3 * HOUR)
    on_call = next(d for d in later if "callback-late-on-call" in d.fired)
    assert on_call.at == MONDAY + 3 * HOUR
    assert on_call.effects[0].params["role"] == "on_call"


def test_an_expired_one_apologises_and_leaves_a_ticket_to_follow_up() -> None:
    desk = CallDesk(agents={}, pack=PACK, people=PEOPLE)
    desk.take(requested())
    *_, last = desk.pass_until(MONDAY + 8 * DAY)
    assert (last.state.status, last.at) == (Status.EXPIRED, MONDAY + 7 * DAY)
    assert [(str(w.kind), w.text) for w in last.words] == [
        ("follow_up", ""),
        ("reply", "callback-expired"),
    ]
    assert last.fired == ("callback-expired", "callback-given-up")


def test_a_window_that_passes_expires_a_day_later() -> None:
    desk = CallDesk(agents={})
    desk.take(requested(window=Window(MONDAY, MONDAY + HOUR)))
    *_, last = desk.pass_until(MONDAY + 8 * DAY)
    assert (last.state.status, last.at) == (Status.EXPIRED, MONDAY + HOUR + DAY)


def test_in_the_day_after_a_window_another_one_can_be_agreed_on() -> None:
    desk = CallDesk(agents={})
    desk.take(requested(window=Window(MONDAY, MONDAY + HOUR)))
    desk.pass_until(MONDAY + 2 * HOUR)
    assert desk.last.facts["callback_overdue"]
    window = Window(MONDAY + 4 * HOUR, MONDAY + 5 * HOUR)
    desk.take(told(Kind.JOINED, MONDAY + 2 * HOUR, CUSTOMER, window=window))
    desk.agents = {"kim": ROOM}
    desk.pass_until(MONDAY + 4 * HOUR)
    assert (desk.state.owner, desk.state.requested_at) == ("kim", MONDAY)


def test_actions_that_a_callback_does_not_have_are_refused_on_record() -> None:
    rules = (
        action("set_priority", priority="high"),
        action("lock_owner", minutes=60),
        action("escalate", to="lead"),
        action("reply", text="received"),
        action("record", note="{callback_attempts} attempts"),
    )
    desk = CallDesk(agents={}, rules=rules)
    desk.take(requested())
    assert done(desk.last)[1:] == [
        ("set_priority", "refused"),
        ("lock_owner", "refused"),
        ("escalate", "refused"),
        ("reply", "refused"),
        ("record", "recorded"),
    ]
    assert desk.last.actions[-1].detail == "0 attempts"


def test_quotas_hold_for_callbacks_too() -> None:
    rules = (action("notify", to="lead", template="t"), action("reply", text="received"))
    desk = CallDesk(agents={}, rules=rules, people=PEOPLE, outside=TELEPHONE)
    desk.take(requested(ticket_id="T-1"))
    for number in range(6):
        desk.take(told(Kind.NOTE, MONDAY + number * MINUTE))
    assert done(desk.last)[-2:] == [("notify", "refused"), ("reply", "refused")]
    told_times = [e for _, d in desk.decisions for e in d.effects]
    assert len(told_times) == 6


def test_stopped_automation_dispatches_nobody_and_does_nothing_that_rules_ask_for() -> None:
    desk = CallDesk(stopped=True, rules=(action("record", note="n"),))
    desk.take(requested())
    assert done(desk.last) == [("dispatch", "refused"), ("record", "refused")]
    assert {record.detail for record in desk.last.actions} == {"automation is stopped"}
    desk.stopped = False
    desk.take(told(Kind.OFFER, MONDAY + MINUTE, HUB))
    assert desk.state.owner == "kim"


def test_what_nobody_has_or_everybody_has_already_is_refused() -> None:
    desk = CallDesk()
    with pytest.raises(UnknownCallbackError, match="there is no callback CB-1 in acme"):
        desk.take(told(Kind.CANCEL, MONDAY))
    with pytest.raises(UnknownCallbackError):
        desk.take(Deadline(MONDAY, "expiry"))
    desk.take(requested())
    with pytest.raises(CallbackExistsError):
        desk.take(requested(MONDAY + MINUTE))
    with pytest.raises(ImplausibleTimeError):
        desk.take(replace(told(Kind.NOTE, MONDAY), occurred_at=MONDAY + HOUR, received_at=MONDAY))


def test_the_queue_goes_by_overdue_and_then_by_the_original_request() -> None:
    desk = CallDesk(agents={})
    for name, at in (("CB-2", MONDAY), ("CB-1", MONDAY), ("CB-3", MONDAY - HOUR)):
        desk.take(requested(at), name)
    states = list(desk.states.values())
    ordered = sorted(states, key=lambda s: place_in_queue(s, overdue=s.callback_id == "CB-2"))
    assert [state.callback_id for state in ordered] == ["CB-2", "CB-3", "CB-1"]


def test_ids_and_repeats_are_told_apart() -> None:
    assert callback_workflow_id("acme", "CB-1") == "callback/acme/CB-1"
    with pytest.raises(InputError):
        callback_workflow_id("acme", "CB/1")
    one = ended_with(CallOutcome.BUSY, MONDAY)
    same = replace(one, received_at=MONDAY + HOUR, actor=LOU, source="cli")
    other = replace(one, outcome=CallOutcome.VOICEMAIL)
    assert callback_fingerprint(one) == callback_fingerprint(same)
    assert callback_fingerprint(one) != callback_fingerprint(other)


def test_an_event_that_comes_late_counts_from_the_last_instant_on() -> None:
    desk = CallDesk(agents={})
    desk.take(requested())
    desk.take(told(Kind.NOTE, MONDAY + HOUR))
    late = desk.take(told(Kind.CANCEL, MONDAY + MINUTE, CUSTOMER), late=2 * HOUR)
    assert (late.at, late.state.ended_at) == (MONDAY + HOUR, MONDAY + HOUR)
    assert late.lateness == timedelta(minutes=61)
    assert desk.states[CB].status is Status.CANCELLED


def test_a_telephone_that_is_connected_later_does_not_dial_what_the_agent_may_have_dialled() -> (
    None
):
    desk = dispatched()
    desk.take(told(Kind.ACCEPT, MONDAY))
    desk.outside = TELEPHONE
    noted = desk.take(told(Kind.NOTE, MONDAY + MINUTE))
    assert (noted.effects, noted.state.dialling) == ((), "")


def test_an_owner_lock_that_ran_out_is_renewed_by_no_rule() -> None:
    desk = in_call(rules=(action("lock_owner", minutes=10),))
    passed = desk.pass_until(MONDAY + 11 * MINUTE)
    assert [str(decision.due.kind) for decision in passed if decision.due] == ["lock_expired"]
    assert "no rule renews it" in passed[0].actions[-1].detail
    assert passed[0].state.locked_until is None
