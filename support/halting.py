"""Automation that is halted on one ticket: who is told, and how it goes on when somebody looks."""

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime

from support.model import ActorKind, EventKind, TicketEvent
from support.needs import Answer, Need, Param
from support.owners import recipients
from support.routing import Role
from support.work import ActionRecord, EffectKind, Outcome, Work, queue_effect

TEMPLATE = "automation-halted"
GO_ON = "automation_goes_on"
"""Kind of the record that says who looked."""
_TOLD = (Role.LEAD, Role.MANAGER)


def looks(event: TicketEvent) -> bool:
    """Whether a person of the team has done something about the ticket; a note does nothing."""
    by_person = event.actor.kind is ActorKind.AGENT and not event.automatic
    return by_person and event.kind is not EventKind.NOTE


def let_go_on(work: Work, event: TicketEvent, at: datetime) -> None:
    """Let automation go on where `event`, which counts at `at`, says that somebody has looked.

    What happened before the halt, and is learned of only now, is no look. Quotas count from here:
    what was sent before would halt automation again at once.
    """
    halt = work.state.halted
    if halt is None or at < halt.at or not looks(event):
        return
    work.state = replace(work.state, halted=None, notifications=(), auto_messages=())
    detail = f"{event.actor.id} looked; it was halted at {halt.at.isoformat()}: {halt.reason}"
    index = len(work.records)
    work.records.append(ActionRecord(index, "", GO_ON, {}, Outcome.DONE, detail))


def tell(work: Work) -> Generator[Need, Answer, None]:
    """Tell lead and manager that automation is halted, in one notification outside the quota."""
    halt = work.state.halted
    if halt is None:
        return
    found: dict[str, tuple[str, ...]] = {}
    for wanted in _TOLD:
        role, people = yield from recipients(work, str(wanted))
        if people:
            found[role] = people
    told = tuple(dict.fromkeys(person for people in found.values() for person in people))
    role = " and ".join(found) or "channel"
    params: dict[str, Param] = {"to": told, "role": role, "template": TEMPLATE, "automatic": True}
    asked: dict[str, Param] = {"to": role, "template": TEMPLATE}
    outcome, key = Outcome.RECORDED, ""
    if work.outside.notify:
        outcome, key = Outcome.QUEUED, queue_effect(work, EffectKind.NOTIFY, params)
    whom = f"{role} {', '.join(told)}".rstrip()
    work.records.append(
        ActionRecord(
            index=len(work.records),
            rule_id="",
            kind=str(EffectKind.NOTIFY),
            params=asked,
            outcome=outcome,
            detail=f"{whom}: {halt.reason}",
            effect_key=key,
        )
    )
