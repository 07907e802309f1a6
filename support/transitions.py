"""Which event is possible in which state of a ticket.

The one table behind the validator of the workflow, the decision and the documents.
"""

from collections.abc import Mapping

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
    }
)
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


def refuse(status: TicketStatus, kind: EventKind, why: str = "") -> TransitionRefusedError:
    """Return the typed refusal that names the state and what is allowed in it."""
    never = {EventKind.REPLY_FAILED, *([kind] if why else [])}
    allowed = sorted(ALLOWED[status] - never)
    reason = f" ({why})" if why else ""
    return TransitionRefusedError(
        f"{kind} is not possible while the ticket is {status}{reason}; "
        f"possible now: {', '.join(allowed)}",
        state=str(status),
        event=str(kind),
        allowed=[str(k) for k in allowed],
        why=why,
    )


def check(status: TicketStatus, kind: EventKind) -> None:
    """Raise TransitionRefusedError if `kind` is impossible in `status`."""
    if kind not in ALLOWED[status]:
        raise refuse(status, kind)
