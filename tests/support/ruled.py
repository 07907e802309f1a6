"""A desk whose rules are a pack, judged as the engine judges it, without its process."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rules.facts import typed, typed_rows
from rules.findings import Reference
from rules.pack import OncePer, Pack
from rules.verdict import verdict_of
from support.decision import Decision
from support.needs import Answer, EvaluateRules, Need, Wanted
from tests.rules.situations import pack_of
from tests.support.deciding import Desk


@dataclass
class RuledDesk(Desk):
    """`questions` are what the rules were asked."""

    pack: Pack | None = None
    questions: list[EvaluateRules] = field(default_factory=list)

    def _answer(self, need: Need) -> Answer:
        if not isinstance(need, EvaluateRules) or self.pack is None:
            return super()._answer(need)
        facts, rows = typed(need.facts), typed_rows(need.related)
        reference = Reference(self.pack)
        if missing := reference.unknown(facts, rows):
            return Wanted(missing)
        self.questions.append(need)
        return verdict_of(self.pack, reference.examine(facts, rows), need)


def rule(name: str, on: str, then: str, when: str = "") -> str:
    """One rule of a pack, as YAML."""
    condition = f" when: {when}," if when else ""
    return f"  - {{id: {name}, description: d, on: {on},{condition} then: {then}}}\n"


def ruled(*rules: str, **more: Any) -> RuledDesk:
    """A desk with agents, a lead and a manager, under these rules."""
    pack = pack_of("name: p\nrules:\n" + "".join(rules))
    return with_pack(pack, **more)


def with_pack(pack: Pack, **more: Any) -> RuledDesk:
    """The same under a pack."""
    agents = {name: (Decimal(0), Decimal(12)) for name in ("kim", "lou")}
    people: dict[str, tuple[str, ...]] = {"lead": ("lea",), "manager": ("max",)}
    return RuledDesk(pack=pack, agents=agents, people=people, **more)


def limited(pack: Pack, **limits: Any) -> Pack:
    """The pack with other limits."""
    return replace(pack, limits=replace(pack.limits, **limits))


def resting(pack: Pack, cooldown: timedelta | None = None, once_per: OncePer | None = None) -> Pack:
    """The pack, whose rules do not fire again within."""
    rules = tuple(replace(r, cooldown=cooldown, once_per=once_per) for r in pack.rules)
    return replace(pack, rules=rules)


def outcomes(decision: Decision) -> list[tuple[str, str, str]]:
    """Rule, kind and outcome of each action."""
    return [(a.rule_id, a.kind, str(a.outcome)) for a in decision.actions]


def paths(decision: Decision) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Trigger, path and rules that fired, of each further round."""
    return [(r.trigger, r.path, r.fired) for r in decision.rounds]
