"""Who could take a ticket, in the order in which rules choose, while loads change in a plan.

The order is that of `support.routing.rank` for the least loaded. It is kept for each need that was
asked, so that a move of a large plan costs two places in it instead of ranking everybody again.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from support.routing import WorkKind, without_room
from support.workload import Carrier, OwnedTicket

_Place = tuple[Decimal, datetime, str]
_P = TypeVar("_P", tuple[Decimal, str], tuple[Decimal, datetime, str])
_NONE = Decimal(0)


@dataclass(slots=True)
class _Line:
    """Those who suit one need by team and skills. `least_capacity` is the smallest of theirs."""

    team: str
    skills: frozenset[str]
    units: Decimal
    kind: WorkKind
    places: list[_Place]
    least_capacity: Decimal

    def suits(self, one: Carrier) -> bool:
        return one.takes and self.team in ("", one.team) and self.skills.issubset(one.skills)

    def place(self, one: Carrier) -> _Place:
        share = _NONE
        if one.capacity_units:
            share = (one.load_units + self.units) / one.capacity_units
        return (share, one.idle_since, one.agent_id)


class Takers:
    """The agents of a plan, as its moves so far have left them."""

    def __init__(self, carriers: Iterable[Carrier]) -> None:
        self._carriers = {one.agent_id: one for one in carriers}
        self._lines: dict[tuple[str, tuple[str, ...], Decimal, WorkKind], _Line] = {}
        self._shares = sorted(_share(one) for one in self.all() if _shares(one))

    def __getitem__(self, agent_id: str) -> Carrier:
        return self._carriers[agent_id]

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._carriers

    def all(self) -> Iterable[Carrier]:
        """Return all agents, also those who take nothing."""
        return self._carriers.values()

    def put(self, after: Carrier) -> None:
        """Let an agent carry something else from now on."""
        before = self._carriers[after.agent_id]
        self._carriers[after.agent_id] = after
        if _shares(before):
            _replace(self._shares, _share(before), _share(after))
        for line in self._lines.values():
            if line.suits(before):
                _replace(line.places, line.place(before), line.place(after))

    def for_ticket(self, ticket: OwnedTicket) -> Iterator[Carrier]:
        """Yield who has room for the ticket and has not declined it, the best first."""
        for _, agent_id in self._ordered(ticket, None):
            yield self._carriers[agent_id]

    def for_relief(
        self, owner: Carrier, ticket: OwnedTicket, tolerance: Decimal
    ) -> Iterator[Carrier]:
        """Yield those of them who carry less than `owner`, by more than is tolerated.

        They still do with the ticket.
        """
        for share, agent_id in self._ordered(ticket, owner.share - tolerance):
            if share >= owner.share:
                return
            if owner.share - self._carriers[agent_id].share > tolerance:
                yield self._carriers[agent_id]

    def uneven(self, tolerance: Decimal) -> Iterator[Carrier]:
        """Yield who carries more than is tolerated above the least loaded, most loaded first."""
        if not self._shares:
            return
        least = -self._shares[-1][0]
        for share, agent_id in self._shares:
            if -share - least <= tolerance:
                return
            yield self._carriers[agent_id]

    def _ordered(self, ticket: OwnedTicket, below: Decimal | None) -> Iterator[tuple[Decimal, str]]:
        """Yield load shares with the ticket, and whose; of those whose share now is `below`."""
        line = self._line(ticket)
        # Nobody behind it can be below: the ticket adds the most to the smallest capacity.
        last = None
        if below is not None and line.least_capacity:
            last = below + ticket.units / line.least_capacity
        for share, _, agent_id in line.places:
            if last is not None and share > last:
                return
            one = self._carriers[agent_id]
            if agent_id == ticket.owner or agent_id in ticket.declined:
                continue
            if not without_room(one.candidate(ticket.kind), ticket.units):
                yield share, agent_id

    def _line(self, ticket: OwnedTicket) -> _Line:
        key = (ticket.team, ticket.skills, ticket.units, ticket.kind)
        line = self._lines.get(key)
        if line is None:
            skills = frozenset(ticket.skills)
            line = _Line(ticket.team, skills, ticket.units, ticket.kind, [], _NONE)
            suited = [one for one in self.all() if line.suits(one)]
            line.places = sorted(line.place(one) for one in suited)
            capacities = (one.capacity_units for one in suited if one.capacity_units)
            line.least_capacity = min(capacities, default=_NONE)
            self._lines[key] = line
        return line


def _shares(one: Carrier) -> bool:
    return one.takes and bool(one.capacity_units)


def _share(one: Carrier) -> tuple[Decimal, str]:
    return (-one.share, one.agent_id)


def _replace(places: list[_P], before: _P, after: _P) -> None:
    del places[bisect_left(places, before)]
    insort(places, after)
