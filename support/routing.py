"""Who should own a ticket: ranks candidates that the ledger has pre-filtered; claims nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

_ANY = datetime.min.replace(tzinfo=UTC)


class Strategy(StrEnum):
    """How candidates are ordered."""

    LEAST_LOADED = "least_loaded"
    ROUND_ROBIN = "round_robin"
    SKILL_MATCH = "skill_match"
    STICKY = "sticky"


class Role(StrEnum):
    """What an agent may be asked for."""

    AGENT = "agent"
    LEAD = "lead"
    MANAGER = "manager"
    ON_CALL = "on_call"


class WorkKind(StrEnum):
    """What an agent does at once with others of its kind: each can have a capacity of its own."""

    TICKET = "ticket"
    CHAT = "chat"
    CALLBACK = "callback"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who is online and on shift; loads are capacity units.

    `kind_load` and `kind_capacity` are of the kind of work that is to be given, None where that has
    no limit of its own. `limited`: has had as many new assignments as the roster allows for now.
    `speaks` the language of the customer; `had` it: the ticket, or the one that it follows up,
    last. `levels` are 1 to 5; a skill without one counts as 1.
    """

    agent_id: str
    load_units: Decimal
    capacity_units: Decimal
    idle_since: datetime
    kind_load: Decimal = Decimal(0)
    kind_capacity: Decimal | None = None
    limited: bool = False
    speaks: bool = False
    had: bool = False
    skills: tuple[str, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)

    def level(self, needed: Iterable[str]) -> int:
        """Sum of the levels in the `needed` skills; one that the agent lacks counts as 0."""
        return sum(self.levels.get(skill, 1) for skill in needed if skill in self.skills)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate's place, or why it was passed over (`rejected`)."""

    agent_id: str
    load_units: Decimal
    capacity_units: Decimal
    rejected: str = ""


def without_room(candidate: Candidate, units: Decimal) -> str:
    """Say why the candidate cannot take `units` more; empty where they can."""
    if candidate.load_units + units > candidate.capacity_units:
        return f"full: {candidate.load_units} of {candidate.capacity_units} units"
    most = candidate.kind_capacity
    if most is not None and candidate.kind_load + units > most:
        return f"full: {candidate.kind_load} of {most} units of this kind of work"
    return "limit of new assignments reached" if candidate.limited else ""


def rank(
    candidates: Sequence[Candidate],
    units: Decimal,
    strategy: Strategy,
    *,
    excluded: Mapping[str, str] | None = None,
    needed: Sequence[str] = (),
    insists: bool = True,
) -> tuple[Ranked, ...]:
    """Order `candidates` for a ticket of `units`, best first, the rejected ones last with why.

    Least loaded compares load after the claim as a share of capacity; round robin takes the
    longest idle; skill match takes the highest sum of levels in the `needed` skills, then the least
    loaded, and so does whatever does not insist on them; sticky takes who had the ticket last, then
    the least loaded. Equals are taken first where they speak the customer's language, then the
    longest idle, then by id, so the order is total. Rejected is who is `excluded`, for the reason
    given, and who lacks a needed skill where the ticket `insists` on them.
    """
    barred = excluded or {}

    def key(candidate: Candidate) -> tuple[bool, int, Decimal, datetime, bool, datetime, str]:
        level, share, idle = 0, Decimal(0), _ANY
        if strategy is Strategy.ROUND_ROBIN:
            idle = candidate.idle_since
        elif candidate.capacity_units:
            share = (candidate.load_units + units) / candidate.capacity_units
        if strategy is Strategy.SKILL_MATCH or not insists:
            level = candidate.level(needed)
        return (
            strategy is Strategy.STICKY and not candidate.had,
            -level,
            share,
            idle,
            not candidate.speaks,
            candidate.idle_since,
            candidate.agent_id,
        )

    def judged(candidate: Candidate) -> Ranked:
        lacks = [skill for skill in needed if skill not in candidate.skills]
        if candidate.agent_id in barred:
            why = barred[candidate.agent_id]
        elif lacks and insists:
            why = f"lacks {', '.join(lacks)}"
        else:
            why = without_room(candidate, units)
        return Ranked(candidate.agent_id, candidate.load_units, candidate.capacity_units, why)

    ordered = [judged(c) for c in sorted(candidates, key=key)]
    return tuple(sorted(ordered, key=lambda r: bool(r.rejected)))
