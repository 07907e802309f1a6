"""What a fact can still be where some comparisons of it hold.

What a domain `admits` is exact. The two questions about all of its values err on one side: one that
is `empty` has no value, and one that is `within` another has none outside it; the other way round
nothing is promised.
"""

from dataclasses import dataclass, replace

from rules.comparing import passes
from rules.compiler import NEGATED
from rules.facts import DAY_S, Value, spec_of
from rules.pack import Op, Test
from support.subjects import FactType

_FURTHEST = 2**62
"""Beyond every number that a fact or a pack can hold."""
_FINITE = frozenset({Op.EQ, Op.NE, Op.IN})


@dataclass(frozen=True, slots=True)
class Domain:
    """Values of one fact: `only` these; where that is None, all that the rest allows.

    `has` and `lacks` are what a text or a set holds and does not hold, `like` and `unlike` the
    patterns that it matches and does not match.
    """

    only: frozenset[Value] | None
    low: int = -_FURTHEST
    high: int = _FURTHEST
    without: frozenset[Value] = frozenset()
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    like: frozenset[Test] = frozenset()
    unlike: frozenset[Test] = frozenset()
    in_parts: bool = False
    """Whether a value holds all parts of what it holds, as a text does."""

    def narrowed(self, test: Test, *, wanted: bool) -> "Domain":
        """Return what is left where `test` comes out as `wanted`."""
        if test.op in _FINITE:
            return self._picked(frozenset(test.values), kept=wanted is not (test.op is Op.NE))
        if self.only is not None:
            return replace(self, only=frozenset(v for v in self.only if passes(test, v) is wanted))
        if test.op is Op.CONTAINS:
            part = frozenset({str(test.values[0])})
            held, left = (self.has | part, self.lacks) if wanted else (self.has, self.lacks | part)
            return replace(self, has=held, lacks=left)
        if test.op is Op.MATCHES:
            like, unlike = (
                (self.like | {test}, self.unlike) if wanted else (self.like, self.unlike | {test})
            )
            return replace(self, like=like, unlike=unlike)
        return self._cut(test, wanted=wanted)

    def _picked(self, values: frozenset[Value], *, kept: bool) -> "Domain":
        if self.only is not None:
            return replace(self, only=self.only & values if kept else self.only - values)
        if kept:
            return replace(self, only=frozenset(v for v in values if self.admits(v)))
        return replace(self, without=self.without | values)

    def _cut(self, test: Test, *, wanted: bool) -> "Domain":
        limit = int(str(test.values[0]))
        match test.op if wanted else NEGATED[test.op]:
            case Op.LT:
                return replace(self, high=min(self.high, limit - 1))
            case Op.LE:
                return replace(self, high=min(self.high, limit))
            case Op.GT:
                return replace(self, low=max(self.low, limit + 1))
            case _:
                return replace(self, low=max(self.low, limit))

    def admits(self, value: Value) -> bool:
        """Whether `value` is in the domain."""
        if self.only is not None:
            return value in self.only
        if value in self.without:
            return False
        if isinstance(value, str | frozenset):
            return (
                all(part in value for part in self.has)
                and not any(part in value for part in self.lacks)
                and all(passes(test, value) for test in self.like)
                and not any(passes(test, value) for test in self.unlike)
            )
        return self.low <= value <= self.high

    @property
    def empty(self) -> bool:
        """Whether it certainly has no value."""
        if self.only is not None:
            return not self.only
        if self.in_parts and "" in self.lacks:
            return True
        if self.like & self.unlike:
            return True
        if any(self._holds(whole, part) for whole in self.has for part in self.lacks):
            return True
        gone = sum(1 for v in self.without if isinstance(v, int) and self.low <= v <= self.high)
        return self.high - self.low + 1 <= gone

    def within(self, other: "Domain") -> bool:
        """Whether every value of it is certainly in `other`."""
        if self.only is not None:
            if other.only is not None:
                return self.only <= other.only
            return all(other.admits(value) for value in self.only)
        if other.only is not None:
            return False
        return (
            other.low <= self.low
            and self.high <= other.high
            and other.like <= self.like
            and other.unlike <= self.unlike
            and not any(self.admits(value) for value in other.without)
            and all(any(self._holds(mine, part) for mine in self.has) for part in other.has)
            and all(any(self._holds(part, mine) for mine in self.lacks) for part in other.lacks)
        )

    @property
    def size(self) -> int:
        """How many values it names, which is what comparing it costs."""
        return len(self.only or ()) + len(self.without) + len(self.like) + len(self.unlike)

    def _holds(self, whole: str, part: str) -> bool:
        """Whether a value that holds `whole` holds `part` as well."""
        return part in whole if self.in_parts else part == whole


def domain_of(fact: str) -> Domain:
    """Return everything that a fact of the catalogue can be."""
    spec = spec_of(fact)
    if spec.type is FactType.FLAG:
        return Domain(frozenset({True, False}))
    if spec.choices:
        return Domain(frozenset(spec.choices))
    if spec.type is FactType.TIME:
        return Domain(None, low=0, high=DAY_S - 1)
    return Domain(None, in_parts=spec.type is FactType.TEXT)
