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
        self._shown: dict[SearchAttributeKey[Any], Any] = (
            _attributes(glance, deadline) if glance else {}
        )

    def show(self, glance: Glance, deadline: DeadlineRef | None, verdict: Verdict) -> None:
        """Show the ticket as it stands after `verdict`."""
        workflow.set_current_details(_details(glance, deadline, verdict))
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
