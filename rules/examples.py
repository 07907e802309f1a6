"""The tests that a pack brings along: read with it, and run through the real engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rules.actions import Names, read_actions
from rules.document import Node, only
from rules.pack import Example, Pack, Rule
from rules.values import completed, read_situation
from support.needs import Fact, Row, RuleAction, RuleVerdict

_KEYS = ("facts", "then")
Progress = Callable[[int, int], None]


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
    file: str = ""


def read_examples(node: Node, rule_id: str, on: str, names: Names) -> tuple[Example, ...]:
    """Return the tests of a rule; `on` is what is decided where a test does not say."""
    return tuple(_example(item, rule_id, on, names) for item in node.items("`tests`"))


def _example(node: Node, rule_id: str, on: str, names: Names) -> Example:
    form = node.mapping("a test")
    only(form, _KEYS, "a test")
    for key in _KEYS:
        if key not in form:
            raise node.place.fault(f"the test has no `{key}`")
    given, related = read_situation(form["facts"], on)
    nothing = not form["then"].items("`then`")
    return Example(
        facts=completed({"on": on, **given}),
        given=(*given, *related),
        then=() if nothing else read_actions(form["then"], rule_id, names),
        line=node.place.line,
        related=related,
    )


def run_examples(
    pack: Pack, engine: Evaluator, progress: Progress = lambda _done, _of: None
) -> tuple[Outcome, ...]:
    """Return what comes of every test of the pack, each decided with all of its rules.

    A rule that an importing pack has switched off does nothing, so its tests say nothing.
    `progress` is told after each test how many are done, of how many.
    """
    asked = [(rule, test) for rule in pack.rules if rule.enabled for test in rule.tests]
    found = []
    for rule, test in asked:
        found.append(_outcome(rule, test, engine.evaluate_now(test.facts, test.related)))
        progress(len(found), len(asked))
    return tuple(found)


def _outcome(rule: Rule, example: Example, verdict: RuleVerdict) -> Outcome:
    got = tuple(action for action in verdict.actions if action.rule_id == rule.id)
    reason = next(trace.reason for trace in verdict.trace if trace.rule_id == rule.id)
    passed = got == example.then
    return Outcome(rule.id, example.line, passed, example.then, got, reason, rule.file)
