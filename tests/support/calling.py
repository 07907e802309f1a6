"""Drives callbacks in memory: one clock, agents with room, and what rules answer."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rules.facts import typed
from rules.findings import Reference
from rules.pack import Pack
from rules.verdict import verdict_of
from support.callback_decision import CallbackDecision, CallbackRequest, decide_callback
from support.callbacks import (
    ANY_TIME,
    USUAL_LIMITS,
    CallbackEvent,
    CallbackEventKind,
    CallbackLimits,
    CallbackOpening,
    CallbackState,
    CallOutcome,
    Window,
    callback_workflow_id,
)
from support.decision import Deadline
from support.model import Actor, ActorKind
from support.needs import (
    Answer,
    ClaimOwner,
    EvaluateRules,
    FindCandidates,
    FindOutlook,
    FindPeople,
    Need,
    Outlook,
    RuleAction,
    RuleVerdict,
)
from support.policy import PolicyBook
from support.routing import Candidate
from support.work import Outside
from tests.support.deciding import BOOK, CUSTOMER, KIM, MONDAY

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LOU = Actor(ActorKind.AGENT, "lou")
HUB = Actor(ActorKind.SYSTEM, "relay")
CB = "CB-1"
Kind = CallbackEventKind


def opening(**more: Any) -> CallbackOpening:
    """A Swedish number, as soon as possible."""
    given = {"number_ref": "n-1", "country": "SE", "zone": "Europe/Stockholm", "customer_id": "c-1"}
    return CallbackOpening(**{**given, **more})


def told(kind: Kind, at: datetime, actor: Actor = KIM, **more: Any) -> CallbackEvent:
    """One event; its id is unique by kind, instant and what it says."""
    name = more.pop("event_id", "") or f"{kind}-{at.timestamp():.0f}-{more.get('outcome', '')}"
    return CallbackEvent(name, kind, at, at, actor, **more)


def requested(at: datetime = MONDAY, window: Window = ANY_TIME, **more: Any) -> CallbackEvent:
    return told(Kind.REQUESTED, at, CUSTOMER, opening=opening(window=window, **more))


def ended_with(outcome: CallOutcome, at: datetime, **more: Any) -> CallbackEvent:
    return told(Kind.OUTCOME, at, more.pop("actor", KIM), outcome=outcome, **more)


@dataclass
class CallDesk:
    """Callbacks and who takes them; `agents` are capacities, all at work unless `at_work` says no.

    `rules` are what the pack answers on every decision, unless there is a `pack`.
    """

    agents: dict[str, Decimal] = field(default_factory=lambda: {"kim": Decimal(12)})
    at_work: Callable[[str, datetime], bool] = lambda _agent, _at: True
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: Sequence[RuleAction] = ()
    pack: Pack | None = None
    reference: Reference | None = None
    outside: Outside = field(default_factory=Outside)
    book: PolicyBook = BOOK
    limits: CallbackLimits = USUAL_LIMITS
    do_not_call: bool = False
    stopped: bool = False
    states: dict[str, CallbackState] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    decisions: list[tuple[str, CallbackDecision]] = field(default_factory=list)
    next_dues: dict[str, Deadline] = field(default_factory=dict)
    claims: dict[str, Decimal] = field(default_factory=dict)
    busy: dict[str, tuple[str, Decimal]] = field(default_factory=dict)

    def take(
        self, trigger: CallbackEvent | Deadline, callback_id: str = CB, late: timedelta = 0 * MINUTE
    ) -> CallbackDecision:
        """Decide one trigger and keep the new state."""
        at = trigger.at if isinstance(trigger, Deadline) else trigger.occurred_at
        request = CallbackRequest(
            tenant="acme",
            callback_id=callback_id,
            workflow_id=callback_workflow_id("acme", callback_id),
            decision_seq=self.seqs.get(callback_id, 0) + 1,
            trigger=trigger,
            now=at + late,
            state=self.states.get(callback_id),
            book=self.book,
            macros=self.pack.macros.actions if self.pack else {},
            outside=self.outside,
            do_not_call=self.do_not_call,
            limits=self.limits,
            automation_stopped=self.stopped,
        )
        self.claims = {}
        try:
            decision = self._drive(decide_callback(request), at)
        finally:
            self.claims = {}
        self._keep(callback_id, decision)
        return decision

    def _keep(self, callback_id: str, decision: CallbackDecision) -> None:
        state = decision.state
        self.states[callback_id] = state
        self.seqs[callback_id] = self.seqs.get(callback_id, 0) + 1
        self.decisions.append((callback_id, decision))
        self.next_dues.pop(callback_id, None)
        if decision.next_due is not None:
            self.next_dues[callback_id] = Deadline(decision.next_due.at, decision.next_due.key)
        self.busy.pop(callback_id, None)
        if state.units:
            self.busy[callback_id] = (state.owner, state.units)

    @property
    def state(self) -> CallbackState:
        """The only callback, or the first."""
        return self.states[CB]

    @property
    def last(self) -> CallbackDecision:
        return self.decisions[-1][1]

    def pass_next(self) -> tuple[str, CallbackDecision]:
        """Let the earliest deadline of all fall due."""
        callback_id = min(self.next_dues, key=lambda one: (self.next_dues[one].at, one))
        return callback_id, self.take(self.next_dues[callback_id], callback_id)

    def pass_until(self, at: datetime) -> list[CallbackDecision]:
        """Let every deadline before or at `at` fall due, as the workflows do."""
        passed = []
        while self.next_dues and min(due.at for due in self.next_dues.values()) <= at:
            passed.append(self.pass_next()[1])
        return passed

    def load(self, agent_id: str) -> Decimal:
        held = sum((units for who, units in self.busy.values() if who == agent_id), Decimal(0))
        return held + self.claims.get(agent_id, Decimal(0))

    def _drive(
        self, deciding: Generator[Need, Answer, CallbackDecision], at: datetime
    ) -> CallbackDecision:
        answer: Any = None
        while True:
            try:
                need = deciding.send(answer)
            except StopIteration as done:
                decision: CallbackDecision = done.value
                return decision
            answer = self._answer(need, at)

    def _answer(self, need: Need, at: datetime) -> Answer:
        match need:
            case EvaluateRules(facts):
                return self._judged(need, facts)
            case FindCandidates(skills=skills, last_owner=last):
                return tuple(
                    Candidate(name, self.load(name), units, MONDAY, skills=skills, had=name == last)
                    for name, units in self.agents.items()
                    if self.at_work(name, at)
                )
            case FindOutlook():
                return Outlook(len(self.agents))
            case ClaimOwner(agent_id, units, forced):
                return self._claim(agent_id, units, forced=forced)
            case FindPeople(role):
                return self.people.get(str(role), ())
            case _:
                raise AssertionError(need)

    def _judged(self, need: EvaluateRules, facts: Mapping[str, Any]) -> RuleVerdict:
        if self.pack is None:
            typed(facts)
            return RuleVerdict(("a-rule",), tuple(self.rules), (), "test", "0")
        if self.reference is None:
            self.reference = Reference(self.pack)
        return verdict_of(self.pack, self.reference.examine(typed(facts), {}), need)

    def _claim(self, agent_id: str, units: Decimal, *, forced: bool) -> bool:
        capacity = self.agents.get(agent_id)
        if capacity is None or (not forced and self.load(agent_id) + units > capacity):
            return False
        self.claims[agent_id] = self.claims.get(agent_id, Decimal(0)) + units
        return True


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dispatched(**more: Any) -> CallDesk:
    """A desk with a callback in the hands of kim."""
    desk = CallDesk(**more)
    desk.take(requested())
    return desk


def in_call(**more: Any) -> CallDesk:
    """One with kim in a call, at a minute past nine."""
    desk = dispatched(**more)
    desk.take(told(Kind.ACCEPT, MONDAY))
    desk.take(told(Kind.DIALLED, MONDAY + MINUTE))
    return desk
