"""How fairly tickets were given, and how soon: by our rules, by round robin, and in the log itself.

Load is time-weighted: the capacity units that an agent carried, multiplied by the hours.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from math import ceil
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from hub.progress import Progress, Ticker
from hub.replay.ownership import Recording, Spell, Track, as_in_log, owned_at, owners, spells
from hub.replay.source import Incident
from support.fairness import gini, jain
from support.routing import Role
from support.simulate import Member

_N = TypeVar("_N", int, float)
_HOUR = timedelta(hours=1)
_AT_ONCE = timedelta(minutes=1)

ASSUMPTIONS = (
    (
        "Each way has the same agents, each in one team and with the same capacity, online all the "
        "time: the log does not tell who was at work, had left, or took less by agreement."
    ),
    (
        "A ticket's team is the one of its first row; the log's later changes of group are not "
        "followed, so ours and round robin never hand a ticket to another team."
    ),
    (
        "A ticket weighs the units of its status, which follows the log: the same in each way. "
        "Who owns a ticket does not change how soon it is resolved."
    ),
    (
        "In the log an owner counts from the first row that names one, to the minute and by the "
        "clock: who worked before that row is not known. Rows that name nobody take the owner away."
    ),
    "Leads are invented; what they own counts as owned and not as load of an agent.",
    (
        "A ticket that nobody owns is nobody's load, so work left waiting makes load look more "
        "even: read it with the unit hours without an owner, and with a capacity that never binds."
    ),
)
"""Without these the figures say nothing; so they are told with them."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Evenness(_Frozen):
    """How even the shares of all agents are; None where there is nothing to share.

    `jain_in_teams` is Jain's index of each team of two or more, averaged by their agents: that is
    all a strategy can better, because teams get unequal work. `largest` is one agent's share.
    """

    jain: float | None
    gini: float | None
    jain_in_teams: float | None
    largest: float | None


class Waits(_Frozen):
    """How long tickets waited for their first owner, in seconds by the clock.

    Of the `owned`: `at_once` is the part that had one within the minute. `never` had none.
    """

    owned: int
    never: int
    at_once: float | None
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    max_s: float | None


class Changes(_Frozen):
    """Changes for each ticket, those without any included."""

    total: int
    mean: float
    p90: int
    max: int


class Way(_Frozen):
    """One way of assigning. `load` is of unit hours, `tickets` of the tickets that each was given.

    `unit_hours` are of all tickets, `unowned_hours` those that nobody carried; `beyond_capacity` is
    the part of the agents' load above their capacity, and `peak_units` the most of one agent.
    `to_leads` tickets were given to leads at some time. `found_full` and `found_nobody` tickets
    could at some time not be assigned; None: the log does not tell.
    """

    name: str
    load: Evenness
    tickets: Evenness
    unit_hours: float
    unowned_hours: float
    peak_units: float
    beyond_capacity: float
    to_leads: int
    wait: Waits
    reassignments: Changes
    found_full: int | None = None
    found_nobody: int | None = None


class LogsOwn(_Frozen):
    """What only the log has. `on_first_row` is the part of its tickets that came with an owner.

    `counter` is the log's own count of reassignments; None where the mapping names no column.
    """

    on_first_row: float
    group_changes: Changes
    counter: Changes | None
    assignees_without_team: int


class Fairness(_Frozen):
    """Three ways on one log. `lone_agents` are alone in their team: nobody shares with them."""

    agents: int
    teams: int
    lone_agents: int
    capacity_units: float
    tickets: int
    until: datetime
    ways: tuple[Way, ...]
    log: LogsOwn
    assumptions: tuple[str, ...] = ASSUMPTIONS


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is the same for all ways."""

    team_of: Mapping[str, str]
    capacity_units: float
    until: datetime


def measure_fairness(
    incidents: Sequence[Incident],
    members: Iterable[Member],
    ours: Recording,
    round_robin: Recording,
    progress: Progress,
) -> Fairness:
    """Measure the log's own assignment beside two replays of it, up to its last row."""
    agents = [member for member in members if member.role is Role.AGENT]
    team_of = {member.agent_id: member.team for member in agents}
    capacity = float(max((m.capacity_units for m in agents), default=0))
    until = max(incident.updates[-1].instant for incident in incidents)
    ground = _Ground(team_of, capacity, until)
    ticker = Ticker(progress, "Measuring fairness: ways", 3)
    ways = []
    for name, recording in (("ours", ours), ("round robin", round_robin)):
        way = _way(name, recording.tracks, ground)
        found = {"found_full": len(recording.full), "found_nobody": len(recording.nobody)}
        ways.append(way.model_copy(update=found))
        ticker.add()
    ways.append(_way("the log", as_in_log(incidents, ours.tracks), ground))
    ticker.add()
    ticker.end()
    sizes = Counter(team_of.values())
    return Fairness(
        agents=len(agents),
        teams=len(sizes),
        lone_agents=sum(size == 1 for size in sizes.values()),
        capacity_units=capacity,
        tickets=len(incidents),
        until=until,
        ways=tuple(ways),
        log=_logs_own(incidents, team_of),
    )


def _way(name: str, tracks: Mapping[str, Track], ground: _Ground) -> Way:
    load: defaultdict[str, float] = defaultdict(float)
    carried: defaultdict[str, list[Spell]] = defaultdict(list)
    for track in tracks.values():
        for spell in spells(track, ground.until):
            load[spell.owner] += spell.units * ((spell.until - spell.since) / _HOUR)
            carried[spell.owner].append(spell)
    chain = {ticket_id: owners(track) for ticket_id, track in tracks.items()}
    given = Counter(owner for each in chain.values() for owner in set(each))
    levels = [_level(carried[agent], ground.capacity_units) for agent in ground.team_of]
    of_agents = sum(load[agent] for agent in ground.team_of)
    beyond = sum(hours for _, hours in levels)
    return Way(
        name=name,
        load=_evenness(load, ground.team_of),
        tickets=_evenness(given, ground.team_of),
        unit_hours=sum(load.values()),
        unowned_hours=load[""],
        peak_units=max((peak for peak, _ in levels), default=0),
        beyond_capacity=beyond / of_agents if of_agents else 0,
        to_leads=sum(any(o not in ground.team_of for o in each) for each in chain.values()),
        wait=_waits(tracks.values()),
        reassignments=_changes([max(0, len(each) - 1) for each in chain.values()]),
    )


def _evenness(shares: Mapping[str, float], team_of: Mapping[str, str]) -> Evenness:
    """Compare the shares of all agents; one who is not in `shares` has none."""
    every = {agent: shares.get(agent, 0) for agent in team_of}
    total = sum(every.values())
    teams: defaultdict[str, list[float]] = defaultdict(list)
    for agent, team in team_of.items():
        teams[team].append(every[agent])
    indexes = [
        (len(team), index)
        for team in teams.values()
        if len(team) > 1 and (index := jain(team)) is not None
    ]
    weight = sum(size for size, _ in indexes)
    return Evenness(
        jain=jain(every.values()),
        gini=gini(every.values()),
        jain_in_teams=sum(size * index for size, index in indexes) / weight if weight else None,
        largest=max(every.values()) / total if total else None,
    )


def _level(carried: Iterable[Spell], capacity_units: float) -> tuple[float, float]:
    """Return the most units that one agent carried at once, and the unit hours beyond capacity."""
    changes = sorted(
        change
        for spell in carried
        for change in ((spell.since, spell.units), (spell.until, -spell.units))
    )
    level = peak = beyond = 0.0
    by_instant = [
        (at, sum(units for _, units in group)) for at, group in groupby(changes, lambda c: c[0])
    ]
    for (at, units), (end, _) in pairwise(by_instant):
        level += units
        peak = max(peak, level)
        beyond += max(0.0, level - capacity_units) * ((end - at) / _HOUR)
    return peak, beyond


def _waits(tracks: Collection[Track]) -> Waits:
    found = [(track[0].at, owned_at(track)) for track in tracks]
    waits = sorted(owned - created for created, owned in found if owned is not None)
    seconds = [wait.total_seconds() for wait in waits]
    at_once = sum(wait < _AT_ONCE for wait in waits)
    return Waits(
        owned=len(waits),
        never=len(found) - len(waits),
        at_once=at_once / len(waits) if waits else None,
        p50_s=_percentile(seconds, 50),
        p90_s=_percentile(seconds, 90),
        p99_s=_percentile(seconds, 99),
        max_s=seconds[-1] if seconds else None,
    )


def _changes(counts: Iterable[int]) -> Changes:
    ordered = sorted(counts)
    return Changes(
        total=sum(ordered),
        mean=sum(ordered) / len(ordered) if ordered else 0,
        p90=_percentile(ordered, 90) or 0,
        max=ordered[-1] if ordered else 0,
    )


def _percentile(ordered: Sequence[_N], percent: int) -> _N | None:
    """Return the nearest rank: the least value that this part of all does not exceed."""
    return ordered[max(1, ceil(percent * len(ordered) / 100)) - 1] if ordered else None


def _logs_own(incidents: Sequence[Incident], team_of: Mapping[str, str]) -> LogsOwn:
    groups = []
    for incident in incidents:
        named = [update.team for update in incident.updates if update.team]
        groups.append(sum(before != after for before, after in pairwise(named)))
    counted = [i.reassignments for i in incidents if i.reassignments is not None]
    named_agents = {update.agent for i in incidents for update in i.updates if update.agent}
    return LogsOwn(
        on_first_row=sum(bool(i.updates[0].agent) for i in incidents) / len(incidents),
        group_changes=_changes(groups),
        counter=_changes(counted) if counted else None,
        assignees_without_team=len(named_agents - team_of.keys()),
    )
