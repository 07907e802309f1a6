"""A decision in the making: what it works on, and what it leaves to be written.

Actions inside the hub change the state and commit with the decision. Actions outside (notify,
reply) leave an `Effect`: an intent that an activity performs under its key afterwards.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from support.calendar import BusinessCalendar
from support.clock import Clocks
from support.corrections import Correction
from support.handovers import left_behind
from support.lifecycle import advance
from support.limits import USUAL, Limits
from support.marks import Mark
from support.model import AUTO_PREFIX, Actor, ActorKind, Channel, EventKind, TicketEvent
from support.needs import Answer, Fact, Need, Param, RuleAction
from support.policy import PolicyBook
from support.routing import Ranked
from support.ticket import Halt, TicketState


class Outcome(StrEnum):
    """What came of an action."""

    DONE = "done"
    QUEUED = "queued"
    RECORDED = "recorded"
    REFUSED = "refused"


class EffectKind(StrEnum):
    """What an activity does in the outside world."""

    NOTIFY = "notify"
    REPLY = "reply"
    DIAL = "dial"


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """One action of a decision, what came of it and why; `ranked` are the candidates weighed."""

    index: int
    rule_id: str
    kind: str
    params: Mapping[str, Param]
    outcome: Outcome
    detail: str = ""
    effect_key: str = ""
    ranked: tuple[Ranked, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """An intent for the outside world, performed under its `key` by an activity.

    `params["automatic"]`: automation wants it, so the stop switch holds it back.
    """

    key: str
    kind: EffectKind
    params: Mapping[str, Param]


@dataclass(frozen=True, slots=True)
class AutoMessage:
    """A message that automation writes; the text of `macro` is rendered where it is stored."""

    message_ref: str
    macro: str


@dataclass(frozen=True, slots=True)
class Outside:
    """Which ways out of the hub exist; without one, an action is recorded and stays inside.

    `dial`: a telephone system dials; without it, the agent does.
    """

    notify: bool = False
    reply: frozenset[Channel] = frozenset()
    dial: bool = False


@dataclass(slots=True)
class Work:
    """A decision in the making: the state so far, and what is to be written with it.

    It is made at `now`, about the instant `at`. `owner_left`: who had the ticket has left for good.
    `lock_expired`: it is about an owner lock that has run out. `told_no_owner`: rules have heard
    that nobody takes the ticket. `facts` are those that the rules
    were last asked with, for their texts. `happened` is what automation did to the ticket, each
    with the index of its action, until rules are asked about it.
    """

    state: TicketState
    at: datetime
    now: datetime
    owner_left: bool
    book: PolicyBook
    follow_up_default: datetime
    workflow_id: str
    decision_seq: int
    outside: Outside
    macros: Mapping[str, tuple[RuleAction, ...]]
    current: PolicyBook | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    about_breach: bool = False
    on_call: bool = False
    lock_expired: bool = False
    told_no_owner: bool = False
    corrections: tuple[Correction, ...] = ()
    reckoned: tuple[tuple[Mark, ...], PolicyBook, Clocks] | None = None
    records: list[ActionRecord] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    messages: list[AutoMessage] = field(default_factory=list)
    limits: Limits = USUAL
    happened: list[tuple[int, TicketEvent]] = field(default_factory=list)
    automation_stopped: bool = False

    @property
    def calendar(self) -> BusinessCalendar:
        """Calendar of the policy that the ticket comes under."""
        return self.book.choose(self.state.traits).calendar

    @property
    def next_key(self) -> str:
        """Key of the outside action that comes next: workflow id, decision, index."""
        return f"{self.workflow_id}/{self.decision_seq}/{len(self.records)}"

    @property
    def next_ref(self) -> str:
        """Reference of what automation writes next; unique in the ticket, and a valid id."""
        return f"{AUTO_PREFIX}{self.decision_seq}.{len(self.records)}"

    def apply(self, event: TicketEvent) -> None:
        """Let automation do what a person could do; the life cycle may refuse.

        What changes nothing, such as a priority that it has already, sets off no rule.
        """
        before = self.state
        after = advance(before, event, self.at, self.follow_up_default)
        self.state = left_behind(before, after, owner_left=self.owner_left)
        if replace(self.state, marks=before.marks, last_at=before.last_at) != before:
            self.happened.append((len(self.records), event))

    def halt(self, reason: str, rules: tuple[str, ...]) -> None:
        """Let automation on the ticket stand still from here on; the first reason stays."""
        if self.state.halted is None:
            self.state = replace(self.state, halted=Halt(reason, self.at, rules))

    def event(self, kind: EventKind, rule_id: str) -> TicketEvent:
        """Return an event of `kind` by the rule, at the decision's instant."""
        return TicketEvent(
            event_id=self.next_ref,
            kind=kind,
            occurred_at=self.at,
            received_at=self.at,
            actor=Actor(ActorKind.RULE, rule_id),
            source="rules",
        )


@dataclass(frozen=True, slots=True)
class Done:
    """What an action's function reports: its outcome, and how it came about."""

    outcome: Outcome
    detail: str = ""
    effect_key: str = ""
    ranked: tuple[Ranked, ...] = ()


Asking = Generator[Need, Answer, Done]


class Sheet(Protocol):
    """What a decision leaves to be written, whatever it is about."""

    records: list[ActionRecord]
    effects: list[Effect]

    @property
    def next_key(self) -> str:
        """Key of the outside action that comes next."""


def leave(work: Sheet, action: RuleAction, why: str) -> None:
    """Put on record that `action` was asked for and not done."""
    record_done(work, action, Done(Outcome.REFUSED, why))


def record_done(work: Sheet, action: RuleAction, done: Done) -> None:
    """Put on record what came of `action`."""
    work.records.append(
        ActionRecord(
            index=len(work.records),
            rule_id=action.rule_id,
            kind=action.kind,
            params=action.params,
            outcome=done.outcome,
            detail=done.detail,
            effect_key=done.effect_key,
            ranked=done.ranked,
        )
    )


def queue_effect(work: Sheet, kind: EffectKind, params: Mapping[str, Param]) -> str:
    """Record the intent of an outside action and return its key."""
    effect = Effect(work.next_key, kind, params)
    work.effects.append(effect)
    return effect.key
