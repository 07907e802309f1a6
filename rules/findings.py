"""The reference evaluator: says of every rule whether it holds and why, and checks the engine."""

from dataclasses import dataclass, field

from rules.explanation import NOTHING, AllOf, Asked, Compared, Said, Scene, made_ready
from rules.facts import Typed, TypedRows
from rules.pack import Pack, Rule, Test, relations_of
from support.needs import RuleTrace
from support.relations import Relation

MOST_REMEMBERED = 500
"""Findings that a rule remembers; then it starts anew."""


NOT_FOR = "not for "
"""How the reason begins of a rule that another trigger than its own was put before."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a rule's conditions hold, and by which values.

    `trace` says the same of a rule that nothing else holds back.
    """

    rule_id: str
    matched: bool
    reason: str
    trace: RuleTrace = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        trace = RuleTrace(self.rule_id, self.matched, self.reason)
        object.__setattr__(self, "trace", trace)


class _Rule:
    """A rule made ready; it remembers what it found."""

    __slots__ = ("_id", "asked", "found", "relations", "rule")

    def __init__(self, rule: Rule, shared: dict[Test, Compared]) -> None:
        self._id = rule.id
        self.rule = rule
        self.found: dict[Said, Finding] = {}
        self.relations = relations_of(rule.when)
        self.asked = made_ready(rule.when, shared)

    @property
    def parts(self) -> tuple[Asked, ...]:
        """What all has to hold."""
        return tuple(self.asked.parts) if isinstance(self.asked, AllOf) else (self.asked,)

    def finding(self, said: Said) -> Finding:
        """Return the finding that its conditions said so."""
        found = self.found.get(said)
        if found is None:
            if len(self.found) >= MOST_REMEMBERED:
                self.found.clear()
            found = Finding(self._id, said[0], said[1] or "it has no conditions")
            self.found[said] = found
        return found

    def left_out(self, trigger: str) -> Finding:
        """Return what is found where it is not asked."""
        reason = f"{NOT_FOR}{trigger}" if self.rule.enabled else "switched off"
        return Finding(self._id, matched=False, reason=reason)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one trigger asks.

    `settled` has a finding for every rule, replaced by those that are asked at their places. The
    parts of a rule that are `comparisons` are named by their numbers, so that each is made once.
    """

    settled: tuple[Finding, ...]
    comparisons: tuple[Compared, ...]
    asked: tuple[tuple[int, _Rule, tuple[int | Asked, ...]], ...]
    joining: tuple[_Rule, ...]


class Reference:
    """Says of every rule of a pack whether its conditions hold, and why; for any thread."""

    def __init__(self, pack: Pack) -> None:
        shared: dict[Test, Compared] = {}
        self._rules = [_Rule(rule, shared) for rule in pack.rules]
        self._plans: dict[str, _Plan] = {}

    def examine(self, facts: Typed, related: TypedRows = NOTHING) -> tuple[Finding, ...]:
        """Return what holds of every rule, in the order of the file.

        `related` has the rows of every relation that `unknown` names.
        """
        plan = self._plan(str(facts["on"]))
        scene = Scene(facts, facts, related)
        said = [c.remembered.get(facts[c.fact]) or c.judge(scene) for c in plan.comparisons]
        found = list(plan.settled)
        for place, rule, parts in plan.asked:
            reasons = []
            for part in parts:
                one = said[part] if isinstance(part, int) else part.judge(scene)
                if not one[0]:
                    break
                reasons.append(one[1])
            else:
                one = (True, "; ".join(reasons))
            found[place] = rule.found.get(one) or rule.finding(one)
        return tuple(found)

    def unknown(self, facts: Typed, related: TypedRows = NOTHING) -> tuple[str, ...]:
        """Return the relations that must be fetched to tell what holds, by name.

        A relation is left out where the ticket's own facts decide every rule that asks it.
        """
        joining = self._plan(str(facts["on"])).joining
        if not joining:
            return ()
        scene = Scene(facts, facts, related)
        wanted: set[Relation] = set()
        for rule in joining:
            if not rule.relations <= wanted and rule.asked.known(scene) is None:
                wanted |= rule.relations
        return tuple(sorted(wanted - related.keys()))

    def _plan(self, trigger: str) -> _Plan:
        plan = self._plans.get(trigger)
        if plan is None:
            plan = self._plans[trigger] = _planned(self._rules, trigger)
        return plan


def _planned(rules: list[_Rule], trigger: str) -> _Plan:
    numbers: dict[Compared, int] = {}
    asked = []
    for place, rule in enumerate(rules):
        if rule.rule.enabled and trigger in rule.rule.on:
            parts: tuple[int | Asked, ...] = tuple(
                numbers.setdefault(part, len(numbers)) if isinstance(part, Compared) else part
                for part in rule.parts
            )
            asked.append((place, rule, parts))
    return _Plan(
        settled=tuple(rule.left_out(trigger) for rule in rules),
        comparisons=tuple(numbers),
        asked=tuple(asked),
        joining=tuple(rule for _, rule, _ in asked if rule.relations),
    )
