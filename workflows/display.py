"""How a ticket shows in the Temporal UI: search attributes and details for a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

with workflow.unsafe.imports_passed_through():
    from activities.messages import DeadlineRef, Glance, Verdict
    from workflows.messages import TicketStart

TENANT = SearchAttributeKey.for_keyword("Tenant")
LANE = SearchAttributeKey.for_keyword_list("Lane")
PRIORITY = SearchAttributeKey.for_keyword("Priority")
OWNER = SearchAttributeKey.for_keyword("Owner")
SLA_STATE = SearchAttributeKey.for_keyword("SlaState")
NEXT_DEADLINE = SearchAttributeKey.for_datetime("NextDeadline")


def at_start(tenant: str) -> TypedSearchAttributes:
    """Search attributes that a run is started with."""
    return TypedSearchAttributes([SearchAttributePair(TENANT, tenant)])


class Display:
    """Keeps what is shown, so that only changes are written to history.

    Current details are memory only, and cost no event. They name the ticket, because the SDK does
    not carry the static summary through continue-as-new.
    """

    def __init__(self, start: TicketStart) -> None:
        self._ticket = f"Ticket {start.ticket_id} of {start.tenant}"
        self._shown: dict[SearchAttributeKey[Any], Any] = (
            _attributes(start.glance, start.deadline) if start.glance else {}
        )

    def begin(self, start: TicketStart) -> None:
        """Show what a run is started with, until its first decision."""
        if start.aside or start.stalled:
            self.park("an earlier run says why")
            return
        lines = _standing(start.glance, start.deadline) if start.glance else []
        if start.decision_seq:
            lines.append(f"Decisions in earlier runs: {start.decision_seq}")
        self._tell(lines)

    def park(self, error: str) -> None:
        """Show that something cannot be decided, and what is to be done."""
        self._tell([f"**Parked**: {error}", "Mend the cause, then retry."])

    def show(self, glance: Glance, deadline: DeadlineRef | None, verdict: Verdict) -> None:
        """Show the ticket as it stands after `verdict`."""
        lines = _standing(glance, deadline)
        if verdict.headline:
            lines.append(f"Last decision ({verdict.decision_seq}): {verdict.headline}")
        self._tell(lines)
        wanted = _attributes(glance, deadline)
        changed = {key for key in wanted if wanted[key] != self._shown.get(key)}
        if changed <= {NEXT_DEADLINE} and not self._earlier(deadline):
            return  # As with the timer: a deadline that moves later costs no event of its own.
        self._shown = wanted
        changes: list[SearchAttributeUpdate[Any]] = [
            key.value_set(value) if (value := wanted[key]) else key.value_unset()
            for key in wanted
            if key in changed
        ]
        workflow.upsert_search_attributes(changes)

    def _tell(self, lines: Sequence[str]) -> None:
        workflow.set_current_details("\n\n".join((self._ticket, *lines)))

    def _earlier(self, deadline: DeadlineRef | None) -> bool:
        shown = self._shown.get(NEXT_DEADLINE)
        return deadline is not None and (shown is None or deadline.at < shown)


def _attributes(glance: Glance, deadline: DeadlineRef | None) -> dict[SearchAttributeKey[Any], Any]:
    return {
        LANE: list(glance.lanes) or None,
        PRIORITY: str(glance.priority),
        OWNER: glance.owner or None,
        SLA_STATE: glance.sla,
        NEXT_DEADLINE: deadline.at if deadline else None,
    }


def _standing(glance: Glance, deadline: DeadlineRef | None) -> list[str]:
    owner = glance.owner or "nobody yet"
    return [
        f"**{glance.status.replace('_', ' ')}**, {glance.priority} priority, owner: {owner}",
        f"SLA: {glance.sla.replace('_', ' ')}",
        f"Next: {deadline.label} at {_readable(deadline.at)}" if deadline else "Nothing falls due",
    ]


def _readable(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
