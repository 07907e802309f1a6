"""The deciding of a replay: the real one, under the clock of the log."""

from dataclasses import replace

from temporalio import activity

from activities.decide import DECIDE, PARK_TICKET, DecideActivities
from activities.messages import DecideInput, Parking, Verdict
from hub.replay.agenda import Agenda
from hub.replay.engine import Owners
from support.errors import LedgerError
from support.model import TicketStatus


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
