"""A rule pack as frozen data: what `rules.parse` makes of YAML and everything else reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from rules.facts import Value
from rules.macros import MacroBook
from support.limits import USUAL, Limits
from support.needs import Fact, RuleAction


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


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one fact; only `in` has more or fewer than one value."""

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


Condition = Test | All | Any | Not


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


@dataclass(frozen=True, slots=True)
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
    tenants: tuple[str, ...] = ()

    def serves(self, tenant: str) -> bool:
        """Whether the pack may decide for `tenant`; one that names no tenants is for all."""
        return not self.tenants or tenant in self.tenants

    @property
    def listens(self) -> frozenset[str]:
        """Triggers that some enabled rule is for."""
        return frozenset(trigger for rule in self.rules if rule.enabled for trigger in rule.on)
