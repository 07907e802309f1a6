"""Compiles a pack to rulesets of durable_rules, within what that engine can say exactly.

Every rule becomes alternatives (disjunctive normal form), each a conjunction of comparisons of one
property of the ticket, and of joins with related rows. Equal conjunctions are registered once. What
the engine cannot compare (contents of sets, parts of texts, long lists) is computed beforehand as a
property that is true or false.
"""

from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import prod
from typing import Protocol, TypeVar

from rules.document import Place
from rules.pack import All, Any, Condition, Exists, Not, Op, Pack, Rule, Test
from rules.program import (
    Atom,
    Conjunction,
    Join,
    Literal,
    Program,
    Same,
    Table,
    encoded,
    property_of,
)
from rules.sharding import sharded
from support.relations import RELATED

T = TypeVar("T")

EXPRESSIONS_A_RULE = 32
ALTERNATIVES_A_RULE = 32
JOINS_AN_ALTERNATIVE = 8
"""The engine joins 16 facts."""
ROWS_AN_ALTERNATIVE = 400
"""Combinations of rows that one alternative can match: the engine fires for each of them."""

NEGATED = {
    Op.EQ: Op.NE,
    Op.NE: Op.EQ,
    Op.LT: Op.GE,
    Op.GE: Op.LT,
    Op.GT: Op.LE,
    Op.LE: Op.GT,
}


@dataclass
class _Draft:
    """What compilation has found so far. Properties of a row are known by their relation."""

    derived: dict[Test, str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)
    rules_of: dict[Conjunction, list[str]] = field(default_factory=dict)

    def flag(self, test: Test) -> str:
        """Return the property that stands for `test`."""
        word = {Op.CONTAINS: "has", Op.IN: "in"}.get(test.op, str(test.op))
        name = f"{property_of(test.fact)}__{word}__{len(self.derived)}"
        return self.derived.setdefault(test, name)

    def fact(self, name: str) -> str:
        """Return the property that holds a fact."""
        return self.plain.setdefault(name, property_of(name))

    def table(self, relation: str, used: set[str]) -> Table:
        """Return the used properties of the rows of `relation`; of the ticket for an empty one."""
        return Table(
            {p: f for f, p in self.plain.items() if p in used and _relation(f) == relation},
            {p: t for t, p in self.derived.items() if p in used and _relation(t.fact) == relation},
        )


def _relation(fact: str) -> str:
    return fact.partition(".")[0] if "." in fact else ""


def compile_pack(pack: Pack) -> Program:
    """Return the program of the enabled rules; PackError for one beyond the engine's limits."""
    draft = _Draft()
    for rule in pack.rules:
        if rule.enabled:
            for conjunction in _alternatives(rule, draft):
                draft.rules_of.setdefault(conjunction, []).append(rule.id)
    rules_of: dict[str, tuple[str, ...]] = {}
    shards = tuple(sharded(draft.rules_of, rules_of))
    used = {name for shard in shards for name in shard.properties}
    joined = {
        relation: {n for shard in shards for n in shard.related.get(relation, ())}
        for relation in sorted({r for shard in shards for r in shard.related})
    }
    return Program(
        shards=shards,
        rules_of=rules_of,
        ticket=draft.table("", used),
        rows={relation: draft.table(relation, names) for relation, names in joined.items()},
    )


def _alternatives(rule: Rule, draft: _Draft) -> list[Conjunction]:
    condition = All((Test("on", Op.IN, rule.on), rule.when))
    for lists in (True, False):
        if _count(condition, lists=lists, wanted=True) <= ALTERNATIVES_A_RULE:
            break
    else:
        raise Place(rule.file, rule.line).fault(
            f"rule `{rule.id}` has more than {ALTERNATIVES_A_RULE} alternatives when its `any` are "
            "multiplied out: split it into several rules"
        )
    leaf = partial(_literals, draft=draft, lists=lists)
    found = [_sorted(literals) for literals in spread(condition, leaf, wanted=True)]
    for conjunction in found:
        _check(conjunction, rule)
    return list(dict.fromkeys(found))


def _sorted(literals: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(sorted(set(literals), key=str))


def _check(conjunction: Conjunction, rule: Rule) -> None:
    """Refuse what the engine cannot hold, or could only match with endless combinations."""
    joins = [literal for literal in conjunction if isinstance(literal, Join)]
    compared = len(conjunction) - len(joins) + sum(1 + len(join.atoms) for join in joins)
    if compared > EXPRESSIONS_A_RULE:
        raise Place(rule.file, rule.line).fault(
            f"rule `{rule.id}` compares {compared} things at once; the engine holds "
            f"{EXPRESSIONS_A_RULE}: split it into several rules"
        )
    rows = prod(RELATED[join.relation].most for join in joins if join.wanted)
    if len(joins) > JOINS_AN_ALTERNATIVE or rows > ROWS_AN_ALTERNATIVE:
        names = ", ".join(dict.fromkeys(join.relation for join in joins))
        raise Place(rule.file, rule.line).fault(
            f"rule `{rule.id}` joins too much at once ({names}: {len(joins)} conditions, up to "
            f"{rows} combinations): ask each relation once, or split it into several rules"
        )


def _count(condition: Condition, *, lists: bool, wanted: bool) -> int:
    """Return how many alternatives `condition` has, without writing them out."""
    match condition:
        case Not(part):
            return _count(part, lists=lists, wanted=not wanted)
        case Test():
            many = condition.op is Op.IN and wanted and _spreads(condition, lists=lists)
            return len(condition.values) if many else 1
        case Exists(_, part):
            # What must not be there is one alternative, but each of its own becomes a pattern.
            return _count(part, lists=lists, wanted=True)
        case All(parts) | Any(parts):
            counts = [_count(part, lists=lists, wanted=wanted) for part in parts]
            return sum(counts) if isinstance(condition, Any) is wanted else prod(counts)


def _spreads(test: Test, *, lists: bool) -> bool:
    """Whether an `in` becomes alternatives; the kinds of events would multiply every rule."""
    return len(test.values) == 1 or (lists and test.fact != "on")


class Leaf(Protocol[T]):
    """Returns the alternatives under which one comparison or join comes out as `wanted`."""

    def __call__(self, leaf: Test | Exists, *, wanted: bool) -> list[tuple[T, ...]]:
        """Return them, each a conjunction."""


def spread(condition: Condition, leaf: Leaf[T], *, wanted: bool) -> list[tuple[T, ...]]:
    """Return the alternatives under which `condition` comes out as `wanted`."""
    match condition:
        case Not(part):
            return spread(part, leaf, wanted=not wanted)
        case Test() | Exists():
            return leaf(condition, wanted=wanted)
        case All(parts) | Any(parts):
            each = [spread(part, leaf, wanted=wanted) for part in parts]
            if isinstance(condition, Any) is wanted:
                return [atoms for alternatives in each for atoms in alternatives]
            return [tuple(atom for atoms in row for atom in atoms) for row in product(*each)]


def _literals(
    leaf: Test | Exists, *, draft: _Draft, lists: bool, wanted: bool
) -> list[tuple[Literal, ...]]:
    if isinstance(leaf, Test):
        return [tuple(atoms) for atoms in _atoms(leaf, draft=draft, lists=lists, wanted=wanted)]
    inner = partial(_row_atoms, draft=draft, lists=lists)
    joins = [
        Join(leaf.relation, _sorted(atoms), wanted)
        for atoms in spread(leaf.part, inner, wanted=True)
    ]
    return [(join,) for join in joins] if wanted else [tuple(joins)]


def _row_atoms(
    leaf: Test | Exists, *, draft: _Draft, lists: bool, wanted: bool
) -> list[tuple[Atom, ...]]:
    if isinstance(leaf, Exists):
        raise TypeError("a relation is asked of the ticket, not of another relation")
    return _atoms(leaf, draft=draft, lists=lists, wanted=wanted)


def _atoms(test: Test, *, draft: _Draft, lists: bool, wanted: bool) -> list[tuple[Atom, ...]]:
    if _beforehand(test, wanted=wanted) or (test.op is Op.IN and not _spreads(test, lists=lists)):
        return [(Atom(draft.flag(test), Op.EQ, wanted),)]
    name = draft.fact(test.fact)
    if test.op is Op.SAME_AS:
        return [(Atom(name, Op.EQ, Same(draft.fact(str(test.values[0])))),)]
    if test.op is Op.IN:
        op = Op.EQ if wanted else Op.NE
        each = tuple(Atom(name, op, encoded(value)) for value in test.values)
        return [(atom,) for atom in each] if wanted else [each]
    op, value = test.op if wanted else NEGATED[test.op], encoded(test.values[0])
    if isinstance(value, bool) and op is Op.NE:
        op, value = Op.EQ, not value
    return [(Atom(name, op, value),)]


def _beforehand(test: Test, *, wanted: bool) -> bool:
    """Whether the engine cannot compare it at all: parts and patterns of texts, and whole sets.

    That a row differs from the ticket ends durable_rules 2.0.28 by a fault where they are equal.
    """
    if test.op is Op.SAME_AS:
        return not wanted
    return test.op in {Op.CONTAINS, Op.MATCHES} or isinstance(test.values[0], frozenset)
