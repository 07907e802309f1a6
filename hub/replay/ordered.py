"""The way in and the deciding of a replay: real ones, under the clock of the log."""

from dataclasses import replace

from temporalio import activity
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.decide import DECIDE, PARK_TICKET, DecideActivities
from activities.messages import DecideInput, EventResult, Parking, Verdict
from hub.intake import Gateway, _NotRunningError
from hub.replay.agenda import Agenda
from hub.replay.engine import Owners
from support.errors import LedgerError
from support.model import EventKind, TicketEvent, TicketStatus, workflow_id
from workflows.messages import TicketStart
from workflows.ticket import TicketWorkflow


class ReplayGateway(Gateway):
    """The gateway for events that are made already, with the instants of the log."""

    async def submit(self, tenant: str, ticket_id: str, event: TicketEvent) -> EventResult:
        """Bring an event to its ticket and return its result; InputError kinds are refusals."""
        start = TicketStart(tenant, ticket_id, clock_offset_s=self._offset_s)
        if event.kind is EventKind.CREATED:
            try:
                reuse = WorkflowIDReusePolicy.REJECT_DUPLICATE
                return await self._with_start(start, event, reuse)
            except WorkflowAlreadyStartedError:
                return await self._from_ledger(start, event)
        handle = self._client.get_workflow_handle_for(
            TicketWorkflow.run, workflow_id(tenant, ticket_id)
        )

        async def ask() -> EventResult:
            return await handle.execute_update(TicketWorkflow.submit, event, id=event.event_id)

        try:
            return await self._answered(start, event, ask)
        except _NotRunningError:
            return await self._from_ledger(start, event)


class OrderedDecide:
    """The activities of `decide` at the instants of the log, each deadline in its turn.

    The server's clock also runs while it works, so `now` is set to what is decided: equal logs
    give equal decisions.
    """

    def __init__(self, inner: DecideActivities, agenda: Agenda, owners: Owners) -> None:
        self._inner = inner
        self._agenda = agenda
        self._owners = owners
        self.parked: dict[str, str] = {}

    @activity.defn(name=DECIDE)
    async def decide(self, asked: DecideInput) -> Verdict:
        """Decide as the real activity does."""
        if asked.event is not None:
            now = asked.event.occurred_at
        elif asked.deadline is not None:
            await self._agenda.turn(asked.ticket_id)
            now = asked.deadline.at
        else:
            raise LedgerError("a decision needs an event or a deadline")
        verdict = await self._inner.decide(replace(asked, now=now))
        glance, due = verdict.glance, verdict.deadline
        if glance is not None:
            self._owners.now(asked.ticket_id, glance.owner)
            waits = due is not None and glance.status is not TicketStatus.CLOSED
            await self._agenda.set(asked.ticket_id, due.at if due and waits else None)
        return verdict

    @activity.defn(name=PARK_TICKET)
    async def park(self, parking: Parking) -> None:
        """Park as the real activity does, and let the others go on."""
        self.parked[parking.ticket_id] = parking.error
        await self._inner.park(parking)
        await self._agenda.set(parking.ticket_id, None)
