"""Says conditions and actions in words, for tables and pages."""

from dataclasses import fields
from datetime import timedelta

from rules.comparing import in_words
from rules.pack import All, Any, Condition, Exists, Not, Op, Pack, Rule, Test
from support.duration import show_duration
from support.limits import USUAL
from support.needs import Param, RuleAction


def condition_in_words(condition: Condition) -> str:
    """Return what must be true, such as `due_kind is step and owner_set is true`; may be empty."""
    return _condition(condition, wanted=True, around="")


def _condition(condition: Condition, *, wanted: bool, around: str) -> str:
    """Return it in words, in brackets where the word `around` it would join them otherwise."""
    match condition:
        case Test():
            return _test(condition, wanted=wanted)
        case Exists(relation, part):
            some = f"{'some' if wanted else 'none'} of {relation}"
            inner = condition_in_words(part)
            return f"{some} with ({inner})" if inner else f"{some}"
        case Not(part) | All((part,)) | Any((part,)):
            turned = isinstance(condition, Not)
            return _condition(part, wanted=wanted is not turned, around=around)
        case All(parts) | Any(parts):
            word = " and " if isinstance(condition, All) is wanted else " or "
            joined = word.join(_condition(p, wanted=wanted, around=word) for p in parts)
            return joined if around in ("", word) else f"({joined})"


def _test(test: Test, *, wanted: bool) -> str:
    match test.op:
        case Op.CONTAINS:
            return f"{test.fact} {'has' if wanted else 'has not'} {test.values[0] or 'empty'}"
        case Op.MATCHES:
            return f"{test.fact} {'matches' if wanted else 'does not match'} {test.values[0]}"
        case _:
            return f"{test.fact} is {in_words(test, held=wanted)}"


def rule_in_words(rule: Rule) -> str:
    """Return what a rule is for, and when it does what, a line each."""
    when = condition_in_words(rule.when)
    parts = (
        rule.description,
        f"on: {', '.join(rule.on)}",
        f"when: {when}" if when else "",
        f"then: {'; '.join(map(action_in_words, rule.then))}",
        rest_in_words(rule),
        "stops" if rule.stop else "",
        "" if rule.enabled else "off",
    )
    return "\n".join(filter(None, parts))


def rest_in_words(rule: Rule) -> str:
    """Return when a rule does not fire again, such as `once per day, not within 4h`."""
    said = [f"once per {rule.once_per}"] if rule.once_per else []
    if rule.cooldown is not None:
        said.append(f"not again within {show_duration(rule.cooldown)}")
    return ", ".join(said)


def scope_in_words(pack: Pack) -> tuple[str, ...]:
    """Return what a pack says of itself: tenants, imports, and limits that are not the usual."""
    said = []
    if pack.tenants:
        said.append(f"for tenant: {', '.join(pack.tenants)}")
    if pack.imports:
        said.append(f"imports: {', '.join(pack.imports)}")
    for name in (field.name for field in fields(pack.limits)):
        value = getattr(pack.limits, name)
        if value != getattr(USUAL, name):
            shown = show_duration(value) if isinstance(value, timedelta) else value
            said.append(f"{name}: {shown}")
    return tuple(said)


def action_in_words(action: RuleAction) -> str:
    """Return an action with its parameters, such as `notify to: owner, template: breach`."""
    params = ", ".join(f"{name}: {_param(value)}" for name, value in action.params.items())
    return f"{action.kind} {params}".rstrip()


def _param(value: Param) -> str:
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)
