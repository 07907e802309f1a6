"""The comparison of three ways to assign, for a terminal and as bars for the page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hub.replay.fairness import Changes, Fairness, Way


@dataclass(frozen=True, slots=True)
class Bar:
    """One way's value of one measure; `width` is 0 to 1."""

    way: str
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class BarGroup:
    """One measure of all ways, and which end of it is the fair one."""

    title: str
    better: str
    bars: tuple[Bar, ...]


Line = tuple[str, tuple[str, ...]]


def render_fairness(fairness: Fairness) -> RenderableType:
    """Return the comparison as a table, with what must be known to read it."""
    table = Table(title="Fairness: who carries the load", title_justify="left")
    table.add_column(
        f"{fairness.agents:,} agents in {fairness.teams:,} teams, "
        f"{fairness.capacity_units:g} units each"
    )
    for way in fairness.ways:
        table.add_column(way.name, justify="right")
    for name, values in lines(fairness):
        table.add_row(name, *values)
    told = "\n".join(f"- {note}" for note in notes(fairness))
    return Group(table, Text(told))


def lines(fairness: Fairness) -> Iterator[Line]:
    """Yield the rows of the table: a measure, and its value by way."""
    for title, value in _MEASURES:
        yield title, tuple(value(way) for way in fairness.ways)


def notes(fairness: Fairness) -> tuple[str, ...]:
    """Say what must be known to read the figures: the log's own, what binds, what is assumed."""
    bound = (_bound(way, fairness.capacity_units) for way in fairness.ways)
    alone = (
        f"{fairness.lone_agents:,} of {fairness.agents:,} agents are alone in their team: no "
        "strategy can share their work, so only the index within teams is the strategy's own."
    )
    return (*_logs_own(fairness), *bound, alone, *fairness.assumptions)


def _bound(way: Way, capacity_units: float) -> str:
    """Say what capacity and teams did to a way."""
    if way.found_full is None or way.found_nobody is None:
        return (
            f"{way.name}: nothing held it to {capacity_units:g} units; {way.beyond_capacity:.1%} "
            f"of its agents' load lies beyond them, with at most {way.peak_units:g} units of one "
            "agent."
        )
    binds = "binds" if way.found_full else "never binds"
    return (
        f"{way.name}: a capacity of {capacity_units:g} units {binds}: {way.found_full:,} tickets "
        f"found everybody of their team full at some time, {way.found_nobody:,} found nobody in "
        f"it; {way.to_leads:,} went to leads."
    )


def _logs_own(fairness: Fairness) -> Iterator[str]:
    log = fairness.log
    yield f"the log: {log.on_first_row:.1%} of its tickets name an owner on their first row."
    counter = f"; its own counter of reassignments: {_changes(log.counter)}" if log.counter else ""
    yield (
        f"the log: changes of group a ticket: {_changes(log.group_changes)}{counter}. People moved "
        "those tickets; in ours and round robin nobody does, so their few changes of owner are no "
        "merit."
    )
    if log.assignees_without_team:
        yield f"the log: {log.assignees_without_team} assignees have no team and are left out."


def bars(fairness: Fairness) -> tuple[BarGroup, ...]:
    """Return the measures that are parts of one, as bars."""
    return tuple(
        BarGroup(
            title,
            better,
            tuple(
                Bar(way.name, value(way) or 0, _number(value(way), places)) for way in fairness.ways
            ),
        )
        for title, better, value, places in _DRAWN
    )


def _number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"


def _part(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _span(seconds: float | None) -> str:
    """Return a wait in the unit that a person would use."""
    if seconds is None:
        return "-"
    for unit, size_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size_s:
            return f"{seconds / size_s:.1f} {unit}"
    return f"{seconds:.0f} s"


def _changes(changes: Changes) -> str:
    return f"mean {changes.mean:.3f}, p90 {changes.p90}, most {changes.max}"


_MEASURES: tuple[tuple[str, Callable[[Way], str]], ...] = (
    ("Load, Jain's index (1 is even)", lambda way: _number(way.load.jain, 3)),
    ("Load, Jain's index within teams", lambda way: _number(way.load.jain_in_teams, 3)),
    ("Load, Gini (0 is even)", lambda way: _number(way.load.gini, 3)),
    ("Load, part of the busiest agent", lambda way: _part(way.load.largest)),
    ("Tickets given, Jain's index", lambda way: _number(way.tickets.jain, 3)),
    ("Tickets given, Jain's index within teams", lambda way: _number(way.tickets.jain_in_teams, 3)),
    ("Tickets given, Gini", lambda way: _number(way.tickets.gini, 3)),
    ("Most units of one agent at once", lambda way: f"{way.peak_units:g}"),
    ("Load beyond capacity", lambda way: _part(way.beyond_capacity)),
    ("Unit hours of all tickets", lambda way: f"{way.unit_hours:,.0f}"),
    ("Unit hours without an owner", lambda way: f"{way.unowned_hours:,.0f}"),
    ("Wait for an owner, p50", lambda way: _span(way.wait.p50_s)),
    ("Wait for an owner, p90", lambda way: _span(way.wait.p90_s)),
    ("Wait for an owner, p99", lambda way: _span(way.wait.p99_s)),
    ("Wait for an owner, longest", lambda way: _span(way.wait.max_s)),
    ("Owned within the minute, of those ever owned", lambda way: _part(way.wait.at_once)),
    ("Tickets never owned", lambda way: f"{way.wait.never:,}"),
    ("Tickets that leads were given", lambda way: f"{way.to_leads:,}"),
    ("Changes of owner a ticket, mean", lambda way: _number(way.reassignments.mean, 3)),
    ("Changes of owner a ticket, p90", lambda way: f"{way.reassignments.p90}"),
    ("Changes of owner a ticket, most", lambda way: f"{way.reassignments.max}"),
)

_DRAWN: tuple[tuple[str, str, Callable[[Way], float | None], int], ...] = (
    ("Load, Jain's index", "1 is even", lambda way: way.load.jain, 3),
    ("Load, Jain's index within teams", "1 is even", lambda way: way.load.jain_in_teams, 3),
    ("Load, Gini", "0 is even", lambda way: way.load.gini, 3),
    ("Tickets given, Jain's index", "1 is even", lambda way: way.tickets.jain, 3),
    (
        "Tickets given, Jain's index within teams",
        "1 is even",
        lambda way: way.tickets.jain_in_teams,
        3,
    ),
    ("Tickets given, Gini", "0 is even", lambda way: way.tickets.gini, 3),
    ("Owned within the minute", "part of those ever owned", lambda way: way.wait.at_once, 3),
)
