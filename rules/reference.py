"""Evaluates conditions in plain Python and says why: the explanation, and the engine's check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rules.facts import Typed, TypedRows, Value, show
from rules.pack import All, Any, Condition, Exists, Not, Op, Pack, Test, relations_of
from support.relations import RELATED, Relation

NOTHING: TypedRows = MappingProxyType({})
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
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a rule's conditions hold, and by which values."""

    rule_id: str
    matched: bool
    reason: str


def examine(pack: Pack, facts: Typed, related: TypedRows = NOTHING) -> tuple[Finding, ...]:
    """Return what holds of every rule, in the order of the file.

    `related` has the rows of every relation that `unknown` names.
    """
    trigger = str(facts["on"])
    found = []
    for rule in pack.rules:
        if not rule.enabled:
            found.append(Finding(rule.id, matched=False, reason="switched off"))
        elif trigger not in rule.on:
            found.append(Finding(rule.id, matched=False, reason=f"not for {trigger}"))
        else:
            scene = _Scene(facts, facts, related)
            held = holds(rule.when, scene)
            reason = why(rule.when, scene, held=held) or "it has no conditions"
            found.append(Finding(rule.id, held, reason))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a condition is asked of: `here` is the ticket, or a related row."""

    here: Typed
    ticket: Typed
    related: TypedRows

    def at(self, row: Typed) -> "_Scene":
        """Return the same with a row in focus."""
        return _Scene(row, self.ticket, self.related)

    def rows(self, relation: Relation) -> tuple[Typed, ...]:
        """Return the rows of a relation; those of one that was not fetched are none."""
        return self.related.get(relation, ())


def holds(condition: Condition, scene: _Scene) -> bool:
    """Whether `condition` is true of the scene."""
    match condition:
        case Test():
            return _tried(condition, scene)
        case All(parts):
            return all(holds(part, scene) for part in parts)
        case Any(parts):
            return any(holds(part, scene) for part in parts)
        case Not(part):
            return not holds(part, scene)
        case Exists(relation, part):
            return any(holds(part, scene.at(row)) for row in scene.rows(relation))


def unknown(pack: Pack, facts: Typed, related: TypedRows = NOTHING) -> tuple[str, ...]:
    """Return the relations that must be fetched to tell what holds, in the order of their names.

    A relation is left out where the ticket's own facts decide every rule that asks it.
    """
    trigger = str(facts["on"])
    open_ones: set[Relation] = set()
    for rule in pack.joining:
        if trigger in rule.on and _known(rule.when, _Scene(facts, facts, related)) is None:
            open_ones |= relations_of(rule.when)
    return tuple(sorted(open_ones - related.keys()))


def _known(condition: Condition, scene: _Scene) -> bool | None:
    """Return what `condition` comes to, or None where that depends on rows not fetched."""
    match condition:
        case Test():
            return _tried(condition, scene)
        case Not(part):
            inner = _known(part, scene)
            return None if inner is None else not inner
        case Exists(relation):
            return holds(condition, scene) if relation in scene.related else None
        case All(parts) | Any(parts):
            decisive = isinstance(condition, Any)
            each = [_known(part, scene) for part in parts]
            if decisive in each:
                return decisive
            return None if None in each else not decisive


def _tried(test: Test, scene: _Scene) -> bool:
    value = scene.here[test.fact]
    if test.op is Op.SAME_AS:
        return value == scene.ticket[str(test.values[0])]
    return passes(test, value)


def passes(test: Test, value: Value) -> bool:
    """Whether one comparison with values of the pack is true of the fact's value."""
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
        case _:
            number = isinstance(value, int) and isinstance(wanted, int)
            return number and _COMPARE[test.op](int(str(value)), int(str(wanted)))


def why(condition: Condition, scene: _Scene, *, held: bool) -> str:
    """Return what made `condition` come out as `held`: all that is true, or the first failure."""
    match condition:
        case Test():
            return _of_test(condition, scene, held=held)
        case Not(part):
            return why(part, scene, held=not held)
        case Exists():
            return _of_rows(condition, scene, held=held)
        case All(parts) | Any(parts):
            decisive = [part for part in parts if holds(part, scene) is held]
            one_is_enough = isinstance(condition, Any) is held
            chosen = decisive[:1] if one_is_enough else decisive
            joined = "; ".join(why(part, scene, held=held) for part in chosen)
            return f"none of: {joined}" if not held and isinstance(condition, Any) else joined


def _of_rows(exists: Exists, scene: _Scene, *, held: bool) -> str:
    """Name the first row that satisfies it, or the one that comes nearest."""
    relation, rows = exists.relation, scene.rows(exists.relation)
    if not rows:
        return f"there are no {relation}" if relation is not Relation.CUSTOMER else "no customer"
    if exists.part == All(()):
        return f"{relation}: {len(rows)}"
    if held:
        row = next(row for row in rows if holds(exists.part, scene.at(row)))
        return f"{_named(relation, row)}: {why(exists.part, scene.at(row), held=True)}"
    nearest = max(rows, key=lambda row: _nearness(exists.part, scene.at(row)))
    reason = why(exists.part, scene.at(nearest), held=False)
    if len(rows) == 1:
        return f"{_named(relation, nearest)}: {reason}"
    return f"none of {len(rows)} {relation}; nearest {_named(relation, nearest)}: {reason}"


def _nearness(condition: Condition, scene: _Scene) -> int:
    parts = condition.parts if isinstance(condition, All) else (condition,)
    return sum(holds(part, scene) for part in parts)


def _named(relation: Relation, row: Typed) -> str:
    label = RELATED[relation].label
    return f"{relation} {show(label, row[label])}" if label else str(relation)


def _of_test(test: Test, scene: _Scene, *, held: bool) -> str:
    is_now = f"{test.fact} is {show(test.fact, scene.here[test.fact])}"
    if test.op is Op.SAME_AS:
        other = str(test.values[0])
        shown = f"that of the ticket, {show(other, scene.ticket[other])}"
        return f"{is_now}, {'as' if held else 'not'} {shown}"
    if held and test.op is Op.EQ:
        return is_now
    return f"{is_now}, {in_words(test, held=held)}"


def in_words(test: Test, *, held: bool) -> str:
    """Say what a fact is where `test` comes out as `held`: `at least 45m`, `not one of a, b`."""
    if test.op is Op.SAME_AS:
        return f"{'' if held else 'not '}the same as {test.values[0]} of the ticket"
    wanted = ", ".join(show(test.fact, value) for value in test.values)
    return f"{'' if held else 'not '}{_SIGNS[test.op]}{wanted}"
