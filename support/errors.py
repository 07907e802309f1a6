"""The one exception hierarchy of the hub.

Every message says what is wrong, where, and what to do. `code` is the stable name that the CLI, the
API and Temporal failures carry; `details` holds references only, never text of a customer.
"""

from collections.abc import Mapping
from typing import ClassVar

_MOST_SHOWN = 60


def shortened(value: object) -> str:
    """Write a value for a message, quoted and no longer than fits a line."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


class FlowHubError(Exception):
    """Base of all errors that the hub raises on purpose."""

    code: ClassVar[str] = "FlowHubError"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details: Mapping[str, object] = details


class InputError(FlowHubError):
    """What came in cannot be used: malformed, too large, out of range."""

    code = "InputError"


class UsageError(InputError):
    """A command was given words that it does not take; `details` has the command."""

    code = "UsageError"


class ImplausibleTimeError(InputError):
    """An event's time cannot be true (before 2000, or in the future)."""

    code = "ImplausibleTime"


class UnknownTicketError(InputError):
    """No ticket with this id in this tenant."""

    code = "UnknownTicket"


class TicketExistsError(InputError):
    """`created` for an id that the tenant already has, from another event."""

    code = "TicketExists"


class UnknownCallbackError(InputError):
    """No callback with this id in this tenant."""

    code = "UnknownCallback"


class CallbackExistsError(InputError):
    """`requested` for an id that the tenant already has, from another event."""

    code = "CallbackExists"


class EventIdReusedError(InputError):
    """The ticket has an event with this id that was something else; nothing was done."""

    code = "EventIdReused"


class TransitionRefusedError(InputError):
    """The event is impossible in the state it meets; `details` has `state` and `allowed`."""

    code = "TransitionRefused"


class OwnerChangedError(InputError):
    """The ticket has another owner than the event is about; `details` has the `owner`."""

    code = "OwnerChanged"


class OwnerLockedError(InputError):
    """The owner lock holds the ticket; `details` has `owner` and `locked_until`."""

    code = "OwnerLocked"


class NoRoomError(InputError):
    """Who was to get the ticket has no room for it, or is not at work."""

    code = "NoRoom"


class UnknownChangeError(InputError):
    """No bulk change with this id in this tenant."""

    code = "UnknownChange"


class ChangeRunningError(InputError):
    """Another bulk change has to end first; `details` has its `change_id` and `actor`."""

    code = "ChangeRunning"


class NotToBeCalledError(InputError):
    """Nobody may be called now: window, calendar, calling hours or list; `details` has `why`."""

    code = "NotToBeCalled"


class CalendarError(FlowHubError):
    """A business calendar is malformed, or has no open time."""

    code = "CalendarError"


class PolicyError(FlowHubError):
    """An SLA or escalation policy is blank, malformed or contradictory."""

    code = "PolicyError"


class PackError(FlowHubError):
    """A rule pack cannot be used; the message names file, line and what to do."""

    code = "PackError"


class PackMovedError(InputError):
    """Other rules count than those a change was made on; `details` has `base` and `active`."""

    code = "PackMoved"


class RulesEngineError(FlowHubError):
    """The rules engine crashed, hung, or disagreed with the reference evaluator, also afresh."""

    code = "RulesEngineError"


class LedgerError(FlowHubError):
    """The ledger contradicts the caller: a programming error or a restored database."""

    code = "LedgerError"


class RuntimeUnavailableError(FlowHubError):
    """A server, compiler or port that the embedded runtime needs is not to be had."""

    code = "RuntimeUnavailable"


class DeliveryError(FlowHubError):
    """An outside effect failed; `retryable` says whether trying again can help."""

    code = "DeliveryError"

    def __init__(self, message: str, *, retryable: bool, **details: object) -> None:
        super().__init__(message, **details)
        self.retryable = retryable
