"""The tests that a pack brings along: read with it, and run through the real engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rules.actions import Names, read_actions
from rules.document import Node, only
from rules.pack import Example, Pack
from rules.values import completed, read_situation
from support.needs import Fact, Row, RuleAction, RuleVerdict

_KEYS = ("facts", "then")


class Evaluator(Protocol):
    """What decides the facts of a test; `rules.engine.Engine` is one."""

    def evaluate_now(
        self, facts: Mapping[str, Fact], related: Mapping[str, tuple[Row, ...]]
    ) -> RuleVerdict:
        """Return what fires on `facts`, beside these rows of relations."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test. `reason` is why the rule fired or did not."""

    rule_id: str
    line: int
    passed: bool
    expected: tuple[RuleAction, ...]
    got: tuple[RuleAction, ...]
    reason: str


def read_examples(node: Node, rule_id: str, on: str, names: Names) -> tuple[Example, ...]:
    """Return the tests of a rule; `on` is what is decided where a test does not say."""
    return tuple(_example(item, rule_id, on, names) for item in node.items("`tests`"))


def _example(node: Node, rule_id: str, on: str, names: Names) -> Example:
    form = node.mapping("a test")
    only(form, _KEYS, "a test")
    for key in _KEYS:
        if key not in form:
            raise node.place.fault(f"the test has no `{key}`")
    given, related = read_situation(form["facts"])
    nothing = not form["then"].items("`then`")
    return Example(
        facts=completed({"on": on, **given}),
        given=(*given, *related),
        then=() if nothing else read_actions(form["then"], rule_id, names),
        line=node.place.line,
        related=related,
    )


def run_examples(pack: Pack, engine: Evaluator) -> tuple[Outcome, ...]:
    """Return what comes of every test of the pack, each decided with all of its rules."""
    return tuple(
        _outcome(rule.id, example, engine.evaluate_now(example.facts, example.related))
        for rule in pack.rules
        for example in rule.tests
    )


def _outcome(rule_id: str, example: Example, verdict: RuleVerdict) -> Outcome:
    got = tuple(action for action in verdict.actions if action.rule_id == rule_id)
    reason = next(trace.reason for trace in verdict.trace if trace.rule_id == rule_id)
    return Outcome(rule_id, example.line, got == example.then, example.then, got, reason)
