"""One decision: a trigger meets a ticket, rules say what to do, and it is done in order.

The same generator serves the transaction of `decide`, a simulation and the tests: it yields needs
(`support.needs`) and returns the `Decision`. It reads no clock: `now` and every instant come in.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from support.actions import use_policies
from support.chains import Course, Round, follow
from support.clock import Clock, Clocks, ClockState, Exchange
from support.corrections import Correction, correct, with_terms
from support.deadlines import FOLLOW_UP_AFTER, OF_OWNER, Due, DueKind, named, upcoming
from support.errors import InputError, TicketExistsError, UnknownTicketError
from support.escalation import StepRecord
from support.halting import let_go_on, tell
from support.handovers import left_behind, missed
from support.lifecycle import advance, check_time, counts_at, nominal, opened
from support.marks import Mark
from support.model import EventKind, TicketEvent
from support.needs import (
    Answer,
    EvaluateRules,
    Fact,
    Need,
    Param,
    Row,
    RuleAction,
    RuleTrace,
)
from support.owners import claim_asked
from support.policy import Metric, PolicyBook, Terms
from support.proof import Derivation, Derivations, derivations
from support.remembering import memory_of
from support.situation import Situation, describe
from support.sla import Breach, breach_of, compute, recorded
from support.standing import Standing, standing
from support.ticket import TicketState
from support.work import (
    ActionRecord,
    AutoMessage,
    Effect,
    EffectKind,
    Outcome,
    Outside,
    Work,
    queue_effect,
)

OWNER_LOCK = timedelta(minutes=60)
"""Business time for which a person's assignment may lock the owner."""

_NO_WAY_OUT = Outside()


@dataclass(frozen=True, slots=True)
class Deadline:
    """The trigger of a timer: the due named `key` fell due at `at`."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Request:
    """All that a decision starts from. `now` is calendar time when the trigger was taken up.

    `book` has the policies that the ticket started with, `current` those that it can be moved to.
    `owner_left`: its owner has left for good.
    """

    tenant: str
    ticket_id: str
    workflow_id: str
    decision_seq: int
    trigger: TicketEvent | Deadline
    now: datetime
    state: TicketState | None
    book: PolicyBook
    macros: Mapping[str, tuple[RuleAction, ...]]
    outside: Outside = _NO_WAY_OUT
    owner_available: bool = False
    owner_on_shift: bool = False
    owner_left: bool = False
    automation_stopped: bool = False
    current: PolicyBook | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of it: the new state, why, and what is to be written and sent.

    `derivations` explain, by metric and exchange, the deadlines that it set or moved. `related` are
    the rows that its rules were asked with beside the facts of the ticket; these and `trace` are
    about the trigger, `rounds` about what rules did then, and `fired` are all of them.
    """

    at: datetime
    lateness: timedelta
    state: TicketState
    terms: Terms
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
    new_steps: tuple[StepRecord, ...]
    corrections: tuple[Correction, ...] = ()
    derivations: Mapping[Exchange, Derivation] = field(default_factory=dict)
    related: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    rounds: tuple[Round, ...] = ()


def decide(request: Request) -> Generator[Need, Answer, Decision]:
    """Decide `request`. Raises InputError kinds for what is refused; then nothing has changed."""
    due, work = yield from _begin(request)
    known = request.state if request.state is not None else work.state
    _reckon(work, due)
    if due is not None and due.kind is DueKind.STEP:
        _fire_step(work, due)
    halted = work.state.halted
    look = _Look(request, work, due, work.state.owner)
    course = yield from follow(work, look)
    if halted is None and work.state.halted is not None:
        yield from tell(work)
    return _decided(look, known, course)


def _decided(look: "_Look", known: TicketState, course: Course) -> Decision:
    """Say what came of it; `known` is the state that the ledger knows breaches and steps of."""
    request, work, due = look.request, look.work, look.due
    terms, clocks = _reckon(work, due)
    verdict = course.verdict
    ahead = upcoming(work.state, clocks, terms, work.book.office)
    return Decision(
        at=work.at,
        lateness=_lateness(request, work),
        state=work.state,
        terms=terms,
        clocks=clocks,
        standing=_standing(work, clocks, terms, look.last),
        due=due,
        next_due=ahead[0] if ahead else None,
        facts=course.facts,
        related=course.related,
        fired=course.fired,
        trace=verdict.trace,
        pack_name=verdict.pack_name,
        pack_version=verdict.pack_version,
        actions=tuple(work.records),
        effects=tuple(work.effects),
        messages=tuple(work.messages),
        new_breaches=work.state.breaches[len(known.breaches) :],
        new_steps=work.state.steps[len(known.steps) :],
        corrections=work.corrections,
        derivations=_derivations(request, clocks, work.state.marks, work.at),
        rounds=course.rounds,
    )


def _standing(work: Work, clocks: Clocks, terms: Terms, asked: Situation | None) -> Standing:
    """Return how the ticket stands in the end: as the rules saw it, where nothing has changed."""
    if (
        asked is not None
        and work.state is asked.state
        and clocks is asked.clocks
        and terms is asked.terms
    ):
        return asked.standing
    return standing(work.state, clocks, terms, work.at)


def _derivations(
    request: Request, clocks: Clocks, marks: tuple[Mark, ...], at: datetime
) -> Derivations:
    """Derive what moved against the clocks as they would stand at `at` without the trigger."""

    def make() -> Mapping[Exchange, Derivation]:
        state = request.state
        before = compute(state.marks, request.book, at) if state is not None else ()
        return derivations(before, clocks, marks, at)

    return Derivations(make)


@dataclass(slots=True)
class _Look:
    """What the rules are asked: about the trigger, then about what rules did.

    `owner` had the ticket when it began: automation gives tickets only to agents who are at work.
    `last` is how the ticket stood when the rules were last asked.
    """

    request: Request
    work: Work
    due: Due | None
    owner: str
    last: Situation | None = None

    def __call__(self, event: TicketEvent | None, chain: frozenset[str]) -> EvaluateRules:
        """Return the question about what a rule did, or about the trigger."""
        request, work = self.request, self.work
        terms, clocks = _reckon(work, self.due)
        state, trigger = work.state, request.trigger
        given = bool(state.owner) and state.owner != self.owner
        self.last = Situation(
            state=state,
            clocks=clocks,
            terms=terms,
            standing=standing(state, clocks, terms, work.at),
            event=event or (trigger if isinstance(trigger, TicketEvent) else None),
            due=self.due if event is None else None,
            at=work.at,
            lateness=_lateness(request, work),
            calendar=terms.calendar,
            owner_available=given or (bool(state.owner) and request.owner_available),
            owner_on_shift=given or (bool(state.owner) and request.owner_on_shift),
        )
        memory = memory_of(state, work.at, self.due, terms.calendar)
        return EvaluateRules(describe(self.last), memory, chain)


def _lateness(request: Request, work: Work) -> timedelta:
    return max(timedelta(0), request.now - work.at)


def _begin(request: Request) -> Generator[Need, Answer, tuple[Due | None, Work]]:
    """Apply the trigger itself, before any rule."""
    trigger = request.trigger
    if isinstance(trigger, Deadline):
        state, due, clocks = _at_deadline(request, trigger)
        work = _work(request, state, trigger.at)
        work.reckoned = (state.marks, request.book, clocks)
        work.lock_expired = due.kind is DueKind.LOCK_EXPIRED
        return due, work
    check_time(trigger)
    at = nominal(request.state, trigger, request.now)
    if trigger.kind is EventKind.CREATED:
        if request.state is not None:
            raise TicketExistsError(
                f"ticket {request.ticket_id} exists already in {request.tenant}: use another id",
                state=str(request.state.status),
            )
        return None, _work(request, opened(trigger, request.tenant, request.ticket_id, at), at)
    if request.state is None:
        raise UnknownTicketError(
            f"there is no ticket {request.ticket_id} in {request.tenant}: create it first"
        )
    at = counts_at(request.state, trigger, at)
    follow_up = request.book.office.add(at, FOLLOW_UP_AFTER)
    state = advance(request.state, trigger, at, follow_up)
    state, corrections = correct(request.state, state, request.book, trigger, at)
    if trigger.kind in (EventKind.ASSIGN, EventKind.REASSIGN) and trigger.assignee:
        state = yield from claim_asked(trigger, state, request.state.owner)
    if trigger.kind is EventKind.OWNER_LEFT and not request.owner_available:
        state = replace(state, locked_until=None)
    state = left_behind(request.state, state, owner_left=request.owner_left)
    work = _work(request, state, state.last_at)
    work.corrections = corrections
    if trigger.kind is EventKind.USE_POLICIES:
        _move_by_hand(work)
    if trigger.kind is EventKind.REPLY and state.channel in request.outside.reply:
        _send(work, trigger)
    if trigger.kind is EventKind.ASSIGN and trigger.assignee and trigger.lock:
        until = work.calendar.add(work.at, OWNER_LOCK)
        work.state = replace(work.state, locked_until=until)
    let_go_on(work, trigger, at)
    return None, work


def _send(work: Work, reply: TicketEvent) -> None:
    """Queue a person's public reply, as the first action of the decision."""
    params: dict[str, Param] = {"message_ref": reply.message_ref, "event_id": reply.event_id}
    key = queue_effect(work, EffectKind.REPLY, params)
    work.records.append(
        ActionRecord(0, "", str(EffectKind.REPLY), params, Outcome.QUEUED, effect_key=key)
    )


def _move_by_hand(work: Work) -> None:
    """Move to the current policies, as the first action of the decision."""
    done = use_policies(work)
    kind = str(EventKind.USE_POLICIES)
    work.records.append(ActionRecord(0, "", kind, {}, done.outcome, done.detail))


def _at_deadline(request: Request, trigger: Deadline) -> tuple[TicketState, Due, Clocks]:
    """Return the ticket when the deadline has come, the due itself, and the clocks at it."""
    state = request.state
    if state is None:
        raise UnknownTicketError(f"there is no ticket {request.ticket_id} in {request.tenant}")
    terms = request.book.terms[state.terms_key]
    clocks = compute(state.marks, request.book, trigger.at)
    left = upcoming(state, clocks, terms, request.book.office)
    due = named(left, trigger.key, trigger.at)
    if due is None:
        raise InputError(f"nothing named {trigger.key} is due at {trigger.at.isoformat()}")
    state = replace(state, last_at=max(state.last_at, due.at))
    if due.kind is DueKind.LOCK_EXPIRED:
        return replace(state, locked_until=None), due, clocks
    if due.kind is DueKind.ACCEPTANCE:
        state = missed(state, due.at)
    if due.kind in (DueKind.OVERFLOW, DueKind.DECLINE_OVER):
        state = replace(state, ownership=state.ownership.without_past(due.at))
    if not (due.metric or due.kind in OF_OWNER):
        state = replace(state, settled=(*state.settled[-15:], due.stamp))
    return state, due, clocks


def _work(request: Request, state: TicketState, at: datetime) -> Work:
    return Work(
        state=state,
        at=at,
        now=request.now,
        owner_left=request.owner_left,
        book=request.book,
        current=request.current,
        follow_up_default=request.book.office.add(at, FOLLOW_UP_AFTER),
        workflow_id=request.workflow_id,
        decision_seq=request.decision_seq,
        outside=request.outside,
        macros=request.macros,
        automation_stopped=request.automation_stopped,
    )


def _reckon(work: Work, due: Due | None) -> tuple[Terms, Clocks]:
    """Put the terms in force that the ticket has now, and record what is past due under them."""
    book = work.book
    state, terms = work.state, book.choose(work.state.traits)
    if terms.key != state.terms_key:
        state = with_terms(state, terms.key, work.at)
        state = replace(state, terms_key=terms.key, policy_version=book.version)
    clocks = _clocks(work, state)
    missed = tuple(
        breach_of(clock, work.at)
        for clock in clocks
        if not recorded(clock, state.breaches) and _missed(clock, due, work.at)
    )
    work.state = replace(state, breaches=(*state.breaches, *missed)) if missed else state
    work.about_breach |= bool(missed) or (due is not None and bool(due.metric))
    return terms, clocks


def _clocks(work: Work, state: TicketState) -> Clocks:
    """Compute the clocks, unless neither marks nor policies changed since they were."""
    known = work.reckoned
    if known is None or known[0] is not state.marks or known[1] is not work.book:
        known = (state.marks, work.book, compute(state.marks, work.book, work.at))
        work.reckoned = known
    return known[2]


def _missed(clock: Clock, due: Due | None, at: datetime) -> bool:
    """Past its due, or unmet at the deadline of its breach: events of the instant came before."""
    fell_due = (
        due is not None
        and due.kind is DueKind.BREACH
        and (due.metric, due.cycle) == (clock.metric, clock.cycle)
        and clock.state is not ClockState.MET
    )
    return clock.late(at) or (fell_due and clock.due is not None)


def _fire_step(work: Work, due: Due) -> None:
    step = StepRecord(Metric(due.metric), due.cycle, due.fraction, due.at, work.at, due.step)
    work.on_call = due.on_call
    work.state = replace(work.state, steps=(*work.state.steps, step))
