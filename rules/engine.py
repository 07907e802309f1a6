"""Decides which rules fire: durable_rules in a child process, checked at every decision.

The engine tells what matches, `rules.findings` why; where the two disagree the decision is made
again in a fresh process, and fails loudly when that disagrees too. Order and `stop` are applied
here.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol, Self

import logs
from rules.child import Child, ChildLostError, ChildSilentError, ChildUnstartedError
from rules.compiler import compile_pack
from rules.facts import Typed, TypedRows, typed, typed_rows
from rules.findings import Finding, Reference
from rules.pack import Pack
from rules.program import Program
from rules.verdict import verdict_of
from support.errors import RulesEngineError
from support.needs import EvaluateRules, Fact, Row, RuleVerdict, Wanted

_log = logs.get(__name__)
ATTEMPTS = 2
_NOTHING: Mapping[str, tuple[Row, ...]] = MappingProxyType({})


class Matching(Protocol):
    """What matches messages; `rules.child.Child` is one. Every method may raise ChildLostError."""

    @property
    def pid(self) -> int:
        """Id of the process that matches."""

    def match(self, message: Mapping[str, object], related: Mapping[str, object]) -> list[str]:
        """Return the engine's rules that match."""

    def close(self) -> None:
        """End it."""

    def kill(self) -> None:
        """End it at once."""


_FAULTS_KEPT = 100
_CLOSED = "the rules engine is closed: its worker is stopping"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an engine's process was replaced; `kind` is disagreement, crash or hang."""

    kind: str
    reason: str


class Engine:
    """The rules engine of one pack, for any number of threads; a context manager."""

    def __init__(
        self,
        pack: Pack,
        timeout_s: float = 2.0,
        start: Callable[[Program, float], Matching] = Child,
    ) -> None:
        self.pack = pack
        self.disagreements = 0
        self.restarts = 0
        self.faults: deque[Fault] = deque(maxlen=_FAULTS_KEPT)
        """Faults that nobody has taken yet, the oldest first."""
        self._timeout_s = timeout_s
        self._start = start
        self._program = compile_pack(pack)
        self._reference = Reference(pack)
        self._lock = threading.Lock()
        # One of its own: many decisions that wait for a slow pack take no thread from other packs.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rules-engine")
        self._child: Matching | None = None
        self._closed = False

    def __enter__(self) -> Self:
        with self._lock:
            try:
                self._running()
            except ChildLostError as error:
                raise RulesEngineError(
                    f"the rules engine does not start with pack {self.pack.name}: {error}",
                    **self._blamed(error),
                ) from error
        return self

    def __exit__(self, *_error: object) -> None:
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
        self._thread.shutdown(wait=False)

    async def judge(self, question: EvaluateRules) -> RuleVerdict | Wanted:
        """Return what fires, or what must be fetched first, without blocking the event loop."""
        if self._closed:
            raise RulesEngineError(_CLOSED)
        run = partial(copy_context().run, self.judge_now, question)
        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def evaluate_now(
        self, facts: Mapping[str, Fact], related: Mapping[str, tuple[Row, ...]] = _NOTHING
    ) -> RuleVerdict:
        """Return what fires on `facts` of a ticket that remembers nothing.

        Where a relation is left out, it has no rows.
        """
        rows = {**dict.fromkeys(self._program.rows, ()), **related}
        verdict = self.judge_now(EvaluateRules(facts, related=rows))
        if isinstance(verdict, Wanted):
            raise RulesEngineError(f"relations are missing: {', '.join(verdict.relations)}")
        return verdict

    def judge_now(self, question: EvaluateRules) -> RuleVerdict | Wanted:
        """Return what fires, or what must be fetched first to tell; errors as `findings` has."""
        values, rows = typed(question.facts), typed_rows(question.related)
        missing = self._reference.unknown(values, rows)
        if missing:
            return Wanted(missing)
        return verdict_of(self.pack, self._checked(values, rows), question)

    def findings(self, facts: Mapping[str, Fact]) -> tuple[Finding, ...]:
        """Return what holds of every rule, and why, where nothing is related to the ticket.

        RulesEngineError when a fresh engine fails too. Its details name pack and version where it
        is they that cannot be decided by.
        """
        return self._checked(typed(facts), dict.fromkeys(self._program.rows, ()))

    def _checked(self, values: Typed, rows: TypedRows) -> tuple[Finding, ...]:
        """Return what engine and reference agree on."""
        findings = self._reference.examine(values, rows)
        expected = {finding.rule_id for finding in findings if finding.matched}
        message, related = self._program.message(values), self._program.related(rows, values)
        reason, blamed = "", self._blamed()
        with self._lock:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    matched = self._match(message, related)
                except ChildLostError as error:
                    kind = "hang" if isinstance(error, ChildSilentError) else "crash"
                    reason, blamed = str(error), self._blamed(error)
                else:
                    if matched == expected:
                        return findings
                    self.disagreements += 1
                    differing = ", ".join(sorted(matched ^ expected))
                    kind, blamed = "disagreement", self._blamed()
                    reason = f"engine and reference disagree on {differing}"
                _log.error(
                    "rules engine failed",
                    reason=reason,
                    attempt=attempt,
                    pack=self.pack.name,
                    version=self.pack.version,
                )
                self.faults.append(Fault(kind, reason))
                self._discard()
        raise RulesEngineError(
            f"pack {self.pack.name} {self.pack.version} cannot be decided, also not in a fresh "
            f"engine: {reason}; nothing was changed",
            **blamed,
        )

    def _blamed(self, error: ChildLostError | None = None) -> Mapping[str, str]:
        if isinstance(error, ChildUnstartedError):
            return {}
        return {"pack": self.pack.name, "version": self.pack.version}

    def _match(self, message: Mapping[str, object], related: Mapping[str, object]) -> set[str]:
        names = self._running().match(message, related)
        return {rule for name in names for rule in self._program.rules_of[name]}

    def _running(self) -> Matching:
        if self._closed:
            raise RulesEngineError(_CLOSED)
        if self._child is None:
            self._child = self._start(self._program, self._timeout_s)
        return self._child

    def _discard(self) -> None:
        if self._child:
            self._child.kill()
            self._child = None
            self.restarts += 1
