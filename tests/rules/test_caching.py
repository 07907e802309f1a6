"""What is remembered is what the engine answers, and nothing that a fact decides is forgotten."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.caching import CachingEngine, read_facts
from rules.engine import Engine
from rules.load import load_pack
from support.errors import RulesEngineError
from support.needs import EvaluateRules, Fact, Firing, Memory, RuleVerdict, Wanted
from support.situation import CATALOGUE
from support.subjects import TRIGGERS, Subject
from tests.rules.situations import facts, one_rule, pack_of

FLAGS = ("active", "owner_set", "owner_available", "owner_locked", "unanswered")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULES = """
name: p
rules:
  - {id: old, description: d, on: [note], when: {age_s: {ge: 1h}}, then: [assign]}
  - {id: tagged, description: d, on: [note], when: {tags: vip}, then: [assign]}
  - {id: rests, description: d, on: [note], when: {status: open}, then: [assign]}
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(load_pack(None)) as running:
        yield running


@pytest.fixture(scope="module")
def small() -> Iterator[Engine]:
    pack = pack_of(RULES)
    rules = (*pack.rules[:-1], replace(pack.rules[-1], cooldown=timedelta(hours=1)))
    with Engine(replace(pack, rules=rules)) as running:
        yield running


@given(
    on=st.sampled_from([on for on, subject in TRIGGERS.items() if subject is Subject.TICKET]),
    due_kind=st.sampled_from(CATALOGUE["due_kind"].choices),
    fraction=st.sampled_from([0.0, 0.75, 1.0, 1.5]),
    flags=st.fixed_dictionaries({name: st.booleans() for name in FLAGS}),
)
def test_answers_are_those_of_the_engine(
    engine: Engine, on: str, due_kind: str, fraction: float, flags: dict[str, bool]
) -> None:
    caching = CachingEngine(engine, most=3 * len(engine.pack.rules))
    asked = facts(on=on, due_kind=due_kind, step_fraction=fraction, **flags)
    question = EvaluateRules(asked)
    assert [caching.judge(question) for _ in range(2)] == [engine.judge_now(question)] * 2


def test_an_equal_question_is_not_asked_again(small: Engine) -> None:
    caching = CachingEngine(small)
    first = caching.judge(EvaluateRules(facts(on="note", age_s=7200.0, reopen_count=1)))
    again = caching.judge(EvaluateRules(facts(on="note", age_s=7200.0, reopen_count=2)))
    assert (caching.asked, caching.answered) == (1, 2)
    assert first == again
    assert isinstance(first, RuleVerdict)
    assert first.fired == ("old", "rests")


def test_what_is_related_to_a_ticket_is_asked_anew() -> None:
    with Engine(one_rule("{lanes: {status: hot}}", on="[note]")) as engine:
        caching = CachingEngine(engine)
        asked = facts(on="note")
        assert caching.judge(EvaluateRules(asked)) == Wanted(("lanes",))
        for status, fired in (("hot", ("r",)), ("stable", ()), ("hot", ("r",))):
            row: dict[str, Fact] = {"id": "unassigned", "signal": 1, "share": 0.1, "status": status}
            verdict = caching.judge(EvaluateRules(asked, related={"lanes": (row,)}))
            assert isinstance(verdict, RuleVerdict)
            assert verdict.fired == fired


def test_whatever_a_reason_shows_is_asked_anew(small: Engine) -> None:
    caching = CachingEngine(small)
    for age_s in (7200.0, 7201.0):
        question = EvaluateRules(facts(on="note", age_s=age_s))
        assert caching.judge(question) == small.judge_now(question)
    for tags in (("vip",), ("vip", "x"), ()):
        question = EvaluateRules(facts(on="note", tags=tags))
        assert caching.judge(question) == small.judge_now(question)
    assert caching.asked == 5


def test_cooldowns_and_chains_are_judged_at_every_question(small: Engine) -> None:
    caching = CachingEngine(small)
    given_facts = facts(on="note", status="open", age_s=7200.0)
    for memory in (
        None,
        Memory(NOON),
        Memory(NOON, (Firing("rests", NOON - timedelta(minutes=5)),)),
        Memory(NOON, (Firing("rests", NOON - timedelta(hours=5)),)),
    ):
        for chain in (frozenset[str](), frozenset({"old"})):
            question = EvaluateRules(given_facts, memory, chain)
            assert caching.judge(question) == small.judge_now(question)
    assert caching.asked == 1


def test_no_more_is_remembered_than_allowed(small: Engine) -> None:
    caching = CachingEngine(small, most=2 * len(small.pack.rules))
    ages = [1.0, 2.0, 3.0, 3.0, 1.0]
    for age_s in ages:
        caching.judge(EvaluateRules(facts(on="note", age_s=age_s)))
    assert caching.asked == 4


def test_a_missing_fact_is_an_error(small: Engine) -> None:
    with pytest.raises(RulesEngineError, match="age_s"):
        CachingEngine(small).judge(EvaluateRules({"on": "note"}))


def test_rules_that_are_off_read_nothing() -> None:
    off = pack_of(RULES.replace("tagged, description: d", "tagged, enabled: false, description: d"))
    assert read_facts(off) == ("age_s", "on", "status")


def test_a_question_has_nothing_more_that_could_decide() -> None:
    """Whoever adds to the question says here how what is remembered takes it into account."""
    names = {field.name for field in fields(EvaluateRules)}
    assert names == {"facts", "memory", "chain", "related"}
