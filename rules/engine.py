"""Decides which rules fire: durable_rules in a child process, checked at every decision.

The engine tells what matches, `rules.reference` why; where the two disagree the decision is made
again in a fresh process, and fails loudly when that disagrees too. Order and `stop` are applied
here.
"""

import asyncio
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import logs
from rules.child import Child, ChildLostError
from rules.compiler import compile_pack
from rules.facts import typed
from rules.pack import Pack
from rules.reference import Finding, examine
from rules.verdict import verdict_of
from support.errors import RulesEngineError
from support.needs import EvaluateRules, Fact, RuleVerdict

_log = logs.get(__name__)
ATTEMPTS = 2


class Engine:
    """The rules engine of one pack, for any number of threads; a context manager."""

    def __init__(self, pack: Pack, timeout_s: float = 2.0) -> None:
        self.pack = pack
        self.disagreements = 0
        self.restarts = 0
        self._timeout_s = timeout_s
        self._program = compile_pack(pack)
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._closed = False

    def __enter__(self) -> Self:
        with self._lock:
            try:
                self._running()
            except ChildLostError as error:
                raise RulesEngineError(
                    f"the rules engine does not start with pack {self.pack.name}: {error}"
                ) from error
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def child_pid(self) -> int | None:
        """Process id of the running child; None between a failure and the next decision."""
        child = self._child
        return child.pid if child else None

    def close(self) -> None:
        """End the child process; deciding afterwards raises RulesEngineError."""
        with self._lock:
            self._closed = True
            if self._child:
                self._child.close()
                self._child = None

    async def judge(self, question: EvaluateRules) -> RuleVerdict:
        """Return what fires, without blocking the event loop."""
        return await asyncio.to_thread(self.judge_now, question)

    def evaluate_now(self, facts: Mapping[str, Fact]) -> RuleVerdict:
        """Return what fires on `facts` of a ticket that remembers nothing."""
        return self.judge_now(EvaluateRules(facts))

    def judge_now(self, question: EvaluateRules) -> RuleVerdict:
        """Return what fires; RulesEngineError when a fresh engine fails too."""
        return verdict_of(self.pack, self.findings(question.facts), question)

    def findings(self, facts: Mapping[str, Fact]) -> tuple[Finding, ...]:
        """Return what holds of every rule, and why; the engine and the reference agree on it.

        RulesEngineError when a fresh engine fails too.
        """
        values = typed(facts)
        findings = examine(self.pack, values)
        expected = {finding.rule_id for finding in findings if finding.matched}
        message = self._program.message(values)
        reason = ""
        with self._lock:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    matched = self._match(message)
                except ChildLostError as error:
                    reason = str(error)
                else:
                    if matched == expected:
                        return findings
                    self.disagreements += 1
                    differing = ", ".join(sorted(matched ^ expected))
                    reason = f"engine and reference disagree on {differing}"
                _log.error(
                    "rules engine failed",
                    reason=reason,
                    attempt=attempt,
                    pack=self.pack.name,
                    version=self.pack.version,
                )
                self._discard()
        raise RulesEngineError(
            f"pack {self.pack.name} {self.pack.version} cannot be decided, also not in a fresh "
            f"engine: {reason}; nothing was changed",
            pack=self.pack.name,
            version=self.pack.version,
        )

    def _match(self, message: Mapping[str, object]) -> set[str]:
        names = self._running().match(message)
        return {rule for name in names for rule in self._program.rules_of[name]}

    def _running(self) -> Child:
        if self._closed:
            raise RulesEngineError("the rules engine is closed: its worker is stopping")
        if self._child is None:
            self._child = Child(self._program, self._timeout_s)
        return self._child

    def _discard(self) -> None:
        if self._child:
            self._child.kill()
            self._child = None
            self.restarts += 1
