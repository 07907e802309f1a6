"""What a rule may ask beside its ticket: candidates, lanes, customer; one entry in `RELATED` each.

They are facts of other things that a ticket is joined with. Each relation has a bounded number of
rows, and is fetched only for rules that ask it. Nothing here names a person.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from support.lanes import LANES, LaneStatus
from support.model import TicketStatus
from support.needs import (
    Answer,
    CustomerStanding,
    FindCandidates,
    Need,
    Row,
    candidates,
    customer,
    lanes,
)
from support.routing import Candidate, Role, without_room
from support.subjects import FactSpec, FactType
from support.ticket import TicketState

Rows = tuple[Row, ...]


class Relation(StrEnum):
    """With what a ticket can be joined; the words of packs."""

    CANDIDATES = "candidates"
    LANES = "lanes"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class RelatedFact(FactSpec):
    """One fact of a related thing. `name` is qualified: `candidates.load_share`."""


@dataclass(frozen=True, slots=True)
class RelationSpec:
    """One relation: what it is, how many rows it has at most, and their facts by short name.

    `label` is the fact that tells one row from another, where there are several.
    """

    meaning: str
    most: int
    facts: Mapping[str, RelatedFact]
    label: str


def _spec(
    relation: Relation, meaning: str, most: int, *facts: RelatedFact, label: str = ""
) -> RelationSpec:
    named = {f.name: replace(f, name=f"{relation}.{f.name}") for f in facts}
    return RelationSpec(meaning, most, named, f"{relation}.{label}" if label else "")


RELATED: Mapping[Relation, RelationSpec] = {
    Relation.CANDIDATES: _spec(
        Relation.CANDIDATES,
        "agents at work who are of the ticket's team and have its skills, least loaded first",
        50,
        RelatedFact("agent", FactType.TEXT, "id of the agent"),
        RelatedFact("owner", FactType.FLAG, "the agent has the ticket now"),
        RelatedFact("room", FactType.FLAG, "the agent can take the ticket: capacity and limits"),
        RelatedFact("load_share", FactType.NUMBER, "load as a share of the agent's capacity"),
        RelatedFact("free_units", FactType.NUMBER, "capacity units that the agent has left"),
        RelatedFact("speaks", FactType.FLAG, "the agent speaks the customer's language"),
        RelatedFact("level", FactType.COUNT, "sum of the agent's levels in the ticket's skills"),
        RelatedFact("idle_s", FactType.DURATION, "time since the agent last got work", unit="s"),
        label="agent",
    ),
    Relation.LANES: _spec(
        Relation.LANES,
        "the lanes of the ticket's tenant, as they stand",
        len(LANES),
        RelatedFact("id", FactType.CHOICE, "which lane", choices=tuple(ln.id for ln in LANES)),
        RelatedFact("signal", FactType.COUNT, "what the lane counts"),
        RelatedFact("share", FactType.NUMBER, "signal as a share of what the team is built for"),
        RelatedFact(
            "status",
            FactType.CHOICE,
            "how the lane stands",
            choices=tuple(status.word for status in LaneStatus),
        ),
        label="id",
    ),
    Relation.CUSTOMER: _spec(
        Relation.CUSTOMER,
        "the customer of the ticket; nobody where it names none",
        1,
        RelatedFact("language", FactType.TEXT, "language of the customer, such as sv"),
        RelatedFact("active_tickets", FactType.COUNT, "other active tickets of the customer"),
        RelatedFact("tickets_30d", FactType.COUNT, "other tickets created in the last 30 days"),
        RelatedFact("breaches_90d", FactType.COUNT, "targets missed on tickets of 90 days"),
        RelatedFact(
            "known_s", FactType.DURATION, "time since the customer's first ticket", unit="s"
        ),
    ),
}
QUALIFIED: Mapping[str, RelatedFact] = {
    fact.name: fact for spec in RELATED.values() for fact in spec.facts.values()
}

Fetch = Generator[Need, Answer, Rows]


def _candidates(state: TicketState, at: datetime) -> Fetch:
    units = replace(state, status=TicketStatus.OPEN).units
    found = yield from candidates(
        FindCandidates(
            Role.AGENT,
            state.team,
            state.skills,
            at,
            kind=state.kind,
            customer_id=state.customer_id,
            units=units,
        )
    )
    return tuple(_candidate(candidate, state, units, at) for candidate in found)


def _candidate(candidate: Candidate, state: TicketState, units: Decimal, at: datetime) -> Row:
    capacity, load = candidate.capacity_units, candidate.load_units
    owner = candidate.agent_id == state.owner
    return {
        "agent": candidate.agent_id,
        "owner": owner,
        "room": owner or not without_room(candidate, units),
        "load_share": float(load / capacity) if capacity else 1.0,
        "free_units": float(max(capacity - load, Decimal(0))),
        "speaks": candidate.speaks,
        "level": candidate.level(state.skills),
        "idle_s": max(0.0, (at - candidate.idle_since).total_seconds()),
    }


def _lanes(_state: TicketState, _at: datetime) -> Fetch:
    reading = yield from lanes()
    return tuple(
        {
            "id": lane.lane.id,
            "signal": lane.signal,
            "share": float(lane.signal / lane.base),
            "status": lane.status.word,
        }
        for lane in reading.lanes
    )


def _customer(state: TicketState, at: datetime) -> Fetch:
    if not state.customer_id:
        return ()
    found = yield from customer(state.customer_id)
    return (_standing(found, at),)


def _standing(found: CustomerStanding, at: datetime) -> Row:
    known = (at - found.first_at).total_seconds() if found.first_at else 0.0
    return {
        "language": found.language,
        "active_tickets": found.active_tickets,
        "tickets_30d": found.tickets_30d,
        "breaches_90d": found.breaches_90d,
        "known_s": max(0.0, known),
    }


_FETCH: Mapping[Relation, Callable[[TicketState, datetime], Fetch]] = {
    Relation.CANDIDATES: _candidates,
    Relation.LANES: _lanes,
    Relation.CUSTOMER: _customer,
}


def related(
    wanted: Sequence[str], state: TicketState, at: datetime
) -> Generator[Need, Answer, Mapping[str, Rows]]:
    """Ask for the rows of all `wanted` relations."""
    found: dict[str, Rows] = {}
    for relation in wanted:
        found[relation] = yield from _FETCH[Relation(relation)](state, at)
    return found
