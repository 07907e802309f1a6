"""How a ticket shows in the Temporal UI: search attributes and details for a person."""

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
    """Keeps what is shown, so that only changes are written to history."""

    def __init__(self, glance: Glance | None, deadline: DeadlineRef | None) -> None:
        self._shown = (glance, deadline.at if deadline else None)

    def show(self, glance: Glance, deadline: DeadlineRef | None, verdict: Verdict) -> None:
        """Show the ticket as it stands after `verdict`."""
        workflow.set_current_details(_details(glance, deadline, verdict))
        due = deadline.at if deadline else None
        before, due_before = self._shown
        if self._shown == (glance, due):
            return
        self._shown = (glance, due)
        changes: list[SearchAttributeUpdate[Any]] = [
            LANE.value_set(list(glance.lanes)) if glance.lanes else LANE.value_unset(),
            PRIORITY.value_set(str(glance.priority)),
            OWNER.value_set(glance.owner) if glance.owner else OWNER.value_unset(),
            SLA_STATE.value_set(glance.sla),
        ]
        if before == glance:
            changes = []
        if due != due_before:
            changes.append(NEXT_DEADLINE.value_set(due) if due else NEXT_DEADLINE.value_unset())
        workflow.upsert_search_attributes(changes)


def _details(glance: Glance, deadline: DeadlineRef | None, verdict: Verdict) -> str:
    owner = glance.owner or "nobody yet"
    lines = [
        f"**{glance.status.replace('_', ' ')}**, {glance.priority} priority, owner: {owner}",
        f"SLA: {glance.sla.replace('_', ' ')}",
        f"Next: {deadline.label} at {_readable(deadline.at)}" if deadline else "Nothing falls due",
    ]
    if verdict.headline:
        lines.append(f"Last decision ({verdict.decision_seq}): {verdict.headline}")
    return "\n\n".join(lines)


def _readable(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
