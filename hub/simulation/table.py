"""The difference for a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hub.simulation.models import (
    AgentLoad,
    Parting,
    Report,
    RuleSaid,
    StepShown,
    TicketDifference,
    Totals,
)

_MOST_REASONS = 8
_MOST_AGENTS = 5
Row = tuple[str, float | None, float | None]


def render_table(report: Report) -> RenderableType:
    """Return the report as tables for `rich.console.Console.print`."""
    counts = report.counts
    head = Text.assemble(
        ("Simulation of ", ""),
        (report.source, "bold"),
        f": {counts.tickets:,} tickets, {report.events:,} events, {report.agents:,} agents, "
        f"policies {report.policies}: {report.seconds:g} s\n",
        f"before: {report.before.pack}\nafter:  {report.after.pack}",
    )
    parts: list[RenderableType] = [head, _totals(report), Text(in_words(report))]
    if loads := shifted(report):
        parts.append(_loads(loads))
    if report.top:
        parts.append(_tickets(report))
    parts += [Text(f"Not known: {what}", style="dim") for what in report.unknown]
    return Group(*parts)


def in_words(report: Report) -> str:
    """Say in a sentence or two how many tickets differ."""
    counts = report.counts
    if not counts.differ:
        return f"No difference: both packs decide all {counts.tickets:,} tickets alike."
    return (
        f"{counts.differ:,} of {counts.tickets:,} tickets differ; {counts.ended_alike:,} of them "
        f"ended the same. {counts.indirect:,} differ only because other tickets do: the same "
        "rules fired, and other agents were free."
    )


def rows(report: Report) -> Iterator[Row]:
    """Yield every total with its value on each side."""
    before, after = report.before.totals, report.after.totals
    for name, field in (
        ("Decisions", "decisions"),
        ("Assignments", "assignments"),
        ("Changes of owner", "assignments_changed"),
        ("Tickets never owned", "never_owned"),
        ("Ladder steps due", "steps"),
        ("Escalations", "escalations"),
    ):
        yield _row(name, before, after, field)
    yield from _by(before, after, "escalations_by_step", "  at {}")
    yield "Breaches", before.breaches, after.breaches
    yield from _by(before, after, "breaches_by_metric", "  of {}")
    yield "Notifications", before.notifications, after.notifications
    yield "Automatic messages", before.automatic_messages, after.automatic_messages
    yield (
        "Actions refused",
        sum(before.actions_refused.values()),
        sum(after.actions_refused.values()),
    )
    yield from _by(before, after, "actions_refused", "  {}", most=_MOST_REASONS)
    yield "Events refused", sum(before.events_refused.values()), sum(after.events_refused.values())
    yield "Fairness, unit hours", before.fairness_unit_hours, after.fairness_unit_hours
    yield "Fairness, tickets", before.fairness_tickets, after.fairness_tickets


def _row(name: str, before: Totals, after: Totals, field: str) -> Row:
    return name, getattr(before, field), getattr(after, field)


def _by(
    before: Totals, after: Totals, field: str, name: str, most: int | None = None
) -> Iterator[Row]:
    ours: Mapping[str, int] = getattr(before, field)
    theirs: Mapping[str, int] = getattr(after, field)
    keys = sorted(ours.keys() | theirs.keys())
    if most is not None:
        keys.sort(key=lambda key: -max(ours.get(key, 0), theirs.get(key, 0)))
    for key in keys[:most]:
        yield name.format(key.replace("_", " ")), ours.get(key, 0), theirs.get(key, 0)


def number(value: float | None) -> str:
    """Write a count or an index."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def change(before: float | None, after: float | None) -> str:
    """Write how much more or less it is; nothing where it is the same."""
    if before is None or after is None or before == after:
        return ""
    whole = isinstance(before, int) and isinstance(after, int)
    return f"{after - before:+,}" if whole else f"{after - before:+.3f}"


def _totals(report: Report) -> Table:
    table = Table(title="Totals", title_justify="left")
    table.add_column("")
    for name in ("Before", "After", "Change"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, before, after in rows(report):
        table.add_row(Text(name), number(before), number(after), change(before, after))
    changed = report.counts.changed.get("owner at the end", 0)
    table.add_row("Other owner at the end", "", "", f"{changed:,}")
    return table


def shifted(report: Report) -> Sequence[tuple[AgentLoad, AgentLoad]]:
    """Return the agents whose load changes most, as they are on each side; most first."""
    both = zip(report.before.totals.load, report.after.totals.load, strict=True)
    changed = [pair for pair in both if pair[0] != pair[1]]
    changed.sort(key=lambda pair: -abs(pair[1].unit_hours - pair[0].unit_hours))
    return changed[:_MOST_AGENTS]


def _loads(loads: Sequence[tuple[AgentLoad, AgentLoad]]) -> Table:
    table = Table(title="Agents whose load changes most", title_justify="left")
    for name in ("Agent", "Team"):
        table.add_column(name)
    for name in ("Unit hours before", "after", "Tickets before", "after"):
        table.add_column(name, justify="right")
    for ours, theirs in loads:
        hours = (f"{side.unit_hours:,.1f}" for side in (ours, theirs))
        tickets = (f"{side.tickets:,}" for side in (ours, theirs))
        table.add_row(Text(ours.agent_id), Text(ours.team), *hours, *tickets)
    return table


def _tickets(report: Report) -> Table:
    shown, all_of = len(report.top), report.counts.differ
    which = "" if shown == all_of else f": the {shown} that differ most, of {all_of:,}"
    table = Table(title=f"Ticket by ticket{which}", title_justify="left", show_lines=True)
    table.add_column("Ticket", no_wrap=True)
    table.add_column("What differs", ratio=2)
    table.add_column("Where they part, and why", ratio=5)
    for ticket in report.top:
        table.add_row(
            Text(ticket.ticket_id),
            Text("\n".join(what_differs(ticket))),
            Text("\n".join(where_parted(ticket))),
        )
    return table


def what_differs(ticket: TicketDifference) -> Iterable[str]:
    """Return a line for each thing that is different at the end."""
    lines = [f"{c.what}: {_value(c.before)} -> {_value(c.after)}" for c in ticket.changes]
    return lines or ["decided otherwise, ended the same"]


def _value(value: str | int) -> str:
    return "nobody" if value == "" else str(value)


def where_parted(ticket: TicketDifference) -> Iterable[str]:
    """Return lines on the first decision that differs."""
    parting = ticket.parting
    before, after = parting.before, parting.after
    if before and after and before.trigger_id == after.trigger_id:
        yield f"{before.at:%Y-%m-%d %H:%M} {before.trigger}"
        for rule in parting.rules:
            yield from _rule(rule)
    else:
        yield f"before: {_next(before)}"
        yield f"after: {_next(after)}"
    yield from _did(parting)


def _rule(rule: RuleSaid) -> Iterator[str]:
    for side, fired, why in (
        ("before", rule.fired_before, rule.before),
        ("after", rule.fired_after, rule.after),
    ):
        yield f"{side}: {rule.rule_id} {'fired' if fired else 'did not fire'}: {why}"


def _did(parting: Parting) -> Iterator[str]:
    """Say what each side did where it is not the same, of whatever both have."""
    told = [
        [f"{a.kind} {a.outcome}: {a.detail}" for a in step.actions] if step else []
        for step in (parting.before, parting.after)
    ]
    for side, ours, theirs in (("before", *told), ("after", *reversed(told))):
        yield from (f"{side}: {line}" for line in ours if line not in theirs)


def _next(step: StepShown | None) -> str:
    if step is None:
        return "nothing more was decided"
    fired = ", ".join(step.fired) or "no rule"
    return f"{step.at:%Y-%m-%d %H:%M} {step.trigger}; fired: {fired}"
