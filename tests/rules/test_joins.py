"""What a rule may ask of related things: how it is read, refused, explained and bounded."""

from typing import Any

import pytest

from rules.compiler import compile_pack
from rules.engine import Engine
from rules.examples import run_examples
from rules.pack import Pack
from support.errors import PackError, RulesEngineError
from support.needs import EvaluateRules, RuleVerdict, Wanted
from tests.rules.situations import facts, one_rule, pack_of

NEAREST = (
    "none of 2 candidates; nearest candidates kim: candidates.load_share is 0.75, not less than 0.5"
)
FREE = "{candidates: {room: true, load_share: {lt: 0.5}}}"


def agent(name: str, **changed: Any) -> dict[str, Any]:
    row = {"agent": name, "owner": False, "room": True, "load_share": 0.0, "free_units": 12.0}
    return {**row, "speaks": False, "level": 0, "idle_s": 60.0, **changed}


def lane(name: str, status: str, signal: int = 0) -> dict[str, Any]:
    return {"id": name, "signal": signal, "share": 0.0, "status": status}


def customer(**changed: Any) -> dict[str, Any]:
    row = {"language": "sv", "active_tickets": 0, "tickets_30d": 0, "breaches_90d": 0}
    return {**row, "known_s": 0.0, **changed}


def verdict(pack: Pack, related: dict[str, Any], **changed: Any) -> RuleVerdict:
    with Engine(pack) as engine:
        return engine.evaluate_now(facts(**changed), related)


def reason(pack: Pack, related: dict[str, Any], **changed: Any) -> str:
    return verdict(pack, related, **changed).trace[0].reason


def test_a_rule_fires_where_one_row_satisfies_all_that_is_asked_of_it() -> None:
    pack = one_rule(FREE)
    both = [agent("kim", load_share=0.9), agent("bo", room=False, load_share=0.1)]
    assert verdict(pack, {"candidates": tuple(both)}).fired == ()
    assert verdict(pack, {"candidates": (*both, agent("al"))}).fired == ("r",)


def test_none_is_told_from_some_whatever_the_order_of_rows() -> None:
    pack = one_rule(f"{{not: {FREE}}}")
    full, free = agent("kim", load_share=0.9), agent("al")
    assert verdict(pack, {"candidates": (full,)}).fired == ("r",)
    assert verdict(pack, {"candidates": ()}).fired == ("r",)
    for rows in ((free, full), (full, free)):
        assert verdict(pack, {"candidates": rows}).fired == ()


def test_a_row_is_compared_with_the_ticket_itself() -> None:
    pack = one_rule("{lanes: {id: priority_queue, signal: {same_as: reopen_count}}}")
    rows = {"lanes": (lane("priority_queue", "hot", 3), lane("unassigned", "hot", 4))}
    assert verdict(pack, rows, reopen_count=3).fired == ("r",)
    assert verdict(pack, rows, reopen_count=4).fired == ()


def test_a_row_that_differs_from_the_ticket_is_told_from_one_that_does_not() -> None:
    pack = one_rule("{candidates: {not: {owner: {same_as: owner_set}}, room: true}}")
    for owner, fired in ((True, ("r",)), (False, ())):
        with Engine(pack) as engine:  # a fresh process each: what faults, faults at first
            rows = {"candidates": (agent("kim", owner=owner),)}
            assert engine.evaluate_now(facts(owner_set=False), rows).fired == fired
            assert engine.restarts == 0


def test_one_row_may_satisfy_two_joins_at_once() -> None:
    pack = one_rule("{all: [{lanes: {id: unassigned}}, {lanes: {status: hot}}]}")
    assert verdict(pack, {"lanes": (lane("unassigned", "hot"),)}).fired == ("r",)


def test_fifty_candidates_and_all_relations_meet_in_one_rule() -> None:
    pack = one_rule(
        "{candidates: {room: true}, lanes: {id: unassigned, status: hot}, "
        "customer: {active_tickets: {ge: 2}}}"
    )
    related = {
        "candidates": tuple(agent(f"a{n}", room=n == 49) for n in range(50)),
        "lanes": (lane("unassigned", "hot"),),
        "customer": (customer(active_tickets=2),),
    }
    assert verdict(pack, related).fired == ("r",)
    assert verdict(pack, {**related, "customer": ()}).fired == ()


def test_what_is_needed_is_asked_for_only_where_the_ticket_does_not_decide() -> None:
    pack = one_rule("{priority: urgent, candidates: {room: true}, lanes: {status: hot}}")
    with Engine(pack) as engine:
        assert engine.judge_now(EvaluateRules(facts(priority="urgent"))) == Wanted(
            ("candidates", "lanes")
        )
        rows = {"lanes": (lane("unassigned", "hot"),)}
        asked = EvaluateRules(facts(priority="urgent"), related=rows)
        assert engine.judge_now(asked) == Wanted(("candidates",))
        # No lane is hot, so that no candidate could change the outcome.
        rows = {"lanes": (lane("unassigned", "stable"),)}
        settled = engine.judge_now(EvaluateRules(facts(priority="urgent"), related=rows))
        assert isinstance(settled, RuleVerdict)
        for other in ({"priority": "low"}, {"priority": "urgent", "on": "note"}):
            calm = engine.judge_now(EvaluateRules(facts(**other)))
            assert isinstance(calm, RuleVerdict)
            assert calm.fired == ()


@pytest.mark.parametrize(
    ("related", "said"),
    [
        ({"candidates": (agent("kim", load_share=0.25),)},
         "candidates kim: candidates.room is true; candidates.load_share is 0.25, less than 0.5"),
        ({"candidates": (agent("bo", room=False, load_share=0.9), agent("kim", load_share=0.75))},
         NEAREST),
        ({"candidates": ()}, "there are no candidates"),
    ],
)  # fmt: skip
def test_the_row_that_decided_is_named_with_its_values(related: dict[str, Any], said: str) -> None:
    assert reason(one_rule(FREE), related) == said


def test_a_comparison_with_the_ticket_is_explained_with_both_values() -> None:
    pack = one_rule("{customer: {active_tickets: {same_as: reopen_count}}}")
    said = "customer: customer.active_tickets is 2, not that of the ticket, 1"
    related = {"customer": (customer(active_tickets=2),)}
    assert reason(pack, related, reopen_count=1) == said


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{candidate: {room: true}}", "no fact `candidate`; did you mean `candidates`?"),
        ("{candidates: {rom: true}}", "no fact `rom` of candidates; did you mean `room`?"),
        ("{candidates: {priority: urgent}}", "no fact `priority` of candidates"),
        ("{candidates: {lanes: {status: hot}}}", "no fact `lanes` of candidates"),
        ("{lanes: {status: warm}}", "`lanes.status` is never `warm`"),
        ("{lanes: {signal: {same_as: tier}}}", "`lanes.signal` is a count, which `tier`"),
        ("{candidates: {agent: {same_as: agent_team}}}", "which `agent_team` of the ticket cannot"),
        ("{lanes: {id: {same_as: callback_status}}}", "which `callback_status` of the ticket"),
        ("{lanes: {signal: {same_as: reopen_cuont}}}", "did you mean `reopen_count`?"),
        ("{priority: {same_as: status}}", "`priority` is a choice, which `same_as` cannot"),
        ("{candidates: {exists: maybe}}", "`exists` must be true or false"),
        ("{candidates: {}}", "an empty condition says nothing"),
        ("{candidates: {free_units: {lt: 1, gt: 2}}}", "no row of candidates can ever be"),
        ("{all: [{lanes: {status: hot}}, {not: {lanes: {status: hot}}}]}", "can never fire"),
    ],
)
def test_a_wrong_join_is_refused_with_its_line_and_what_to_do(when: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        one_rule(when)
    assert "p.yaml, line " in str(caught.value)
    assert said in str(caught.value)


def test_joins_that_would_combine_endlessly_are_refused() -> None:
    two = "{all: [{candidates: {room: true}}, {candidates: {owner: true}}]}"
    with pytest.raises(PackError, match=r"line 3: rule `r` joins too much at once .*2500 comb"):
        one_rule(two)
    # What must not be there combines with nothing.
    one_rule("{all: [{candidates: {room: true}}, {not: {candidates: {owner: true}}}]}")


def test_rules_that_join_have_rulesets_of_their_own() -> None:
    pack = pack_of(
        "name: p\nrules:\n"
        "  - {id: a, description: d, on: [created], when: {tier: x}, then: [resolve]}\n"
        "  - {id: b, description: d, on: [created], when: {lanes: {id: unassigned}}, "
        "then: [resolve]}\n"
    )
    joins = [bool(shard.related) for shard in compile_pack(pack).shards]
    assert joins == [False, True]


def test_more_rows_than_a_relation_has_are_refused() -> None:
    rows = tuple(agent(f"a{n}") for n in range(51))
    with pytest.raises(RulesEngineError, match="candidates has 51 rows, and 50 is the most"):
        verdict(one_rule(FREE), {"candidates": rows})


def test_a_row_of_a_wrong_type_is_refused_rather_than_coerced() -> None:
    with pytest.raises(RulesEngineError, match=r"candidates\.load_share is of type str"):
        verdict(one_rule(FREE), {"candidates": (agent("kim", load_share="0.1"),)})


def test_tests_of_a_pack_give_rows_and_what_they_leave_out_is_neutral() -> None:
    pack = pack_of(
        "name: p\nrules:\n  - id: r\n    description: d\n    on: [created]\n"
        "    when: {candidates: {room: true}, customer: {active_tickets: {ge: 2}}}\n"
        "    then: [resolve]\n    tests:\n"
        "      - facts: {candidates: [{agent: kim}, {room: true}], customer: {active_tickets: 2}}\n"
        "        then: [resolve]\n"
        "      - {facts: {candidates: [{room: true}]}, then: []}\n"
    )
    with Engine(pack) as engine:
        assert [outcome.passed for outcome in run_examples(pack, engine)] == [True, True]


def test_a_row_of_a_test_with_an_unknown_fact_is_refused_with_its_line() -> None:
    with pytest.raises(PackError, match=r"line 8: there is no fact `rom` of candidates"):
        pack_of(
            "name: p\nrules:\n  - id: r\n    description: d\n    on: [created]\n"
            "    then: [resolve]\n    tests:\n"
            "      - {facts: {candidates: [{rom: true}]}, then: []}\n"
        )
