"""A rule pack as frozen data: what `rules.parse` makes of YAML and everything else reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from rules.facts import Value
from rules.macros import MacroBook
from support.limits import USUAL, Limits
from support.needs import Fact, Row, RuleAction
from support.relations import Relation


class Op(StrEnum):
    """How a condition compares a fact with the values of the pack."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    CONTAINS = "contains"
    SAME_AS = "same_as"


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one fact; only `in` has more or fewer than one value.

    The value of `same_as` is the name of a fact of the ticket.
    """

    fact: str
    op: Op
    values: tuple[Value, ...]

    __test__ = False


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is; without parts always."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Any:
    """True when at least one part is."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is not."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Exists:
    """True when some row of the relation satisfies its part."""

    relation: Relation
    part: "Condition"


Condition = Test | All | Any | Not | Exists


@dataclass(frozen=True, slots=True)
class Example:
    """A test of a rule: on `facts` it is to ask for `then`; for nothing: it is not to fire.

    `facts` are all of the catalogue, as a decision would see them; `given` are those that the pack
    names.
    """

    facts: Mapping[str, Fact]
    given: tuple[str, ...]
    then: tuple[RuleAction, ...]
    line: int
    related: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)


def relations_of(condition: Condition) -> frozenset[Relation]:
    """Return the relations that a condition asks."""
    match condition:
        case Test():
            return frozenset()
        case Not(part):
            return relations_of(part)
        case Exists(relation):
            return frozenset({relation})
        case All(parts) | Any(parts):
            return frozenset().union(*map(relations_of, parts))


class OncePer(StrEnum):
    """Within what a rule fires at most once on a ticket."""

    TICKET = "ticket"
    BREACH = "breach"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. A lower `priority` goes first; equal ones go as they stand in the file.

    `owner` is who answers for it, empty where the pack names nobody. On one ticket it does not fire
    again within `cooldown` (elapsed time), and once within what `once_per` names.
    """

    id: str
    description: str
    on: tuple[str, ...]
    when: Condition
    then: tuple[RuleAction, ...]
    priority: int
    stop: bool
    enabled: bool
    owner: str
    tests: tuple[Example, ...]
    line: int
    cooldown: timedelta | None = None
    once_per: OncePer | None = None


@dataclass(frozen=True)
class Pack:
    """Rules with the macros they use.

    `text` is its `rules.bundle.Bundle` as JSON, all that it was read from; `version` its digest.
    """

    name: str
    version: str
    text: str
    file: str
    rules: tuple[Rule, ...]
    macros: MacroBook
    limits: Limits = USUAL

    @cached_property
    def joining(self) -> tuple[Rule, ...]:
        """Enabled rules that ask of more than the ticket."""
        return tuple(rule for rule in self.rules if rule.enabled and relations_of(rule.when))

    @cached_property
    def listens(self) -> frozenset[str]:
        """Triggers that some enabled rule is for."""
        return frozenset(trigger for rule in self.rules if rule.enabled for trigger in rule.on)
