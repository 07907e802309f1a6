"""Which event is possible in which state of a ticket.

The one table behind the validator of the workflow, the decision and the documents.
"""

from collections.abc import Mapping
from datetime import datetime

from support.errors import TransitionRefusedError
from support.model import EventKind, TicketStatus

_ACTIVE = frozenset(
    {
        EventKind.CUSTOMER_MESSAGE,
        EventKind.REPLY,
        EventKind.NOTE,
        EventKind.ASSIGN,
        EventKind.ACK,
        EventKind.PRIORITY,
        EventKind.WAIT,
        EventKind.RESOLVE,
        EventKind.REPLY_FAILED,
        EventKind.USE_POLICIES,
        EventKind.TAG,
        EventKind.OFFER,
        EventKind.NO_OWNER,
        EventKind.DECLINE,
        EventKind.UNLOCK,
        EventKind.OWNER_LEFT,
        EventKind.REASSIGN,
    }
)
BY_THE_HUB = frozenset(
    {
        EventKind.REPLY_FAILED,
        EventKind.OFFER,
        EventKind.NO_OWNER,
        EventKind.OWNER_LEFT,
        EventKind.REASSIGN,
    }
)
"""What nobody can ask for, so no refusal names it as possible."""
ALLOWED: Mapping[TicketStatus, frozenset[EventKind]] = {
    TicketStatus.NEW: _ACTIVE,
    TicketStatus.OPEN: _ACTIVE,
    TicketStatus.WAITING_CUSTOMER: _ACTIVE | {EventKind.RESUME},
    TicketStatus.WAITING_INTERNAL: _ACTIVE | {EventKind.RESUME},
    TicketStatus.RESOLVED: frozenset(
        {
            EventKind.CUSTOMER_MESSAGE,
            EventKind.REPLY,
            EventKind.NOTE,
            EventKind.REOPEN,
            EventKind.CLOSE,
            EventKind.REPLY_FAILED,
            EventKind.TAG,
        }
    ),
    TicketStatus.CLOSED: frozenset({EventKind.REOPEN}),
}


def refuse(
    status: TicketStatus, kind: EventKind, why: str = "", at: datetime | None = None
) -> TransitionRefusedError:
    """Return the typed refusal that names the state and what is allowed in it.

    `at` is given of an event in the ticket's past, and `status` is what the ticket was then.
    """
    never = {*BY_THE_HUB, *([kind] if why else [])}
    allowed = sorted(ALLOWED[status] - never)
    reason = f" ({why})" if why else ""
    said = f"{kind} is not possible while the ticket is {status}{reason}; possible now"
    if at is not None:
        then = f"at {at.isoformat()}, when the ticket was {status}{reason}"
        said = f"{kind} was not possible {then}; possible then"
    return TransitionRefusedError(
        f"{said}: {', '.join(allowed)}",
        state=str(status),
        event=str(kind),
        allowed=[str(k) for k in allowed],
        why=why,
    )


def check(status: TicketStatus, kind: EventKind) -> None:
    """Raise TransitionRefusedError if `kind` is impossible in `status`."""
    if kind not in ALLOWED[status]:
        raise refuse(status, kind)
