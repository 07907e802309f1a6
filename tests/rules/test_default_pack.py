"""Every rule of the shipped pack, from the facts that call for it to what it asks for."""

from typing import Any

import pytest

from rules.engine import Engine
from rules.load import load_pack
from rules.values import completed
from support.needs import Row, RuleVerdict
from tests.rules.situations import facts

PACK = load_pack(None)
STEP = {"on": "deadline", "due_kind": "step", "step_metric": "first_response", "unanswered": True}
OWNED = {"owner_set": True, "owner_available": True}
GONE = {"on": "owner_left", "owner_set": True, "left_cause": "shift_ended"}

KIM: Row = {"agent": "kim", "owner": False, "room": True, "load_share": 0.5, "free_units": 6.0,
            "speaks": False, "level": 0, "idle_s": 60.0}  # fmt: skip
FREE: dict[str, tuple[Row, ...]] = {"candidates": (KIM,)}
LANE = {"on": "lane_status", "lane": "unassigned", "lane_status_before": "watch"}

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a call is assigned", {}, ["assign"]),
    ("mail is assigned and confirmed", {"channel": "email"}, ["assign", "reply received"]),
    ("a web form is assigned and confirmed", {"channel": "web"}, ["assign", "reply received"]),
    ("urgent is locked for an hour", {"priority": "urgent"}, ["assign", "lock_owner 60"]),
    ("a reopened ticket without owner", {"on": "reopen"}, ["assign"]),
    ("a customer writes without an owner", {"on": "customer_message"}, ["assign"]),
    ("a wait ends without an owner", {"on": "resume"}, ["assign"]),
    ("a priority changes without an owner", {"on": "priority"}, ["assign"]),
    (
        "it becomes urgent",
        {"on": "priority", "priority": "urgent", **OWNED},
        ["lock_owner 60"],
    ),
    ("a chat of who went home", {**GONE, "channel": "chat"}, ["assign release"]),
    ("a call of who went home", GONE, []),
    ("an urgent call of who went home", {**GONE, "priority": "urgent"}, ["assign"]),
    ("a call of who is on leave", {**GONE, "left_cause": "on_leave"}, ["assign release"]),
    (
        "an urgent chat of who is on leave",
        {**GONE, "left_cause": "on_leave", "channel": "chat", "priority": "urgent"},
        ["assign release"],
    ),
    (
        "a chat of who is back already",
        {**GONE, "channel": "chat", "owner_available": True},
        [],
    ),
    ("a customer writes to an owner who is there", {"on": "customer_message", **OWNED}, []),
    (
        "a customer writes to an owner who is away",
        {"on": "customer_message", "owner_set": True},
        ["assign"],
    ),
    (
        "a locked owner keeps it",
        {"on": "customer_message", "owner_set": True, "owner_locked": True},
        [],
    ),
    ("a closed ticket is not assigned", {"on": "customer_message", "active": False}, []),
    ("a note moves nothing", {"on": "note"}, []),
    ("a release stays with the person who released", {"on": "assign"}, []),
    (
        "a reply that failed",
        {"on": "reply_failed", **OWNED},
        ["notify owner reply-failed"],
    ),
    (
        "three quarters of the target",
        {**STEP, **OWNED, "step_fraction": 0.75},
        ["escalate owner", "notify owner step-75"],
    ),
    (
        "a chat goes on without its owner being there",
        {"on": "customer_message", "channel": "chat", "owner_set": True},
        ["assign 30 release"],
    ),
    (
        "a chat without an owner",
        {"channel": "chat"},
        ["assign 30"],
    ),
    (
        "what its owner has not accepted",
        {"on": "deadline", "due_kind": "acceptance", "channel": "chat"},
        ["assign 30"],
    ),
    (
        "an urgent ticket that nobody can take",
        {"on": "no_owner", "priority": "urgent"},
        ["escalate on_call", "notify on_call no-owner"],
    ),
    (
        "the target",
        {**STEP, **OWNED, "step_fraction": 1.0},
        ["escalate owner", "notify owner step-100", "escalate lead", "notify lead step-100"],
    ),
    (
        "half past it, high",
        {**STEP, **OWNED, "step_fraction": 1.5, "priority": "high"},
        ["escalate on_call", "notify on_call step-150"],
    ),
    (
        "half past it, urgent",
        {**STEP, **OWNED, "step_fraction": 1.5, "priority": "urgent"},
        ["escalate on_call", "notify on_call step-150"],
    ),
    (
        "half past it, normal",
        {**STEP, **OWNED, "step_fraction": 1.5},
        ["escalate manager", "notify manager step-150"],
    ),
    (
        "three quarters without an owner",
        {**STEP, "step_fraction": 0.75},
        ["assign", "escalate lead", "notify lead step-no-owner"],
    ),
    (
        "the target without an owner",
        {**STEP, "step_fraction": 1.0},
        ["assign", "escalate lead", "notify lead step-no-owner"],
    ),
    (
        "half past it without an owner",
        {**STEP, "step_fraction": 1.5},
        ["assign", "escalate manager", "notify manager step-150"],
    ),
    (
        "a chat at its target",
        {**STEP, **OWNED, "step_fraction": 1.0, "channel": "chat"},
        ["assign 30", "notify owner step-chat"],
    ),
    (
        "a chat at its target without an owner",
        {**STEP, "step_fraction": 1.0, "channel": "chat"},
        ["assign 30", "escalate lead", "notify lead step-no-owner"],
    ),
    (
        "a chat at twice its target",
        {**STEP, **OWNED, "step_fraction": 2.0, "channel": "chat", "priority": "urgent"},
        ["escalate lead", "notify lead step-chat"],
    ),
    (
        "a breach",
        {"on": "deadline", "due_kind": "breach", "breached_metric": "resolution", **OWNED},
        ["macro breach-internal"],
    ),
    (
        "a step after five notifications",
        {**STEP, **OWNED, "step_fraction": 1.0, "notifications_24h": 5},
        ["escalate lead"],
    ),
    (
        "a chat at its target after five notifications",
        {**STEP, **OWNED, "step_fraction": 1.0, "channel": "chat", "notifications_24h": 5},
        ["assign 30", "escalate lead"],
    ),
    (
        "a breach after six notifications",
        {"on": "deadline", "due_kind": "breach", "notifications_24h": 6, **OWNED},
        ["record Target missed: work this ticket before queue work and tell the customer."],
    ),
    (
        "an internal wait past its date",
        {"on": "deadline", "due_kind": "follow_up", "status": "waiting_internal", **OWNED},
        ["resume", "notify owner follow-up", "notify lead follow-up"],
    ),
    (
        "an internal wait past its date without an owner",
        {"on": "deadline", "due_kind": "follow_up", "status": "waiting_internal"},
        ["resume", "notify owner follow-up", "notify lead follow-up"],
    ),
    ("a reminder", {"on": "deadline", "due_kind": "remind", **OWNED}, ["reply reminder"]),
    (
        "no answer for seven days",
        {"on": "deadline", "due_kind": "auto_resolve", **OWNED},
        ["macro no-reply-resolve"],
    ),
    (
        "no answer for seven days, but a message just now",
        {"on": "deadline", "due_kind": "auto_resolve", "automation_messages_4h": 1, **OWNED},
        ["resolve"],
    ),
    (
        "a reminder, but a message just now",
        {"on": "deadline", "due_kind": "remind", "automation_messages_4h": 1, **OWNED},
        [],
    ),
    (
        "a resolved ticket after 120 hours",
        {"on": "deadline", "due_kind": "auto_close", "active": False},
        ["close"],
    ),
    (
        "an unanswered ticket is never closed, it comes back",
        {"on": "deadline", "due_kind": "auto_close", "active": False, "unanswered": True},
        ["reopen", "notify owner unanswered", "notify lead unanswered"],
    ),
    ("a lock that expires", {"on": "deadline", "due_kind": "lock_expired", **OWNED}, []),
    (
        "a callback that missed its promise",
        {"on": "callback", "callback_due": "promise", "callback_overdue": True},
        ["escalate lead", "lock_owner 60", "notify lead callback-overdue"],
    ),
    (
        "a callback that is still not dialled later",
        {
            "on": "callback",
            "callback_due": "step",
            "callback_overdue": True,
            "step_fraction": 1.5,
        },
        ["escalate on_call", "notify on_call callback-overdue"],
    ),
    (
        "a callback whose dial nobody knows of",
        {"on": "callback", "callback_parked": True, "callback_event": "unknown"},
        ["notify owner callback-parked", "notify lead callback-parked"],
    ),
    (
        "a callback that expires",
        {"on": "callback", "callback_status": "expired", "callback_due": "expiry"},
        ["reply callback-expired", "notify manager callback-given-up"],
    ),
    (
        "a callback that was given up",
        {"on": "callback", "callback_status": "abandoned"},
        ["notify manager callback-given-up"],
    ),
    ("a lane that gets hot", {**LANE, "lane_status": "hot"}, ["notify lead lane-hot"]),
    (
        "a lane that gets critical at once",
        {**LANE, "lane_status": "critical"},
        ["notify lead lane-hot", "notify manager lane-critical"],
    ),
    ("a lane that calms down", {**LANE, "lane_status": "stable"}, []),
]


@pytest.fixture(scope="module")
def engine() -> Any:
    with Engine(PACK, timeout_s=30) as running:
        yield running


LEFT_OUT = {("assign", "strategy"), ("notify", "text")}


def _asked(verdict: RuleVerdict) -> list[str]:
    """Actions as words: kind, then the values that matter."""
    return [
        " ".join([a.kind, *(str(v) for k, v in a.params.items() if (a.kind, k) not in LEFT_OUT)])
        for a in verdict.actions
    ]


@pytest.mark.parametrize(("changed", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_shipped_pack_asks_for(
    engine: Engine, changed: dict[str, Any], expected: list[str]
) -> None:
    assert _asked(engine.evaluate_now(_facts(changed), FREE)) == expected


def _facts(changed: dict[str, Any]) -> dict[str, Any]:
    """All facts of a quiet ticket with some changed, or those of another subject."""
    of_ticket = changed.get("on") not in ("callback", "lane_status")
    return facts(**changed) if of_ticket else completed(changed)


def test_an_urgent_ticket_that_nobody_has_room_for_is_told_to_the_lead(engine: Engine) -> None:
    full: dict[str, tuple[Row, ...]] = {"candidates": ({**KIM, "room": False},)}
    asked = _asked(engine.evaluate_now(facts(priority="urgent"), full))
    assert asked == ["assign", "notify lead nobody-free", "lock_owner 60"]


def test_every_shipped_rule_fires_in_some_case(engine: Engine) -> None:
    fired = {
        rule
        for _, changed, _ in CASES
        for rows in (FREE, {})
        for rule in engine.evaluate_now(_facts(changed), rows).fired
    }
    assert fired == {rule.id for rule in PACK.rules}


def test_no_shipped_action_raises_a_priority() -> None:
    actions = [a for rule in PACK.rules for a in rule.then]
    actions += [a for macro in PACK.macros.actions.values() for a in macro]
    assert "set_priority" not in {action.kind for action in actions}
