"""Drives the pure core in memory: tickets, agents and what rules answer, without any server."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rules.policies_file import load_policies
from support.decision import Deadline, Decision, Request, decide
from support.lanes import Signals, read_lanes
from support.model import Actor, ActorKind, Channel, EventKind, Opening, Priority, TicketEvent
from support.needs import (
    Answer,
    ClaimOwner,
    CustomerStanding,
    EvaluateRules,
    FindCandidates,
    FindCustomer,
    FindOutlook,
    FindPeople,
    Need,
    Outlook,
    ReadLanes,
    RuleAction,
    RuleVerdict,
    Wanted,
)
from support.policy import PolicyBook
from support.routing import Candidate
from support.ticket import TicketState
from support.work import Outside

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""09:00 in Stockholm, an hour into the office day."""
BOOK, _ = load_policies()
NOBODY_ELSE = CustomerStanding("sv", 0, 0, 0, None)
KIM = Actor(ActorKind.AGENT, "kim")
CUSTOMER = Actor(ActorKind.CUSTOMER, "c-1")


def event(kind: EventKind, at: datetime, actor: Actor = KIM, **more: Any) -> TicketEvent:
    return TicketEvent(f"{kind}-{at.timestamp():.0f}", kind, at, at, actor, **more)


def created(
    at: datetime = MONDAY, priority: Priority = Priority.NORMAL, channel: Channel = Channel.WEB
) -> TicketEvent:
    opening = Opening(channel=channel, priority=priority, customer_id="c-1")
    return event(EventKind.CREATED, at, CUSTOMER, opening=opening)


def action(kind: str, **params: Any) -> RuleAction:
    return RuleAction("a-rule", kind, params)


MACROS = {"hello": (action("record", note="hi"), action("set_priority", priority="high"))}


@dataclass
class Desk:
    """One ticket and its surroundings; `rules` are what the pack answers on every decision."""

    rules: Sequence[RuleAction] = ()
    agents: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    people: dict[str, tuple[str, ...]] = field(default_factory=dict)
    outside: Outside = field(default_factory=Outside)
    state: TicketState | None = None
    seq: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    book: PolicyBook = BOOK
    current: PolicyBook | None = None
    stopped: bool = False
    macros: Mapping[str, tuple[RuleAction, ...]] = field(default_factory=lambda: dict(MACROS))
    wants: tuple[str, ...] = ()
    signals: Signals = field(default_factory=Signals)
    customer: CustomerStanding = NOBODY_ELSE

    def take(self, trigger: TicketEvent | Deadline, late: timedelta = timedelta(0)) -> Decision:
        """Decide one trigger and keep the new state."""
        at = trigger.at if isinstance(trigger, Deadline) else trigger.occurred_at
        request = Request(
            "acme",
            "T-1",
            "ticket/acme/T-1",
            self.seq + 1,
            trigger,
            at + late,
            self.state,
            self.book,
            self.macros,
            self.outside,
            automation_stopped=self.stopped,
            current=self.current,
        )
        decision = self._drive(decide(request))
        self.state, self.seq = decision.state, self.seq + 1
        self.decisions.append(decision)
        return decision

    def pass_until(self, at: datetime) -> list[Decision]:
        """Let every deadline before or at `at` fall due, as the workflow does."""
        passed = []
        while (last := self.decisions[-1]).next_due is not None and last.next_due.at <= at:
            passed.append(self.take(Deadline(last.next_due.at, last.next_due.key)))
        return passed

    def _drive(self, deciding: Generator[Need, Answer, Decision]) -> Decision:
        answer: Any = None
        while True:
            try:
                need = deciding.send(answer)
            except StopIteration as done:
                decision: Decision = done.value
                return decision
            answer = self._answer(need)

    def _answer(self, need: Need) -> Answer:  # noqa: PLR0911  one answer a need
        match need:
            case EvaluateRules(facts, related=related):
                self.facts = dict(facts)
                missing = tuple(name for name in self.wants if name not in related)
                if missing:
                    return Wanted(missing)
                return RuleVerdict(("a-rule",), tuple(self.rules), (), "test", "0")
            case FindCandidates(skills=skills):
                return tuple(
                    Candidate(name, load, capacity, MONDAY, skills=skills)
                    for name, (load, capacity) in self.agents.items()
                )
            case FindOutlook():
                return Outlook(len(self.agents))
            case ClaimOwner(agent_id, units, forced):
                load, capacity = self.agents.get(agent_id, (None, None))
                if load is None or capacity is None or (not forced and load + units > capacity):
                    return False
                self.agents[agent_id] = (load + units, capacity)
                return True
            case FindPeople(role):
                return self.people.get(str(role), ())
            case ReadLanes():
                return read_lanes(self.signals)
            case FindCustomer():
                return self.customer


def with_rules(desk: Desk, *rules: RuleAction) -> Desk:
    """The same desk under other rules."""
    return replace(desk, rules=rules)
