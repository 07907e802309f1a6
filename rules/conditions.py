"""Reads the `when` of a rule: every fact, operator and value is checked against the catalogue."""

from rules.comparisons import EXPANDED, expand, read_pattern, words_of
from rules.document import Node, suggest
from rules.facts import ORDERED
from rules.pack import All, Any, Condition, Not, Op, Test
from rules.values import read_value
from support.situation import CATALOGUE, FactSpec, FactType

DEEPEST = 12
_WORDS = ("all", "any", "not")
_EQUAL = frozenset({Op.EQ, Op.NE, Op.IN})
_ORDER = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})


def ops_of(kind: FactType) -> frozenset[Op]:
    """Return the operators that a kind of fact can be compared with."""
    if kind is FactType.FLAG:
        return frozenset({Op.EQ, Op.NE})
    if kind is FactType.SET:
        return frozenset({Op.CONTAINS, Op.MATCHES})
    if kind is FactType.TEXT:
        return _EQUAL | {Op.CONTAINS, Op.MATCHES}
    return _EQUAL | _ORDER if kind in ORDERED else _EQUAL


def read_condition(node: Node, depth: int = 0) -> Condition:
    """Return the condition of a mapping; several keys are all to be true."""
    if depth > DEEPEST:
        raise node.place.fault(f"conditions are nested more than {DEEPEST} deep: split the rule")
    form = node.mapping("a condition")
    if not form:
        raise node.place.fault("an empty condition says nothing: leave it out")
    parts = tuple(_part(key, value, depth) for key, value in form.items())
    return parts[0] if len(parts) == 1 else All(parts)


def _part(key: str, node: Node, depth: int) -> Condition:
    if key == "not":
        return Not(read_condition(node, depth + 1))
    if key in _WORDS:
        items = node.items(f"`{key}`")
        if not items:
            raise node.place.fault(f"`{key}` is empty: name at least one condition")
        parts = tuple(read_condition(item, depth + 1) for item in items)
        return All(parts) if key == "all" else Any(parts)
    spec = CATALOGUE.get(key)
    if spec is None:
        raise node.place.fault(f"there is no fact `{key}`{suggest(key, [*CATALOGUE, *_WORDS])}")
    if not isinstance(node.value, dict):
        shorthand = Op.CONTAINS if spec.type is FactType.SET else Op.EQ
        return _test(spec, shorthand, node)
    if not node.value:
        raise node.place.fault(f"`{key}` is compared with nothing: give an operator and a value")
    tests = tuple(_compared(spec, word, value) for word, value in node.value.items())
    return tests[0] if len(tests) == 1 else All(tests)


def _compared(spec: FactSpec, word: str, node: Node) -> Condition:
    if word in EXPANDED:
        return expand(spec, word, node)
    return _test(spec, _op(spec, word, node), node)


def _op(spec: FactSpec, word: str, node: Node) -> Op:
    if word not in tuple(Op):
        raise node.place.fault(
            f"there is no operator `{word}`{suggest(word, [*ops_of(spec.type), *words_of(spec)])}"
        )
    op = Op(word)
    if op not in ops_of(spec.type):
        raise node.place.fault(
            f"`{spec.name}` is a {spec.type}, which `{word}` cannot compare; "
            f"possible: {', '.join(sorted([*ops_of(spec.type), *words_of(spec)]))}"
        )
    return op


def _test(spec: FactSpec, op: Op, node: Node) -> Test:
    if op is Op.MATCHES:
        return Test(spec.name, op, (read_pattern(spec, node),))
    if op is not Op.IN:
        return Test(spec.name, op, (read_value(spec, node),))
    items = node.items(f"`in` of `{spec.name}`")
    if not items:
        raise node.place.fault(f"`in` of `{spec.name}` is empty, so it can never be true")
    return Test(spec.name, op, tuple(dict.fromkeys(read_value(spec, item) for item in items)))
