"""How early automation flagged what the log marks as missed, beside flagging by age alone.

The log has no due date. A limit of wall-clock age is chosen for each priority on the first half of
the incidents by opening time, so that it reproduces the log's verdicts best; all figures are of the
second half. A flag is the first escalation step or breach while the log still worked on the
incident; its lead is the time left to the limit. The baseline flags at the limit's age less the
median lead; at other false-alarm shares it is the straight line from (0, 0) through its point to
(1, 1), which flagging at random on one side of it reaches.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from pydantic import BaseModel, ConfigDict

from hub.replay.source import Incident
from support.model import Priority
from support.policy import Metric
from support.sla import BreachCause
from support.ticket import TicketState

LEADS_H = (0, 4, 8, 12, 24, 36, 48, 60, 72)
_ENOUGH = 20
"""Verdicts of each kind that a priority needs for a limit of its own."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Flagging(_Frozen):
    """One way of flagging; shares are of all missed and of all met incidents.

    `recall`: flagged before the limit. `false_alarms`: met, and flagged all the same. `baseline_*`
    are of age alone at the same lead; `recall_by_age` is its recall at our false alarms.
    """

    clocks: str
    flagged_missed: int
    flagged_late: int
    flagged_met: int
    recall: float
    false_alarms: float
    median_lead_h: float | None
    baseline_recall: float | None
    baseline_false_alarms: float | None
    recall_by_age: float | None


class AgePoint(_Frozen):
    """Flagging by age alone, `lead_h` before the limit."""

    lead_h: float
    recall: float
    false_alarms: float


class EarlyWarning(_Frozen):
    """Figures of the second half. `limits_h` by priority, `all` for those without their own."""

    missed: int
    met: int
    limits_h: Mapping[str, float]
    limit_agrees: float
    flagging: tuple[Flagging, ...]
    by_age: tuple[AgePoint, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    opened_at: datetime
    age_h: float
    missed: bool
    priority: Priority
    state: TicketState


def early_warning(
    incidents: Sequence[Incident], states: Mapping[str, TicketState]
) -> EarlyWarning | str:
    """Return the figures, or why there are none."""
    cases = sorted(
        (_case(i, states[i.ticket_id]) for i in incidents if i.missed is not None),
        key=lambda case: (case.opened_at, case.state.ticket_id),
    )
    if not cases:
        return "the mapping names no outcome, or the log has none"
    first, second = cases[: len(cases) // 2], cases[len(cases) // 2 :]
    for half in (first, second):
        if len({case.missed for case in half}) < 2:
            return "half of the incidents are all missed or all met: replay more of them"
    limits = _limits(first)
    right = sum((case.age_h > _limit(limits, case)) == case.missed for case in second)
    every = frozenset(Metric)
    return EarlyWarning(
        missed=sum(case.missed for case in second),
        met=sum(not case.missed for case in second),
        limits_h=limits,
        limit_agrees=right / len(second),
        flagging=(
            _flagging("any clock", second, limits, every),
            _flagging("resolution clock", second, limits, frozenset({Metric.RESOLUTION})),
        ),
        by_age=tuple(_by_age(second, limits, lead_h) for lead_h in LEADS_H),
    )


def _case(incident: Incident, state: TicketState) -> _Case:
    first, last = incident.updates[0], incident.updates[-1]
    ended = incident.resolved_at or last.instant
    age_h = (ended - first.opened_at) / timedelta(hours=1)
    return _Case(first.opened_at, age_h, bool(incident.missed), first.priority, state)


def _limits(cases: Sequence[_Case]) -> dict[str, float]:
    limits = {"all": _best_limit(cases)}
    for priority in Priority:
        own = [case for case in cases if case.priority is priority]
        missed = sum(case.missed for case in own)
        if min(missed, len(own) - missed) >= _ENOUGH:
            limits[str(priority)] = _best_limit(own)
    return limits


def _best_limit(cases: Sequence[_Case]) -> float:
    """Return the whole hour of age that tells missed from met best, the smallest of equals."""
    missed = sorted(case.age_h for case in cases if case.missed)
    met = sorted(case.age_h for case in cases if not case.missed)
    last = max([*missed, *met])

    def right(hour: int) -> int:
        return len(missed) - bisect_right(missed, hour) + bisect_right(met, hour)

    return float(max(range(1, int(last) + 2), key=lambda hour: (right(hour), -hour)))


def _limit(limits: Mapping[str, float], case: _Case) -> float:
    return limits.get(str(case.priority), limits["all"])


def _flagged_at(state: TicketState, metrics: frozenset[Metric]) -> datetime | None:
    steps = [step.fired_at for step in state.steps if step.metric in metrics]
    breaches = [
        breach.due_at
        for breach in state.breaches
        if breach.metric in metrics and breach.cause is BreachCause.TIME and not breach.withdrawn
    ]
    return min([*steps, *breaches], default=None)


def _flagging(
    clocks: str, cases: Sequence[_Case], limits: Mapping[str, float], metrics: frozenset[Metric]
) -> Flagging:
    leads: list[float] = []
    late = alarms = 0
    for case in cases:
        at = _flagged_at(case.state, metrics)
        age_h = (at - case.opened_at) / timedelta(hours=1) if at else None
        if age_h is None or age_h >= case.age_h:
            continue
        if not case.missed:
            alarms += 1
        elif age_h < _limit(limits, case):
            leads.append(_limit(limits, case) - age_h)
        else:
            late += 1
    missed = sum(case.missed for case in cases)
    recall, false_alarms = len(leads) / missed, alarms / (len(cases) - missed)
    lead_h = median(leads) if leads else None
    age = _by_age(cases, limits, lead_h) if lead_h is not None else None
    return Flagging(
        clocks=clocks,
        flagged_missed=len(leads),
        flagged_late=late,
        flagged_met=alarms,
        recall=recall,
        false_alarms=false_alarms,
        median_lead_h=lead_h,
        baseline_recall=age.recall if age else None,
        baseline_false_alarms=age.false_alarms if age else None,
        recall_by_age=_at_equal_alarms(age, false_alarms) if age else None,
    )


def _by_age(cases: Sequence[_Case], limits: Mapping[str, float], lead_h: float) -> AgePoint:
    """Flag whatever is unresolved `lead_h` before its limit."""
    flagged = [case for case in cases if case.age_h > _limit(limits, case) - lead_h]
    missed = sum(case.missed for case in cases)
    hits = sum(case.missed for case in flagged)
    return AgePoint(
        lead_h=lead_h,
        recall=hits / missed,
        false_alarms=(len(flagged) - hits) / (len(cases) - missed),
    )


def _at_equal_alarms(age: AgePoint, false_alarms: float) -> float:
    if false_alarms <= age.false_alarms:
        return age.recall * false_alarms / age.false_alarms if age.false_alarms else age.recall
    share = (false_alarms - age.false_alarms) / (1 - age.false_alarms)
    return age.recall + (1 - age.recall) * share
