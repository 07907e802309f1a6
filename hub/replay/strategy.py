"""The same rules with another strategy of assignment."""

from collections.abc import Mapping
from dataclasses import replace

from support.model import EventKind
from support.needs import EvaluateRules, RuleAction, RuleVerdict, Wanted
from support.routing import Strategy
from support.simulate import Evaluate


def with_strategy(evaluate: Evaluate, strategy: Strategy) -> Evaluate:
    """Return `evaluate` with every `assign` that rules ask for by `strategy`, all else as it is."""

    def judge(question: EvaluateRules) -> RuleVerdict | Wanted:
        verdict = evaluate(question)
        if isinstance(verdict, Wanted):
            return verdict
        return replace(verdict, actions=_by(verdict.actions, strategy))

    return judge


def macros_with_strategy(
    macros: Mapping[str, tuple[RuleAction, ...]], strategy: Strategy
) -> dict[str, tuple[RuleAction, ...]]:
    """Return macros with every `assign` in them by `strategy`."""
    return {name: _by(actions, strategy) for name, actions in macros.items()}


def _by(actions: tuple[RuleAction, ...], strategy: Strategy) -> tuple[RuleAction, ...]:
    return tuple(
        replace(action, params={**action.params, "strategy": str(strategy)})
        if action.kind == EventKind.ASSIGN
        else action
        for action in actions
    )
