"""What a decision came to, short enough to keep for every decision and to compare exactly."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from support.decision import Decision
from support.model import TicketEvent
from support.needs import Param


@dataclass(frozen=True, slots=True)
class Act:
    """One action of a decision: which rule asked for what, and what came of it."""

    kind: str
    rule_id: str
    params: Mapping[str, Param]
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of a ticket. `owner`, `status`, `priority` and `due` are as it left them."""

    seq: int
    trigger_id: str
    trigger: str
    at: datetime
    fired: tuple[str, ...]
    actions: tuple[Act, ...]
    owner: str
    status: str
    priority: str
    due: datetime | None

    @classmethod
    def of(cls, seq: int, event: TicketEvent | None, decision: Decision) -> Self:
        """Return the step of a decision; `event` is None where a deadline was its trigger."""
        state, due, ahead = decision.state, decision.due, decision.next_due
        trigger_id = f"{due.key}@{due.at.isoformat()}" if due is not None else ""
        return cls(
            seq=seq,
            trigger_id=event.event_id if event is not None else trigger_id,
            trigger=str(event.kind) if event is not None else due.label if due is not None else "",
            at=decision.at,
            fired=decision.fired,
            actions=tuple(
                Act(a.kind, a.rule_id, a.params, str(a.outcome), a.detail) for a in decision.actions
            ),
            owner=state.owner,
            status=str(state.status),
            priority=str(state.priority),
            due=ahead.at if ahead is not None else None,
        )

    def to_json(self) -> str:
        """Return it as one line; equal lines are equal steps."""
        return json.dumps(
            [
                self.seq,
                self.trigger_id,
                self.trigger,
                self.at.isoformat(),
                self.fired,
                [(a.kind, a.rule_id, a.params, a.outcome, a.detail) for a in self.actions],
                self.owner,
                self.status,
                self.priority,
                self.due.isoformat() if self.due else None,
            ],
            ensure_ascii=False,
            sort_keys=True,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Return what `to_json` made a line of."""
        form: list[Any] = json.loads(line)
        seq, trigger_id, trigger, at, fired, actions, owner, status, priority, due = form
        return cls(
            seq=seq,
            trigger_id=trigger_id,
            trigger=trigger,
            at=datetime.fromisoformat(at),
            fired=tuple(fired),
            actions=tuple(Act(*action) for action in actions),
            owner=owner,
            status=status,
            priority=priority,
            due=datetime.fromisoformat(due) if due else None,
        )
