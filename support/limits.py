"""How far automation may go on one ticket; a pack's `settings` may change it."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """Quotas of one ticket, and how far rules may set off rules within one decision.

    One automatic message in `message_every`, `notifications_a_day` to colleagues in 24 hours.
    A chain of rules, each set off by what the one before did, has at most `deepest_chain` links,
    and one decision asks the rules at most `most_rounds` times.
    """

    message_every: timedelta = timedelta(hours=4)
    notifications_a_day: int = 6
    deepest_chain: int = 8
    most_rounds: int = 32


USUAL = Limits()
"""What holds where a pack says nothing (design: quotas)."""
