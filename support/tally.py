"""Counts over many tickets, kept as they change: what rules may ask beside one ticket.

The ledger counts the same in SQL (`store.lanes`, `store.customers`); a simulation counts here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction

from support.lanes import Reading, Signals, read_lanes
from support.model import Priority
from support.needs import CustomerStanding
from support.standing import Standing
from support.ticket import TicketState

LATELY = timedelta(days=30)
BREACHES_OF = timedelta(days=90)
_SIGNALS: Mapping[str, str] = {
    "sla_breached": "breached",
    "escalation_due": "escalation_due",
    "unassigned": "unassigned",
    "assignment": "waiting_internal",
    "priority_queue": "high_urgent",
}
"""By lane, the count of `Signals` that it shows."""


class Tally:
    """Signals of the lanes, and the tickets of each customer, of one tenant."""

    def __init__(self, rostered_units: Fraction) -> None:
        self._rostered_units = rostered_units
        self._counts: dict[str, int] = {}
        self._flags: dict[str, tuple[str, ...]] = {}
        self._of_customer: dict[str, dict[str, TicketState]] = {}

    def now(self, state: TicketState, standing: Standing) -> None:
        """Count a ticket as it stands after a decision."""
        for flag in self._flags.get(state.ticket_id, ()):
            self._counts[flag] -= 1
        flags = self._flags[state.ticket_id] = tuple(_flags(state, standing))
        for flag in flags:
            self._counts[flag] = self._counts.get(flag, 0) + 1
        if state.customer_id:
            self._of_customer.setdefault(state.customer_id, {})[state.ticket_id] = state

    def reading(self) -> Reading:
        """Return how the lanes stand."""
        signals = Signals(rostered_units=self._rostered_units, **self._counts)
        return read_lanes(signals)

    def customer(self, customer_id: str, besides: str, at: datetime) -> CustomerStanding:
        """Return how a customer stands, the ticket `besides` left out."""
        tickets = self._of_customer.get(customer_id, {}).values()
        others = [ticket for ticket in tickets if ticket.ticket_id != besides]
        return CustomerStanding(
            language="",
            active_tickets=sum(t.active for t in others),
            tickets_30d=sum(t.created_at > at - LATELY for t in others),
            breaches_90d=sum(b.due_at > at - BREACHES_OF for t in others for b in t.missed),
            first_at=min((t.created_at for t in others), default=None),
        )


def _flags(state: TicketState, standing: Standing) -> Iterable[str]:
    """Yield the counts of `Signals` that the ticket is part of."""
    if not state.active:
        return
    yield "open_tickets"
    if state.priority is Priority.URGENT:
        yield "urgent"
    if standing.breached_held and not standing.breached:
        yield "breached_held"
    for lane in standing.lanes:
        yield _SIGNALS[lane]
