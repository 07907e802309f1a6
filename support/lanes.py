"""Lanes, command score and pressure: how hard the queues press on what the team is built for.

A lane is one entry in `LANES`; everything here reads that table. Weights, full shares and
thresholds are those of the design, section "Lanes, score, pressure". All arithmetic is exact.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from fractions import Fraction
from math import floor
from types import MappingProxyType

MIN_TICKET_BASE = 20
"""Capacity units: a small roster is judged as this one, so that one ticket is not a crisis."""
MIN_CALLBACK_BASE = 10
"""Agents who take callbacks, likewise."""
DOWN_AT = Fraction(8, 10)
"""A status goes down only below this share of its threshold."""


class LaneStatus(IntEnum):
    """How a lane stands, calmest first."""

    STABLE = 0
    WATCH = 1
    HOT = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The status as people read it."""
        return self.name.lower()


class Pressure(IntEnum):
    """How the whole tenant stands, calmest first."""

    LOW = 0
    ELEVATED = 1
    HIGH = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The pressure as people read it."""
        return self.name.lower()


class Base(StrEnum):
    """What a lane's signal is a share of."""

    TICKETS = "tickets"
    CALLBACKS = "callbacks"


@dataclass(frozen=True, slots=True)
class Signals:
    """Counts over what is active in one tenant, and what its roster is built for.

    `breached_held` counts breached tickets whose clocks are all held; they are no part of a lane.
    `queued` includes the overdue callbacks.
    """

    open_tickets: int = 0
    urgent: int = 0
    breached: int = 0
    breached_held: int = 0
    escalation_due: int = 0
    unassigned: int = 0
    waiting_internal: int = 0
    high_urgent: int = 0
    queued: int = 0
    overdue: int = 0
    rostered_units: Fraction = Fraction(0)
    callback_agents: int = 0

    def base(self, of: Base) -> Fraction:
        """Return what the team is built for: capacity units, or agents who take callbacks."""
        if of is Base.TICKETS:
            return max(Fraction(MIN_TICKET_BASE), self.rostered_units)
        return Fraction(max(MIN_CALLBACK_BASE, self.callback_agents))


@dataclass(frozen=True, slots=True)
class Threshold:
    """A status is reached at `share` of the base, but not below `count`."""

    share: Fraction
    count: int

    def at(self, base: Fraction) -> Fraction:
        """Return the signal from which the status holds."""
        return max(self.share * base, Fraction(self.count))


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane. `forces` says what a hot and a critical lane make of the pressure at least.

    `rests` lanes cost nothing in closed hours. `text` says the signal.
    """

    id: str
    title: str
    text: Callable[[Signals], str]
    action: str
    signal: Callable[[Signals], int]
    base: Base
    weight: int
    full: Fraction
    watch: Threshold
    hot: Threshold
    critical: Threshold
    forces: Mapping[LaneStatus, Pressure]
    rests: bool = False

    def threshold(self, status: LaneStatus) -> Threshold:
        """Return the threshold of a status above stable."""
        return (self.watch, self.hot, self.critical)[status - 1]


_ANY = Threshold(Fraction(0), 1)
_URGENT_FORCES = MappingProxyType(
    {LaneStatus.HOT: Pressure.ELEVATED, LaneStatus.CRITICAL: Pressure.HIGH}
)
_OTHER_FORCES = MappingProxyType({LaneStatus.CRITICAL: Pressure.ELEVATED})


def _share(text: str, count: int) -> Threshold:
    return Threshold(Fraction(text), count)


LANES: tuple[Lane, ...] = (
    Lane(
        id="sla_breached",
        title="SLA breached",
        text=lambda s: f"{s.breached} breached",
        action="Work breached tickets first and run escalation macros.",
        signal=lambda s: s.breached,
        base=Base.TICKETS,
        weight=30,
        full=Fraction("0.10"),
        watch=_ANY,
        hot=_share("0.03", 3),
        critical=_share("0.10", 6),
        forces=_URGENT_FORCES,
    ),
    Lane(
        id="escalation_due",
        title="Escalation due",
        text=lambda s: f"{s.escalation_due} due",
        action="Move escalation-due tickets to owner action before normal queue work.",
        signal=lambda s: s.escalation_due,
        base=Base.TICKETS,
        weight=15,
        full=Fraction("0.15"),
        watch=_ANY,
        hot=_share("0.05", 4),
        critical=_share("0.15", 8),
        forces=_URGENT_FORCES,
    ),
    Lane(
        id="unassigned",
        title="Unassigned",
        text=lambda s: f"{s.unassigned} active unassigned",
        action="Assign owner so every active ticket has a responsible agent.",
        signal=lambda s: s.unassigned,
        base=Base.TICKETS,
        weight=15,
        full=Fraction("0.25"),
        watch=_share("0.03", 3),
        hot=_share("0.10", 6),
        critical=_share("0.25", 12),
        forces=_OTHER_FORCES,
        rests=True,
    ),
    Lane(
        id="assignment",
        title="Assignment",
        text=lambda s: f"{s.waiting_internal} waiting internal",
        action="Run assignment rules for workload balance.",
        signal=lambda s: s.waiting_internal,
        base=Base.TICKETS,
        weight=10,
        full=Fraction("0.40"),
        watch=_share("0.10", 5),
        hot=_share("0.25", 10),
        critical=_share("0.40", 20),
        forces=_OTHER_FORCES,
        rests=True,
    ),
    Lane(
        id="callback_sla",
        title="Callback SLA",
        text=lambda s: f"{s.queued} queued / {s.overdue} overdue",
        action="Escalate overdue callbacks first and dispatch owners quickly.",
        signal=lambda s: s.queued,
        base=Base.CALLBACKS,
        weight=5,
        full=Fraction(1),
        watch=_share("0.5", 3),
        hot=_share("1", 8),
        critical=_share("2", 16),
        forces=_OTHER_FORCES,
        rests=True,
    ),
    Lane(
        id="overdue_recovery",
        title="Overdue recovery",
        text=lambda s: f"{s.overdue} overdue callbacks",
        action="Work the overdue callback queue from unified inbox with SLA context visible.",
        signal=lambda s: s.overdue,
        base=Base.CALLBACKS,
        weight=20,
        full=Fraction("0.30"),
        watch=_ANY,
        hot=_share("0.10", 2),
        critical=_share("0.30", 4),
        forces=_URGENT_FORCES,
    ),
    Lane(
        id="priority_queue",
        title="Priority queue",
        text=lambda s: f"{s.high_urgent} high/urgent",
        action="Lock owner and use macro flow to keep reply speed up.",
        signal=lambda s: s.high_urgent,
        base=Base.TICKETS,
        weight=5,
        full=Fraction("0.60"),
        watch=_share("0.15", 5),
        hot=_share("0.35", 12),
        critical=_share("0.60", 24),
        forces=_OTHER_FORCES,
    ),
)


@dataclass(frozen=True, slots=True)
class LaneReading:
    """One lane as it stands. `contribution` is the points that it takes off the score."""

    lane: Lane
    signal: int
    base: Fraction
    status: LaneStatus
    contribution: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One tenant as it stands: every lane, the command score (0 to 100) and the pressure."""

    signals: Signals
    open_hours: bool
    lanes: tuple[LaneReading, ...]
    score: int
    pressure: Pressure

    @property
    def statuses(self) -> Mapping[str, LaneStatus]:
        """Status of each lane by id: what the next reading takes as `previous`."""
        return {reading.lane.id: reading.status for reading in self.lanes}


def status_of(
    lane: Lane, signal: int, base: Fraction, previous: LaneStatus = LaneStatus.STABLE
) -> LaneStatus:
    """Status of `lane`: up at once, down from `previous` only below 0.8 of the threshold."""
    for status in (LaneStatus.CRITICAL, LaneStatus.HOT, LaneStatus.WATCH):
        limit = lane.threshold(status).at(base)
        if signal >= limit or (previous >= status and signal >= DOWN_AT * limit):
            return status
    return LaneStatus.STABLE


def read_lanes(
    signals: Signals,
    *,
    open_hours: bool = True,
    previous: Mapping[str, LaneStatus] | None = None,
) -> Reading:
    """Judge `signals`. `previous` holds the statuses of the last reading, by lane id.

    Score: floor(100 - sum of weight x min(1, (signal / base) / full)). In closed hours the lanes
    that rest take nothing off it and force no pressure; their status is shown all the same.
    """
    before = previous or {}
    lanes = tuple(
        _read(lane, signals, before.get(lane.id, LaneStatus.STABLE), open_hours=open_hours)
        for lane in LANES
    )
    score = floor(100 - sum(reading.contribution for reading in lanes))
    forced = (
        reading.lane.forces.get(reading.status, Pressure.LOW)
        for reading in lanes
        if open_hours or not reading.lane.rests
    )
    return Reading(signals, open_hours, lanes, score, max(_pressure_of(score), *forced))


def _read(lane: Lane, signals: Signals, previous: LaneStatus, *, open_hours: bool) -> LaneReading:
    signal, base = lane.signal(signals), signals.base(lane.base)
    share = min(Fraction(1), signal / base / lane.full)
    counts = open_hours or not lane.rests
    return LaneReading(
        lane=lane,
        signal=signal,
        base=base,
        status=status_of(lane, signal, base, previous),
        contribution=lane.weight * share if counts else Fraction(0),
        text=lane.text(signals),
    )


def _pressure_of(score: int) -> Pressure:
    if score >= 85:
        return Pressure.LOW
    if score >= 60:
        return Pressure.ELEVATED
    return Pressure.HIGH if score >= 35 else Pressure.CRITICAL
