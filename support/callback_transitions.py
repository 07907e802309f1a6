"""Which event is possible in which status of a callback.

The one table behind the validator of the workflow, the decision and the documents.
"""

from collections.abc import Mapping

from support.callbacks import CallbackEventKind, CallbackStatus
from support.errors import TransitionRefusedError

_TOLD = frozenset(
    {
        CallbackEventKind.DIALLED,
        CallbackEventKind.OUTCOME,
        CallbackEventKind.UNKNOWN,
        CallbackEventKind.NOTE,
    }
)
"""What has happened already: it is put on record whatever the callback has become since."""
_ACTIVE = _TOLD | {
    CallbackEventKind.JOINED,
    CallbackEventKind.OFFER,
    CallbackEventKind.CANCEL,
    CallbackEventKind.OWNER_LEFT,
}
BY_THE_HUB = frozenset(
    {
        CallbackEventKind.OFFER,
        CallbackEventKind.OWNER_LEFT,
        CallbackEventKind.UNKNOWN,
        CallbackEventKind.JOINED,
    }
)
"""What nobody can ask for by its name, so no refusal names it as possible."""
CALLBACK_ALLOWED: Mapping[CallbackStatus, frozenset[CallbackEventKind]] = {
    CallbackStatus.SCHEDULED: _ACTIVE,
    CallbackStatus.QUEUED: _ACTIVE | {CallbackEventKind.ASSIGN},
    CallbackStatus.DISPATCHED: _ACTIVE
    | {CallbackEventKind.ACCEPT, CallbackEventKind.DECLINE, CallbackEventKind.ASSIGN},
    CallbackStatus.IN_CALL: _ACTIVE | {CallbackEventKind.ACCEPT, CallbackEventKind.ASSIGN},
    CallbackStatus.RETRY_WAIT: _ACTIVE,
    CallbackStatus.COMPLETED: _TOLD,
    CallbackStatus.ABANDONED: _TOLD,
    CallbackStatus.EXPIRED: _TOLD,
    CallbackStatus.CANCELLED: _TOLD,
}


def refuse_callback(
    status: CallbackStatus, kind: CallbackEventKind, why: str = ""
) -> TransitionRefusedError:
    """Return the typed refusal that names the status and what is allowed in it."""
    never = {*BY_THE_HUB, *([kind] if why else [])}
    allowed = sorted(CALLBACK_ALLOWED[status] - never)
    reason = f" ({why})" if why else ""
    return TransitionRefusedError(
        f"{kind} is not possible while the callback is {status}{reason}; possible now: "
        f"{', '.join(allowed)}",
        state=str(status),
        event=str(kind),
        allowed=[str(one) for one in allowed],
        why=why,
    )


def check_callback(status: CallbackStatus, kind: CallbackEventKind) -> None:
    """Raise TransitionRefusedError if `kind` is impossible in `status`."""
    if kind not in CALLBACK_ALLOWED[status]:
        raise refuse_callback(status, kind)
