"""`flowhub import` and `flowhub replay`: tickets from elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.output import (
    TENANT,
    AsJson,
    Tenant,
    print_json,
    print_renderable,
    print_table,
    progress_bars,
    say,
)
from hub.cli.session import run, session
from settings import read_settings

REPLAY_EXAMPLE = "flowhub replay log.csv.gz --mapping servicenow-incidents --html report.html"
FAIRNESS_EXAMPLE = "flowhub replay log.csv.gz --fairness --capacity 20"
SOURCE_HELP = "JSON lines: ticket_id, event_id, kind, at, and the fields of the API."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import", epilog="Example: `flowhub import events.jsonl --tenant acme`")(import_)
    app.command("replay", epilog=f"Example: `{REPLAY_EXAMPLE}`, or `{FAIRNESS_EXAMPLE}`")(replay)


def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=SOURCE_HELP)],
    wait_s: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to wait for the last result.")
    ] = 120,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Stream events of a file to their tickets; a second run of the same file changes nothing."""
    from hub.importing import Imported, import_lines

    async def work() -> Imported:
        async with session() as hub:
            return await import_lines(
                hub.pool, hub.gateway, tenant, file, wait_s=wait_s, progress=say
            )

    done = run(work)
    if as_json:
        print_json(done)
    else:
        say(
            f"{done.lines} lines: {done.accepted} accepted, {done.refused} refused, "
            f"{done.repeated} repeated, {done.undecided} not decided yet, "
            f"{done.unusable_total} unusable"
        )
        if done.unusable:
            print_table(
                _titled("Unusable lines", len(done.unusable), done.unusable_total),
                ("line", "why"),
                done.unusable,
            )
        if done.refusals:
            print_table(
                _titled("Refused", len(done.refusals), done.refused),
                ("ticket", "event", "why"),
                done.refusals,
            )
    if done.unusable:
        raise typer.Exit(2)


def _titled(title: str, shown: int, total: int) -> str:
    """Return a table's title, which says where it does not show everything."""
    return title if shown == total else f"{title}: the first {shown} of {total}"


class EngineName(StrEnum):
    """What a replay runs on."""

    SIMULATE = "simulate"
    TEMPORAL = "temporal"


Fairness = Annotated[
    bool,
    typer.Option(
        "--fairness", help="Compare load and waits with round robin and the log's own owners."
    ),
]
Capacity = Annotated[
    float | None, typer.Option(help="Capacity units of each agent, in place of the mapping's.")
]


def replay(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A ticket log, CSV or CSV.gz.")
    ],
    mapping: Annotated[
        str, typer.Option(help="Mapping file, or the name of one that ships.")
    ] = "servicenow-incidents",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N incidents.")] = None,
    engine: Annotated[
        EngineName, typer.Option(help="simulate: the pure core; temporal: the real workflows.")
    ] = EngineName.SIMULATE,
    fairness: Fairness = False,
    capacity: Capacity = None,
    html: Annotated[Path | None, typer.Option(help="Write a report with a plot.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try rules and policies on a log of the past: what would have been, and how early."""
    import logs
    from hub.replay.page import write_html
    from hub.replay.report import Report
    from hub.replay.run import replay as run_replay
    from hub.replay.table import render_table

    settings = read_settings()
    # Its servers are its own, and begin and end with it: what they warn of is no news.
    logs.configure("ERROR")

    async def work() -> Report:
        with progress_bars() as progress:
            return await run_replay(
                file,
                mapping,
                limit=limit,
                engine=str(engine),
                settings=settings,
                progress=progress,
                fairness=fairness,
                capacity_units=capacity,
            )

    report = run(work)
    if html is not None:
        write_html(report, html)
    if as_json:
        typer.echo(report.to_json())
        return
    print_renderable(render_table(report))
    if html is not None:
        say(f"Report with a plot: {html}")
