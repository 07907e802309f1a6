"""One decision about a callback: a trigger meets it, it is dispatched, and rules say what to do.

The same generator serves the transaction of `decide`, a simulation and the tests: it yields needs
(`support.needs`) and returns the `CallbackDecision`. It reads no clock: every instant comes in.
What rules do to a callback sets off no further rules.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from support.callback_actions import perform_on_callback
from support.callback_deadlines import CallbackDue, upcoming_callback
from support.callback_dispatch import check_now, claim_for_owner, dial, dispatch, keep_to_list
from support.callback_facts import CallbackSituation, describe_callback
from support.callback_hours import Hours
from support.callback_life import advance_callback, fallen_due, opened_callback
from support.callback_promise import (
    CallbackStanding,
    Promise,
    callback_standing,
    judged,
    promise_clocks,
    promise_derivations,
    promise_of,
    under_terms,
)
from support.callback_work import CallbackWork, TicketWord, TicketWordKind
from support.callbacks import (
    USUAL_LIMITS,
    CallbackDueKind,
    CallbackEvent,
    CallbackEventKind,
    CallbackLimits,
    CallbackState,
    CallbackStatus,
    EndedWhy,
)
from support.calling_hours import LEGAL_HOURS, CallingHours
from support.clock import Clocks, Exchange
from support.decision import OWNER_LOCK, Deadline
from support.errors import CallbackExistsError, InputError, LedgerError, UnknownCallbackError
from support.escalation import StepRecord
from support.lifecycle import check_time
from support.marks import Mark, MarkKind
from support.needs import (
    Answer,
    EvaluateRules,
    Fact,
    Memory,
    Need,
    Row,
    RuleAction,
    RuleTrace,
    RuleVerdict,
    evaluate,
)
from support.policy import Metric, PolicyBook, Terms
from support.proof import Derivation
from support.remembering import with_firings
from support.sla import Breach
from support.work import ActionRecord, Effect, Outside, leave

_NO_WAY_OUT = Outside()
_MOST_SETTLED = 16


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """All that a decision starts from. `now` is calendar time when the trigger was taken up.

    `book` has the policies that the callback started with. `do_not_call`: its number is on the
    list now. `legal` are the calling hours, `limits` how far it goes.
    """

    tenant: str
    callback_id: str
    workflow_id: str
    decision_seq: int
    trigger: CallbackEvent | Deadline
    now: datetime
    state: CallbackState | None
    book: PolicyBook
    macros: Mapping[str, tuple[RuleAction, ...]]
    outside: Outside = _NO_WAY_OUT
    legal: CallingHours = LEGAL_HOURS
    do_not_call: bool = False
    limits: CallbackLimits = USUAL_LIMITS
    automation_stopped: bool = False


@dataclass(frozen=True, slots=True)
class CallbackDecision:
    """What came of it: the new state, why, and what is to be written and sent.

    `words` are for its ticket; `derivations` explain the deadlines that it set or moved. `effects`
    with a dial are performed at most once under their key.
    """

    at: datetime
    lateness: timedelta
    state: CallbackState
    terms: Terms
    clocks: Clocks
    promise: Promise
    standing: CallbackStanding
    due: CallbackDue | None
    next_due: CallbackDue | None
    facts: Mapping[str, Fact]
    fired: tuple[str, ...]
    trace: tuple[RuleTrace, ...]
    pack_name: str
    pack_version: str
    actions: tuple[ActionRecord, ...]
    effects: tuple[Effect, ...]
    words: tuple[TicketWord, ...]
    new_breaches: tuple[Breach, ...]
    new_steps: tuple[StepRecord, ...]
    derivations: Mapping[Exchange, Derivation] = field(default_factory=dict)


def decide_callback(request: CallbackRequest) -> Generator[Need, Answer, CallbackDecision]:
    """Decide `request`. Raises InputError kinds for what is refused; then nothing has changed."""
    due, work = _begun(request)
    before = request.state or work.state
    event = request.trigger if isinstance(request.trigger, CallbackEvent) else None
    if event is not None and request.state is not None:
        check_now(work, event)
        at = _nominal(request.state, event, request.now)
        work.state = advance_callback(request.state, event, at, request.limits)
        if event.kind in _BY_A_PERSON:
            yield from claim_for_owner(work, request.state.owner)
        _handed(work, event)
        if event.kind is CallbackEventKind.ACCEPT and request.state.accepted_at is None:
            dial(work)
    _judge(work, request.book, due)
    keep_to_list(work)
    yield from dispatch(work, request.state.owner if request.state is not None else "")
    _judge(work, request.book, None)
    _mirror(work, request)
    _follow_up(work, request.state)
    situation = _situation(request, work, due)
    verdict = yield from _asked(work, situation)
    return _decided(request, work, due, before, verdict)


_BY_A_PERSON = frozenset(
    {CallbackEventKind.ASSIGN, CallbackEventKind.DIALLED, CallbackEventKind.OUTCOME}
)


def _begun(request: CallbackRequest) -> tuple[CallbackDue | None, CallbackWork]:
    """Return the due that has come, if one has, and the work on the callback before an event."""
    trigger, state = request.trigger, request.state
    if isinstance(trigger, Deadline):
        if state is None:
            raise _unknown(request)
        due = _due(request, state, trigger)
        if due is None:
            return None, _work(request, state, max(trigger.at, state.last_at))
        work = _work(request, fallen_due(state, due.kind, due.at, request.limits), due.at)
        work.lock_expired = due.kind is CallbackDueKind.LOCK_EXPIRED
        work.state = replace(
            work.state, settled=(*work.state.settled[1 - _MOST_SETTLED :], due.stamp)
        )
        if due.kind is CallbackDueKind.STEP:
            _fire(work, due)
        return due, work
    check_time(trigger)
    if trigger.kind is CallbackEventKind.REQUESTED:
        if state is not None:
            raise CallbackExistsError(
                f"callback {request.callback_id} exists already in {request.tenant}: use another "
                "id, or join it",
                state=str(state.status),
            )
        at = min(trigger.occurred_at, request.now)
        opened = opened_callback(trigger, request.tenant, request.callback_id, at, request.limits)
        return None, _work(request, under_terms(opened, request.book), at)
    if state is None:
        raise _unknown(request)
    at = max(_nominal(state, trigger, request.now), state.last_at)
    return None, _work(request, state, at)


def _unknown(request: CallbackRequest) -> UnknownCallbackError:
    return UnknownCallbackError(
        f"there is no callback {request.callback_id} in {request.tenant}: request it first"
    )


def _nominal(state: CallbackState, event: CallbackEvent, now: datetime) -> datetime:
    """Instant at which the event happened, kept between the request and `now`."""
    return max(min(event.occurred_at, now), state.requested_at)


def _due(request: CallbackRequest, state: CallbackState, trigger: Deadline) -> CallbackDue | None:
    """Return the due that a timer waited for.

    None where the callback is only to be looked at again: what it depends on beside its state (the
    do-not-call list, calling hours, limits) has changed since the timer was set.
    """
    clocks = promise_clocks(state, request.book, trigger.at)
    terms = request.book.choose(state.traits)
    left = upcoming_callback(state, clocks, terms, _hours(request, terms), request.limits)
    due = next((one for one in left if (one.key, one.at) == (trigger.key, trigger.at)), None)
    if due is None and not state.active:
        raise InputError(f"nothing named {trigger.key} is due at {trigger.at.isoformat()}")
    return due


def _hours(request: CallbackRequest, terms: Terms) -> Hours:
    _, office = terms.hours(Metric.CALLBACK)
    return Hours(office, request.legal, request.do_not_call)


def _work(request: CallbackRequest, state: CallbackState, at: datetime) -> CallbackWork:
    return CallbackWork(
        state=state,
        at=at,
        hours=_hours(request, request.book.choose(state.traits)),
        allowed=request.limits,
        workflow_id=request.workflow_id,
        decision_seq=request.decision_seq,
        outside=request.outside,
        macros=request.macros,
        automation_stopped=request.automation_stopped,
    )


def _fire(work: CallbackWork, due: CallbackDue) -> None:
    planned = due.planned or due.at
    step = StepRecord(Metric.CALLBACK, due.cycle, due.fraction, planned, work.at, due.step)
    work.on_call = due.on_call
    work.state = replace(work.state, steps=(*work.state.steps, step))


def _handed(work: CallbackWork, event: CallbackEvent) -> None:
    """Let who got it by a person's word accept it in time, and keep it where that was asked."""
    if event.kind is not CallbackEventKind.ASSIGN or not event.assignee:
        return
    until = work.now_until
    accept_by = None if until is None else work.accept_by(until)
    ownership = replace(work.state.ownership, accept_by=accept_by)
    locked = work.hours.office.add(work.at, OWNER_LOCK) if event.lock else None
    work.state = replace(work.state, ownership=ownership, locked_until=locked)


def _judge(work: CallbackWork, book: PolicyBook, due: CallbackDue | None) -> None:
    clocks = promise_clocks(work.state, book, work.at)
    fell_due = due.cycle if due is not None and due.kind is CallbackDueKind.PROMISE else None
    work.state = judged(work.state, clocks, work.at, fell_due=fell_due)


def _mirror(work: CallbackWork, request: CallbackRequest) -> None:
    """Leave for the ticket what its clocks have to know."""
    if not work.state.ticket_id:
        return
    known = set(request.state.marks) if request.state is not None else set()
    for mark in work.state.marks:
        if mark not in known and mark.kind is not MarkKind.TERMS:
            mirrored = _mirrored(work, mark, request)
            work.words.append(TicketWord(TicketWordKind.MARK, mark=mirrored))


def _mirrored(work: CallbackWork, mark: Mark, request: CallbackRequest) -> Mark:
    """Return a mark as the ticket reads it: not before its time, and due when the callback is.

    A promise that begins later, or was moved, is due at an instant that the ticket cannot reckon.
    """
    here = replace(mark, at=min(mark.at, work.at))
    moved = mark.at > work.at or request.state is not None
    if mark.kind is not MarkKind.CALLBACK_REQUESTED or not moved:
        return here
    clocks = promise_clocks(work.state, request.book, mark.at)
    return replace(here, window_end=clocks[-1].due if clocks else None)


def _follow_up(work: CallbackWork, before: CallbackState | None) -> None:
    """Leave for a new ticket what ended here without a talk, and not by the customer's word."""
    ends = not work.state.active and (before is None or before.active)
    expired = work.state.status is CallbackStatus.EXPIRED
    if ends and (expired or work.state.ended is EndedWhy.ATTEMPTS):
        work.words.append(TicketWord(TicketWordKind.FOLLOW_UP))


def _situation(
    request: CallbackRequest, work: CallbackWork, due: CallbackDue | None
) -> CallbackSituation:
    terms = request.book.choose(work.state.traits)
    clocks = promise_clocks(work.state, request.book, work.at)
    return CallbackSituation(
        state=work.state,
        promise=promise_of(work.state, clocks),
        opens=work.opens,
        event=request.trigger if isinstance(request.trigger, CallbackEvent) else None,
        due=due,
        at=work.at,
        lateness=max(timedelta(0), request.now - work.at),
        calendar=terms.calendar,
    )


def _asked(
    work: CallbackWork, situation: CallbackSituation
) -> Generator[Need, Answer, RuleVerdict]:
    """Ask the rules and do what they ask for, unless automation is stopped."""
    work.facts = describe_callback(situation)
    zone = ZoneInfo(situation.calendar.rules.tz)
    scopes = {
        "ticket": work.state.callback_id,
        "day": situation.at.astimezone(zone).date().isoformat(),
    }
    if situation.due is not None and situation.due.promised:
        scopes["breach"] = f"{Metric.CALLBACK}/{situation.due.cycle}"
    memory = Memory(situation.at, work.state.firings, scopes)
    found = yield from evaluate(EvaluateRules(work.facts, memory), _unrelated)
    verdict = found.verdict
    work.limits = verdict.limits
    if work.automation_stopped:
        for action in verdict.actions:
            leave(work, action, "automation is stopped")
        return verdict
    firings = with_firings(work.state.firings, verdict.firings)
    work.state = replace(work.state, firings=firings)
    for action in verdict.actions:
        yield from perform_on_callback(work, action)
    return verdict


def _unrelated(wanted: Sequence[str]) -> Generator[Need, Answer, Mapping[str, tuple[Row, ...]]]:
    """Refuse relations: packs are checked so that rules about callbacks ask for none."""
    raise LedgerError(f"a rule about callbacks asks for {', '.join(wanted)}, which they have not")
    yield


def _decided(
    request: CallbackRequest,
    work: CallbackWork,
    due: CallbackDue | None,
    before: CallbackState,
    verdict: RuleVerdict,
) -> CallbackDecision:
    state = work.state
    terms = request.book.choose(state.traits)
    clocks = promise_clocks(state, request.book, work.at)
    promise = promise_of(state, clocks)
    ahead = upcoming_callback(state, clocks, terms, work.hours, request.limits)
    return CallbackDecision(
        at=work.at,
        lateness=max(timedelta(0), request.now - work.at),
        state=state,
        terms=terms,
        clocks=clocks,
        promise=promise,
        standing=callback_standing(state, promise),
        due=due,
        next_due=ahead[0] if ahead else None,
        facts=work.facts,
        fired=verdict.fired,
        trace=verdict.trace,
        pack_name=verdict.pack_name,
        pack_version=verdict.pack_version,
        actions=tuple(work.records),
        effects=tuple(work.effects),
        words=tuple(work.words),
        new_breaches=state.breaches[len(before.breaches) :],
        new_steps=state.steps[len(before.steps) :],
        derivations=promise_derivations(request.state, clocks, state, request.book),
    )
