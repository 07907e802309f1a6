"""How a way out fails: the three outcomes that are not "sent", named by a kind without content.

A message and a kind hold a way's name and a status number, never an address, a URL or a text: both
go into Temporal's history.
"""

from support.errors import DeliveryError

UNKNOWN = "OutcomeUnknown"
PERMANENT = "PermanentDelivery"


def refused(way: str, kind: str) -> DeliveryError:
    """Return the failure of what was not taken, and may be the next time."""
    return DeliveryError(f"{way}: {kind}", retryable=True, kind=kind)


def hopeless(way: str, kind: str) -> DeliveryError:
    """Return the failure that no repetition changes."""
    return DeliveryError(f"{way}: {kind}", retryable=False, kind=kind)


def uncertain(way: str, kind: str) -> DeliveryError:
    """Return the failure after which it may have arrived: sent, and no answer."""
    return DeliveryError(f"{way}: {kind}", retryable=True, kind=kind, unknown=True)
