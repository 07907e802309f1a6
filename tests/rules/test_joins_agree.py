"""Joins: the engine matches tickets with related rows, the reference reasons; they agree."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.compiler import compile_pack
from rules.conditions import ops_of
from rules.engine import Engine
from rules.pack import Op
from support.errors import PackError
from support.relations import RELATED, RelatedFact, Relation
from support.subjects import FactType
from tests.rules.situations import facts, unjudged_pack_of

WORDS = st.sampled_from(["", "a", "ab", "7", "å", '"', "urgent"])
NUMBERS = st.sampled_from([0, 1, 0.25, 0.5, 0.75, 1e-6, 3])
SAME = {
    FactType.TEXT: ["tier", "team"],
    FactType.CHOICE: ["priority"],
    FactType.FLAG: ["owner_set"],
    FactType.COUNT: ["reopen_count"],
    FactType.NUMBER: ["step_fraction"],
    FactType.DURATION: ["age_s"],
}


def values(fact: RelatedFact) -> st.SearchStrategy[Any]:
    if fact.type is FactType.FLAG:
        return st.booleans()
    if fact.type is FactType.CHOICE:
        return st.sampled_from(fact.choices[:3])
    if fact.type is FactType.COUNT:
        return st.sampled_from([0, 1, 2])
    return WORDS if fact.type is FactType.TEXT else NUMBERS


@st.composite
def row_leaves(draw: st.DrawFn, relation: Relation) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(RELATED[relation].facts)))
    fact = RELATED[relation].facts[name]
    op = draw(st.sampled_from(sorted(ops_of(fact.type) | {Op.SAME_AS})))
    if op is Op.SAME_AS:
        return {name: {op: draw(st.sampled_from(SAME[fact.type]))}}
    if op is Op.MATCHES:
        return {name: {op: draw(st.sampled_from(["a", "^$", "b|7", "[a-z]{2}"]))}}
    value = values(fact)
    return {name: {op: draw(st.lists(value, min_size=1, max_size=2) if op is Op.IN else value)}}


def composed(leaves: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=most,
    )


def asked(relation: Relation) -> st.SearchStrategy[dict[str, Any]]:
    return composed(row_leaves(relation), 3).map(lambda part: {str(relation): part})


JOINS = st.one_of(
    *(asked(relation) for relation in Relation),
    st.sampled_from([{str(r): {"exists": wanted}} for r in Relation for wanted in (True, False)]),
)
TICKET = st.sampled_from(
    [{"owner_set": True}, {"tier": "a"}, {"priority": "urgent"}, {"tags": "vip"}]
)
PACKS = st.lists(composed(st.one_of(JOINS, TICKET), 4), min_size=1, max_size=12)
ROWS = st.fixed_dictionaries(
    {
        str(relation): st.lists(
            st.fixed_dictionaries({name: values(fact) for name, fact in spec.facts.items()}),
            max_size=min(spec.most, 6),
        ).map(tuple)
        for relation, spec in RELATED.items()
    }
)
TICKETS = st.fixed_dictionaries(
    {},
    optional={
        "owner_set": st.booleans(),
        "tier": WORDS,
        "team": WORDS,
        "priority": st.sampled_from(["low", "urgent"]),
        "tags": st.sampled_from([(), ("vip",)]),
        "age_s": NUMBERS,
        "reopen_count": st.sampled_from([0, 1, 2]),
        "step_fraction": NUMBERS,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow,
          HealthCheck.data_too_large, HealthCheck.large_base_example])  # fmt: skip
@given(PACKS, st.lists(st.tuples(TICKETS, ROWS), min_size=1, max_size=10))
def test_engine_and_reference_agree_on_joins(
    rules: list[dict[str, Any]], situations: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    listed = [
        {"id": f"r{n}", "description": "d", "on": ["created"], "when": when, "then": ["assign"]}
        for n, when in enumerate(rules)
    ]
    pack = unjudged_pack_of(json.dumps({"name": "random", "rules": listed}, ensure_ascii=False))
    try:
        compile_pack(pack)
    except PackError as error:
        assert "alternatives" in str(error) or "joins too much" in str(error)  # noqa: PT017
        return
    with Engine(pack, timeout_s=10) as engine:
        for changed, rows in situations:
            engine.evaluate_now(facts(**changed), rows)
        assert (engine.disagreements, engine.restarts) == (0, 0)
