"""Who is on call when: members of a rota take turns, and swaps and leave put others in their place.

Turns are handed over by the clock on the wall where the rota is: at 08:00 it is 08:00 on both sides
of a change of the clocks, so that the turn between is an hour shorter or longer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from support.calendar import instant_of_reading
from support.errors import InputError, shortened
from support.model import checked_id
from support.roster import read_home
from support.shifts import Leave, read_date

WEEK_DAYS = 7
MOST_DAYS = 366
"""Days that a turn can have."""
MOST_MEMBERS = 100


@dataclass(frozen=True, slots=True)
class Swap:
    """An agent takes over in [starts_at, ends_at), whoever's turn it is."""

    agent_id: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Rota:
    """Members who take turns of `days` days, from one reading of the clock in `tz` to another.

    The first member's turn begins at `first_handover`, a reading without offset; before it turns go
    back in the same order, so that somebody is always on duty. Where swaps overlap, the last of
    them counts. `team` is empty for a rota of the whole tenant.
    """

    tz: str
    members: tuple[str, ...]
    first_handover: datetime
    days: int = WEEK_DAYS
    team: str = ""
    swaps: tuple[Swap, ...] = ()

    def handover(self, turn: int) -> datetime:
        """Return the instant at which a turn begins; 0 is the first member's first one."""
        return instant_of_reading(self.first_handover + turn * timedelta(days=self.days), self.tz)

    def turn_at(self, at: datetime) -> int:
        """Return the number of the turn that holds `at`."""
        shown = at.astimezone(ZoneInfo(self.tz)).replace(tzinfo=None)
        turn = (shown - self.first_handover) // timedelta(days=self.days)
        # A reading that the clock repeats or skips can be on the other side of a handover.
        while self.handover(turn) > at:
            turn -= 1
        while self.handover(turn + 1) <= at:
            turn += 1
        return turn

    def asked(self, at: datetime) -> Iterator[str]:
        """Yield who is asked to be on duty at `at`: swaps, whose turn it is, then who follows."""
        for swap in reversed(self.swaps):
            if swap.starts_at <= at < swap.ends_at:
                yield swap.agent_id
        turn = self.turn_at(at)
        for step in range(len(self.members)):
            yield self.members[(turn + step) % len(self.members)]


@dataclass(frozen=True, slots=True)
class Turn:
    """That an agent is on duty in [starts_at, ends_at); an empty id: all are on leave."""

    agent_id: str
    starts_at: datetime
    ends_at: datetime


Leaves = Mapping[str, Sequence[Leave]]
"""Leave by agent."""
_NO_LEAVE: Leaves = {}


def on_duty(rota: Rota, at: datetime, leaves: Leaves = _NO_LEAVE) -> str:
    """Return who is on duty at `at`; the next in order stands in for who is on leave.

    Empty: all are on leave.
    """
    present = (
        agent_id
        for agent_id in rota.asked(at)
        if not any(leave.holds(at) for leave in leaves.get(agent_id, ()))
    )
    return next(present, "")


def turns(
    rota: Rota, start: datetime, end: datetime, leaves: Leaves = _NO_LEAVE
) -> tuple[Turn, ...]:
    """Return who is on duty when in [start, end), in order and without gaps.

    What one agent has on end is one turn, also where it was two.
    """
    if end <= start:
        return ()
    found: list[Turn] = []
    since = start
    for until in (*_changes(rota, start, end, leaves), end):
        agent_id = on_duty(rota, since, leaves)
        if found and found[-1].agent_id == agent_id:
            found[-1] = Turn(agent_id, found[-1].starts_at, until)
        else:
            found.append(Turn(agent_id, since, until))
        since = until
    return tuple(found)


def _changes(rota: Rota, start: datetime, end: datetime, leaves: Leaves) -> list[datetime]:
    """Return the instants within (start, end) at which somebody else may be on duty."""
    instants: set[datetime] = set()
    for swap in rota.swaps:
        instants |= {swap.starts_at, swap.ends_at}
    for agent_id in {*rota.members, *(swap.agent_id for swap in rota.swaps)}:
        for leave in leaves.get(agent_id, ()):
            instants |= {leave.starts_at, leave.ends_at or end}
    turn = rota.turn_at(start) + 1
    while (handover := rota.handover(turn)) < end:
        instants.add(handover)
        turn += 1
    return sorted(at for at in instants if start < at < end)


def read_rota(
    *, tz: str, members: Iterable[str], first_handover: str, days: int = WEEK_DAYS, team: str = ""
) -> Rota:
    """Return a rota as people write it, without swaps; InputError says what is wrong.

    `first_handover` is a reading of the clock in `tz`: 2026-03-02T08:00.
    """
    read_home(tz)
    named = tuple(checked_id(agent_id, "agent") for agent_id in members)
    if not 1 <= len(named) <= MOST_MEMBERS:
        raise InputError(f"a rota has {len(named)} members: name 1 to {MOST_MEMBERS}")
    if not 1 <= days <= MOST_DAYS:
        raise InputError(f"a turn of {days} days is not possible: give 1 to {MOST_DAYS}")
    if team:
        checked_id(team, "team")
    return Rota(tz, named, _reading(first_handover), days, team)


def read_swap(agent_id: str, starts_at: datetime, ends_at: datetime) -> Swap:
    """Return a swap; InputError where it would end before it begins."""
    if ends_at <= starts_at:
        raise InputError(
            f"the swap would end at {ends_at.isoformat()}, before it begins at "
            f"{starts_at.isoformat()}"
        )
    return Swap(checked_id(agent_id, "agent"), starts_at, ends_at)


def _reading(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None:
        raise InputError(
            f"{shortened(text)} is no time of a handover: write 2026-03-02T08:00, without offset, "
            "as the clock of the rota's zone shows it"
        )
    read_date(at.date().isoformat())
    return at
