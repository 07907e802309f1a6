"""Who owned each ticket when, and what it weighed then: as a replay decides, and as the log says.

A ticket weighs the capacity units of its status, whoever owns it. Statuses come from the log's
events, so the same ticket weighs the same at each instant in every way of assigning it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from hub.replay.source import Incident
from support.decision import Decision
from support.model import EventKind, TicketEvent
from support.work import Outcome


@dataclass(frozen=True, slots=True)
class Held:
    """That a ticket has this owner (empty: none) and weighs `units`, from `at` until the next."""

    at: datetime
    owner: str
    units: float


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of time in which neither changed."""

    since: datetime
    until: datetime
    owner: str
    units: float


Track = Sequence[Held]


class Recording:
    """Follows the decisions of one replay.

    `full` and `nobody` are tickets that rules could not assign at some time: everybody of their
    team was full, or there was nobody in it.
    """

    def __init__(self) -> None:
        self.tracks: dict[str, list[Held]] = {}
        self.full: set[str] = set()
        self.nobody: set[str] = set()

    def note(self, _event: TicketEvent | None, decision: Decision) -> None:
        """Write down what a decision left; the watch of a simulated replay."""
        state = decision.state
        track = self.tracks.setdefault(state.ticket_id, [])
        held = Held(decision.at, state.owner, float(state.units))
        if not track or (track[-1].owner, track[-1].units) != (held.owner, held.units):
            track.append(held)
        for action in decision.actions:
            if action.kind == EventKind.ASSIGN and action.outcome is Outcome.REFUSED:
                if any(place.rejected.startswith("full") for place in action.ranked):
                    self.full.add(state.ticket_id)
                elif not action.ranked:
                    self.nobody.add(state.ticket_id)


def as_in_log(incidents: Iterable[Incident], ours: Mapping[str, Track]) -> dict[str, list[Held]]:
    """Return the tracks of the log's own assignment: its owner at each row, `ours` for units.

    An owner counts from the first row that names them; a row that names nobody takes them away.
    """
    return {
        i.ticket_id: list(_merged(i, ours[i.ticket_id])) for i in incidents if i.ticket_id in ours
    }


def _merged(incident: Incident, ours: Track) -> Iterator[Held]:
    weights = [(held.at, held.units, None) for held in ours]
    owners = [(update.instant, None, update.agent) for update in incident.updates]
    owner, units = "", 0.0
    before: tuple[str, float] | None = None
    for at, weight, agent in sorted([*weights, *owners], key=lambda change: change[0]):
        units = units if weight is None else weight
        owner = owner if agent is None else agent
        if (owner, units) != before:
            before = (owner, units)
            yield Held(at, owner, units)


def spells(track: Track, until: datetime) -> Iterator[Spell]:
    """Yield the stretches of a track up to `until`, but those of no length."""
    for held, end in pairwise([*track, Held(until, "", 0.0)]):
        if held.at < end.at:
            yield Spell(held.at, end.at, held.owner, held.units)


def owners(track: Track) -> list[str]:
    """Return the owners of a track in turn: the same one again, after a gap too, is one."""
    found: list[str] = []
    for held in track:
        if held.owner and held.owner != (found[-1] if found else ""):
            found.append(held.owner)
    return found


def owned_at(track: Track) -> datetime | None:
    """Return when the ticket first had an owner; None: never."""
    return next((held.at for held in track if held.owner), None)
