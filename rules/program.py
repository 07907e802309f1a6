"""A compiled pack: rulesets of durable_rules, and what is asserted in them.

A message is the ticket's facts; in a ruleset that joins, rows of related things are asserted with
it, in one go and before the ticket: durable_rules tells that there is no row (`$not`) rightly only
when all rows are there before the ticket is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from rules.comparing import passes
from rules.facts import Typed, TypedRows, Value
from rules.pack import Op, Test
from support.relations import Relation

Plain = bool | int | str
TICKET = "t"
"""What the patterns of a rule call the ticket."""
KIND = "kind"
"""Property by which the patterns of a joining ruleset tell tickets and rows apart."""
_NAMES = {Op.NE: "$neq", Op.LT: "$lt", Op.LE: "$lte", Op.GT: "$gt", Op.GE: "$gte"}


@dataclass(frozen=True, slots=True)
class Same:
    """Stands for the value of a property of the ticket."""

    name: str


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison of one property of a message or row."""

    name: str
    op: Op
    value: Plain | Same

    @property
    def durable(self) -> dict[str, object]:
        """The comparison as durable_rules reads it."""
        value = {TICKET: self.value.name} if isinstance(self.value, Same) else self.value
        if self.op is Op.EQ:
            return {self.name: value}
        return {_NAMES[self.op]: {self.name: value}}


@dataclass(frozen=True, slots=True)
class Join:
    """That some row of a relation satisfies all `atoms`, or (not `wanted`) that none does."""

    relation: Relation
    atoms: tuple[Atom, ...]
    wanted: bool

    @property
    def durable(self) -> dict[str, object]:
        """The pattern as durable_rules reads it."""
        kind: dict[str, object] = {KIND: str(self.relation)}
        return {"$and": [kind, *(atom.durable for atom in self.atoms)]}


Literal = Atom | Join
Conjunction = tuple[Literal, ...]


def durable_rule(conjunction: Conjunction, *, joining: bool) -> dict[str, object]:
    """Return the rule that fires where `conjunction` holds."""
    ticket = [literal.durable for literal in conjunction if isinstance(literal, Atom)]
    if joining:
        ticket = [{KIND: TICKET}, *ticket]
    patterns: list[dict[str, object]] = [{TICKET: {"$and": ticket}}]
    joins = [literal for literal in conjunction if isinstance(literal, Join)]
    for number, join in enumerate(joins):
        patterns.append({f"j{number}{'' if join.wanted else '$not'}": join.durable})
    # One row may satisfy several joins; the engine would ask for a row of its own for each.
    return {"all": patterns, "dist": 0} if joining else {"all": patterns}


@dataclass(frozen=True, slots=True)
class Shard:
    """One ruleset: its definition by rule name, and the properties that its facts need.

    `related` are those of the rows that it joins with, by relation. None of its rules can match a
    ticket whose property is not among the values of `guards`.
    """

    name: str
    definition: Mapping[str, object]
    properties: tuple[str, ...]
    related: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    guards: Mapping[str, tuple[Plain, ...]] = field(default_factory=dict)

    @property
    def form(self) -> dict[str, object]:
        """It as the engine's process reads it."""
        return {
            "name": self.name,
            "definition": self.definition,
            "properties": self.properties,
            "related": self.related,
            "guards": self.guards,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """The properties of a ticket or of a row: facts as they are, and comparisons made here."""

    plain: Mapping[str, str]
    derived: Mapping[str, Test]

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of all of them."""
        return (*self.plain, *self.derived)

    def message(self, facts: Typed, ticket: Typed) -> dict[str, Plain]:
        """Return every property; `facts` are those of the ticket itself, or of a row beside it."""
        found = {name: encoded(facts[fact]) for name, fact in self.plain.items()}
        for name, test in self.derived.items():
            value = facts[test.fact]
            if test.op is Op.SAME_AS:
                found[name] = value == ticket[str(test.values[0])]
            else:
                found[name] = passes(test, value)
        return found


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled pack. `rules_of` tells which rules an engine's rule stands for."""

    shards: tuple[Shard, ...]
    rules_of: Mapping[str, tuple[str, ...]]
    ticket: Table
    rows: Mapping[str, Table]

    def message(self, facts: Typed) -> dict[str, Plain]:
        """Return every property of the ticket that some ruleset reads."""
        return self.ticket.message(facts, facts)

    def related(self, rows: TypedRows, facts: Typed) -> dict[str, list[dict[str, Plain]]]:
        """Return the rows of every relation that some ruleset reads, beside that ticket."""
        return {
            relation: [table.message(row, facts) for row in rows.get(relation, ())]
            for relation, table in self.rows.items()
        }

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the facts that some rule reads, sorted."""
        tables = (self.ticket, *self.rows.values())
        read = {fact for table in tables for fact in table.plain.values()}
        return tuple(sorted(read | {t.fact for table in tables for t in table.derived.values()}))


def encoded(value: Value) -> Plain:
    """Return a fact as it crosses to the engine: text in ASCII without quotes or escapes."""
    if isinstance(value, frozenset):
        raise TypeError("a set has no single value")
    return quote(value, safe="", errors="surrogatepass") if isinstance(value, str) else value


def property_of(fact: str) -> str:
    """Return the name under which a fact crosses to the engine, which takes a dot for a path."""
    return fact.replace(".", "__")
