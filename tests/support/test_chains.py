"""Rules that set off rules: in which order, on which facts, and what of it is on record."""

from datetime import timedelta

from support.model import EventKind, Priority, TicketStatus
from tests.support.deciding import MONDAY, created, event
from tests.support.ruled import outcomes, paths, rule, ruled

HOUR = timedelta(hours=1)
RAISE = rule("raise", "[created]", "[{set_priority: {priority: high}}]")
MARK = rule("mark", "[priority]", "[{tag: {add: hot}}]", "{priority: high}")
TELL = rule("tell", "[tag]", "[{record: {note: hot}}]", "{tags: {contains: hot}}")


def test_where_no_rule_is_for_it_nothing_is_asked_again() -> None:
    desk = ruled(RAISE)
    decision = desk.take(created())
    assert decision.state.priority is Priority.HIGH
    assert decision.rounds == ()
    assert len(desk.questions) == 1


def test_what_a_rule_does_sets_off_the_next_within_one_decision() -> None:
    decision = ruled(TELL, MARK, RAISE).take(created())
    assert decision.fired == ("raise", "mark", "tell")
    assert paths(decision) == [
        ("priority", ("raise",), ("mark",)),
        ("tag", ("raise", "mark"), ("tell",)),
    ]
    assert [(a.index, a.rule_id) for a in decision.actions] == [
        (0, "raise"),
        (1, "mark"),
        (2, "tell"),
    ]
    assert [(r.cause, r.actions) for r in decision.rounds] == [(0, (1,)), (1, (2,))]
    assert decision.state.halted is None


def test_a_further_round_sees_the_ticket_as_it_is_then_and_who_did_it() -> None:
    desk = ruled(MARK, rule("raise", "[deadline]", "[{set_priority: {priority: low}}]"))
    desk.take(created(priority=Priority.HIGH))
    (decision,) = desk.pass_until(MONDAY + 1.5 * HOUR)
    (round_,) = decision.rounds
    assert round_.changed["on"] == "priority"
    assert round_.changed["actor_kind"] == "rule"
    assert round_.changed["priority"] == "low"
    assert round_.changed["due_kind"] == ""
    assert {name: desk.questions[-1].facts[name] for name in round_.changed} == round_.changed
    assert [trace.reason for trace in round_.trace if trace.rule_id == "mark"] == [
        "priority is low, not high"
    ]


def test_what_a_person_does_sets_off_rules_that_set_off_rules() -> None:
    desk = ruled(MARK, TELL)
    desk.take(created())
    decision = desk.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.HIGH))
    assert decision.fired == ("mark", "tell")
    assert [r.path for r in decision.rounds] == [("mark",)]


def test_rounds_follow_the_order_of_the_actions_before_they_go_deeper() -> None:
    both = rule("both", "[created]", "[{tag: {add: a}}, {set_priority: {priority: high}}]")
    decision = ruled(
        both,
        rule("of-tag", "[tag]", "[assign]"),
        rule("of-priority", "[priority]", "[resolve]"),
        rule("of-assign", "[assign]", "[{record: {note: last}}]"),
    ).take(created())
    assert decision.fired == ("both", "of-tag", "of-priority", "of-assign")
    assert [r.trigger for r in decision.rounds] == ["tag", "priority", "assign"]


def test_a_rule_may_fire_in_two_branches() -> None:
    both = rule("both", "[created]", "[{tag: {add: a}}, {set_priority: {priority: high}}]")
    decision = ruled(both, rule("note-it", "[tag, priority]", "[{record: {note: seen}}]")).take(
        created()
    )
    assert [r.fired for r in decision.rounds] == [("note-it",), ("note-it",)]
    assert decision.fired == ("both", "note-it")
    assert decision.state.halted is None


def test_an_action_that_changes_nothing_sets_off_nothing() -> None:
    desk = ruled(RAISE, MARK)
    assert desk.take(created(priority=Priority.HIGH)).rounds == ()


def test_a_rule_that_insists_on_what_it_wants_is_no_loop() -> None:
    insists = rule("insists", "[priority]", "[{set_priority: {priority: high}}]")
    desk = ruled(insists)
    desk.take(created(priority=Priority.HIGH))
    decision = desk.take(event(EventKind.PRIORITY, MONDAY + HOUR, priority=Priority.LOW))
    assert decision.state.priority is Priority.HIGH
    assert decision.state.halted is None
    (round_,) = decision.rounds
    assert "it has fired in this chain" in round_.trace[0].reason


def test_an_escalation_that_gives_an_owner_sets_off_what_assignment_does() -> None:
    desk = ruled(
        rule("up", "[created]", "[{escalate: {to: lead}}]"),
        rule("given", "[assign]", "[{lock_owner: {minutes: 5}}]", "{owner_available: true}"),
    )
    desk.agents["lea"] = desk.agents["kim"]
    decision = desk.take(created())
    assert outcomes(decision) == [("up", "escalate", "done"), ("given", "lock_owner", "done")]


def test_nothing_raises_a_priority_because_of_a_breach_also_not_down_a_chain() -> None:
    desk = ruled(
        rule("tag-it", "[deadline]", "[{tag: {add: late}}]", "{due_kind: breach}"),
        rule("hurry", "[tag]", "[{set_priority: {priority: urgent}}]"),
    )
    desk.take(created())
    breach = next(d for d in desk.pass_until(MONDAY + 9 * HOUR) if d.new_breaches)
    assert outcomes(breach) == [("tag-it", "tag", "done"), ("hurry", "set_priority", "refused")]


def test_actions_of_a_macro_set_off_rules_as_well() -> None:
    macro = rule("run", "[customer_message]", "[{macro: {name: greet}}]")
    again = ruled(macro, rule("after", "[resolve]", "[reopen]"))
    again.macros = again.pack.macros.actions if again.pack else {}
    again.take(created())
    decision = again.take(event(EventKind.CUSTOMER_MESSAGE, MONDAY + HOUR))
    assert decision.fired == ("run", "after")
    assert decision.state.status is TicketStatus.OPEN


def test_while_automation_is_stopped_nothing_is_set_off_and_nothing_remembered() -> None:
    desk = ruled(RAISE, MARK, stopped=True)
    decision = desk.take(created())
    assert outcomes(decision) == [("raise", "set_priority", "refused")]
    assert decision.rounds == ()


def test_a_further_round_asks_for_what_is_related_then_and_keeps_it() -> None:
    decision = ruled(
        rule("give", "[created]", "[assign, {tag: {add: given}}]"),
        rule("owned", "[tag]", "[{record: {note: x}}]", "{candidates: {owner: true}}"),
    ).take(created())
    assert decision.related == {}
    (round_,) = decision.rounds
    assert round_.fired == ("owned",)
    assert [row["agent"] for row in round_.related["candidates"] if row["owner"]] == ["kim"]
