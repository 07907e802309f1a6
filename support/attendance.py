"""Whether an agent is at work, why not, and the next instant at which that may be different."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from support.duration import show_duration
from support.errors import InputError
from support.model import LeftCause, Presence
from support.roster import Span
from support.shifts import Leave

OFFLINE_GRACE = timedelta(minutes=15)
"""How long an agent may be offline within a shift before their tickets are told."""
HEARTBEAT = timedelta(seconds=90)
"""How long one heartbeat lasts, unless it says how long."""
SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT = timedelta(seconds=10), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class AgentTime:
    """What is known of one agent's time around an instant.

    `until` ends being online, None: it holds until said otherwise. `spans` are those on shift that
    have not ended, in order and apart; None: always on shift. `leaves` have not ended either, and
    `duty` is when they are on call by rota, which is work outside shifts as well.
    `frees_at`: until then no more new assignments are allowed.
    """

    presence: Presence
    since: datetime
    until: datetime | None = None
    spans: tuple[Span, ...] | None = None
    leaves: tuple[Leave, ...] = ()
    frees_at: datetime | None = None
    duty: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Attendance:
    """How an agent stands at an instant.

    `presence` holds since `since`. `left` is why they are not at work; None: they are, or have not
    been offline for long. `takes_work`: can be given new work, as far as time and limit go.
    Nothing of it changes before `next_at`; None: not by itself.
    """

    presence: Presence
    since: datetime
    left: LeftCause | None
    takes_work: bool
    next_at: datetime | None


def attendance(agent: AgentTime, now: datetime) -> Attendance:
    """Return how the agent stands at `now`."""
    presence, since = agent.presence, agent.since
    if presence is Presence.ONLINE and agent.until is not None and agent.until <= now:
        presence, since = Presence.OFFLINE, agent.until
    on_leave = any(
        leave.starts_at <= now and (leave.ends_at is None or now < leave.ends_at)
        for leave in agent.leaves
    )
    works = None if agent.spans is None else (*agent.spans, *agent.duty)
    on_shift = works is None or any(begin <= now < end for begin, end in works)
    gone_at = since + OFFLINE_GRACE if presence is Presence.OFFLINE else None
    left = None
    if on_leave:
        left = LeftCause.ON_LEAVE
    elif not on_shift:
        left = LeftCause.SHIFT_ENDED
    elif gone_at is not None and gone_at <= now:
        left = LeftCause.OFFLINE
    limited = agent.frees_at is not None and now < agent.frees_at
    online_until = agent.until if presence is Presence.ONLINE else None
    ahead = (*_edges(agent), gone_at, online_until, agent.frees_at)
    return Attendance(
        presence=presence,
        since=since,
        left=left,
        takes_work=presence is Presence.ONLINE and left is None and not limited,
        next_at=min((at for at in ahead if at is not None and at > now), default=None),
    )


def _edges(agent: AgentTime) -> list[datetime | None]:
    """Return when shifts, duty and leaves begin and end."""
    leaves = [(leave.starts_at, leave.ends_at) for leave in agent.leaves]
    return [edge for ends in (*(agent.spans or ()), *agent.duty, *leaves) for edge in ends]


def frees_at(
    recent: Sequence[datetime], limit_new: int | None, window: timedelta | None
) -> datetime | None:
    """Return when a limit of new assignments that has been reached allows the next; may be past.

    `recent` are the instants of assignments, the latest last.
    """
    if limit_new is None or window is None or len(recent) < limit_new:
        return None
    return recent[-limit_new] + window


def takes_up(
    agent: AgentTime, found: Attendance, was: LeftCause | None, since: datetime, now: datetime
) -> bool:
    """Whether they can take work by what fell due: they are back, or other work than before.

    Since then, their limit freed, or their duty began. `was` is why they were not at work when that
    was last acted upon.
    """
    freed = agent.frees_at is not None and agent.frees_at > since
    begun = any(since < begin <= now for begin, _ in agent.duty)
    return found.takes_work and (was is not None or freed or begun)


def tells(was: LeftCause | None, left: LeftCause | None) -> bool:
    """Whether their tickets are to be told: once when they go, and again when leave begins."""
    return left is not None and (was is None or (left is LeftCause.ON_LEAVE and left is not was))


def checked_heartbeat(lasts: timedelta) -> timedelta:
    """Return how long a heartbeat lasts; InputError where that is too short or too long."""
    if not SHORTEST_HEARTBEAT <= lasts <= LONGEST_HEARTBEAT:
        least, most = show_duration(SHORTEST_HEARTBEAT), show_duration(LONGEST_HEARTBEAT)
        raise InputError(
            f"a heartbeat of {show_duration(lasts)} is out of range: give {least} to {most}"
        )
    return lasts
