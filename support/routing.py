"""Who should own a ticket: ranks candidates that the ledger has pre-filtered; claims nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Strategy(StrEnum):
    """How candidates are ordered."""

    LEAST_LOADED = "least_loaded"
    ROUND_ROBIN = "round_robin"


class Role(StrEnum):
    """What an agent may be asked for."""

    AGENT = "agent"
    LEAD = "lead"
    MANAGER = "manager"
    ON_CALL = "on_call"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who is online and has the skills; loads are capacity units."""

    agent_id: str
    load_units: Decimal
    capacity_units: Decimal
    idle_since: datetime


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate's place, or why it was passed over (`rejected`)."""

    agent_id: str
    load_units: Decimal
    capacity_units: Decimal
    rejected: str = ""


def rank(
    candidates: Sequence[Candidate], units: Decimal, strategy: Strategy, exclude: str = ""
) -> tuple[Ranked, ...]:
    """Order `candidates` for a ticket of `units`, best first, the rejected ones last with why.

    Least loaded compares load after the claim as a share of capacity; round robin takes the
    longest idle. Ties go to the longest idle, then to the smaller id, so the order is total.
    """

    def key(candidate: Candidate) -> tuple[Decimal, datetime, str]:
        share = Decimal(0)
        if strategy is Strategy.LEAST_LOADED and candidate.capacity_units:
            share = (candidate.load_units + units) / candidate.capacity_units
        return (share, candidate.idle_since, candidate.agent_id)

    def judged(candidate: Candidate) -> Ranked:
        why = ""
        if candidate.agent_id == exclude:
            why = "has the ticket now"
        elif candidate.load_units + units > candidate.capacity_units:
            why = f"full: {candidate.load_units} of {candidate.capacity_units} units"
        return Ranked(candidate.agent_id, candidate.load_units, candidate.capacity_units, why)

    ordered = [judged(c) for c in sorted(candidates, key=key)]
    return tuple(sorted(ordered, key=lambda r: bool(r.rejected)))
