"""Compiles a pack to rulesets of durable_rules, within what that engine can say exactly.

Every rule becomes alternatives (disjunctive normal form), each a plain conjunction of comparisons
of one property. Equal conjunctions are registered once. What the engine cannot compare (contents of
sets, parts of texts, long lists) is computed beforehand as a property that is true or false.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Protocol, TypeVar
from urllib.parse import quote

from rules.facts import Typed, Value
from rules.pack import All, Any, Condition, Not, Op, Pack, Rule, Test
from rules.reference import passes
from support.errors import PackError

T = TypeVar("T")

RULES_A_RULESET = 32
"""From 70 on, durable_rules 2.0.28 corrupts the heap; up to 60 it never failed."""
PROPERTIES_A_MESSAGE = 255
EXPRESSIONS_A_RULE = 32
ALTERNATIVES_A_RULE = 32
SENTINEL = "always"
"""A rule of every ruleset that every message satisfies.

`delete_state` reads memory that only the start of an action initialises: without one the process
dies on messages that no rule takes. It also proves that the ruleset has looked at the message.
"""
_RESERVED = 3  # id, sid and the sentinel's own property

NEGATED = {
    Op.EQ: Op.NE,
    Op.NE: Op.EQ,
    Op.LT: Op.GE,
    Op.GE: Op.LT,
    Op.GT: Op.LE,
    Op.LE: Op.GT,
}
_NAMES = {Op.NE: "$neq", Op.LT: "$lt", Op.LE: "$lte", Op.GT: "$gt", Op.GE: "$gte"}


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison of one property of a message."""

    name: str
    op: Op
    value: bool | int | str

    @property
    def durable(self) -> dict[str, object]:
        """The comparison as durable_rules reads it."""
        if self.op is Op.EQ:
            return {self.name: self.value}
        return {_NAMES[self.op]: {self.name: self.value}}


Conjunction = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """One ruleset: its definition by rule name, and the properties its messages need."""

    name: str
    definition: Mapping[str, object]
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled pack. `rules_of` tells which rules an engine's rule stands for."""

    shards: tuple[Shard, ...]
    rules_of: Mapping[str, tuple[str, ...]]
    plain: frozenset[str]
    derived: Mapping[str, Test]

    def message(self, facts: Typed) -> dict[str, bool | int | str]:
        """Return every property that some ruleset reads."""
        found = {name: encoded(facts[name]) for name in self.plain}
        for name, test in self.derived.items():
            found[name] = passes(test, facts[test.fact])
        return found


@dataclass
class _Draft:
    """What compilation has found so far."""

    derived: dict[Test, str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    rules_of: dict[Conjunction, list[str]] = field(default_factory=dict)

    def flag(self, test: Test) -> str:
        """Return the property that stands for `test`."""
        word = {Op.CONTAINS: "has", Op.IN: "in"}.get(test.op, str(test.op))
        return self.derived.setdefault(test, f"{test.fact}__{word}__{len(self.derived)}")


def encoded(value: Value) -> bool | int | str:
    """Return a fact as it crosses to the engine: text in ASCII without quotes or escapes."""
    if isinstance(value, frozenset):
        raise TypeError("a set has no single value")
    return quote(value, safe="", errors="surrogatepass") if isinstance(value, str) else value


def compile_pack(pack: Pack) -> Program:
    """Return the program of the enabled rules; PackError for one beyond the engine's limits."""
    draft = _Draft()
    for rule in pack.rules:
        if rule.enabled:
            for conjunction in _alternatives(rule, draft, rule.file):
                draft.rules_of.setdefault(conjunction, []).append(rule.id)
    rules_of: dict[str, tuple[str, ...]] = {}
    shards = tuple(_shards(draft, rules_of))
    used = {name for shard in shards for name in shard.properties}
    return Program(
        shards=shards,
        rules_of=rules_of,
        plain=frozenset(draft.plain & used),
        derived={name: test for test, name in draft.derived.items() if name in used},
    )


def _alternatives(rule: Rule, draft: _Draft, file: str) -> list[Conjunction]:
    condition = All((Test("on", Op.IN, rule.on), rule.when))
    for lists in (True, False):
        if _count(condition, lists=lists, wanted=True) <= ALTERNATIVES_A_RULE:
            break
    else:
        raise PackError(
            f"{file}, line {rule.line}: rule `{rule.id}` has more than {ALTERNATIVES_A_RULE} "
            "alternatives when its `any` are multiplied out: split it into several rules",
            file=file,
            line=rule.line,
        )
    found = [
        tuple(sorted(set(atoms), key=lambda atom: (atom.name, atom.op, str(atom.value))))
        for atoms in spread(condition, partial(_atoms, draft=draft, lists=lists), wanted=True)
    ]
    longest = max(len(conjunction) for conjunction in found)
    if longest > EXPRESSIONS_A_RULE:
        raise PackError(
            f"{file}, line {rule.line}: rule `{rule.id}` compares {longest} things at once; "
            f"the engine holds {EXPRESSIONS_A_RULE}: split it into several rules",
            file=file,
            line=rule.line,
        )
    return list(dict.fromkeys(found))


def _count(condition: Condition, *, lists: bool, wanted: bool) -> int:
    """Return how many alternatives `condition` has, without writing them out."""
    match condition:
        case Not(part):
            return _count(part, lists=lists, wanted=not wanted)
        case Test():
            many = condition.op is Op.IN and wanted and _spreads(condition, lists=lists)
            return len(condition.values) if many else 1
        case All(parts) | Any(parts):
            counts = [_count(part, lists=lists, wanted=wanted) for part in parts]
            if isinstance(condition, Any) is wanted:
                return sum(counts)
            total = 1
            for count in counts:
                total *= count
            return total


def _spreads(test: Test, *, lists: bool) -> bool:
    """Whether an `in` becomes alternatives; the kinds of events would multiply every rule."""
    return len(test.values) == 1 or (lists and test.fact != "on")


class Leaf(Protocol[T]):
    """Returns the alternatives under which one comparison comes out as `wanted`."""

    def __call__(self, test: Test, *, wanted: bool) -> list[tuple[T, ...]]:
        """Return them, each a conjunction."""


def spread(condition: Condition, leaf: Leaf[T], *, wanted: bool) -> list[tuple[T, ...]]:
    """Return the alternatives under which `condition` comes out as `wanted`."""
    match condition:
        case Not(part):
            return spread(part, leaf, wanted=not wanted)
        case Test():
            return leaf(condition, wanted=wanted)
        case All(parts) | Any(parts):
            each = [spread(part, leaf, wanted=wanted) for part in parts]
            if isinstance(condition, Any) is wanted:
                return [atoms for alternatives in each for atoms in alternatives]
            return [tuple(atom for atoms in row for atom in atoms) for row in product(*each)]


def _atoms(test: Test, *, draft: _Draft, lists: bool, wanted: bool) -> list[tuple[Atom, ...]]:
    if _beforehand(test) or (test.op is Op.IN and not _spreads(test, lists=lists)):
        return [(Atom(draft.flag(test), Op.EQ, wanted),)]
    draft.plain.add(test.fact)
    if test.op is Op.IN:
        op = Op.EQ if wanted else Op.NE
        each = tuple(Atom(test.fact, op, encoded(value)) for value in test.values)
        return [(atom,) for atom in each] if wanted else [each]
    op, value = test.op if wanted else NEGATED[test.op], encoded(test.values[0])
    if isinstance(value, bool) and op is Op.NE:
        op, value = Op.EQ, not value
    return [(Atom(test.fact, op, value),)]


def _beforehand(test: Test) -> bool:
    """Whether the engine cannot compare it at all: parts and patterns of texts, and whole sets."""
    return test.op in {Op.CONTAINS, Op.MATCHES} or isinstance(test.values[0], frozenset)


def _shards(draft: _Draft, rules_of: dict[str, tuple[str, ...]]) -> Iterator[Shard]:
    batch: list[Conjunction] = []
    names: set[str] = set()
    number = 0
    for conjunction in draft.rules_of:
        more = names | {atom.name for atom in conjunction}
        full = len(batch) == RULES_A_RULESET - 1
        if batch and (full or len(more) + _RESERVED > PROPERTIES_A_MESSAGE):
            yield _shard(number, batch, names, draft, rules_of)
            number, batch, more = number + 1, [], {atom.name for atom in conjunction}
        batch.append(conjunction)
        names = more
    if batch:
        yield _shard(number, batch, names, draft, rules_of)


def _shard(
    number: int,
    batch: list[Conjunction],
    names: set[str],
    draft: _Draft,
    rules_of: dict[str, tuple[str, ...]],
) -> Shard:
    definition: dict[str, object] = {SENTINEL: {"all": [{"m": {SENTINEL: True}}]}}
    for index, conjunction in enumerate(batch):
        name = f"r{number}_{index}"
        rules_of[name] = tuple(draft.rules_of[conjunction])
        definition[name] = {"all": [{"m": {"$and": [atom.durable for atom in conjunction]}}]}
    return Shard(f"shard{number}", definition, tuple(sorted(names)))
