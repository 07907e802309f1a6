"""What drives tickets through a replay: a simulation, or by the real workflows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.replay.events import Happening
from support.errors import InputError, TransitionRefusedError
from support.model import TicketEvent
from support.ticket import TicketState


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an event: who owns the ticket after it, or why it was refused."""

    owner: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a replay ended, by ticket: last state, decisions, and how often the owner changed."""

    states: Mapping[str, TicketState]
    decisions: Mapping[str, int]
    assignments: Mapping[str, int]


class Engine(Protocol):
    """Takes events one at a time, in their order; deadlines fall due in between."""

    async def pass_before(self, at: datetime, coming: int) -> None:
        """Let every deadline before `at` fall due; `coming` events are to be taken at `at`."""
        ...

    async def submit(self, happening: Happening) -> Taken:
        """Take one event and wait for its result."""
        ...

    async def end(self) -> Ended:
        """Return how every ticket stands."""
        ...


class Owners:
    """Follows who owns each ticket, and counts how often that changed to somebody."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self.assignments: Counter[str] = Counter()

    def now(self, ticket_id: str, owner: str) -> None:
        """Note the owner after a decision."""
        if owner and owner != self.of.get(ticket_id, ""):
            self.assignments[ticket_id] += 1
        self.of[ticket_id] = owner


def reason(event: TicketEvent, error: InputError) -> str:
    """Say why an event was refused, so that equal refusals are counted together."""
    if isinstance(error, TransitionRefusedError):
        return f"{event.kind} while {error.details.get('state')}"
    return f"{event.kind}: {error.code}"
