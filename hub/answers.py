"""What a caller is told: a workflow's answer, or the typed error that it stands for."""

from collections.abc import Mapping

from temporalio.exceptions import ApplicationError

from activities.messages import EventResult
from support.errors import (
    EventIdReusedError,
    FlowHubError,
    ImplausibleTimeError,
    InputError,
    LedgerError,
    NoRoomError,
    OwnerChangedError,
    OwnerLockedError,
    RuntimeUnavailableError,
    TicketExistsError,
    TransitionRefusedError,
    UnknownTicketError,
)

ANSWER_LIMIT_S = 30.0

_ERRORS: Mapping[str, type[FlowHubError]] = {
    kind.code: kind
    for kind in (
        InputError,
        ImplausibleTimeError,
        UnknownTicketError,
        TicketExistsError,
        TransitionRefusedError,
        EventIdReusedError,
        OwnerChangedError,
        OwnerLockedError,
        NoRoomError,
        LedgerError,
    )
}


def accepted(result: EventResult) -> EventResult:
    """Return a result, or raise the refusal that it is."""
    refusal = result.refusal
    if refusal is None:
        return result
    details = {"state": refusal.state, "allowed": list(refusal.allowed)}
    raise _ERRORS.get(refusal.code, InputError)(refusal.message, **details)


def typed(error: ApplicationError) -> FlowHubError:
    """Return the error of `support.errors` that a workflow raised."""
    kind = _ERRORS.get(error.type or "", RuntimeUnavailableError)
    details = error.details[0] if error.details else {}
    if not isinstance(details, dict):
        return kind(error.message)
    refusal = details.get("refusal") or details
    return kind(error.message, state=refusal.get("state", ""), allowed=refusal.get("allowed", []))


def taken(tenant: str, ticket_id: str, status: str) -> TicketExistsError:
    """Return the refusal of a new ticket whose id another one has."""
    return TicketExistsError(
        f"ticket {ticket_id} exists already in {tenant}: use another id", state=status
    )


def not_taken(event_id: str, why: str) -> RuntimeUnavailableError:
    """Return the error of an event that Temporal did not take."""
    return RuntimeUnavailableError(
        f"Temporal did not take event {event_id} ({why}): send it again; it cannot count twice"
    )


def nobody_answers(event_id: str = "") -> RuntimeUnavailableError:
    """Return the error of a command that no worker took."""
    then = f", then send event {event_id} again; it cannot count twice" if event_id else ""
    return RuntimeUnavailableError(
        f"no worker answered within {ANSWER_LIMIT_S:g} s: see whether `flowhub worker` runs{then}"
    )
