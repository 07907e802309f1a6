"""Says conditions and actions in words, for tables and pages."""

from rules.pack import All, Any, Condition, Not, Op, Test
from rules.reference import in_words
from support.needs import Param, RuleAction


def condition_in_words(condition: Condition) -> str:
    """Return what must be true, such as `due_kind is step and owner_set is true`; may be empty."""
    return _condition(condition, wanted=True, alone=True)


def _condition(condition: Condition, *, wanted: bool, alone: bool) -> str:
    match condition:
        case Test():
            return _test(condition, wanted=wanted)
        case Not(part):
            return _condition(part, wanted=not wanted, alone=alone)
        case All(parts) | Any(parts):
            word = " and " if isinstance(condition, All) is wanted else " or "
            alone = alone or len(parts) == 1
            inner = [_condition(p, wanted=wanted, alone=alone and len(parts) == 1) for p in parts]
            return word.join(inner) if alone else f"({word.join(inner)})"


def _test(test: Test, *, wanted: bool) -> str:
    if test.op is not Op.CONTAINS:
        return f"{test.fact} is {in_words(test, held=wanted)}"
    return f"{test.fact} {'has' if wanted else 'has not'} {test.values[0] or 'empty'}"


def action_in_words(action: RuleAction) -> str:
    """Return an action with its parameters, such as `notify to: owner, template: breach`."""
    params = ", ".join(f"{name}: {_param(value)}" for name, value in action.params.items())
    return f"{action.kind} {params}".rstrip()


def _param(value: Param) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
