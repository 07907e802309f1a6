"""Asks a shadow what it would have done, after the decision is stored: it never acts or delays."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

import psycopg

import logs
from activities.attempt import Attempt, Judgement, PackFault, take_faults
from activities.engines import Engines
from activities.surroundings import Surroundings
from rules.engine import Engine
from store import packs, publishing, shadows
from store.pool import Pool, transaction
from store.shadows import Comparison
from support.errors import InputError, RulesEngineError
from support.needs import EvaluateRules, RuleAction, RuleVerdict, Wanted
from support.relations import related

MOST_WAITING = 200
"""Comparisons a worker holds; a shadow that is slower than its tenants loses the rest."""
BY = "flowhub"
"""Who ends a shadow that failed."""
Report = Callable[[str, Sequence[PackFault]], Awaitable[None]]
_log = logs.get(__name__)


class Shadows:
    """Compares, one decision at a time, so that a slow shadow takes no thread from decisions."""

    def __init__(self, pool: Pool, engines: Engines, report: Report) -> None:
        self._pool = pool
        self._engines = engines
        self._report = report
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[None]] = set()
        self._failed: set[tuple[str, int]] = set()

    def compare(self, attempt: Attempt) -> None:
        """Ask the tenant's shadow, if it has one, what the decision asked its pack."""
        number = attempt.active.shadow_number
        if (
            number is None
            or not attempt.judgements
            or (attempt.asked.tenant, number) in self._failed
        ):
            return
        if len(self._waiting) >= MOST_WAITING:
            _log.warning("shadow is too slow, a decision is not compared", **_about(attempt))
            return
        task = asyncio.create_task(self._in_turn(attempt, number))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def settle(self) -> None:
        """Wait until everything is compared."""
        while self._waiting:
            await asyncio.gather(*self._waiting)

    async def _in_turn(self, attempt: Attempt, number: int) -> None:
        async with self._turn:
            if (attempt.asked.tenant, number) in self._failed:
                return
            try:
                await self._compare(attempt, number)
            except psycopg.Error as error:
                _log.warning("a comparison is lost", **_about(attempt), error=type(error).__name__)
            except Exception as error:  # noqa: BLE001  no failure of a shadow is one of the hub
                await self._switch_off(attempt, number, error)

    async def _compare(self, attempt: Attempt, number: int) -> None:
        asked = attempt.asked
        async with self._engines.using(attempt.active.shadow_version, self._read) as running:
            try:
                said = [
                    await self._judged(running.engine, attempt, each.question)
                    for each in attempt.judgements
                ]
            finally:
                await self._report(asked.tenant, take_faults(running.engine))
        apart = differing(attempt.judgements, said)
        one = Comparison(
            shadow_number=number,
            workflow_id=asked.workflow_id,
            decision_seq=asked.decision_seq,
            ticket_id=asked.ticket_id,
            trigger=str(asked.event.kind) if asked.event else "deadline",
            active_version=attempt.judgements[0].verdict.pack_version,
            rules=apart,
            active=_form([each.verdict for each in attempt.judgements]) if apart else None,
            shadow=_form(said) if apart else None,
        )
        async with self._pool.connection() as conn:
            await shadows.add(conn, one, tenant=asked.tenant)

    async def _judged(
        self, engine: Engine, attempt: Attempt, question: EvaluateRules
    ) -> RuleVerdict:
        """Return the shadow's verdict.

        What it alone wants to know of related things is read as they stand after the decision.
        """
        verdict = await engine.judge(question)
        if isinstance(verdict, Wanted) and attempt.decision is not None:
            state, at = attempt.decision.state, attempt.decision.at
            async with self._pool.connection() as conn:
                around = Surroundings(conn, state.tenant, state.ticket_id, at, engine, state.owner)
                rows = await around.drive(related(verdict.relations, state, at))
            verdict = await engine.judge(replace(question, related={**question.related, **rows}))
        if isinstance(verdict, Wanted):
            raise RulesEngineError(f"relations are missing: {', '.join(verdict.relations)}")
        return verdict

    async def _read(self, version: str) -> str:
        async with self._pool.connection() as conn:
            return await packs.body_for_worker(conn, version)

    async def _switch_off(self, attempt: Attempt, number: int, error: Exception) -> None:
        self._failed.add((attempt.asked.tenant, number))
        why = f"{getattr(error, 'code', type(error).__name__)}: {error}"
        version = attempt.active.shadow_version
        _log.error("shadow switched off", **_about(attempt), version=version, error=why)
        ending = partial(publishing.end_shadow, number=number, by=BY, reason=f"it failed: {why}")
        try:
            async with transaction(self._pool) as conn:
                await ending(conn, tenant=attempt.asked.tenant)
        except (psycopg.Error, InputError) as unwritten:
            _log.warning("that is not on record", error=type(unwritten).__name__)


def _about(attempt: Attempt) -> dict[str, object]:
    asked = attempt.asked
    return {"tenant": asked.tenant, "ticket": asked.ticket_id, "decision_seq": asked.decision_seq}


def differing(judgements: Sequence[Judgement], said: Sequence[RuleVerdict]) -> tuple[str, ...]:
    """Return the rules that fired in one only, asked for other actions, or came in other order."""
    rules: set[str] = set()
    for one, other in zip(judgements, said, strict=True):
        mine, theirs = one.verdict, other
        apart = {
            rule_id
            for rule_id in {*mine.fired, *theirs.fired}
            if (rule_id in mine.fired) is not (rule_id in theirs.fired)
            or _asked(mine, rule_id) != _asked(theirs, rule_id)
        }
        if not apart and mine.fired != theirs.fired:
            places = zip(mine.fired, theirs.fired, strict=True)
            apart = {rule_id for pair in places if pair[0] != pair[1] for rule_id in pair}
        rules |= apart
    return tuple(sorted(rules))


def _asked(verdict: RuleVerdict, rule_id: str) -> list[RuleAction]:
    return [action for action in verdict.actions if action.rule_id == rule_id]


def _form(verdicts: Sequence[RuleVerdict]) -> dict[str, object]:
    return {
        "fired": [rule_id for verdict in verdicts for rule_id in verdict.fired],
        "asked": [
            {"rule_id": action.rule_id, "kind": action.kind, "params": dict(action.params)}
            for verdict in verdicts
            for action in verdict.actions
        ],
    }
