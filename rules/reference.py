"""Evaluates conditions in plain Python and says why: the explanation, and the engine's check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rules.facts import Typed, Value, show
from rules.pack import All, Any, Condition, Not, Op, Pack, Test
from rules.patterns import found_in

_COMPARE: Mapping[Op, Callable[[int, int], bool]] = {
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
    Op.GT: lambda a, b: a > b,
    Op.GE: lambda a, b: a >= b,
}
_SIGNS = {
    Op.EQ: "",
    Op.NE: "other than ",
    Op.LT: "less than ",
    Op.LE: "at most ",
    Op.GT: "more than ",
    Op.GE: "at least ",
    Op.IN: "one of ",
    Op.CONTAINS: "one with ",
    Op.MATCHES: "one that matches ",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a rule's conditions hold, and by which values."""

    rule_id: str
    matched: bool
    reason: str


def examine(pack: Pack, facts: Typed) -> tuple[Finding, ...]:
    """Return what holds of every rule, in the order of the file."""
    trigger = str(facts["on"])
    found = []
    for rule in pack.rules:
        if not rule.enabled:
            found.append(Finding(rule.id, matched=False, reason="switched off"))
        elif trigger not in rule.on:
            found.append(Finding(rule.id, matched=False, reason=f"not for {trigger}"))
        else:
            held = holds(rule.when, facts)
            reason = why(rule.when, facts, held=held) or "it has no conditions"
            found.append(Finding(rule.id, held, reason))
    return tuple(found)


def holds(condition: Condition, facts: Typed) -> bool:
    """Whether `condition` is true of `facts`."""
    match condition:
        case Test():
            return passes(condition, facts[condition.fact])
        case All(parts):
            return all(holds(part, facts) for part in parts)
        case Any(parts):
            return any(holds(part, facts) for part in parts)
        case Not(part):
            return not holds(part, facts)


def passes(test: Test, value: Value) -> bool:
    """Whether one comparison is true of the fact's value."""
    wanted = test.values[0]
    match test.op:
        case Op.EQ:
            return value == wanted
        case Op.NE:
            return value != wanted
        case Op.IN:
            return value in test.values
        case Op.CONTAINS:
            return isinstance(value, frozenset | str) and str(wanted) in value
        case Op.MATCHES:
            texts = [value] if isinstance(value, str) else value
            return isinstance(texts, list | frozenset) and any(
                found_in(str(wanted), text) for text in texts
            )
        case _:
            number = isinstance(value, int) and isinstance(wanted, int)
            return number and _COMPARE[test.op](int(str(value)), int(str(wanted)))


def why(condition: Condition, facts: Typed, *, held: bool) -> str:
    """Return what made `condition` come out as `held`: all that is true, or the first failure."""
    match condition:
        case Test():
            return _of_test(condition, facts, held=held)
        case Not(part):
            return why(part, facts, held=not held)
        case All(parts) | Any(parts):
            decisive = [part for part in parts if holds(part, facts) is held]
            one_is_enough = isinstance(condition, Any) is held
            chosen = decisive[:1] if one_is_enough else decisive
            joined = "; ".join(why(part, facts, held=held) for part in chosen)
            return f"none of: {joined}" if not held and isinstance(condition, Any) else joined


def _of_test(test: Test, facts: Typed, *, held: bool) -> str:
    is_now = f"{test.fact} is {show(test.fact, facts[test.fact])}"
    if held and test.op is Op.EQ:
        return is_now
    return f"{is_now}, {in_words(test, held=held)}"


def in_words(test: Test, *, held: bool) -> str:
    """Say what a fact is where `test` comes out as `held`: `at least 45m`, `not one of a, b`."""
    wanted = ", ".join(show(test.fact, value) for value in test.values)
    return f"{'' if held else 'not '}{_SIGNS[test.op]}{wanted}"
