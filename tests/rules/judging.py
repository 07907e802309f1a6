"""Judges by the reference alone: what the engine would say, without its process."""

from rules.facts import typed, typed_rows
from rules.findings import Reference
from rules.pack import Pack
from rules.verdict import verdict_of
from support.needs import EvaluateRules, RuleVerdict, Wanted


class ReferenceRules:
    """An evaluator for decisions; `tests/rules/test_engine_agrees.py` says why it is enough."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._reference = Reference(pack)

    async def judge(self, question: EvaluateRules) -> RuleVerdict | Wanted:
        facts, rows = typed(question.facts), typed_rows(question.related)
        if missing := self._reference.unknown(facts, rows):
            return Wanted(missing)
        return verdict_of(self._pack, self._reference.examine(facts, rows), question)
