"""The way in: text and people to the store first, then the event to the ticket's workflow."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.messages import EventResult
from activities.records import result_from, reused
from hub import follow_ups
from hub.answers import ANSWER_LIMIT_S, accepted, nobody_answers, not_taken, taken, typed
from hub.drafts import Command, Drafts, NewTicket, Origin
from hub.retrying import retry
from store import ledger
from store.pool import Pool
from support.errors import (
    EventIdReusedError,
    InputError,
    TicketExistsError,
    UnknownTicketError,
)
from support.model import (
    Actor,
    EventKind,
    TicketEvent,
    TicketStatus,
    checked_id,
    fingerprint,
    workflow_id,
)
from support.transitions import refuse
from workflows.display import at_start
from workflows.messages import TicketStart
from workflows.ticket import TicketWorkflow

_CROWDED_TRIES = 5


class _NotRunningError(Exception):
    """No run of the ticket's workflow takes the update."""


class Gateway:
    """Brings events to the workflows of tickets; what it answers is durable.

    `clock_offset_s` is wall time less the calendar time of the events, for replays of the past.
    """

    def __init__(
        self, pool: Pool, client: Client, task_queue: str, *, clock_offset_s: float = 0.0
    ) -> None:
        self._pool = pool
        self._client = client
        self._task_queue = task_queue
        self._offset_s = clock_offset_s
        self._drafts = Drafts(pool, clock_offset_s)

    async def create(
        self, tenant: str, new: NewTicket, *, actor: Actor, source: str, event_id: str = ""
    ) -> EventResult:
        """Create a ticket and return the result of its first decision.

        A repeat of `event_id` returns the first result. InputError kinds say what is refused.
        """
        return await self.create_as(tenant, new, Origin(actor, source, event_id))

    async def create_as(self, tenant: str, new: NewTicket, origin: Origin) -> EventResult:
        """Create a ticket that came in as `origin` says."""
        if new.ticket_id and not origin.event_id:
            await self._refuse_taken(tenant, new.ticket_id)
        if new.follow_up_of:
            await self._refuse_stray(tenant, new.follow_up_of)
        ticket_id, event = await self._drafts.opening(tenant, new, origin)
        return await self.submit(tenant, ticket_id, event)

    async def command(
        self,
        tenant: str,
        ticket_id: str,
        command: Command,
        *,
        actor: Actor,
        source: str,
        event_id: str = "",
    ) -> EventResult:
        """Do one thing to a ticket and return its result.

        A message to a closed ticket opens a linked follow-up ticket, whose result is returned.
        """
        return await self.command_as(tenant, ticket_id, command, Origin(actor, source, event_id))

    async def command_as(
        self, tenant: str, ticket_id: str, command: Command, origin: Origin
    ) -> EventResult:
        """Do one thing that came in as `origin` says."""
        event = await self._drafts.command(tenant, ticket_id, command, origin)
        return await self.submit(tenant, ticket_id, event)

    async def submit(self, tenant: str, ticket_id: str, event: TicketEvent) -> EventResult:
        """Bring an event to its ticket and return its result; InputError kinds are refusals."""
        start = TicketStart(tenant, ticket_id, clock_offset_s=self._offset_s)
        if event.kind is EventKind.CREATED:
            try:
                return await self._with_start(start, event, WorkflowIDReusePolicy.REJECT_DUPLICATE)
            except (WorkflowAlreadyStartedError, _NotRunningError):
                return await self._from_ledger(start, event)
        handle = self._client.get_workflow_handle(workflow_id(tenant, ticket_id))

        async def ask() -> EventResult:
            result: EventResult = await handle.execute_update(
                TicketWorkflow.submit, event, id=_update_id(event)
            )
            return result

        try:
            return await self._answered(start, event, ask)
        except _NotRunningError:
            return await self._from_ledger(start, event)

    async def stream(
        self, tenant: str, ticket_id: str, what: NewTicket | Command, origin: Origin
    ) -> TicketEvent:
        """Hand over an event without waiting for its result, which the ledger will have.

        Returns what was sent. An event id is required: a stream repeats itself.
        RuntimeUnavailableError: Temporal did not take it.
        """
        if not origin.event_id:
            raise InputError("an event of a stream needs its id: repeats are told by it")
        if isinstance(what, NewTicket):
            _, event = await self._drafts.opening(
                tenant, replace(what, ticket_id=ticket_id), origin
            )
        else:
            event = await self._drafts.command(tenant, ticket_id, what, origin)
        start = TicketStart(tenant, ticket_id, clock_offset_s=self._offset_s)
        if event.kind is EventKind.CUSTOMER_MESSAGE and await self._after_close(start, event):
            return event
        try:
            await self._signal(start, event, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        except WorkflowAlreadyStartedError:
            if await self._first_result(start, event) is not None:
                return event
            if event.kind is EventKind.CUSTOMER_MESSAGE:
                await self._follow_up(start, event)
                return event
            await self._signal(
                await self._continued(start), event, WorkflowIDReusePolicy.ALLOW_DUPLICATE
            )
        return event

    async def _after_close(self, start: TicketStart, event: TicketEvent) -> bool:
        """Deliver a message to a ticket that the ledger has as closed; say whether it has.

        Temporal forgets a closed run in time, so a start would not be refused. A run that works
        gets the message: it may be about to reopen the ticket.
        """
        async with self._pool.connection() as conn:
            found = await ledger.snapshot(conn, tenant=start.tenant, ticket_id=start.ticket_id)
        if found is None or found.status != TicketStatus.CLOSED:
            return False
        handle = self._client.get_workflow_handle(workflow_id(start.tenant, start.ticket_id))
        try:
            await handle.signal(TicketWorkflow.deliver, event)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise not_taken(event.event_id, error.status.name) from error
            if await self._first_result(start, event) is None:
                await self._follow_up(start, event)
        return True

    async def retry(self, tenant: str, ticket_id: str, *, only: str = "") -> tuple[str, ...]:
        """Try again what is parked on a ticket, also a closed one; return what that is.

        `only` leaves out deliveries whose last error is another one.
        """
        start = TicketStart(tenant, ticket_id, clock_offset_s=self._offset_s)
        return await retry(self._pool, self._client, self._task_queue, start, only=only)

    async def _refuse_taken(self, tenant: str, ticket_id: str) -> None:
        """Refuse an id that is taken before anything of the new ticket is stored."""
        async with self._pool.connection() as conn:
            found = await ledger.snapshot(conn, tenant=tenant, ticket_id=ticket_id)
        if found is not None:
            raise taken(tenant, ticket_id, found.status)

    async def _refuse_stray(self, tenant: str, followed: str) -> None:
        """Refuse a new ticket that would follow up one that is not there."""
        async with self._pool.connection() as conn:
            found = await ledger.snapshot(
                conn, tenant=tenant, ticket_id=checked_id(followed, "ticket id")
            )
        if found is None:
            raise InputError(
                f"there is no ticket {followed} in {tenant} to follow up: name one that is there",
                field="follow_up_of",
            )

    async def _from_ledger(self, start: TicketStart, event: TicketEvent) -> EventResult:
        """Answer where no run takes the event: from the ledger, or by a run that starts from it."""
        if first := await self._first_result(start, event):
            return accepted(first)
        async with self._pool.connection() as conn:
            found = await ledger.snapshot(conn, tenant=start.tenant, ticket_id=start.ticket_id)
        if found is None and event.kind is not EventKind.CREATED:
            raise UnknownTicketError(
                f"there is no ticket {start.ticket_id} in {start.tenant}: create it first"
            )
        if found is not None and found.status == TicketStatus.CLOSED:
            if event.kind is EventKind.CUSTOMER_MESSAGE:
                return await self._follow_up(start, event)
            if event.kind is EventKind.CREATED:
                raise taken(start.tenant, start.ticket_id, found.status)
            if event.kind is not EventKind.REOPEN:
                raise refuse(TicketStatus.CLOSED, event.kind)
        return await self._with_start(
            await self._continued(start), event, WorkflowIDReusePolicy.ALLOW_DUPLICATE
        )

    async def _continued(self, start: TicketStart) -> TicketStart:
        """Return start arguments that go on where the ledger ends."""
        async with self._pool.connection() as conn:
            found = await ledger.snapshot(conn, tenant=start.tenant, ticket_id=start.ticket_id)
        if found is None:
            return start
        return replace(start, decision_seq=found.decision_seq, previous_run=found.run_id)

    async def _first_result(self, start: TicketStart, event: TicketEvent) -> EventResult | None:
        async with self._pool.connection() as conn:
            kept = await ledger.first_result(
                conn, tenant=start.tenant, ticket_id=start.ticket_id, event_id=event.event_id
            )
        if kept is None:
            return None
        if (error := reused(event, kept.event)) is not None:
            raise error
        return result_from(kept.result)

    async def _follow_up(self, closed: TicketStart, event: TicketEvent) -> EventResult:
        """Bring a message that came after close to the ticket that follows up, opened if need be.

        The closed ticket's ledger has the event with that result, so that a repeat gets it.
        """
        tenant, ticket_id = closed.tenant, closed.ticket_id
        found = await follow_ups.find(self._pool, tenant, ticket_id, event)
        if found.opening is not None:
            # An id that something else has taken is no obstacle: the message goes there.
            with suppress(TicketExistsError, EventIdReusedError):
                await self.create_as(tenant, *found.opening)
        origin = Origin(event.actor, event.source, event.event_id, event.occurred_at)
        result = await self.command_as(tenant, found.ticket_id, found.message, origin)
        await follow_ups.note(self._pool, tenant, ticket_id, event, result)
        return result

    async def _with_start(
        self, start: TicketStart, event: TicketEvent, reuse: WorkflowIDReusePolicy
    ) -> EventResult:
        async def ask() -> EventResult:
            operation = WithStartWorkflowOperation(
                TicketWorkflow.run,
                start,
                id=workflow_id(start.tenant, start.ticket_id),
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=reuse,
                search_attributes=at_start(start.tenant),
                static_summary=_summary(start, event),
            )
            try:
                return await self._client.execute_update_with_start_workflow(
                    TicketWorkflow.submit,
                    event,
                    id=_update_id(event),
                    start_workflow_operation=operation,
                )
            except WorkflowAlreadyStartedError:
                # The operation keeps its own copy of the failure and complains if nobody looks.
                await asyncio.gather(operation.workflow_handle(), return_exceptions=True)
                raise

        return await self._answered(start, event, ask)

    async def _signal(
        self, start: TicketStart, event: TicketEvent, reuse: WorkflowIDReusePolicy
    ) -> None:
        try:
            await self._client.start_workflow(
                TicketWorkflow.run,
                start,
                id=workflow_id(start.tenant, start.ticket_id),
                task_queue=self._task_queue,
                start_signal="deliver",
                start_signal_args=[event],
                id_reuse_policy=reuse,
                search_attributes=at_start(start.tenant),
                static_summary=_summary(start, event),
            )
        except RPCError as error:
            raise not_taken(event.event_id, error.status.name) from error

    async def _answered(
        self, start: TicketStart, event: TicketEvent, ask: Callable[[], Awaitable[EventResult]]
    ) -> EventResult:
        """Ask a workflow; a refusal is looked up first, because a repeat has its first result."""
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await _uncrowded(ask)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise nobody_answers(event.event_id) from error
        except WorkflowUpdateFailedError as error:
            if not isinstance(error.cause, ApplicationError) or error.cause.type is None:
                raise _NotRunningError from error
            if first := await self._first_result(start, event):
                return accepted(first)
            raise typed(error.cause) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise _NotRunningError from error
            raise not_taken(event.event_id, error.status.name) from error


async def _uncrowded(ask: Callable[[], Awaitable[EventResult]]) -> EventResult:
    """Ask again where too many updates are in flight on one ticket."""
    for attempt in range(_CROWDED_TRIES):
        try:
            return await ask()
        except RPCError as error:
            if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
                raise
            await asyncio.sleep(0.2 * 2**attempt)
    return await ask()


def _update_id(event: TicketEvent) -> str:
    """Name an update by event and content: the server answers a repeat of it by itself."""
    return f"{event.event_id}/{event.kind}/{fingerprint(event)}"


def _summary(start: TicketStart, event: TicketEvent) -> str:
    """Say to a person who reads the Temporal UI what the run is about; no text of the ticket."""
    if event.opening is None:
        return f"Ticket {start.ticket_id} of {start.tenant}, from decision {start.decision_seq}"
    about = f"{event.opening.priority} {event.opening.channel} ticket"
    return f"{about} {start.ticket_id} of {start.tenant}"
