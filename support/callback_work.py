"""A decision about a callback in the making: what it works on, and what it leaves to be written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from support.callback_hours import Dispatchable, Hours, Never
from support.callbacks import CallbackLimits, CallbackState
from support.limits import USUAL, Limits
from support.marks import Mark
from support.model import AUTO_PREFIX
from support.needs import Fact, Param, RuleAction
from support.work import ActionRecord, Done, Effect, Outside


class TicketWordKind(StrEnum):
    """What a callback has to tell its ticket."""

    MARK = "mark"
    FOLLOW_UP = "follow_up"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class TicketWord:
    """One thing for the ticket of a callback, to be delivered to its workflow in this order.

    `mark` is for its clocks (mark). Somebody has still to see to the customer: a ticket is opened
    that follows up the callback's, or stands alone where it has none (follow_up). `text` names the
    text of an automatic message to the customer (reply); after a follow-up it goes to that ticket.
    """

    kind: TicketWordKind
    mark: Mark | None = None
    text: str = ""
    message_ref: str = ""


@dataclass(slots=True)
class CallbackWork:
    """A decision in the making: the state so far, and what is to be written with it.

    `opens` says when the callback may be dispatched, from the decision's instant on.
    """

    state: CallbackState
    at: datetime
    hours: Hours
    allowed: CallbackLimits
    workflow_id: str
    decision_seq: int
    outside: Outside
    macros: Mapping[str, tuple[RuleAction, ...]]
    automation_stopped: bool = False
    on_call: bool = False
    lock_expired: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)
    limits: Limits = USUAL
    records: list[ActionRecord] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    words: list[TicketWord] = field(default_factory=list)

    @property
    def next_key(self) -> str:
        """Key of the outside action that comes next: workflow id, decision, index."""
        return f"{self.workflow_id}/{self.decision_seq}/{len(self.records)}"

    @property
    def next_ref(self) -> str:
        """Reference of what automation writes next; unique in the callback, and a valid id."""
        return f"{AUTO_PREFIX}{self.decision_seq}.{len(self.records)}"

    @property
    def opens(self) -> Dispatchable | Never:
        """When the callback may be dispatched."""
        return self.hours.next(self.state, self.at)

    @property
    def now_until(self) -> datetime | None:
        """Until when it may be dispatched now; None where it may not."""
        opens = self.opens
        now = isinstance(opens, Dispatchable) and opens.at == self.at
        return opens.until if isinstance(opens, Dispatchable) and now else None

    def accept_by(self, until: datetime) -> datetime:
        """Instant before which who gets it now has to accept: nobody is called after `until`."""
        return min(self.at + self.allowed.accept_within, until)

    def note(self, kind: str, done: Done, params: Mapping[str, Param] | None = None) -> None:
        """Put on record what the product does by itself, without a rule."""
        self.records.append(
            ActionRecord(
                index=len(self.records),
                rule_id="",
                kind=kind,
                params=params or {},
                outcome=done.outcome,
                detail=done.detail,
                effect_key=done.effect_key,
                ranked=done.ranked,
            )
        )


def why_not_now(work: CallbackWork) -> str:
    """Say why nobody may be called at the instant of the decision; empty where somebody may."""
    opens = work.opens
    if isinstance(opens, Never):
        return opens.sentence
    if opens.at > work.at:
        return f"nobody may be called before {opens.at.isoformat()}"
    return ""
