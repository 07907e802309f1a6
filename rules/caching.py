"""Answers equal questions once: for simulations, which ask the same of many tickets.

Which rules match, and why, is a function of the facts that the rules read. So the real engine is
asked, and checked against the reference, once for each combination of them; order, `stop`,
cooldowns and chains are judged anew at every question.
"""

from collections.abc import Iterator

from rules.engine import Engine
from rules.findings import Finding
from rules.pack import All, Any, Condition, Exists, Not, Pack, Test
from rules.verdict import verdict_of
from support.needs import EvaluateRules, Fact, RuleVerdict, Wanted

MOST_FINDINGS = 500_000
"""Findings remembered, one a rule in each answer: about 60 MiB. The oldest answer goes first."""


class CachingEngine:
    """The evaluator of one simulation; not thread-safe. `asked` and `answered` count questions."""

    def __init__(self, engine: Engine, most: int = MOST_FINDINGS) -> None:
        self._engine = engine
        self._most = max(1, most // max(1, len(engine.pack.rules)))
        self._read = read_facts(engine.pack)
        self._resting = frozenset(
            rule.id
            for rule in engine.pack.rules
            if rule.cooldown is not None or rule.once_per is not None
        )
        self._joined = frozenset(on for rule in engine.pack.joining for on in rule.on)
        self._known: dict[tuple[Fact | None, ...], _Answer] = {}
        self.asked = 0
        self.answered = 0

    def judge(self, question: EvaluateRules) -> RuleVerdict | Wanted:
        """Return what fires, or what must be fetched first, as `Engine.judge_now` does."""
        self.answered += 1
        if question.facts.get("on") in self._joined:
            # Rows that are related differ from ticket to ticket: nothing is gained by caching.
            self.asked += 1
            return self._engine.judge_now(question)
        key = tuple(question.facts.get(name) for name in self._read)
        answer = self._known.get(key)
        if answer is None:
            answer = self._ask(key, question)
        if answer.verdict is not None and not question.chain:
            return answer.verdict
        return verdict_of(self._engine.pack, answer.findings, question)

    def _ask(self, key: tuple[Fact | None, ...], question: EvaluateRules) -> "_Answer":
        self.asked += 1
        findings = self._engine.findings(question.facts)
        answer = _Answer(findings)
        if not any(f.matched and f.rule_id in self._resting for f in findings):
            answer.verdict = verdict_of(
                self._engine.pack, findings, EvaluateRules(question.facts, question.memory)
            )
        if len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[key] = answer
        return answer


class _Answer:
    """Findings, and the verdict on them where nothing but the facts decides about it."""

    __slots__ = ("findings", "verdict")

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        self.verdict: RuleVerdict | None = None


def read_facts(pack: Pack) -> tuple[str, ...]:
    """Return the facts that decide which enabled rules match, and that their reasons show."""
    found = {"on"}
    for rule in pack.rules:
        if rule.enabled:
            found.update(test.fact for test in _tests(rule.when))
    return tuple(sorted(found))


def _tests(condition: Condition) -> Iterator[Test]:
    match condition:
        case Test():
            yield condition
        case Not(part):
            yield from _tests(part)
        case Exists():
            return
        case All() | Any():
            for part in condition.parts:
                yield from _tests(part)
