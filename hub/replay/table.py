"""The report for a terminal."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hub.replay.fairness_table import render_fairness
from hub.replay.report import Report
from hub.replay.warning import EarlyWarning


def render_table(report: Report) -> RenderableType:
    """Return the report as tables for `rich.console.Console.print`."""
    by = report.by
    head = Text.assemble(
        ("Replay of ", ""),
        (by.log, "bold"),
        f" by mapping {by.mapping}, engine {by.engine}, rules {by.pack}, "
        f"policies {by.policies}: {by.seconds:g} s",
    )
    parts: list[RenderableType] = [
        head,
        _counts(report),
        _priorities(report),
        _assignments(report),
        _reasons("Rows not used", report.rows_unused),
        _reasons("Events refused", report.events_refused),
    ]
    if report.early_warning is not None:
        parts += [_flagging(report.early_warning), _explained(report.early_warning)]
    else:
        parts.append(Text(f"No early-warning figures: {report.early_warning_missing}."))
    if report.fairness is not None:
        parts.append(render_fairness(report.fairness))
    return Group(*parts)


def _counts(report: Report) -> Table:
    table = Table(title="What came of it", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, count in (
        ("Rows read", report.rows_read),
        ("Rows used", report.rows_used),
        ("Tickets", report.tickets),
        ("Events", report.events),
        ("Decisions", report.decisions),
        ("Assignments", report.assignments.made),
        ("Escalation steps", report.escalations),
        ("Breaches", report.breaches),
    ):
        table.add_row(name, f"{count:,}")
    return table


def _priorities(report: Report) -> Table:
    table = Table(title="By last priority", title_justify="left")
    table.add_column("Priority")
    for name in ("Tickets", "Escalation steps", "Breaches", "Tickets breached", "Missed in log"):
        table.add_column(name, justify="right")
    for line in report.priorities:
        numbers = (line.tickets, line.escalations, line.breaches, line.breached_tickets)
        table.add_row(line.priority, *(f"{n:,}" for n in (*numbers, line.missed)))
    return table


def _assignments(report: Report) -> Table:
    ours = report.assignments
    table = Table(title="Assignments beside the log's own", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("Changes of owner here", f"{ours.changed:,}"),
        ("Changes of team in the log", f"{ours.changed_in_log:,}"),
        ("Tickets never owned here", f"{ours.tickets_never_owned:,}"),
        (f"Same team, of {ours.rows_compared:,} rows", share(ours.same_team)),
        (f"Same agent, of {ours.rows_compared:,} rows", share(ours.same_agent)),
        (
            f"Same team at the end, of {ours.tickets_compared:,} tickets",
            share(ours.same_team_at_end),
        ),
    ):
        table.add_row(name, value)
    return table


def _reasons(title: str, reasons: Mapping[str, int]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for reason, count in reasons.items():
        table.add_row(Text(reason), f"{count:,}")
    if not reasons:
        table.add_row("none", "0")
    return table


def _flagging(warning: EarlyWarning) -> Table:
    table = Table(title="Early warning of what the log marks as missed", title_justify="left")
    table.add_column("Flagged by")
    for name in (
        "Recall",
        "False alarms",
        "Median lead",
        "By age at this lead: recall",
        "false alarms",
        "Recall by age at these false alarms",
    ):
        table.add_column(name, justify="right")
    for flagging in warning.flagging:
        table.add_row(
            flagging.clocks,
            share(flagging.recall),
            share(flagging.false_alarms),
            hours(flagging.median_lead_h),
            share(flagging.baseline_recall),
            share(flagging.baseline_false_alarms),
            share(flagging.recall_by_age),
        )
    return table


def _explained(warning: EarlyWarning) -> Text:
    limits = ", ".join(f"{name} {hours(h)}" for name, h in warning.limits_h.items())
    return Text(
        f"On the later half: {warning.missed:,} missed, {warning.met:,} met. Limits of age from "
        f"the earlier half: {limits}; they agree with the log on {share(warning.limit_agrees)}."
    )


def share(value: float | None) -> str:
    """Return a share as a person reads it."""
    return "-" if value is None else f"{value:.1%}"


def hours(value: float | None) -> str:
    """Return hours as a person reads them."""
    return "-" if value is None else f"{value:.1f} h"
