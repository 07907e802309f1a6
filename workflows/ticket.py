"""The life of one ticket: wait for an event or the next deadline, ask `decide`, act outside.

It decides nothing and remembers only what it waits for; the ledger has the rest.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
)

with workflow.unsafe.imports_passed_through():
    from activities.messages import (
        DecideInput,
        EffectFailure,
        EffectRef,
        EventResult,
        Parking,
        Verdict,
    )
    from support.errors import FlowHubError
    from support.lifecycle import may_be_late
    from support.model import (
        Actor,
        ActorKind,
        EventKind,
        TicketEvent,
        TicketStatus,
        checked_id,
        failure_id,
        said,
    )
    from support.transitions import check
    from workflows.display import Display
    from workflows.messages import TicketStart
    from workflows.timer import DeadlineTimer

_LOCAL = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    maximum_interval=timedelta(seconds=2),
    maximum_attempts=6,
)
_LOCAL_LIMIT = timedelta(seconds=10)
_BACKOFF_FIRST = timedelta(seconds=1)
_BACKOFF_MAX = timedelta(seconds=60)
_TRIES_BEFORE_PARKING = 3
_OUTSIDE_LIMIT = timedelta(minutes=10)
_OUTSIDE = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))


class _UndecidableError(Exception):
    """The trigger fails in a way that trying again does not mend."""


@workflow.defn(name="TicketWorkflow")
class TicketWorkflow:
    """One ticket, from created or reopened to closed."""

    @workflow.init
    def __init__(self, start: TicketStart) -> None:
        self._start = start
        self._seq = start.decision_seq
        self._glance = start.glance
        self._deadline = start.deadline
        self._stalled = start.stalled
        self._changed_at = start.changed_at
        self._taken = 0
        self._inbox: list[TicketEvent] = []
        self._aside = list(start.aside)
        self._under_way: TicketEvent | None = None
        self._answers: dict[TicketEvent, asyncio.Future[EventResult]] = {}
        self._outside: dict[str, asyncio.Task[None]] = {}
        self._timer = DeadlineTimer(self._aim)
        self._display = Display(start)

    @workflow.run
    async def run(self, start: TicketStart) -> str:
        """Work until the ticket is closed; returns its last status."""
        self._display.begin(start)
        self._aim()
        self._start_effects(start.effects)
        while True:
            await workflow.wait_condition(
                lambda: (
                    self._waiting_work
                    or self._over
                    or workflow.info().is_continue_as_new_suggested()
                )
            )
            if self._inbox:
                await self._take_event()
            elif self._due:
                await self._take_deadline()
            else:
                await workflow.wait_condition(
                    lambda: (
                        self._waiting_work
                        or (not self._outside and workflow.all_handlers_finished())
                    )
                )
                if not self._waiting_work:
                    break
        self._timer.stop()
        if not self._over:
            self._continue()
        return str(self._glance.status) if self._glance else "unknown"

    @workflow.update
    async def submit(self, event: TicketEvent) -> EventResult:
        """Take a command and answer with its result; a refusal is a typed ApplicationError."""
        result = await self._enqueue(event)
        if result.refusal is not None:
            raise ApplicationError(result.refusal.message, result, type=result.refusal.code)
        return result

    @submit.validator
    def _check_submit(self, event: TicketEvent) -> None:
        """Refuse fast what cannot be; `decide` looks again, at the state of its turn."""
        try:
            checked_id(event.event_id, "event id")
            certain = not self._inbox and not self._answers and not self._may_be_late(event)
            if self._glance and certain and event.kind is not EventKind.CREATED:
                check(self._glance.status, event.kind)
        except FlowHubError as error:
            raise ApplicationError(str(error), dict(error.details), type=error.code) from error

    def _may_be_late(self, event: TicketEvent) -> bool:
        """Whether only `decide`, which knows the ticket's past, can judge the event."""
        if self._glance is None or self._changed_at is None:
            return True
        return may_be_late(self._glance.status, self._changed_at, event, event.occurred_at)

    @workflow.signal
    async def deliver(self, event: TicketEvent) -> None:
        """Take an event of a stream; what became of it is in the ledger.

        An offer is left where another one waits its turn, which will look for an owner as well.
        """
        if self._offer_waits(event) and workflow.patched("one-offer-at-a-time"):
            return
        self._enqueue(event)

    def _offer_waits(self, event: TicketEvent) -> bool:
        # One that is under way may not see what this one came from.
        waiting = (one for one in self._inbox if one is not self._under_way)
        return event.kind is EventKind.OFFER and any(one.kind is EventKind.OFFER for one in waiting)

    @workflow.update
    async def retry(self, effects: list[EffectRef]) -> list[str]:
        """Try again what was parked, and `effects`, once the cause is mended; says what."""
        self._start_effects(effects)
        again = [effect.key for effect in effects]
        again += [event.event_id for event in self._aside]
        if self._stalled is not None:
            again.append(self._stalled.key)
        self._inbox.extend(self._aside)
        self._aside.clear()
        self._stalled = None
        self._aim()
        return again

    def _enqueue(self, event: TicketEvent) -> "asyncio.Future[EventResult]":
        # Other content under the same id is another event, which `decide` refuses.
        answer = self._answers.get(said(event))
        if answer is None:
            answer = self._answers[said(event)] = asyncio.Future()
            self._inbox.append(event)
        return answer

    @property
    def _now(self) -> datetime:
        """Calendar time."""
        return workflow.now() - timedelta(seconds=self._start.clock_offset_s)

    @property
    def _due(self) -> bool:
        deadline = self._deadline
        return deadline is not None and deadline != self._stalled and deadline.at <= self._now

    @property
    def _waiting_work(self) -> bool:
        return bool(self._inbox) or self._due

    @property
    def _over(self) -> bool:
        """Whether the ticket is closed or, after a stray event, not there at all.

        A run that was started to send something knows no ticket and has nothing else to do.

        What is parked keeps the run open: it is somebody's event.
        """
        if self._aside or self._stalled:
            return False
        if self._glance is None:
            return bool(self._taken or self._start.effects)
        return self._glance.status is TicketStatus.CLOSED

    def _aim(self) -> None:
        if self._deadline is not None and self._deadline != self._stalled and not self._due:
            offset = timedelta(seconds=self._start.clock_offset_s)
            self._timer.aim(self._deadline.at + offset, self._deadline.label)

    async def _take_event(self) -> None:
        """Decide the oldest event, after the deadlines that were before it."""
        event = self._inbox[0]
        if self._due and self._deadline and self._deadline.at < event.occurred_at:
            await self._take_deadline()
            return
        self._taken += 1
        self._under_way = event
        try:
            verdict = await self._decide(event)
        except _UndecidableError as error:
            self._inbox.remove(event)
            self._aside.append(event)
            await self._park(event.event_id, str(error))
            self._answer(event, ApplicationError(str(error), type="Parked"))
            return
        self._inbox.remove(event)
        self._adopt(verdict)
        if verdict.result is not None:
            self._answer(event, verdict.result)

    def _answer(self, event: TicketEvent, answer: EventResult | ApplicationError) -> None:
        future = self._answers.pop(said(event), None)
        if future is None:
            return
        if isinstance(answer, EventResult):
            future.set_result(answer)
            return
        future.set_exception(answer)
        future.exception()

    async def _take_deadline(self) -> None:
        try:
            self._adopt(await self._decide(None))
        except _UndecidableError as error:
            self._stalled = self._deadline
            await self._park(self._deadline.trigger_id if self._deadline else "", str(error))

    async def _decide(self, event: TicketEvent | None) -> Verdict:
        """Ask the ledger's transaction until it answers; only _UndecidableError gives up."""
        failures, backoff = 0, _BACKOFF_FIRST
        while True:
            asked = DecideInput(
                tenant=self._start.tenant,
                ticket_id=self._start.ticket_id,
                workflow_id=workflow.info().workflow_id,
                run_id=workflow.info().run_id,
                decision_seq=self._seq + 1,
                now=self._now,
                event=event,
                deadline=None if event else self._deadline,
            )
            try:
                verdict: Verdict = await workflow.execute_local_activity(
                    "decide",
                    asked,
                    result_type=Verdict,
                    schedule_to_close_timeout=_LOCAL_LIMIT,
                    retry_policy=_LOCAL,
                    summary=f"decide {event.kind if event else 'deadline'}",
                )
            except FailureError as error:
                failures += _deterministic(error)
                if failures >= _TRIES_BEFORE_PARKING:
                    raise _UndecidableError(_reason(error)) from error
                workflow.logger.warning("decide failed: %s", _reason(error))
                await workflow.sleep(backoff, summary="the decision is tried again")
                backoff = min(backoff * 2, _BACKOFF_MAX)
                continue
            if not verdict.ahead:
                return verdict
            self._seq = verdict.decision_seq
            self._start_effects(verdict.effects)

    def _adopt(self, verdict: Verdict) -> None:
        """Wait for what the verdict says, show it, and start what is to be done outside."""
        self._seq = verdict.decision_seq
        self._start_effects(verdict.effects)
        if verdict.glance is None:
            return
        self._glance, self._deadline = verdict.glance, verdict.deadline
        if verdict.at is not None:
            self._changed_at = max(verdict.at, self._changed_at or verdict.at)
        self._display.show(verdict.glance, verdict.deadline, verdict)
        self._aim()

    def _start_effects(self, effects: Sequence[EffectRef]) -> None:
        """Start what is not under way; a second start of what is sent already does nothing."""
        for effect in effects:
            if effect.key not in self._outside:
                self._outside[effect.key] = asyncio.create_task(self._perform(effect))

    async def _perform(self, effect: EffectRef) -> None:
        try:
            await self._send(effect)
        finally:
            del self._outside[effect.key]

    async def _send(self, effect: EffectRef) -> None:
        """Do one thing outside, beside the loop; what fails is parked and stops nobody."""
        try:
            await workflow.execute_activity(
                "perform_effect",
                effect.key,
                start_to_close_timeout=timedelta(seconds=90),
                schedule_to_close_timeout=_OUTSIDE_LIMIT,
                retry_policy=_OUTSIDE,
                summary=effect.summary,
            )
        except FailureError as error:
            permanent = _deterministic(error)
            failure = EffectFailure(key=effect.key, error=_reason(error), permanent=permanent)
            await self._write_down("park_effect", failure)
            if permanent and effect.event_id:
                self._enqueue(self._reply_failed(effect))

    def _reply_failed(self, effect: EffectRef) -> TicketEvent:
        return TicketEvent(
            event_id=failure_id(effect.event_id),
            kind=EventKind.REPLY_FAILED,
            occurred_at=self._now,
            received_at=self._now,
            actor=Actor(ActorKind.SYSTEM, "delivery"),
            source="delivery",
            voids=effect.event_id,
        )

    async def _park(self, trigger_id: str, error: str) -> None:
        """Put aside, named, where an operator looks; further events go on, `retry` tries again."""
        parking = Parking(self._start.tenant, self._start.ticket_id, trigger_id, error)
        await self._write_down("park_ticket", parking)
        self._display.park(error)

    async def _write_down(self, name: str, what: Parking | EffectFailure) -> None:
        try:
            await workflow.execute_local_activity(
                name, what, schedule_to_close_timeout=_LOCAL_LIMIT, retry_policy=_LOCAL
            )
        except FailureError as error:
            workflow.logger.warning("%s failed: %s", name, _reason(error))

    def _continue(self) -> NoReturn:
        start = self._start
        workflow.continue_as_new(
            TicketStart(
                tenant=start.tenant,
                ticket_id=start.ticket_id,
                clock_offset_s=start.clock_offset_s,
                decision_seq=self._seq,
                previous_run=start.previous_run,
                glance=self._glance,
                deadline=self._deadline,
                stalled=self._stalled,
                aside=tuple(self._aside),
                changed_at=self._changed_at,
            )
        )


def _cause(error: FailureError) -> BaseException | None:
    """Return what an activity raised; a local one is not always wrapped in an ActivityError."""
    return error.cause if isinstance(error, ActivityError) else error


def _deterministic(error: FailureError) -> bool:
    cause = _cause(error)
    return isinstance(cause, ApplicationError) and cause.non_retryable


def _reason(error: FailureError) -> str:
    cause = _cause(error)
    if isinstance(cause, ApplicationError):
        return f"{cause.type}: {cause.message}" if cause.non_retryable else str(cause.type)
    return type(cause).__name__ if cause else "unknown"
