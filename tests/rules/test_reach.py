"""Rules that can never fire are refused, and never one that can."""

import json
import re
import time
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.compiler import compile_pack
from rules.facts import typed
from rules.findings import Reference
from rules.load import load_pack
from rules.pack import All, Condition, Not, Op, Pack, Test
from rules.pack import Any as AnyOf
from rules.reach import refuse_idle_rules
from rules.values import completed
from rules.verdict import verdict_of
from support.errors import PackError
from support.needs import EvaluateRules
from tests.rules.situations import one_rule, pack_of, unjudged_pack_of


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("{all: [{tier: a}, {tier: b}]}", "`tier` would have to be a and b"),
        ("{tier: {eq: a, ne: a}}", "`tier` would have to be a and other than a"),
        ("{tier: {in: [a, b], contains: c}}", "`tier` would have to be one of a, b and one with c"),
        ("{tier: {contains: abc}, not: {tier: {contains: b}}}",
         "`tier` would have to be one with abc and not one with b"),
        ("{not: {tier: {contains: ''}}}", "`tier` would have to be not one with empty"),
        ("{tags: vip, not: {tags: vip}}", "`tags` would have to be one with vip and not one with"),
        ("{owner_set: {eq: true, ne: true}}", "`owner_set` would have to be true and other than"),
        ("{priority: {in: [low, high]}, not: {priority: {in: [high, low]}}}",
         "`priority` would have to be one of low, high and not one of high, low"),
        ("{not: {any: [{priority: low}, {priority: normal}, {priority: {in: [high, urgent]}}]}}",
         "`priority` would have to be not low and not normal and not one of high, urgent"),
        ("{age_s: {ge: 1h, lt: 1h}}", "`age_s` would have to be at least 1h and less than 1h"),
        ("{step_fraction: {gt: 1.5, le: 1}}", "more than 1.5 and at most 1"),
        ("{reopen_count: {ge: 2, le: 3, ne: 2}, not: {reopen_count: 3}}",
         "`reopen_count` would have to be at least 2 and at most 3 and other than 2 and not 3"),
        ("{reopen_count: {gt: 2, lt: 3}}", "more than 2 and less than 3"),
        ("{reopen_count: {in: [1, 2], gt: 2}}", "one of 1, 2 and more than 2"),
        ("{'on': reply}", "`on` would have to be one of created and reply"),
        ("{any: [{age_s: {lt: 1h, gt: 2h}}, {tier: {eq: a, ne: a}}]}",
         "none of its 2 alternatives can be true; `age_s` would have to be less than 1h and more"),
    ],
)  # fmt: skip
def test_conditions_that_contradict_each_other_are_refused(when: str, why: str) -> None:
    with pytest.raises(PackError) as caught:
        one_rule(when)
    said = str(caught.value)
    assert said.startswith("p.yaml, line 3: rule `r` can never fire: ")
    assert why in said
    assert "`enabled: false`" in said


@pytest.mark.parametrize(
    "when",
    [
        "{tags: vip, not: {tags: loud}}",
        "{all: [{tags: a}, {tags: b}]}",
        "{tier: {contains: a}, not: {tier: {contains: ab}}}",
        "{tier: {contains: a, ne: a}}",
        "{reopen_count: {ge: 2, le: 3, ne: 2}}",
        "{step_fraction: {gt: 2, lt: 2.000002}}",
        "{'on': created}",
        "{any: [{owner_set: {eq: true, ne: true}}, {tier: a}]}",
    ],
)
def test_conditions_that_can_be_true_are_kept(when: str) -> None:
    assert len(one_rule(when).rules) == 1


def pack(first: str, later: str, **changes: str) -> Pack:
    """Two rules that are decided on two events; the first stops."""
    first_on = changes.get("first_on", "[created, reopen]")
    return pack_of(
        f"name: p\nrules:\n  - {{id: first, description: d, on: {first_on}, "
        f"when: {first}, then: [close], stop: {changes.get('stop', 'true')}, "
        f"priority: {changes.get('priority', '100')}, enabled: {changes.get('enabled', 'true')}}}\n"
        f"  - {{id: later, description: d, on: [created, reopen], when: {later}, then: [resume]}}\n"
    )


SHADOWED = [
    ("{active: true}", "{active: true}"),
    ("{active: true}", "{active: true, tier: a}"),
    ("{age_s: {ge: 1h}}", "{age_s: {gt: 1h, lt: 2h}}"),
    ("{age_s: {ne: 3h}}", "{age_s: {lt: 2h}}"),
    ("{priority: {in: [low, high, normal]}}", "{priority: {ne: urgent}}"),
    ("{not: {priority: urgent}}", "{priority: {in: [low, high]}}"),
    ("{tier: {contains: b}}", "{tier: {contains: abc}}"),
    ("{tier: {contains: b}}", "{tier: {in: [abc, b]}}"),
    ("{tier: {ne: a}}", "{tier: {contains: b}}"),
    ("{not: {tier: {contains: ab}}}", "{not: {tier: {contains: b}}}"),
    ("{tags: vip}", "{all: [{tags: vip}, {tags: loud}]}"),
    ("{not: {tags: vip}}", "{not: {any: [{tags: vip}, {tags: loud}]}}"),
    ("{any: [{tier: a}, {tier: b}]}", "{any: [{tier: b}, {tier: a, active: true}]}"),
]
FREE = [
    ("{active: true, tier: a}", "{active: true}"),
    ("{age_s: {gt: 1h}}", "{age_s: {ge: 1h}}"),
    ("{age_s: {ge: 1h, ne: 3h}}", "{age_s: {ge: 2h}}"),
    ("{not: {reopen_count: {le: 3}}}", "{reopen_count: {ge: 3}}"),
    ("{not: {reopen_count: {ge: 3}}}", "{reopen_count: {le: 3}}"),
    ("{tier: {contains: abc}}", "{tier: {contains: b}}"),
    ("{tags: ab}", "{tags: abc}"),
    ("{any: [{tier: a}, {tier: b}]}", "{any: [{tier: b}, {tier: c}]}"),
]


@pytest.mark.parametrize(("first", "later"), SHADOWED)
def test_a_rule_behind_one_that_stops_on_all_it_matches_is_refused(first: str, later: str) -> None:
    with pytest.raises(PackError) as caught:
        pack(first, later)
    assert str(caught.value) == (
        "p.yaml, line 4: rule `later` can never fire: whatever it matches, `first` (line 3) matches"
        " first and stops; give it a lower `priority` than that one, or let that match less"
    )


@pytest.mark.parametrize(("first", "later"), FREE)
def test_a_rule_that_matches_more_than_the_one_before_is_kept(first: str, later: str) -> None:
    assert len(pack(first, later).rules) == 2


@pytest.mark.parametrize(
    "changes",
    [{"stop": "false"}, {"priority": "101"}, {"enabled": "false"}, {"first_on": "[created]"}],
    ids=str,
)
def test_only_an_enabled_rule_that_goes_first_and_stops_shadows(changes: dict[str, str]) -> None:
    assert len(pack("{active: true}", "{active: true}", **changes).rules) == 2


def test_several_rules_that_stop_can_shadow_together() -> None:
    rules = [
        {"id": name, "description": "d", "on": ["created"], "when": when, "then": ["close"],
         "stop": True}
        for name, when in (
            ("a", {"tier": "a"}),
            ("b", {"tier": "b"}),
            ("c", {"any": [{"tier": "a", "active": True}, {"tier": "b"}]}),
        )
    ]  # fmt: skip
    with pytest.raises(PackError, match=r"`a` .* and `b` .* match first and stop"):
        pack_of(json.dumps({"name": "p", "rules": rules}))


POOLS: dict[str, tuple[Any, ...]] = {
    "on": ("created", "reopen", "note"),
    "owner_set": (False, True),
    "priority": ("low", "normal", "high", "urgent"),
    "reopen_count": (0, 1, 2, 3, 4),
    "step_fraction": (0.0, 0.999999, 1.0, 1.000001, 2.0),
    "tier": ("", "a", "ab", "b", "c"),
    "tags": ((), ("a",), ("ab",), ("a", "ab")),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.sampled_from(pool) for name, pool in POOLS.items()},
    "reopen_count": st.integers(1, 3),
    "step_fraction": st.sampled_from([0.999999, 1.0, 1.000001]),
    "tier": st.sampled_from(["", "a", "ab", "b"]),
    "tags": st.sampled_from(["a", "ab"]),
}
OPS = {
    "on": ("eq", "ne", "in"),
    "owner_set": ("eq", "ne"),
    "priority": ("eq", "ne", "in"),
    "reopen_count": ("eq", "ne", "in", "lt", "le", "gt", "ge"),
    "step_fraction": ("eq", "ne", "in", "lt", "le", "gt", "ge"),
    "tier": ("eq", "ne", "in", "contains"),
    "tags": ("contains",),
}


@st.composite
def conditions(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, Any]:
    def leaf() -> st.SearchStrategy[dict[str, Any]]:
        return st.sampled_from(names).flatmap(
            lambda name: st.sampled_from(OPS[name]).flatmap(
                lambda op: (
                    st.lists(VALUES[name], min_size=1, max_size=3) if op == "in" else VALUES[name]
                ).map(lambda value: {name: {op: value}})
            )
        )

    parts = st.recursive(
        leaf(),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda some: {"all": some}),
            st.lists(inner, min_size=1, max_size=3).map(lambda some: {"any": some}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=5,
    )
    return draw(parts)


@st.composite
def packs(draw: st.DrawFn) -> tuple[tuple[str, ...], str]:
    others = [name for name in POOLS if name != "on"]
    few = draw(st.lists(st.sampled_from(others), min_size=1, max_size=2, unique=True))
    rules = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "description": st.just("d"),
                    "on": st.lists(
                        st.sampled_from(POOLS["on"]), min_size=1, max_size=2, unique=True
                    ),
                    "when": conditions(("on", *few)),
                    "then": st.just(["close"]),
                    "priority": st.integers(1, 2),
                    "stop": st.booleans(),
                    "enabled": st.sampled_from([True, True, True, False]),
                }
            ),
            min_size=1,
            max_size=4,
        )
    )
    listed = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]
    return ("on", *few), json.dumps({"name": "p", "rules": listed})


def idle(pack: Pack) -> str:
    """The rule that is refused; empty where none is."""
    try:
        compile_pack(pack)
        refuse_idle_rules(pack)
    except PackError as error:
        name = re.search(r"rule `(r\d)` can never fire", str(error))
        return name.group(1) if name else ""
    return ""


def fires(pack: Pack, names: tuple[str, ...]) -> set[str]:
    """Rules that fire on some facts of the pools, which hold a value on each side of every one."""
    found: set[str] = set()
    for row in product(*(POOLS[name] for name in names)):
        facts = typed(completed(dict(zip(names, row, strict=True))))
        found |= set(verdict_of(pack, Reference(pack).examine(facts), EvaluateRules({})).fired)
    return found


@settings(max_examples=300, deadline=None)
@given(packs())
def test_no_rule_is_refused_that_fires_on_any_facts(drawn: tuple[tuple[str, ...], str]) -> None:
    names, text = drawn
    pack = unjudged_pack_of(text)
    refused = idle(pack)
    assert not refused or refused not in fires(pack, names)


def test_what_ships_can_fire() -> None:
    refuse_idle_rules(load_pack(None))


WORDS = tuple(f"w{number}" for number in range(100_000))


def in_list(many: int, fact: str = "tier") -> Test:
    return Test(fact, Op.IN, WORDS[:many])


LARGE: dict[str, list[Condition]] = {
    "many alternatives": [
        AnyOf(tuple(All((Test("tier", Op.EQ, (f"t{n}",)), Test("reopen_count", Op.GE, (k,))))
                  for k in range(8)))
        for n in range(2000)
    ],
    "long lists": [All((in_list(200), Test("reopen_count", Op.EQ, (n,)))) for n in range(1000)],
    "very long lists": [All((in_list(99_000), in_list(100_000), Test("tier", Op.NE, ("w1",))))],
    "long lists and parts of texts": [
        All((in_list(500), Test("team", Op.CONTAINS, (f"{n}",)))) for n in range(500)
    ],
    "long lists that are no lists of others": [
        Not(in_list(500)) if n % 2 else Test("tier", Op.CONTAINS, (f"{n}",)) for n in range(500)
    ],
}  # fmt: skip


@pytest.mark.parametrize("whens", LARGE.values(), ids=LARGE)
def test_a_large_pack_is_judged_in_time(whens: list[Condition]) -> None:
    small = one_rule("{tier: a}")
    rules = tuple(
        replace(small.rules[0], id=f"r{n}", when=when, stop=True) for n, when in enumerate(whens)
    )
    began = time.process_time()
    with suppress(PackError):
        refuse_idle_rules(replace(small, rules=rules))
    assert time.process_time() - began < 5


def test_a_reason_is_short_where_lists_are_long() -> None:
    with pytest.raises(PackError) as caught:
        one_rule(json.dumps({"all": [{"tier": {"in": WORDS[:1000]}}, {"tier": "x"}]}))
    assert len(str(caught.value)) < 500
