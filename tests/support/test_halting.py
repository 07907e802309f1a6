"""Automation that would not end, or asks for too much, halts on a ticket until somebody looks."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.deadlines import DueKind
from support.decision import Decision
from support.model import Actor, ActorKind, Channel, EventKind, Priority, TicketStatus
from support.work import Outside
from tests.rules.situations import pack_of
from tests.support.deciding import CUSTOMER, KIM, MONDAY, created, event
from tests.support.ruled import RuledDesk, limited, outcomes, resting, rule, ruled, with_pack

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
UP = rule("up", "[priority]", "[{set_priority: {priority: high}}]", "{priority: low}")
DOWN = rule("down", "[priority]", "[{set_priority: {priority: low}}]", "{priority: high}")
PINGPONG = (UP, DOWN)
ADD = rule("add", "[tag]", "[{tag: {add: vip}}]", "{not: {tags: {contains: vip}}}")
DROP = rule("drop", "[tag]", "[{tag: {remove: vip}}]", "{tags: {contains: vip}}")
SOLVE = rule("solve", "[reopen]", "[resolve]")
REVIVE = rule("revive", "[resolve]", "[reopen]")
TOLD = ("", "notify", "recorded")


def looping() -> tuple[RuledDesk, Decision]:
    """A ticket on which a change of priority has gone to and fro, and the halting decision."""
    desk = ruled(*PINGPONG)
    desk.take(created())
    return desk, desk.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.LOW))


def halted(desk: RuledDesk) -> str:
    """Why automation is halted; empty: it is not."""
    assert desk.state is not None
    return desk.state.halted.reason if desk.state.halted else ""


def test_priorities_that_set_each_other_off_end_halted_with_what_was_done_on_record() -> None:
    desk, decision = looping()
    assert halted(desk) == "rule up sets itself off without end: up -> down -> up"
    assert outcomes(decision) == [
        ("up", "set_priority", "done"),
        ("down", "set_priority", "done"),
        TOLD,
    ]
    assert [r.fired for r in decision.rounds] == [("down",), ()]
    assert decision.state.priority is Priority.LOW
    assert decision.actions[-1].params == {
        "to": "lead and manager",
        "template": "automation-halted",
    }
    assert decision.actions[-1].detail == f"lead and manager lea, max: {halted(desk)}"


@pytest.mark.parametrize(
    ("rules", "kind", "more", "reason"),
    [
        ((ADD, DROP), EventKind.TAG, {"tags_added": ("vip",)}, "drop -> add -> drop"),
        ((SOLVE, REVIVE), EventKind.RESOLVE, {}, "revive -> solve -> revive"),
    ],
)
def test_what_undoes_itself_ends_halted(
    rules: tuple[str, ...], kind: EventKind, more: dict[str, Any], reason: str
) -> None:
    desk = ruled(*rules)
    desk.take(created())
    decision = desk.take(event(kind, MONDAY + HOUR, **more))
    assert halted(desk).endswith(reason)
    assert len(decision.actions) == 3


def chain_of(length: int) -> tuple[str, ...]:
    """Rules that each add a tag for which the next one is."""
    first = rule("r0", "[created]", "[{tag: {add: t0}}]")
    more = (
        rule(
            f"r{n}",
            "[tag]",
            f"[{{tag: {{add: t{n}}}}}]",
            f"{{all: [{{tags: {{contains: t{n - 1}}}}}, {{not: {{tags: {{contains: t{n}}}}}}}]}}",
        )
        for n in range(1, length)
    )
    return (first, *more)


def test_a_chain_of_eight_rules_ends_by_itself() -> None:
    desk = ruled(*chain_of(8))
    decision = desk.take(created())
    assert decision.fired == tuple(f"r{n}" for n in range(8))
    assert not halted(desk)


def test_a_chain_deeper_than_the_limit_is_halted_where_the_limit_is() -> None:
    desk = ruled(*chain_of(12))
    decision = desk.take(created())
    assert halted(desk).startswith(
        "rule r8 would be number 9 of a chain, and the limit is 8: r0 ->"
    )
    assert decision.state.tags == tuple(f"t{n}" for n in range(8))
    assert outcomes(decision)[-2:] == [("r8", "tag", "refused"), TOLD]
    assert decision.actions[-2].detail == f"automation on this ticket is halted: {halted(desk)}"


def test_branches_that_would_explode_end_at_the_limit_of_rounds() -> None:
    seed = rule("seed", "[created]", "[{tag: {add: start}}]")
    each = (
        rule(
            f"r{n}", "[tag]", f"[{{tag: {{add: t{n}}}}}]", f"{{not: {{tags: {{contains: t{n}}}}}}}"
        )
        for n in range(40)
    )
    desk = ruled(seed, *each)
    decision = desk.take(created())
    assert len(desk.questions) == 32
    assert "more than 32 times in one decision" in halted(desk)
    assert outcomes(decision)[-1] == TOLD


def test_a_pack_may_set_its_own_limits() -> None:
    desk = with_pack(limited(pack_of("name: p\nrules:\n" + "".join(chain_of(5))), deepest_chain=2))
    desk.take(created())
    assert "the limit is 2" in halted(desk)
    desk = with_pack(limited(pack_of("name: p\nrules:\n" + "".join(chain_of(5))), most_rounds=3))
    desk.take(created())
    assert len(desk.questions) == 3
    assert "more than 3 times" in halted(desk)


def test_a_rule_that_answers_every_failed_reply_is_halted_at_the_quota_of_messages() -> None:
    reply = Outside(reply=frozenset({Channel.WEB}))
    desk = ruled(
        rule("sorry", "[reply_failed]", "[{reply: {text: hello}}, {tag: {add: sorry}}]"),
        rule("aside", "[reply_failed]", "[{record: {note: seen}}]"),
        outside=reply,
    )
    desk.take(created())
    system = Actor(ActorKind.SYSTEM, "mail")
    first = desk.take(event(EventKind.REPLY_FAILED, MONDAY + HOUR, system))
    assert outcomes(first)[0] == ("sorry", "reply", "queued")
    assert not halted(desk)
    second = desk.take(event(EventKind.REPLY_FAILED, MONDAY + HOUR + MINUTE, system))
    assert halted(desk) == "rule sorry went over the quota of one automatic message in 4h"
    assert outcomes(second) == [
        ("sorry", "reply", "refused"),
        ("sorry", "tag", "refused"),
        ("aside", "record", "recorded"),
        TOLD,
    ]


def test_notifications_over_the_quota_of_the_pack_halt_and_the_lead_is_told_all_the_same() -> None:
    tell = rule("tell", "[note]", "[{notify: {to: lead, template: x}}]")
    pack = limited(pack_of("name: p\nrules:\n" + tell), notifications_a_day=2)
    desk = with_pack(pack, outside=Outside(notify=True))
    desk.take(created())
    for n in range(3):
        decision = desk.take(event(EventKind.NOTE, MONDAY + (n + 1) * HOUR))
    assert halted(desk) == "rule tell went over the quota of 2 notifications in 24h"
    (effect,) = decision.effects
    assert effect.key == decision.actions[-1].effect_key
    assert effect.params == {
        "to": ("lea", "max"),
        "role": "lead and manager",
        "template": "automation-halted",
        "automatic": True,
    }
    assert len(decision.state.notifications) == 2


def test_where_nobody_leads_the_manager_is_told_once_and_without_both_the_channel() -> None:
    desk = ruled(*PINGPONG, outside=Outside(notify=True))
    desk.people = {"manager": ("max",)}
    desk.take(created())
    low = event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.LOW)
    assert desk.take(low).effects[0].params["to"] == ("max",)
    desk = ruled(*PINGPONG, outside=Outside(notify=True))
    desk.people = {}
    desk.take(created())
    assert desk.take(low).effects[0].params["role"] == "channel"


def test_while_it_is_halted_rules_are_on_record_and_nothing_is_done() -> None:
    desk, _ = looping()
    message = desk.take(event(EventKind.PRIORITY, MONDAY + 2 * HOUR, CUSTOMER, priority="high"))
    assert message.fired == ("down",)
    assert outcomes(message) == [("down", "set_priority", "refused")]
    assert message.actions[0].detail == f"automation on this ticket is halted: {halted(desk)}"
    assert message.state.firings == ()


def test_clocks_steps_and_breaches_are_as_ever_while_it_is_halted() -> None:
    desk, _ = looping()
    quiet = ruled(rule("none", "[close]", "[assign]"))
    quiet.take(created())
    quiet.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.LOW))
    end = MONDAY + 30 * 24 * HOUR
    for one in (desk, quiet):
        one.pass_until(end)
    assert desk.state is not None
    assert quiet.state is not None
    assert desk.state.steps == quiet.state.steps
    assert desk.state.breaches == quiet.state.breaches
    assert desk.state.breaches


def test_what_automation_does_by_itself_stays_due_until_somebody_looks() -> None:
    close = rule("shut", "[deadline]", "[close]", "{due_kind: auto_close}")
    desk = ruled(rule("solve", "[reopen, ack]", "[resolve]"), REVIVE, close)
    desk.take(created())
    desk.take(event(EventKind.REPLY, MONDAY + MINUTE))
    desk.take(event(EventKind.RESOLVE, MONDAY + HOUR))
    assert halted(desk)
    assert desk.state is not None
    assert desk.state.status is TicketStatus.RESOLVED
    passed = desk.pass_until(MONDAY + 300 * HOUR)
    assert DueKind.AUTO_CLOSE not in {d.due.kind for d in passed if d.due}
    desk.pack = pack_of("name: p\nrules:\n" + close)
    desk.take(event(EventKind.TAG, MONDAY + 301 * HOUR, tags_added=("seen",)))
    (last,) = desk.pass_until(MONDAY + 302 * HOUR)
    assert last.due is not None
    assert last.due.kind is DueKind.AUTO_CLOSE
    assert last.state.status is TicketStatus.CLOSED


@pytest.mark.parametrize(
    ("kind", "actor", "more", "goes_on"),
    [
        (EventKind.ACK, KIM, {}, True),
        (EventKind.REPLY, KIM, {}, True),
        (EventKind.ASSIGN, KIM, {"assignee": "lou"}, True),
        (EventKind.TAG, KIM, {"tags_added": ("seen",)}, True),
        (EventKind.RESOLVE, KIM, {}, True),
        (EventKind.NOTE, KIM, {}, False),
        (EventKind.REPLY, KIM, {"automatic": True}, False),
        (EventKind.CUSTOMER_MESSAGE, CUSTOMER, {}, False),
        (EventKind.REPLY, Actor(ActorKind.SYSTEM, "bot"), {}, False),
    ],
)
def test_a_person_who_does_something_lets_it_go_on(
    kind: EventKind, actor: Actor, more: dict[str, Any], goes_on: bool
) -> None:
    desk, halting = looping()
    decision = desk.take(event(kind, MONDAY + 2 * HOUR, actor, **more))
    assert bool(halted(desk)) is not goes_on
    said = [a.detail for a in decision.actions if a.kind == "automation_goes_on"]
    since = halting.at.isoformat()
    reason = "rule up sets itself off without end: up -> down -> up"
    assert said == ([f"kim looked; it was halted at {since}: {reason}"] if goes_on else [])


def test_what_was_done_before_the_halt_and_is_learned_of_late_is_no_look() -> None:
    desk, _ = looping()
    desk.take(event(EventKind.REPLY, MONDAY + MINUTE))
    assert halted(desk)


def test_once_somebody_looked_rules_act_again_and_quotas_count_from_there() -> None:
    tell = rule("tell", "[customer_message, ack]", "[{notify: {to: lead, template: x}}]")
    desk = with_pack(limited(pack_of("name: p\nrules:\n" + tell), notifications_a_day=2))
    desk.take(created())
    for n in range(4):
        desk.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + (n + 1) * MINUTE, CUSTOMER))
    assert halted(desk)
    looked = desk.take(event(EventKind.ACK, MONDAY + HOUR))
    assert outcomes(looked)[-1] == ("tell", "notify", "recorded")
    desk.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + HOUR + MINUTE, CUSTOMER))
    assert not halted(desk)
    desk.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + HOUR + 2 * MINUTE, CUSTOMER))
    assert halted(desk)


def test_a_rule_that_rests_breaks_the_loop_that_it_would_close() -> None:
    pack = resting(pack_of("name: p\nrules:\n" + "".join(PINGPONG)), cooldown=HOUR)
    desk = with_pack(pack)
    desk.take(created())
    decision = desk.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.LOW))
    assert decision.fired == ("up", "down")
    assert not halted(desk)
    assert "rests for 1h" in decision.rounds[-1].trace[0].reason


KINDS = ["created", "priority", "tag", "resolve", "reopen", "assign", "reply", "close"]
ACTIONS = [
    *(f"{{set_priority: {{priority: {p}}}}}" for p in ("low", "high")),
    *(f"{{tag: {{{how}: {tag}}}}}" for how in ("add", "remove") for tag in ("a", "b")),
    "assign",
    "resolve",
    "reopen",
    "close",
    "{reply: {text: hello}}",
    "{notify: {to: lead, template: x}}",
    "{escalate: {to: lead}}",
]
PACKS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True),
        st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=4),
        st.sampled_from(["", "{priority: low}", "{tags: {contains: a}}", "{active: true}"]),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=150, deadline=None)
@given(PACKS)
def test_every_decision_ends_and_no_rule_fires_twice_on_one_path(
    drawn: list[tuple[list[str], list[str], str]],
) -> None:
    rules = [
        rule(f"r{n}", f"[{', '.join(on)}]", f"[{', '.join(then)}]", when)
        for n, (on, then, when) in enumerate(drawn)
    ]
    desk = ruled(*rules)
    for trigger in (
        created(),
        event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.LOW),
        event(EventKind.TAG, MONDAY + 2 * HOUR, tags_added=("a",)),
    ):
        desk.questions.clear()
        if desk.state is not None and not desk.state.active:
            break
        decision = desk.take(trigger)
        assert len(desk.questions) <= 32
        assert len(desk.questions) == len(decision.rounds) + 1
        for round_ in decision.rounds:
            assert len(set(round_.path)) == len(round_.path) <= 8
            assert not set(round_.fired) & set(round_.path)
        assert [a.index for a in decision.actions] == list(range(len(decision.actions)))


def test_a_rule_does_not_renew_the_lock_that_has_just_run_out_for_ever() -> None:
    desk = ruled(
        rule("lock", "[assign]", "[{lock_owner: {minutes: 1}}]"),
        rule("renew", "[deadline]", "[{tag: {add: late}}]", "{due_kind: lock_expired}"),
        rule("again", "[tag, deadline]", "[{lock_owner: {minutes: 1}}]", "{active: true}"),
    )
    desk.take(created())
    desk.take(event(EventKind.ASSIGN, MONDAY + MINUTE, assignee="kim"))
    passed = desk.pass_until(MONDAY + 5 * MINUTE)
    assert [d.due.kind for d in passed if d.due] == [DueKind.LOCK_EXPIRED]
    assert [o for o in outcomes(passed[0]) if o[1] == "lock_owner"] == [
        ("again", "lock_owner", "refused")
    ] * 2
    assert passed[0].state.locked_until is None
