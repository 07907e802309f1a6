"""Patterns, emptiness and hours: what they compare, and what is said of wrong ones."""

from typing import Any

import pytest

from rules.compiler import compile_pack
from rules.engine import Engine
from rules.facts import typed
from rules.findings import Reference
from rules.words import condition_in_words
from support.errors import PackError
from tests.rules.situations import facts, one_rule, pack_of


def matches(when: str, **changed: Any) -> bool:
    (finding,) = Reference(one_rule(when)).examine(typed(facts(**changed)))
    return finding.matched


@pytest.mark.parametrize(
    ("when", "changed", "held"),
    [
        ("{tier: {matches: 'old'}}", {"tier": "gold"}, True),
        ("{tier: {matches: '^old'}}", {"tier": "gold"}, False),
        ("{tier: {matches: '(?i)GOLD$'}}", {"tier": "gold"}, True),
        ("{tier: {matches: 'å+'}}", {"tier": "blå"}, True),
        ("{tier: {matches: '^$'}}", {"tier": ""}, True),
        ("{tier: {matches: '.'}}", {"tier": "\udc80"}, True),
        ("{tags: {matches: '^vip-'}}", {"tags": ("trial", "vip-2")}, True),
        ("{tags: {matches: '^vip-'}}", {"tags": ("trial", "no-vip-2")}, False),
        ("{tags: {matches: ''''}}", {}, False),
        ("{tags: {matches: '.*'}}", {"tags": ()}, False),
        ("{not: {tags: {matches: '.*'}}}", {"tags": ()}, True),
        ("{tier: {exists: true}}", {"tier": "gold"}, True),
        ("{tier: {exists: true}}", {}, False),
        ("{tier: {exists: false}}", {}, True),
        ("{due_kind: {exists: true}}", {"due_kind": "step"}, True),
        ("{due_kind: {exists: false}}", {"due_kind": "step"}, False),
        ("{tags: {exists: true}}", {"tags": ("a",)}, True),
        ("{tags: {exists: true}}", {}, False),
        ("{tags: {exists: false}}", {}, True),
        ("{tags: {exists: false}}", {"tags": ("a",)}, False),
    ],
)
def test_engine_and_reference_agree_on_patterns_and_emptiness(
    when: str, changed: dict[str, Any], held: bool
) -> None:
    assert matches(when, **changed) is held
    pack = one_rule(when)
    with Engine(pack, timeout_s=30) as engine:
        assert bool(engine.evaluate_now(facts(**changed)).fired) is held
        assert engine.disagreements == 0


@pytest.mark.parametrize(
    ("span", "inside", "outside"),
    [
        ("22:00-06:00", ("22:00:00", "23:59:59", "00:00:00", "05:59:59"), ("06:00:00", "21:59:59")),
        ("08:00-17:30", ("08:00:00", "17:29:59"), ("07:59:59", "17:30:00")),
        ("18:00-24:00", ("18:00:00", "23:59:59"), ("17:59:59", "00:00:00")),
        ("00:00-00:00:01", ("00:00:00",), ("00:00:01",)),
    ],
)
def test_hours_begin_with_their_start_and_end_before_their_end(
    span: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    when = f"{{local_time: {{within: '{span}'}}}}"
    assert [matches(when, local_time=time) for time in inside] == [True] * len(inside)
    assert [matches(when, local_time=time) for time in outside] == [False] * len(outside)


def test_hours_by_name_are_the_facts_that_know_them() -> None:
    hours = one_rule("{local_time: {within: business_hours}}").rules[0].when
    shift = one_rule("{local_time: {within: shift}}").rules[0].when
    assert condition_in_words(hours) == "business_open is true"
    assert condition_in_words(shift) == "owner_on_shift is true"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{local_time: {ge: '22:00', lt: '23:30:15'}}",
         "local_time is at least 22:00 and local_time is less than 23:30:15"),
        ("{local_time: {within: '22:00-06:00'}}",
         "local_time is at least 22:00 or local_time is less than 06:00"),
        ("{tier: {matches: 'a|b'}, not: {tags: {matches: x}}}",
         "tier matches a|b and tags does not match x"),
        ("{tags: {exists: false}}", "tags is empty"),
        ("{tier: {exists: true}}", "tier is other than empty"),
    ],
)  # fmt: skip
def test_patterns_and_emptiness_are_said_in_words(when: str, said: str) -> None:
    assert condition_in_words(one_rule(when).rules[0].when) == said


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{tier: {matches: '('}}",
         "`matches` of `tier` is no regular expression that RE2 takes: missing ): ("),
        ("{tier: {matches: '(a)\\1'}}", "RE2 takes: invalid escape sequence: \\1"),
        ("{tier: {matches: '(?=a)'}}", "RE2 takes: invalid perl operator: (?="),
        ("{tier: {matches: 'x{9999}'}}", "RE2 takes: invalid repetition size: {9999}"),
        ("{tier: {matches: '((((x{100}){100}){10}))'}}", "RE2 takes: "),
        (f"{{tier: {{matches: '{'a' * 501}'}}}}", "has more than 500 characters: shorten it"),
        ("{tier: {matches: 7}}", "`matches` of `tier` must be text; put it in quotes"),
        ("{tier: {matches: ''}}", "`matches` of `tier` must be text"),
        ("{priority: {matches: low}}",
         "`priority` is a choice, which `matches` cannot compare; possible: eq, in, ne"),
        ("{tier: {match: a}}", "there is no operator `match`; did you mean `matches`?"),
        ("{tier: {exist: true}}", "there is no operator `exist`; did you mean `exists`?"),
        ("{tier: {exists: 1}}", "`exists` of `tier` must be true or false"),
        ("{priority: {exists: true}}", "`priority` is never empty, so `exists` says nothing"),
        ("{age_s: {exists: true}}", "`age_s` is never empty, so `exists` says nothing"),
        ("{age_s: {within: '1-2'}}", "`age_s` is no time of day, so `within` says nothing"),
        ("{local_time: {ge: 8:00}}",
         "`local_time` is a time: '8:00' is not a time of day in quotes, such as \"08:00\""),
        ("{local_time: '24:00'}", "'24:00' is not a time of day in quotes"),
        ("{local_time: '8:00'}", "'8:00' is not a time of day in quotes"),
        ("{local_time: {contains: '08'}}", "which `contains` cannot compare; possible: eq, ge, gt"),
        ("{local_time: {within: 22}}",
         "`within` of `local_time` must be hours written in quotes, such as \"22:00-06:00\""),
        ("{local_time: {within: 22:00}}", "'22:00' is no span of hours such as"),
        ("{local_time: {within: '22:00'}}", "'22:00' is no span of hours such as"),
        ("{local_time: {within: '22:00-25:00'}}", "'22:00-25:00' is no span of hours such as"),
        ("{local_time: {within: bussiness_hours}}", "did you mean `business_hours`?"),
        ("{local_time: {within: '06:00-06:00'}}", "'06:00-06:00' is the whole day or nothing"),
        ("{local_time: {within: '00:00-24:00'}}", "is the whole day or nothing: leave it out"),
        ("{weekday: monday}", "`weekday` is never `monday`; did you mean `mon`?"),
    ],
)  # fmt: skip
def test_a_bad_comparison_is_refused_with_its_line(when: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        one_rule(when)
    assert str(caught.value).startswith("p.yaml, line 6: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "when",
    [
        "{tier: {matches: a}, not: {tier: {matches: a}}}",
        "{tags: {exists: true}, not: {tags: {exists: true}}}",
        "{tags: {exists: false, contains: a}}",
        "{tags: {exists: false, matches: a}}",
        "{tier: {exists: false, matches: a}}",
        "{tier: {eq: b, matches: a}}",
        "{local_time: {lt: '00:00'}}",
        "{local_time: {gt: '23:59:59'}}",
        "{all: [{local_time: {within: '08:00-12:00'}}, {local_time: {within: '12:00-17:00'}}]}",
        "{all: [{local_time: {within: '22:00-06:00'}}, {local_time: {within: '06:00-22:00'}}]}",
    ],
)
def test_comparisons_that_contradict_each_other_are_refused(when: str) -> None:
    with pytest.raises(PackError, match="rule `r` can never fire"):
        one_rule(when)


@pytest.mark.parametrize(
    ("first", "later", "shadowed"),
    [
        ("{tier: {matches: a}}", "{tier: {matches: a}, active: true}", True),
        ("{tier: {matches: a}}", "{tier: cab}", True),
        ("{tier: {matches: a}}", "{tier: {matches: ab}}", False),
        ("{tier: {exists: true}}", "{tier: {in: [a, b]}}", True),
        ("{local_time: {within: '06:00-22:00'}}", "{local_time: {within: '08:00-12:00'}}", True),
        ("{local_time: {within: '22:00-06:00'}}", "{local_time: {within: '23:00-05:00'}}", True),
        ("{local_time: {within: '08:00-12:00'}}", "{local_time: {within: '08:00-12:01'}}", False),
    ],
)
def test_the_search_for_idle_rules_knows_them(first: str, later: str, shadowed: bool) -> None:
    text = (
        "name: p\nrules:\n"
        f"  - {{id: a, description: d, on: [note], when: {first}, then: [close], stop: true}}\n"
        f"  - {{id: b, description: d, on: [note], when: {later}, then: [close]}}\n"
    )
    if shadowed:
        with pytest.raises(PackError, match=r"rule `b` can never fire: .* `a` \(line 3\)"):
            pack_of(text)
    else:
        assert len(pack_of(text).rules) == 2


def test_equal_comparisons_are_computed_once_for_a_message() -> None:
    pack = one_rule("{any: [{tier: {matches: a}}, {tier: {matches: a}, active: true}]}")
    program = compile_pack(pack)
    assert [test.values for test in program.ticket.derived.values()] == [("a",)]
