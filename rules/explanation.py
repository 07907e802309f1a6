"""Conditions made ready to be asked many times: whether they hold, and why.

Every comparison remembers what it said of a value, so that explaining costs about as much as a
plain evaluation would.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from rules.comparing import in_words, passes
from rules.facts import Typed, TypedRows, Value, show
from rules.pack import All, Any, Condition, Exists, Not, Op, Test
from support.relations import RELATED, Relation

NOTHING: TypedRows = MappingProxyType({})
MOST_REMEMBERED = 500
"""Values of which a comparison remembers what it said; then it starts anew."""
MOST_SAID = 20
"""Values of a list that a reason says: it is kept with every decision."""

Said = tuple[bool, str]
"""Whether a condition holds, and what made it so: all that is true, or the first failure."""


class Scene(NamedTuple):
    """What a condition is asked of: `here` is the ticket, or a row that is related to it."""

    here: Typed
    ticket: Typed
    related: TypedRows


class Asked(Protocol):
    """A condition made ready."""

    def judge(self, scene: Scene) -> Said:
        """Return whether it holds, and why."""

    def known(self, scene: Scene) -> bool | None:
        """Return whether it holds; None where that depends on rows that were not fetched."""


class Compared:
    """A comparison of a fact with values of the pack."""

    __slots__ = ("_test", "fact", "remembered")

    def __init__(self, test: Test) -> None:
        self._test = test
        self.fact = test.fact
        self.remembered: dict[Value, Said] = {}

    def judge(self, scene: Scene) -> Said:
        """Return whether it holds, and why."""
        value = scene.here[self.fact]
        said = self.remembered.get(value)
        if said is None:
            if len(self.remembered) >= MOST_REMEMBERED:
                self.remembered.clear()
            said = self.remembered[value] = self._say(value)
        return said

    def known(self, scene: Scene) -> bool | None:
        """Return whether it holds: a fact of the ticket is always known."""
        return self.judge(scene)[0]

    def _say(self, value: Value) -> Said:
        held = passes(self._test, value)
        is_now = f"{self.fact} is {show(self.fact, value)}"
        if held and self._test.op is Op.EQ:
            return held, is_now
        return held, f"{is_now}, {in_words(self._test, held=held, most=MOST_SAID)}"


class _Same:
    """A comparison of a fact of a row with a fact of the ticket."""

    __slots__ = ("_fact", "_other")

    def __init__(self, test: Test) -> None:
        self._fact = test.fact
        self._other = str(test.values[0])

    def judge(self, scene: Scene) -> Said:
        value, other = scene.here[self._fact], scene.ticket[self._other]
        held = value == other
        is_now = f"{self._fact} is {show(self._fact, value)}"
        that = f"that of the ticket, {show(self._other, other)}"
        return held, f"{is_now}, {'as' if held else 'not'} {that}"

    def known(self, scene: Scene) -> bool | None:
        return scene.here[self._fact] == scene.ticket[self._other]


class AllOf:
    """True when every part is."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Asked]) -> None:
        self.parts = parts

    def judge(self, scene: Scene) -> Said:
        """Return all reasons, or the first part that does not hold."""
        reasons = []
        for part in self.parts:
            said = part.judge(scene)
            if not said[0]:
                return said
            reasons.append(said[1])
        return True, "; ".join(reasons)

    def known(self, scene: Scene) -> bool | None:
        """Return False as soon as one part certainly does not hold."""
        found = [part.known(scene) for part in self.parts]
        if False in found:
            return False
        return None if None in found else True


class _Any:
    """True when at least one part is."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Asked]) -> None:
        self._parts = parts

    def judge(self, scene: Scene) -> Said:
        reasons = []
        for part in self._parts:
            held, reason = part.judge(scene)
            if held:
                return True, reason
            reasons.append(reason)
        return False, f"none of: {'; '.join(reasons)}"

    def known(self, scene: Scene) -> bool | None:
        found = [part.known(scene) for part in self._parts]
        if True in found:
            return True
        return None if None in found else False


class _Not:
    """True when its part is not."""

    __slots__ = ("_part",)

    def __init__(self, part: Asked) -> None:
        self._part = part

    def judge(self, scene: Scene) -> Said:
        held, reason = self._part.judge(scene)
        return not held, reason

    def known(self, scene: Scene) -> bool | None:
        found = self._part.known(scene)
        return None if found is None else not found


class _Some:
    """True when some row of the relation satisfies all parts.

    Where none does, the reason is that of the row which got furthest.
    """

    __slots__ = ("_label", "_parts", "_relation")

    def __init__(self, relation: Relation, part: Asked) -> None:
        self._relation = relation
        self._label = RELATED[relation].label
        self._parts = part.parts if isinstance(part, AllOf) else (part,)

    def judge(self, scene: Scene) -> Said:
        rows = scene.related.get(self._relation, ())
        if not rows:
            is_one = self._relation is Relation.CUSTOMER
            return False, "there is no customer" if is_one else f"there are no {self._relation}"
        nearest, furthest, failure = rows[0], -1, ""
        for row in rows:
            reasons: list[str] = []
            here = Scene(row, scene.ticket, scene.related)
            for part in self._parts:
                held, reason = part.judge(here)
                if not held:
                    break
                reasons.append(reason)
            else:
                told = "; ".join(reasons)
                return True, f"{self._named(row)}: {told}" if told else self._counted(rows)
            if len(reasons) > furthest:
                nearest, furthest, failure = row, len(reasons), reason
        told = f"{self._named(nearest)}: {failure}"
        return False, f"none of {self._counted(rows)}; nearest {told}" if rows[1:] else told

    def known(self, scene: Scene) -> bool | None:
        return self.judge(scene)[0] if self._relation in scene.related else None

    def _named(self, row: Typed) -> str:
        return f"{self._relation} {row[self._label]}" if self._label else str(self._relation)

    def _counted(self, rows: Sequence[Typed]) -> str:
        return f"{len(rows)} {self._relation}"


def made_ready(condition: Condition, shared: dict[Test, Compared]) -> Asked:
    """Return `condition` ready to be asked; equal comparisons are one, kept in `shared`."""
    match condition:
        case Test():
            if condition.op is Op.SAME_AS:
                return _Same(condition)
            return shared.setdefault(condition, Compared(condition))
        case All(parts):
            return AllOf([made_ready(part, shared) for part in parts])
        case Any(parts):
            return _Any([made_ready(part, shared) for part in parts])
        case Not(part):
            return _Not(made_ready(part, shared))
        case Exists(relation, part):
            return _Some(relation, made_ready(part, shared))
