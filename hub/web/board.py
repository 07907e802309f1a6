"""The control surface of a tenant: its reading, and what to do next about it."""

from dataclasses import dataclass
from datetime import datetime

from store.lanes import signals
from store.pool import Connection
from support.calendar import BusinessCalendar
from support.lanes import LaneReading, Reading, read_lanes

STANDING = (
    "Run assignment rules if waiting internal grows.",
    "Escalate overdue callbacks first and lock an owner.",
    "Close or macro-handle urgent tickets faster.",
    "Review assignment audit after bulk routing changes.",
)
"""The next best actions that always stand."""
FIRST = ("overdue_recovery", "sla_breached", "escalation_due")
"""Lanes that come before all others, in this order."""
RUNS = {
    "sla_breached": ("escalation macro per ticket", "owner and lead"),
    "escalation_due": ("escalation to the step's target", "owner"),
    "unassigned": ("assignment", "team lead"),
    "assignment": ("chase macro and re-balance", "whom it waits on"),
    "callback_sla": ("dispatch", "agents who take callbacks"),
    "overdue_recovery": ("callback recovery", "agents who take callbacks"),
    "priority_queue": ("owner lock and macro", "owner"),
}
"""What runs for a lane, and who owns it."""


@dataclass(frozen=True, slots=True)
class StripView:
    """The numbers of the command strip."""

    open_tickets: int
    urgent: int
    sla_breached: int
    breached_held: int
    escalation_due: int
    unassigned: int
    callback_overdue: int


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane. `contribution`: points that it takes off the command score."""

    id: str
    title: str
    signal: int
    text: str
    status: str
    action: str
    base: float
    contribution: float


@dataclass(frozen=True, slots=True)
class NextAction:
    """What to do about a lane now, on how many items, and what it gives back to the score."""

    lane: str
    action: str
    runs: str
    owner: str
    items: int
    gives_back: float


@dataclass(frozen=True, slots=True)
class Board:
    """One tenant as it stands at `at`."""

    tenant: str
    at: datetime
    score: int
    pressure: str
    open_hours: bool
    strip: StripView
    lanes: tuple[LaneView, ...]
    next_actions: tuple[NextAction, ...]
    standing_actions: tuple[str, ...] = STANDING


async def read_board(
    conn: Connection, *, tenant: str, office: BusinessCalendar, now: datetime
) -> Board:
    """Read the tenant as it stands; `office` says whether its resting lanes cost anything."""
    reading = read_lanes(await signals(conn, tenant=tenant), open_hours=office.is_open(now))
    counts = reading.signals
    return Board(
        tenant=tenant,
        at=now,
        score=reading.score,
        pressure=reading.pressure.word,
        open_hours=reading.open_hours,
        strip=StripView(
            open_tickets=counts.open_tickets,
            urgent=counts.urgent,
            sla_breached=counts.breached,
            breached_held=counts.breached_held,
            escalation_due=counts.escalation_due,
            unassigned=counts.unassigned,
            callback_overdue=counts.overdue,
        ),
        lanes=tuple(_lane(one) for one in reading.lanes),
        next_actions=next_actions(reading),
    )


def next_actions(reading: Reading) -> tuple[NextAction, ...]:
    """Return what to do: overdue, breached, escalation due, then by what clearing gives back."""
    pressing = (one for one in reading.lanes if one.signal)
    return tuple(_action(one) for one in sorted(pressing, key=_urgency))


def _urgency(one: LaneReading) -> tuple[int, float]:
    place = FIRST.index(one.lane.id) if one.lane.id in FIRST else len(FIRST)
    return place, -float(one.contribution)


def _action(one: LaneReading) -> NextAction:
    runs, owner = RUNS[one.lane.id]
    return NextAction(
        lane=one.lane.id,
        action=one.lane.action,
        runs=runs,
        owner=owner,
        items=one.signal,
        gives_back=round(float(one.contribution), 1),
    )


def _lane(one: LaneReading) -> LaneView:
    return LaneView(
        id=one.lane.id,
        title=one.lane.title,
        signal=one.signal,
        text=one.text,
        status=one.status.word,
        action=one.lane.action,
        base=float(one.base),
        contribution=round(float(one.contribution), 1),
    )
