"""The engine and the reference are two implementations; here they meet on random packs."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.compiler import compile_pack
from rules.conditions import ops_of
from rules.engine import Engine
from rules.pack import Op
from rules.parse import TRIGGERS
from support.errors import PackError
from support.situation import CATALOGUE, FactSpec, FactType
from tests.rules.situations import unjudged_pack_of

NUMBERS = st.sampled_from(
    [0, 1, 7, -3, 0.75, 1.0, 1e-5, 0.1 + 0.2, 0.3, 12345.678901, 3e8, 2.5e9, -0.000001]
)
WORDS = st.sampled_from(
    [
        "",
        "a",
        "ab",
        "7",
        "true",
        "å",
        'a"b',
        "\\",
        "\\n",
        "%22",
        "x" * 300,
        "{}",
        "\U0001f600",
        "null",
    ]
)
NAMES = ("owner_set", "active", "reopen_count", "step_fraction", "age_s", "priority", "due_kind",
         "tier", "team", "skills", "tags")  # fmt: skip


def values(spec: FactSpec) -> st.SearchStrategy[Any]:
    """Plain values of a fact, from pools so small that packs and facts meet."""
    if spec.type is FactType.FLAG:
        return st.booleans()
    if spec.type is FactType.COUNT:
        return st.sampled_from([0, 1, 7, -1, 2**53])
    if spec.type is FactType.CHOICE:
        return st.sampled_from(spec.choices)
    if spec.type in (FactType.NUMBER, FactType.DURATION):
        return NUMBERS
    return WORDS


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    spec = CATALOGUE[draw(st.sampled_from(NAMES))]
    op = draw(st.sampled_from(sorted(ops_of(spec.type))))
    value = values(spec)
    return {
        spec.name: {op: draw(st.lists(value, min_size=1, max_size=3) if op is Op.IN else value)}
    }


CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)
ON = st.lists(st.sampled_from(TRIGGERS[:3]), min_size=1, max_size=3, unique=True)
PACKS = st.lists(st.tuples(ON, CONDITIONS), min_size=1, max_size=45)
FACTS = st.fixed_dictionaries(
    {
        name: st.sampled_from(TRIGGERS[:3])
        if name == "on"
        else (st.lists(WORDS, max_size=3).map(tuple) if spec.type is FactType.SET else values(spec))
        for name, spec in CATALOGUE.items()
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow,
          HealthCheck.data_too_large, HealthCheck.large_base_example])  # fmt: skip
@given(PACKS, st.lists(FACTS, min_size=1, max_size=12))
def test_engine_and_reference_agree(
    rules: list[tuple[list[str], dict[str, Any]]], situations: list[dict[str, Any]]
) -> None:
    listed = [
        {"id": f"r{n}", "description": "d", "on": on, "when": when, "then": ["assign"]}
        for n, (on, when) in enumerate(rules)
    ]
    text = json.dumps({"name": "random", "rules": listed}, ensure_ascii=False)
    pack = unjudged_pack_of(text)  # also with rules that can never fire
    try:
        compile_pack(pack)
    except PackError as error:
        assert "alternatives" in str(error)  # noqa: PT017  # the only refusal these packs deserve
        return
    with Engine(pack, timeout_s=10) as engine:
        for facts in situations:
            engine.evaluate_now(facts)
        assert (engine.disagreements, engine.restarts) == (0, 0)
