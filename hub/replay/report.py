"""What a replay says: one model for table, JSON and page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from hub.replay.comparison import Comparison
from hub.replay.engine import Ended
from hub.replay.fairness import Fairness
from hub.replay.source import Log
from hub.replay.warning import EarlyWarning, early_warning
from support.model import Priority
from support.ticket import TicketState


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Versions(_Frozen):
    """What was replayed by what; `seconds` is the time that the replay itself took.

    `capacity_units` are those of each agent.
    """

    engine: str
    mapping: str
    log: str
    limit: int | None
    pack: str
    policies: str
    capacity_units: float
    seconds: float


class PriorityLine(_Frozen):
    """Tickets that ended with one priority; `missed` is the log's own verdict."""

    priority: str
    tickets: int
    escalations: int
    breaches: int
    breached_tickets: int
    breaches_by_metric: Mapping[str, int]
    missed: int


class Assignments(_Frozen):
    """Our assignments, and the log's own beside them; shares are None where nothing compares."""

    made: int
    changed: int
    changed_in_log: int
    tickets_never_owned: int
    agents: int
    teams: int
    rows_compared: int
    same_team: float | None
    same_agent: float | None
    tickets_compared: int
    same_team_at_end: float | None
    rows_without_our_owner: int
    rows_without_log_team: int


class Report(_Frozen):
    """What came of a replay. Every row and every event is accounted for, or it is no report."""

    by: Versions
    first_instant: datetime
    last_instant: datetime
    tickets: int
    rows_read: int
    rows_used: int
    rows_unused: Mapping[str, int]
    events: int
    events_accepted: int
    events_refused: Mapping[str, int]
    decisions: int
    escalations: int
    escalations_by_step: Mapping[str, int]
    breaches: int
    priorities: tuple[PriorityLine, ...]
    assignments: Assignments
    early_warning: EarlyWarning | None
    early_warning_missing: str = ""
    fairness: Fairness | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.rows_read != self.rows_used + sum(self.rows_unused.values()):
            raise ValueError("rows were lost: used and unused are not what was read")
        if self.events != self.events_accepted + sum(self.events_refused.values()):
            raise ValueError("events were lost: accepted and refused are not all")
        return self

    def to_json(self) -> str:
        """Return the report as JSON, instants in UTC."""
        return self.model_dump_json(indent=2)


@dataclass(slots=True)
class Driven:
    """What was seen on the way: refusals by reason, and the log's assignments beside ours."""

    comparison: Comparison
    events: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def make_report(log: Log, driven: Driven, ended: Ended, by: Versions) -> Report:
    """Return the report of a replay that has ended."""
    states = ended.states
    warning = early_warning(log.incidents, states)
    instants = [u.instant for i in log.incidents for u in (i.updates[0], i.updates[-1])]
    steps = Counter(f"{s.fraction:g}" for state in states.values() for s in state.steps)
    return Report(
        by=by,
        first_instant=min(incident.updates[0].opened_at for incident in log.incidents),
        last_instant=max(instants),
        tickets=len(states),
        rows_read=log.rows_read,
        rows_used=log.rows_used,
        rows_unused=log.unused,
        events=driven.events,
        events_accepted=driven.events - driven.refused.total(),
        events_refused=dict(sorted(driven.refused.items(), key=lambda item: (-item[1], item[0]))),
        decisions=sum(ended.decisions.values()),
        escalations=steps.total(),
        escalations_by_step=dict(sorted(steps.items(), key=lambda item: float(item[0]))),
        breaches=sum(len(state.missed) for state in states.values()),
        priorities=_priorities(log, states),
        assignments=_assignments(driven.comparison, ended),
        early_warning=warning if isinstance(warning, EarlyWarning) else None,
        early_warning_missing=warning if isinstance(warning, str) else "",
    )


def _priorities(log: Log, states: Mapping[str, TicketState]) -> tuple[PriorityLine, ...]:
    missed = {incident.ticket_id for incident in log.incidents if incident.missed}
    return tuple(
        _priority(priority, [s for s in states.values() if s.priority is priority], missed)
        for priority in reversed(Priority)
    )


def _priority(priority: Priority, states: Sequence[TicketState], missed: set[str]) -> PriorityLine:
    metrics = Counter(str(breach.metric) for state in states for breach in state.missed)
    return PriorityLine(
        priority=str(priority),
        tickets=len(states),
        escalations=sum(len(state.steps) for state in states),
        breaches=metrics.total(),
        breached_tickets=sum(bool(state.missed) for state in states),
        breaches_by_metric=dict(sorted(metrics.items())),
        missed=sum(state.ticket_id in missed for state in states),
    )


def _assignments(seen: Comparison, ended: Ended) -> Assignments:
    made = sum(ended.assignments.values())
    return Assignments(
        made=made,
        changed=sum(count - 1 for count in ended.assignments.values() if count),
        changed_in_log=seen.theirs_changed,
        tickets_never_owned=sum(not ended.assignments.get(ticket) for ticket in ended.states),
        agents=len(seen.team_of),
        teams=len(set(seen.team_of.values())),
        rows_compared=seen.rows,
        same_team=_share(seen.same_team, seen.rows),
        same_agent=_share(seen.same_agent, seen.rows),
        tickets_compared=seen.tickets,
        same_team_at_end=_share(seen.tickets_same_team, seen.tickets),
        rows_without_our_owner=seen.rows_without_ours,
        rows_without_log_team=seen.rows_without_theirs,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
