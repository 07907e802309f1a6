"""One attempt at a decision: the pack it goes by, what it asked, and which engines failed."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from activities.messages import DecideInput
from activities.surroundings import Evaluator
from rules.engine import Engine, Fault
from store.packs import ActivePacks
from support.decision import Decision
from support.errors import RulesEngineError
from support.needs import EvaluateRules, RuleAction, RuleVerdict, Wanted


class Macros(Protocol):
    """Macros as a decision uses them."""

    @property
    def actions(self) -> Mapping[str, tuple[RuleAction, ...]]:
        """Actions of each macro."""
        ...

    def render(self, name: str, locale: str, values: Mapping[str, str]) -> str:
        """Return the text `name` in the language of the reader."""
        ...


class PackFailedError(Exception):
    """The tenant's publication `number` cannot decide, also not in a fresh engine."""

    def __init__(self, number: int, cause: Exception) -> None:
        super().__init__(f"{getattr(cause, 'code', type(cause).__name__)}: {cause}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Judgement:
    """One question that a decision asked its rules, and what they said."""

    question: EvaluateRules
    verdict: RuleVerdict


@dataclass(frozen=True, slots=True)
class PackFault:
    """A fault of an engine, and whose pack it held."""

    fault: Fault
    name: str
    version: str


def take_faults(engine: Evaluator) -> tuple[PackFault, ...]:
    """Return the faults that nobody has taken yet; a fault is given to one decision only."""
    found: list[PackFault] = []
    if isinstance(engine, Engine):
        with suppress(IndexError):
            while True:
                fault = engine.faults.popleft()
                found.append(PackFault(fault, engine.pack.name, engine.pack.version))
    return tuple(found)


Judging = asyncio.Future[RuleVerdict | Wanted]


@dataclass
class Attempt:
    """Rules, macros and texts of one pack, from the beginning of a decision to its end.

    `number` is the publication that it is; None: the pack of the worker's settings. `active` is
    what the tenant decides by, `decision` what came of it, once it is made. `given_up` gets the
    question that is still being judged when the decision is cancelled.
    """

    asked: DecideInput
    engine: Evaluator
    macros: Macros
    given_up: "Callable[[Attempt, Judging], None]"
    number: int | None = None
    active: ActivePacks = field(default_factory=ActivePacks)
    judgements: list[Judgement] = field(default_factory=list)
    faults: list[PackFault] = field(default_factory=list)
    decision: Decision | None = None

    async def judge(self, question: EvaluateRules) -> RuleVerdict | Wanted:
        """Ask the rules; PackFailedError where the publication cannot decide."""
        judging = asyncio.ensure_future(self.engine.judge(question))
        try:
            # The engine's thread cannot be stopped: what it ends with is heard in any case.
            verdict = await asyncio.shield(judging)
        except asyncio.CancelledError:
            self.given_up(self, judging)
            raise
        except RulesEngineError as error:
            raise self.failed(error) from error
        finally:
            self.faults += take_faults(self.engine)
        if isinstance(verdict, RuleVerdict):
            self.judgements.append(Judgement(question, verdict))
        return verdict

    def failed(self, error: RulesEngineError) -> Exception:
        """Return what an engine's error is raised as: that of another pack or of facts as it is."""
        if self.number is not None and error.details.get("version") == self.active.version:
            return PackFailedError(self.number, error)
        return error
