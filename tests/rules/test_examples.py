"""The tests that a pack brings along: how they are read, and what comes of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.document import read
from rules.engine import Engine
from rules.examples import run_examples
from rules.facts import neutral, typed
from rules.load import load_pack
from rules.values import completed, read_facts
from support.errors import PackError
from support.situation import CATALOGUE, facts_of
from support.subjects import TRIGGERS, FactSpec, FactType, Subject
from tests.rules.situations import pack_of

PACK = """name: p
rules:
  - id: first
    description: d
    on: [reopen, created]
    when: {owner_set: false, age_s: {ge: 45m}}
    then: [assign, {escalate: {to: lead}}]
    owner: Team leads
    stop: true
    tests:
      - {facts: {age_s: 1h}, then: [assign, {escalate: {to: lead}}]}
      - {facts: {age_s: 1h, owner_set: true}, then: []}
  - id: second
    description: d
    on: [reopen]
    then: [close]
    tests:
      - {facts: {}, then: [close]}
      - {facts: {age_s: 1h}, then: []}
"""
HELD = "owner_set is false; age_s is 1h, at least 45m"


def outcomes(text: str) -> list[tuple[str, int, bool, list[str], str]]:
    pack = pack_of(text)
    with Engine(pack, timeout_s=30) as engine:
        return [
            (o.rule_id, o.line, o.passed, [action.kind for action in o.got], o.reason)
            for o in run_examples(pack, engine)
        ]


def test_who_waits_is_told_how_many_tests_are_done() -> None:
    rule = (
        "id: {}, description: d, on: [note], then: [close], tests: [{{facts: {{}}, then: [close]}}]"
    )
    text = "name: p\nrules:\n" + "".join(f"  - {{{rule.format(name)}}}\n" for name in "abc")
    told: list[tuple[int, int]] = []
    pack = pack_of(text)
    with Engine(pack, timeout_s=30) as engine:
        run_examples(pack, engine, lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_facts_that_a_test_leaves_out_are_neutral_and_on_is_the_first_of_the_rule() -> None:
    first = pack_of(PACK).rules[0].tests[0]
    assert first.given == ("age_s",)
    assert first.facts == {
        name: {"on": "reopen", "age_s": 3600.0}.get(name, neutral(spec))
        for name, spec in facts_of(Subject.TICKET).items()
    }
    assert (first.facts["active"], first.facts["tags"], first.facts["due_kind"]) == (False, (), "")


def test_owner_and_tests_may_be_left_out() -> None:
    (rule,) = pack_of(
        "name: p\nrules:\n  - {id: r, description: d, on: [note], then: [close]}\n"
    ).rules
    assert (rule.owner, rule.tests) == ("", ())
    assert pack_of(PACK).rules[0].owner == "Team leads"


def test_a_test_is_decided_with_the_whole_pack_so_stop_and_order_count() -> None:
    assert [passed for _, _, passed, _, _ in outcomes(PACK)] == [True] * 4
    without_stop = outcomes(PACK.replace("stop: true", "stop: false"))
    assert without_stop[3] == ("second", 19, False, ["close"], "it has no conditions")


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        (
            "{age_s: 1h}, then: [assign, {escalate: {to: lead}}]",
            "{age_s: 44m}, then: [assign, {escalate: {to: lead}}]",
            ("first", 11, False, [], "age_s is 44m, not at least 45m"),
        ),
        (
            "{age_s: 1h}, then: [assign, {escalate: {to: lead}}]",
            "{age_s: 1h}, then: [{escalate: {to: lead}}, assign]",
            ("first", 11, False, ["assign", "escalate"], HELD),
        ),
        (
            "{age_s: 1h}, then: [assign, {escalate: {to: lead}}]",
            "{age_s: 1h}, then: [assign, {escalate: {to: manager}}]",
            ("first", 11, False, ["assign", "escalate"], HELD),
        ),
        (
            "{facts: {}, then: [close]}",
            "{facts: {on: note}, then: [close]}",
            ("second", 18, False, [], "not for note"),
        ),
    ],
)  # fmt: skip
def test_a_test_that_fails_says_what_came_and_why(old: str, new: str, failed: Any) -> None:
    assert [o for o in outcomes(PACK.replace(old, new)) if not o[2]] == [failed]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{age_s: 1h}, then: [as", "{age: 1h}, then: [as",
         "line 11: there is no fact `age`; did you mean `age_s`?"),
        ("{age_s: 1h}, then: [as", "{age_s: soon}, then: [as",
         "line 11: `age_s`: 'soon' is no duration"),
        ("{age_s: 1h}, then: [as", "{tags: vip}, then: [as", "line 11: `tags` must be a list"),
        ("{age_s: 1h}, then: [as", "{tags: [7]}, then: [as",
         "line 11: `tags` is a set: 7 is not text"),
        ("{age_s: 1h}, then: [as", "{on: creatd}, then: [as",
         "line 11: `on` is never `creatd`; did you mean `created`?"),
        ("{age_s: 1h}, then: [as", "7, then: [as", "line 11: facts must be a mapping"),
        ("{age_s: 1h}, then: [as", "{age_s: {ge: 1h}}, then: [as", "is not a duration such as 45m"),
        ("then: [close]}", "then: [clos]}", "line 18: there is no action `clos`"),
        ("then: [close]}", "than: [close]}", "line 18: a test has no `than`; did you mean `then`?"),
        (", then: [close]}", "}", "line 18: the test has no `then`"),
        ("{facts: {}, then", "{then", "line 18: the test has no `facts`"),
        ("then: [close]}", "then: close}", "line 18: `then` must be a list"),
        ("Team leads", "''", "line 8: `owner` must be text"),
        ("Team leads", "[a]", "line 8: `owner` must be text"),
        ("Team leads", '"a\\nb"', "line 8: `owner` must be one line"),
        ("Team leads", "a" * 101, "line 8: `owner` must be one line of at most 100 characters"),
    ],
)  # fmt: skip
def test_a_bad_test_or_owner_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        pack_of(PACK.replace(old, new))
    assert said in str(caught.value)


def plain(spec: FactSpec) -> st.SearchStrategy[Any]:
    """Values of a fact as JSON has them."""
    words = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=5)
    return {
        FactType.FLAG: st.booleans(),
        FactType.COUNT: st.integers(-(2**53), 2**53),
        FactType.NUMBER: st.floats(-1e6, 1e6).map(lambda number: round(number, 6)),
        FactType.DURATION: st.integers(0, 10**9),
        FactType.CHOICE: st.sampled_from(spec.choices or ("",)),
        FactType.TEXT: words,
        FactType.SET: st.lists(words, unique=True).map(tuple),
        FactType.TIME: st.times().map(lambda time: f"{time:%H:%M:%S}"),
    }[spec.type]


def of_a(subject: Subject) -> st.SearchStrategy[dict[str, Any]]:
    """Some facts of a subject, with a trigger that makes them so."""
    triggers = [trigger for trigger, about in TRIGGERS.items() if about is subject]
    others = {n: plain(spec) for n, spec in facts_of(subject).items() if n != "on"}
    return st.fixed_dictionaries({"on": st.sampled_from(triggers)}, optional=others)


@given(st.sampled_from(Subject).flatmap(of_a))
def test_the_facts_of_a_decision_can_be_written_into_a_test(facts: dict[str, Any]) -> None:
    found = read_facts(read(json.dumps(facts), "f"))
    assert found == facts
    assert typed(completed(found)).keys() == CATALOGUE.keys()


def test_every_shipped_rule_has_an_owner_and_tests_of_both_kinds_that_pass() -> None:
    pack = load_pack(None)
    for rule in pack.rules:
        assert rule.owner
        assert {bool(example.then) for example in rule.tests} == {True, False}, rule.id
    with Engine(pack, timeout_s=30) as engine:
        assert [o for o in run_examples(pack, engine) if not o.passed] == []
