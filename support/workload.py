"""Who carries what: agents with their room, tickets with their owners, and how even it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from support.fairness import jain
from support.routing import Candidate, Role, WorkKind

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NONE = Decimal(0)
Need = tuple[str, tuple[str, ...], Decimal, WorkKind, tuple[str, ...]]
"""Team, skills, units, kind and who declined: tickets of one need fit the same agents."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """An agent as one who carries work; loads and capacities are units.

    `at_work`: online and on shift. `there`: on shift or on duty by rota, and not offline, so
    perhaps away for a while.
    `new_left`: new assignments until the limit for now, None without one. `left`: for good.
    `next_shift_at`: when the next shift begins, None where the roster does not say.
    """

    agent_id: str
    team: str = ""
    role: Role = Role.AGENT
    skills: tuple[str, ...] = ()
    at_work: bool = True
    there: bool = True
    left: bool = False
    load_units: Decimal = _NONE
    capacity_units: Decimal = Decimal(12)
    kind_load: Mapping[str, Decimal] = field(default_factory=dict)
    kind_capacity: Mapping[str, Decimal] = field(default_factory=dict)
    new_left: int | None = None
    idle_since: datetime = _LONG_AGO
    next_shift_at: datetime | None = None

    @property
    def takes(self) -> bool:
        """Whether automation may give them work now, if they have room."""
        return self.at_work and not self.left and self.role is Role.AGENT

    @property
    def share(self) -> Decimal:
        """What they carry of what they can."""
        return self.load_units / self.capacity_units if self.capacity_units else _NONE

    @property
    def surplus(self) -> tuple[Decimal, WorkKind | None]:
        """Units above capacity, and of which kind of work alone; None: in all."""
        for kind in WorkKind:
            most = self.kind_capacity.get(kind)
            if most is not None and (over := self.kind_load.get(kind, _NONE) - most) > 0:
                return over, kind
        return max(_NONE, self.load_units - self.capacity_units), None

    def candidate(self, kind: WorkKind) -> Candidate:
        """Return them as a claim for this kind of work sees them."""
        return Candidate(
            self.agent_id,
            self.load_units,
            self.capacity_units,
            self.idle_since,
            kind_load=self.kind_load.get(kind, _NONE),
            kind_capacity=self.kind_capacity.get(kind),
            limited=self.new_left is not None and self.new_left <= 0,
            skills=self.skills,
        )

    def without(self, ticket: "OwnedTicket") -> "Carrier":
        """Return them without a ticket."""
        return self._with(-ticket.units, ticket.kind, self.new_left)

    def given(self, ticket: "OwnedTicket") -> "Carrier":
        """Return them with a ticket more."""
        left = None if self.new_left is None else self.new_left - 1
        return self._with(ticket.units, ticket.kind, left)

    def _with(self, units: Decimal, kind: WorkKind, new_left: int | None) -> "Carrier":
        of_kind = max(_NONE, self.kind_load.get(kind, _NONE) + units)
        return replace(
            self,
            load_units=max(_NONE, self.load_units + units),
            kind_load={**self.kind_load, kind: of_kind},
            new_left=new_left,
        )


@dataclass(frozen=True, slots=True)
class OwnedTicket:
    """An active ticket that somebody owns. `units` is what it takes of its owner.

    `since` is when the owner got it, `moved_at` the same where somebody had it before. `declined`
    are those who gave it back lately. `next_due_at`: its earliest running clock is due.
    """

    ticket_id: str
    owner: str
    units: Decimal = Decimal(1)
    kind: WorkKind = WorkKind.TICKET
    team: str = ""
    skills: tuple[str, ...] = ()
    since: datetime | None = None
    moved_at: datetime | None = None
    locked_until: datetime | None = None
    next_due_at: datetime | None = None
    declined: tuple[str, ...] = ()

    @property
    def need(self) -> Need:
        """What an agent must have to take it."""
        return (self.team, self.skills, self.units, self.kind, self.declined)


@dataclass(frozen=True, slots=True)
class Figures:
    """How the load of those who can be given work is shared, as parts of their capacity.

    `jain` is Jain's index: 1 where all carry the same part, 1/n where one of n carries all.
    `most_loaded` is the largest part; above 1 is beyond capacity.
    """

    agents: int = 0
    jain: float = 1.0
    most_loaded: float = 0.0


def figures(carriers: Iterable[Carrier]) -> Figures:
    """Return how evenly the load of those who take work is shared."""
    shares = [float(one.share) for one in carriers if one.takes and one.capacity_units]
    if not shares:
        return Figures()
    return Figures(len(shares), round(jain(shares) or 1.0, 4), round(max(shares), 4))
