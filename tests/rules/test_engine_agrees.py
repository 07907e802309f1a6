"""The engine and the reference are two implementations; here they meet on random packs."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.compiler import compile_pack
from rules.conditions import ops_of
from rules.engine import Engine
from rules.expansion import words_of
from rules.pack import Op
from support.errors import PackError
from support.situation import CATALOGUE, facts_of
from support.subjects import TRIGGERS, FactSpec, FactType, Subject
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
PATTERNS = st.sampled_from(
    ["^a", "b$", "a|å", "(a+)+$", ".", "^$", "[0-9]", r"\\", "(?i)TRUE", r"\bn", "^x{300}$"]
)
TIMES = st.sampled_from(["00:00", "05:59:59", "06:00", "12:30", "22:00:00", "23:59:59"])
SPANS = st.sampled_from(["22:00-06:00", "06:00-22:00", "12:30-24:00", "business_hours"])
COMMON = ("on", "tenant", "weekday", "local_time", "business_open", "lateness_s")
NAMES: dict[Subject, tuple[str, ...]] = {
    Subject.TICKET: (*COMMON, "owner_set", "active", "reopen_count", "step_fraction", "age_s",
                     "priority", "due_kind", "tier", "team", "skills", "tags"),
    Subject.CALLBACK: (*COMMON, "callback_status", "callback_due", "callback_overdue", "team",
                       "callback_attempts", "callback_age_s"),
    Subject.LANE: (*COMMON, "lane", "lane_status", "lane_signal", "lane_share", "pressure"),
    Subject.ROSTER: (*COMMON, "roster_change", "agent", "agent_team", "agent_load_share",
                     "agent_skills"),
}  # fmt: skip
ON = {
    subject: [trigger for trigger, about in TRIGGERS.items() if about is subject][:3]
    for subject in Subject
}


def values(spec: FactSpec) -> st.SearchStrategy[Any]:
    """Plain values of a fact, from pools so small that packs and facts meet."""
    if spec.name == "on":
        return st.sampled_from([trigger for triggers in ON.values() for trigger in triggers])
    by_type: dict[FactType, st.SearchStrategy[Any]] = {
        FactType.FLAG: st.booleans(),
        FactType.COUNT: st.sampled_from([0, 1, 7, -1, 2**53]),
        FactType.CHOICE: st.sampled_from(spec.choices or ("",)),
        FactType.TIME: TIMES,
        FactType.NUMBER: NUMBERS,
        FactType.DURATION: NUMBERS,
    }
    return by_type.get(spec.type, WORDS)


def compared(spec: FactSpec, word: str) -> st.SearchStrategy[Any]:
    """What a fact is compared with by an operator."""
    by_word = {
        Op.MATCHES: PATTERNS,
        Op.IN: st.lists(values(spec), min_size=1, max_size=3),
        "exists": st.booleans(),
        "within": SPANS,
    }
    return by_word.get(word, values(spec))


@st.composite
def leaves(draw: st.DrawFn, subject: Subject) -> dict[str, Any]:
    spec = CATALOGUE[draw(st.sampled_from(NAMES[subject]))]
    word = draw(st.sampled_from([*sorted(ops_of(spec.type)), *words_of(spec)]))
    return {spec.name: {word: draw(compared(spec, word))}}


def conditions(subject: Subject) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        leaves(subject),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=5,
    )


def on(subject: Subject) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(ON[subject]), min_size=1, max_size=3, unique=True)


def facts_about(subject: Subject) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            name: st.sampled_from(ON[subject])
            if name == "on"
            else st.lists(WORDS, max_size=3).map(tuple)
            if spec.type is FactType.SET
            else values(spec)
            for name, spec in facts_of(subject).items()
        }
    )


SUBJECTS = st.sampled_from([Subject.TICKET, *Subject])
RULES = SUBJECTS.flatmap(lambda subject: st.tuples(on(subject), conditions(subject)))
PACKS = st.lists(RULES, min_size=1, max_size=45)
FACTS = SUBJECTS.flatmap(facts_about)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow,
          HealthCheck.data_too_large, HealthCheck.large_base_example])  # fmt: skip
@given(PACKS, st.lists(FACTS, min_size=1, max_size=12))
def test_engine_and_reference_agree(
    rules: list[tuple[list[str], dict[str, Any]]], situations: list[dict[str, Any]]
) -> None:
    listed = [
        {"id": f"r{n}", "description": "d", "on": on, "when": when,
         "then": [{"record": {"note": "n"}}]}
        for n, (on, when) in enumerate(rules)
    ]  # fmt: skip
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
