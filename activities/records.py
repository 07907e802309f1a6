"""A decision as the ledger keeps it and as the workflow hears of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter

from activities.messages import (
    DeadlineRef,
    DecideInput,
    EffectRef,
    EventResult,
    Glance,
    Refusal,
    Verdict,
)
from store.effects import EffectRow
from store.ledger import DecisionRow, EventRow, TicketRow
from support.chains import Round
from support.clock import Clock, Segment
from support.corrections import Correction
from support.deadlines import Due
from support.decision import Decision
from support.errors import EventIdReusedError, FlowHubError
from support.handing_out import passed_by
from support.model import TicketEvent, said
from support.needs import RuleTrace
from support.proof import stretch_form
from support.standing import Standing
from support.ticket import TicketState
from support.work import ActionRecord, Effect

FIRED_SHOWN = 16
"""Rules named in history; the ledger names all of them."""

_STATE = TypeAdapter(TicketState)
_EVENT = TypeAdapter(TicketEvent)
_VERDICT = TypeAdapter(Verdict)
_RESULT = TypeAdapter(EventResult)
_ACTIONS = TypeAdapter(tuple[ActionRecord, ...])
_TRACE = TypeAdapter(tuple[RuleTrace, ...])
_CORRECTIONS = TypeAdapter(tuple[Correction, ...])
_ROUNDS = TypeAdapter(tuple[Round, ...])

T = TypeVar("T")


def state_to_json(state: TicketState) -> str:
    """Snapshot of a ticket, from which `state_from_json` makes the same again.

    What has its default is left out, which halves it: a default of the state must never change.
    """
    return _STATE.dump_json(state, exclude_defaults=True).decode()


def state_from_json(text: str) -> TicketState:
    """Read a snapshot."""
    return _STATE.validate_json(text)


def result_from(kept: Mapping[str, Any]) -> EventResult:
    """Read the result of an event that the ledger kept."""
    return _RESULT.validate_python(kept)


def event_from_json(text: str) -> TicketEvent:
    """Read an event that the ledger kept."""
    return _EVENT.validate_json(text)


def reused(event: TicketEvent, first: str) -> EventIdReusedError | None:
    """Return the refusal of `event` if other content came first under its id, kept as `first`."""
    kept = event_from_json(first)
    if said(kept) == said(event):
        return None
    return EventIdReusedError(
        f"event id {event.event_id} was a {kept.kind} with other content: "
        "give a new event its own id"
    )


def verdict_from(kept: Mapping[str, Any]) -> Verdict:
    """Read the verdict of a decision that the ledger kept."""
    return _VERDICT.validate_python(kept)


def _sorted(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _dump(adapter: TypeAdapter[T], value: T) -> Any:  # noqa: ANN401  JSON of any shape
    return adapter.dump_python(value, mode="json")


def glance_of(state: TicketState, standing: Standing) -> Glance:
    """Return what the workflow shows of the ticket."""
    return Glance(state.status, state.priority, state.owner, str(standing.sla), standing.lanes)


def deadline_ref(due: Due) -> DeadlineRef:
    """Return a due as the workflow waits for it."""
    return DeadlineRef(due.at, due.key, due.label)


def deadline_of(due: Due | None) -> DeadlineRef | None:
    """Return what the workflow waits for."""
    return deadline_ref(due) if due else None


def effect_ref(row: EffectRow | Effect) -> EffectRef:
    """Return an outside action as the workflow starts it."""
    key = row.action_key if isinstance(row, EffectRow) else row.key
    about = row.params.get("template", row.params.get("message_ref", ""))
    summary = f"{row.kind} {row.params.get('role', '')} {about}".replace("  ", " ")
    return EffectRef(key, str(row.kind), summary, str(row.params.get("event_id", "")))


def result_of(asked: DecideInput, decision: Decision, event: TicketEvent) -> EventResult:
    """Return what the caller learns of an accepted event."""
    due, state = decision.next_due, decision.state
    return EventResult(
        ticket_id=asked.ticket_id,
        event_id=event.event_id,
        decision_seq=asked.decision_seq,
        status=str(state.status),
        priority=str(state.priority),
        owner=state.owner,
        next_deadline=due.at if due else None,
        next_deadline_is=due.label if due else "",
        fired=decision.fired[:FIRED_SHOWN],
    )


def refused_result(
    asked: DecideInput, event: TicketEvent, state: TicketState | None, error: FlowHubError
) -> EventResult:
    """Return what the caller learns of a refused event."""
    allowed = error.details.get("allowed", ())
    return EventResult(
        ticket_id=asked.ticket_id,
        event_id=event.event_id,
        decision_seq=asked.decision_seq - 1,
        status=str(state.status) if state else "",
        priority=str(state.priority) if state else "",
        owner=state.owner if state else "",
        refusal=Refusal(
            code=error.code,
            message=str(error),
            state=str(error.details.get("state", state.status if state else "")),
            allowed=tuple(str(a) for a in allowed) if isinstance(allowed, list) else (),
        ),
    )


@dataclass(frozen=True, slots=True)
class Plain:
    """A decision as JSON with sorted keys, made once for the rows and for the seal over them."""

    actions: str
    clocks: str
    corrections: str
    fired: str
    inputs: str
    pack: str
    related: str
    rounds: str
    state: str
    trace: str

    @property
    def digest(self) -> str:
        """Seal what the ledger keeps of a decision: SHA-256 of its JSON with sorted keys."""
        texts = {"pack": json.dumps(self.pack), "state": json.dumps(self.state)}
        parts = (
            f'"{name}":{texts.get(name) or getattr(self, name)}'
            for name in sorted(self.__dataclass_fields__)
        )
        return hashlib.sha256(f"{{{','.join(parts)}}}".encode()).hexdigest()


def plain(decision: Decision) -> Plain:
    """Return what the ledger keeps of a decision, as plain data."""
    return Plain(
        actions=_sorted(_dump(_ACTIONS, decision.actions)),
        clocks=_sorted([clock_form(clock, decision) for clock in decision.clocks]),
        corrections=_sorted(_dump(_CORRECTIONS, decision.corrections)),
        fired=_sorted(decision.fired),
        inputs=_sorted(decision.facts),
        pack=decision.pack_version,
        related=_sorted(decision.related),
        rounds=_sorted(_dump(_ROUNDS, decision.rounds)) if decision.rounds else "[]",
        state=state_to_json(decision.state),
        trace=_sorted(_dump(_TRACE, decision.trace)),
    )


def verdict_of(asked: DecideInput, decision: Decision, digest: str) -> Verdict:
    """Return what history keeps of a decision: what was decided, by what, and the seal."""
    event = asked.event
    result = result_of(asked, decision, event) if event else None
    what = str(event.kind) if event else (asked.deadline.label if asked.deadline else "")
    return Verdict(
        decision_seq=asked.decision_seq,
        result=result,
        glance=glance_of(decision.state, decision.standing),
        deadline=deadline_of(decision.next_due),
        effects=tuple(effect_ref(effect) for effect in decision.effects),
        fired=decision.fired[:FIRED_SHOWN],
        pack=f"{decision.pack_name}@{decision.pack_version}",
        digest=digest,
        at=decision.at,
        headline=f"{what}: {', '.join(decision.fired[:4]) or 'no rule fired'}",
    )


def clock_form(clock: Clock, decision: Decision) -> dict[str, Any]:
    """Say how a clock stands: each stretch with what it counted, whose sum is the consumed time.

    Where the decision set or moved its deadline, `derivation` proves it: the stretches up to now
    with why each counted or not, and those ahead, whose sum is the remaining time.
    """
    at = decision.at
    named = {"callback": clock.ref} if clock.ref else {}
    form: dict[str, Any] = {
        "metric": str(clock.metric),
        **named,
        "cycle": clock.cycle,
        "state": str(clock.state),
        "target_s": clock.target.total_seconds(),
        "consumed_s": clock.consumed.total_seconds(),
        "started_at": clock.started_at.isoformat(),
        "stopped_at": _instant(clock.stopped_at),
        "due": _instant(clock.due),
        "breached": clock.late(at),
        "segments": [_segment_form(segment, at) for segment in clock.segments],
    }
    derived = decision.derivations.get((clock.metric, clock.cycle))
    if derived is not None:
        form["derivation"] = {
            "was_due": _instant(derived.was_due),
            "proof": [stretch_form(stretch) for stretch in derived.proof],
            "ahead": [stretch_form(stretch) for stretch in derived.ahead],
        }
    return form


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _segment_form(segment: Segment, at: datetime) -> dict[str, Any]:
    return {
        "from": segment.start.isoformat(),
        "to": segment.end.isoformat() if segment.end else None,
        "calendar": segment.calendar_id,
        "counted_s": segment.counted(at).total_seconds(),
    }


def decision_row(
    asked: DecideInput, decision: Decision, kept: Plain, verdict: Verdict
) -> DecisionRow:
    """Return the decision with all that explains it."""
    trigger = asked.event or asked.deadline
    assert trigger is not None  # noqa: S101  a decision has one of the two
    return DecisionRow(
        workflow_id=asked.workflow_id,
        decision_seq=asked.decision_seq,
        tenant=asked.tenant,
        ticket_id=asked.ticket_id,
        run_id=asked.run_id,
        trigger_id=trigger_id(asked),
        trigger=str(trigger.kind) if isinstance(trigger, TicketEvent) else trigger.label,
        nominal_at=decision.at,
        lateness_s=decision.lateness.total_seconds(),
        pack_name=decision.pack_name,
        pack_version=decision.pack_version,
        policy_version=decision.state.policy_version,
        inputs=kept.inputs,
        related=kept.related,
        fired=kept.fired,
        trace=kept.trace,
        actions=kept.actions,
        clocks=kept.clocks,
        corrections=kept.corrections,
        rounds=kept.rounds,
        digest=verdict.digest,
        result=_VERDICT.dump_json(verdict).decode(),
    )


def trigger_id(asked: DecideInput) -> str:
    """Name of what is decided: the event's id, or the deadline with its instant."""
    if asked.event is not None:
        return asked.event.event_id
    assert asked.deadline is not None  # noqa: S101  a decision has one of the two
    return asked.deadline.trigger_id


def event_row(
    asked: DecideInput, event: TicketEvent, result: EventResult, at: datetime
) -> EventRow:
    """Return the event with its result, accepted or refused."""
    accepted = result.refusal is None
    return EventRow(
        tenant=asked.tenant,
        ticket_id=asked.ticket_id,
        event_id=event.event_id,
        kind=str(event.kind),
        outcome="accepted" if accepted else "refused",
        decision_seq=asked.decision_seq if accepted else None,
        actor_kind=str(event.actor.kind),
        actor_id=event.actor.id,
        actor_role=event.actor.role,
        on_behalf_of=event.actor.on_behalf_of,
        source=event.source,
        message_ref=event.message_ref,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        nominal_at=at,
        event=_EVENT.dump_json(event).decode(),
        result=_RESULT.dump_json(result).decode(),
        refused_seq=None if accepted else asked.decision_seq,
    )


def ticket_row(asked: DecideInput, decision: Decision, kept: Plain, opening_ref: str) -> TicketRow:
    """Return the projection of a ticket after a decision."""
    state, flags, due = decision.state, decision.standing, decision.next_due
    none = state.ownership.none
    return TicketRow(
        tenant=asked.tenant,
        ticket_id=asked.ticket_id,
        run_id=asked.run_id,
        channel=str(state.channel),
        priority=str(state.priority),
        status=str(state.status),
        team=state.team,
        customer_id=state.customer_id,
        opening_ref=opening_ref,
        follow_up_of=state.follow_up_of,
        created_at=state.created_at,
        changed_at=decision.at,
        resolved_at=state.resolved_at,
        closed_at=state.closed_at,
        active=state.active,
        breached=flags.breached,
        breached_held=flags.breached_held,
        escalation_due=flags.escalation_due,
        sla_state=str(flags.sla),
        next_due_at=flags.next_due_at,
        next_deadline=due.at if due else None,
        next_deadline_is=due.label if due else "",
        decision_seq=asked.decision_seq,
        pack_version=decision.pack_version,
        halted=state.halted.reason if state.halted is not None else "",
        state=kept.state,
        skills=() if state.ownership.overflows(decision.at) else state.skills,
        waits_since=decision.at if state.active and not state.owner else None,
        no_owner=str(none.why) if none is not None and state.active else "",
        next_shift_at=none.next_shift_at if none is not None and state.active else None,
        sought_teams=state.ownership.sought_teams,
        sought_roles=state.ownership.sought_roles,
        declined_by=state.ownership.declined_by(decision.at),
        passed_by=passed_by(asked.event, decision.actions),
    )


def effect_row(asked: DecideInput, effect: Effect, at: datetime) -> EffectRow:
    """Return the recorded intent of an outside action."""
    return EffectRow(
        action_key=effect.key,
        tenant=asked.tenant,
        ticket_id=asked.ticket_id,
        kind=str(effect.kind),
        params=effect.params,
        created_at=at,
    )
