"""One decision: a trigger meets a ticket, rules say what to do, and it is done in order.

The same generator serves the transaction of `decide`, a simulation and the tests: it yields needs
(`support.needs`) and returns the `Decision`. It reads no clock: `now` and every instant come in.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from support.actions import (
    ActionRecord,
    AutoMessage,
    Effect,
    EffectKind,
    Outside,
    Work,
    perform,
    queue_effect,
)
from support.deadlines import FOLLOW_UP_AFTER, Due, DueKind, upcoming
from support.errors import InputError, TicketExistsError, UnknownTicketError
from support.escalation import StepRecord
from support.lifecycle import advance, check_time, nominal, opened
from support.model import EventKind, TicketEvent
from support.needs import Answer, Fact, Need, RuleAction, RuleTrace, claim, evaluate
from support.policy import PolicyBook
from support.situation import describe
from support.sla import Breach, Clocks, Mark, MarkKind, compute
from support.standing import Standing, standing
from support.ticket import TicketState


@dataclass(frozen=True, slots=True)
class Deadline:
    """The trigger of a timer: the due named `key` fell due at `at`."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Request:
    """All that a decision starts from. `now` is calendar time when the trigger was taken up."""

    tenant: str
    ticket_id: str
    workflow_id: str
    decision_seq: int
    trigger: TicketEvent | Deadline
    now: datetime
    state: TicketState | None
    book: PolicyBook
    macros: Mapping[str, tuple[RuleAction, ...]]
    outside: Outside = Outside()
    owner_available: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of it: the new state, why, and what is to be written and sent."""

    at: datetime
    lateness_s: float
    state: TicketState
    clocks: Clocks
    standing: Standing
    due: Due | None
    next_due: Due | None
    facts: Mapping[str, Fact]
    fired: tuple[str, ...]
    trace: tuple[RuleTrace, ...]
    pack_name: str
    pack_version: str
    actions: tuple[ActionRecord, ...]
    effects: tuple[Effect, ...]
    messages: tuple[AutoMessage, ...]
    new_breaches: tuple[Breach, ...]
    withdrawn: tuple[Breach, ...]
    new_steps: tuple[StepRecord, ...]


def decide(request: Request) -> Generator[Need, Answer, Decision]:
    """Decide `request`. Raises InputError kinds for what is refused; then nothing has changed."""
    at, due, work = yield from _begin(request)
    before = request.state.breaches if request.state else ()
    terms, clocks = _settle_clocks(request, work)
    new_steps = _fire_steps(work, clocks, terms, due)
    _record_breaches(work, clocks, due)
    facts = describe(work.state, clocks, terms, request.trigger, due, at, work.calendar)
    facts["owner_available"] = bool(work.state.owner) and request.owner_available
    facts["lateness_s"] = max(0.0, (request.now - at).total_seconds())
    verdict = yield from evaluate(facts)
    for action in verdict.actions:
        yield from perform(work, action)
    terms, clocks = _settle_clocks(request, work)
    _record_breaches(work, clocks, due)
    ahead = upcoming(work.state, clocks, terms, request.book.office)
    return Decision(
        at=at,
        lateness_s=max(0.0, (request.now - at).total_seconds()),
        state=work.state,
        clocks=clocks,
        standing=standing(work.state, clocks, terms, at),
        due=due,
        next_due=ahead[0] if ahead else None,
        facts=facts,
        fired=verdict.fired,
        trace=verdict.trace,
        pack_name=verdict.pack_name,
        pack_version=verdict.pack_version,
        actions=tuple(work.records),
        effects=tuple(work.effects),
        messages=tuple(work.messages),
        new_breaches=tuple(b for b in work.state.breaches if b not in before),
        withdrawn=tuple(b for b in before if b not in work.state.breaches),
        new_steps=new_steps,
    )


def _begin(
    request: Request,
) -> Generator[Need, Answer, tuple[datetime, Due | None, Work]]:
    """Apply the trigger itself, before any rule."""
    trigger = request.trigger
    if isinstance(trigger, Deadline):
        state, due = _at_deadline(request, trigger)
        return trigger.at, due, _work(request, state, trigger.at)
    check_time(trigger)
    at = nominal(request.state, trigger, request.now)
    if trigger.kind is EventKind.CREATED:
        if request.state is not None:
            raise TicketExistsError(
                f"ticket {request.ticket_id} exists already in {request.tenant}: use another id",
                state=str(request.state.status),
            )
        return at, None, _work(request, opened(trigger, request.tenant, request.ticket_id, at), at)
    if request.state is None:
        raise UnknownTicketError(
            f"there is no ticket {request.ticket_id} in {request.tenant}: create it first"
        )
    follow_up = request.book.office.add(at, FOLLOW_UP_AFTER)
    state = advance(request.state, trigger, at, follow_up)
    if trigger.kind is EventKind.ASSIGN and trigger.assignee:
        yield from _claim_by_hand(state)
    work = _work(request, state, at)
    if (
        trigger.kind is EventKind.REPLY
        and not trigger.automatic
        and state.channel in request.outside.reply
    ):
        queue_effect(work, EffectKind.REPLY, {"message_ref": trigger.message_ref})
    return at, None, work


def _claim_by_hand(state: TicketState) -> Generator[Need, Answer, None]:
    """A person's assignment wins over capacity; only an unknown agent is refused."""
    if not (yield from claim(state.owner, state.units, forced=True)):
        raise InputError(
            f"there is no agent {state.owner} in {state.tenant}: see `flowhub roster list`"
        )


def _at_deadline(request: Request, trigger: Deadline) -> tuple[TicketState, Due]:
    state = request.state
    if state is None:
        raise UnknownTicketError(f"there is no ticket {request.ticket_id} in {request.tenant}")
    terms = request.book.terms[state.terms_key]
    clocks = compute(state.marks, request.book, trigger.at)
    for due in upcoming(state, clocks, terms, request.book.office):
        if due.key == trigger.key and due.at == trigger.at:
            state = replace(state, last_at=max(state.last_at, due.at))
            if due.kind is DueKind.LOCK_EXPIRED:
                return replace(state, locked_until=None), due
            if not due.metric:
                state = replace(state, settled=(*state.settled[-15:], due.stamp))
            return state, due
    raise InputError(f"nothing named {trigger.key} is due at {trigger.at.isoformat()}")


def _work(request: Request, state: TicketState, at: datetime) -> Work:
    key, terms = request.book.terms_for(state.tenant, state.channel, state.priority, state)
    if key != state.terms_key:
        mark = Mark(at=at, kind=MarkKind.TERMS, event_id="", terms=key)
        state = replace(
            state,
            terms_key=key,
            policy_version=request.book.version,
            marks=(*state.marks, mark),
        )
    calendar = request.book.calendars[terms.calendar]
    return Work(
        state=state,
        at=at,
        calendar=calendar,
        follow_up_default=request.book.office.add(at, FOLLOW_UP_AFTER),
        workflow_id=request.workflow_id,
        decision_seq=request.decision_seq,
        outside=request.outside,
        about_breach=False,
        macros=request.macros,
    )
