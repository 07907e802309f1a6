"""Reads the `when` of a rule: every fact, operator and value is checked against the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass

from rules.document import Node, suggest
from rules.expansion import EXPANDED, expand, words_of
from rules.facts import ORDERED
from rules.pack import All, Any, Condition, Exists, Not, Op, Test
from rules.patterns import read_pattern
from rules.values import read_value
from support.relations import RELATED, RelatedFact, Relation
from support.situation import CATALOGUE, facts_of
from support.subjects import FactSpec, FactType, Subject

DEEPEST = 12
_WORDS = ("all", "any", "not")
_RELATIONS = tuple(str(relation) for relation in Relation)
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


@dataclass(frozen=True, slots=True)
class _Scope:
    """Of what a condition asks facts: the ticket, or the rows of one relation."""

    facts: Mapping[str, FactSpec]
    relation: Relation | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """All that may be asked here."""
        return (*self.facts, *_WORDS, *(() if self.relation else _RELATIONS))


_TICKET = _Scope(CATALOGUE)


def read_condition(node: Node) -> Condition:
    """Return the condition of a mapping; several keys are all to be true."""
    return _condition(node, _TICKET, 0)


def _condition(node: Node, scope: _Scope, depth: int) -> Condition:
    if depth > DEEPEST:
        raise node.place.fault(f"conditions are nested more than {DEEPEST} deep: split the rule")
    form = node.mapping("a condition")
    if not form:
        raise node.place.fault("an empty condition says nothing: leave it out")
    parts = tuple(_part(key, value, scope, depth) for key, value in form.items())
    return parts[0] if len(parts) == 1 else All(parts)


def _part(key: str, node: Node, scope: _Scope, depth: int) -> Condition:
    if key == "not":
        return Not(_condition(node, scope, depth + 1))
    if key in _WORDS:
        items = node.items(f"`{key}`")
        if not items:
            raise node.place.fault(f"`{key}` is empty: name at least one condition")
        parts = tuple(_condition(item, scope, depth + 1) for item in items)
        return All(parts) if key == "all" else Any(parts)
    if scope.relation is None and key in _RELATIONS:
        return _related(Relation(key), node, depth)
    spec = scope.facts.get(key)
    if spec is None:
        of = f" of {scope.relation}" if scope.relation else ""
        raise node.place.fault(f"there is no fact `{key}`{of}{suggest(key, scope.words)}")
    if not isinstance(node.value, dict):
        shorthand = Op.CONTAINS if spec.type is FactType.SET else Op.EQ
        return _test(spec, shorthand, node)
    if not node.value:
        raise node.place.fault(f"`{key}` is compared with nothing: give an operator and a value")
    tests = tuple(_compared(spec, word, value) for word, value in node.value.items())
    return tests[0] if len(tests) == 1 else All(tests)


def _related(relation: Relation, node: Node, depth: int) -> Condition:
    """Return what a relation is asked: some row such that, or whether there is one at all."""
    form = node.mapping(f"`{relation}`")
    if set(form) == {"exists"}:
        if not isinstance(wanted := form["exists"].value, bool):
            raise form["exists"].place.fault("`exists` must be true or false")
        some = Exists(relation, All(()))
        return some if wanted else Not(some)
    scope = _Scope(RELATED[relation].facts, relation)
    return Exists(relation, _condition(node, scope, depth + 1))


def _compared(spec: FactSpec, word: str, node: Node) -> Condition:
    if word in EXPANDED:
        return expand(spec, word, node)
    return _test(spec, _op(spec, word, node), node)


def _op(spec: FactSpec, word: str, node: Node) -> Op:
    ops = ops_of(spec.type) | ({Op.SAME_AS} if _joins(spec) else set())
    possible = [*ops, *words_of(spec)]
    if word not in tuple(Op):
        raise node.place.fault(f"there is no operator `{word}`{suggest(word, possible)}")
    op = Op(word)
    if op not in possible:
        raise node.place.fault(
            f"`{spec.name}` is a {spec.type}, which `{word}` cannot compare; "
            f"possible: {', '.join(sorted(possible))}"
        )
    return op


def _joins(spec: FactSpec) -> bool:
    """Whether it can be compared with a fact of the ticket."""
    return isinstance(spec, RelatedFact) and spec.type is not FactType.SET


def _test(spec: FactSpec, op: Op, node: Node) -> Test:
    if op is Op.SAME_AS:
        return Test(spec.name, op, (_of_ticket(spec, node),))
    if op is Op.MATCHES:
        return Test(spec.name, op, (read_pattern(spec, node),))
    if op is not Op.IN:
        return Test(spec.name, op, (read_value(spec, node),))
    items = node.items(f"`in` of `{spec.name}`")
    if not items:
        raise node.place.fault(f"`in` of `{spec.name}` is empty, so it can never be true")
    return Test(spec.name, op, tuple(dict.fromkeys(read_value(spec, item) for item in items)))


def _of_ticket(spec: FactSpec, node: Node) -> str:
    """Return the ticket's fact that `same_as` names; it must be comparable."""
    name = node.word(f"`same_as` of `{spec.name}`")
    of_ticket = facts_of(Subject.TICKET)
    comparable = [n for n, s in of_ticket.items() if _family(s.type) == _family(spec.type)]
    if name not in comparable:
        raise node.place.fault(
            f"`{spec.name}` is a {spec.type}, which `{name}` of the ticket cannot be the same as"
            f"{suggest(name, comparable)}"
        )
    return name


def _family(kind: FactType) -> FactType:
    return FactType.TEXT if kind is FactType.CHOICE else kind
