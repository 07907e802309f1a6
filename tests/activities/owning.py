"""The plain model of ownership: agents and tickets as they should be, without any database."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from support.model import Channel
from support.model import TicketStatus as Status

UNITS = {Status.NEW: 1, Status.OPEN: 1, Status.WAITING_INTERNAL: 0.5}


@dataclass
class Agent:
    capacity: Decimal
    team: str
    skills: tuple[str, ...]
    online: bool = True


@dataclass
class Ticket:
    """`hands` counts changes of owner; `released`: by a person, who may want it to wait."""

    channel: Channel
    team: str
    skills: tuple[str, ...]
    owner: str = ""
    status: Status = Status.NEW
    locked_until: datetime | None = None
    declined: dict[str, datetime] = field(default_factory=dict)
    hands: int = 0
    released: bool = False

    @property
    def units(self) -> Decimal:
        chat = self.channel is Channel.CHAT and self.status in (Status.NEW, Status.OPEN)
        return Decimal(4) if chat else Decimal(str(UNITS.get(self.status, 0)))

    def locked(self, at: datetime) -> bool:
        return bool(self.owner) and self.locked_until is not None and at < self.locked_until

    def suits(self, agent: Agent) -> bool:
        return self.team in ("", agent.team) and set(self.skills) <= set(agent.skills)
