"""`flowhub rules simulate`: a rule change on the tickets of the past, before it is published."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_renderable, progress_bars, say
from hub.cli.rules_source import ACTIVE, WHAT, pack_named
from hub.cli.session import run, store
from hub.instants import read_instant
from rules.policies_file import load_policies
from settings import read_settings
from support.errors import UsageError

if TYPE_CHECKING:
    from hub.progress import Progress
    from hub.simulation.run import Simulated, Source

EXAMPLE = (
    "flowhub rules simulate my-pack.yaml --log incidents.csv.gz --mapping servicenow-incidents "
    "--html difference.html"
)

Changed = Annotated[str, typer.Argument(metavar="PACK", help=f"The changed rule pack: {WHAT}.")]
Against = Annotated[
    str,
    typer.Option(
        metavar="PACK",
        help=f"What it is compared with: {WHAT}; default: `active`, of a log FLOWHUB_PACK, "
        "else the one that ships.",
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="A ticket log, CSV or CSV.gz; without it the tenant's own tickets.",
    ),
]
MappingName = Annotated[
    str, typer.Option(help="Of the log: mapping file, or the name of one that ships.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Of the log: only the first N incidents.")]
Since = Annotated[
    str | None, typer.Option("--from", help="Only tickets created at this instant or later.")
]
Until = Annotated[
    str | None, typer.Option("--to", help="Only tickets created before this instant.")
]
Policies = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="SLA policies of both sides; default: FLOWHUB_POLICIES, else those that ship.",
    ),
]
Tickets = Annotated[int, typer.Option(min=0, max=1000, help="Show the N tickets that differ most.")]
Html = Annotated[Path | None, typer.Option(help="Write a report with plots.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=f"Example: `{EXAMPLE}`, or, of the hub's own tickets, `flowhub rules simulate "
        "my-pack.yaml --tenant acme --from 2026-01-01`"
    )(simulate)


def simulate(
    pack: Changed,
    against: Against = "",
    log: LogFile = None,
    mapping: MappingName = "servicenow-incidents",
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    tenant: Tenant = TENANT,
    policies: Policies = None,
    tickets: Tickets = 10,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Try a rule change on the tickets of the past: what would be different, ticket by ticket."""
    import logs
    from hub.simulation.run import Packs, workspace
    from hub.simulation.run import simulate as run_simulation

    settings = read_settings()
    logs.configure("ERROR")
    if log is not None:
        _refuse_period(since, until)
    packs = Packs(
        before=pack_named(against or ("" if log is not None else ACTIVE), tenant),
        after=pack_named(pack, tenant),
        policies=load_policies(policies or settings.policies)[1],
        engine_timeout_s=settings.engine_timeout_s,
    )

    async def work(folder: Path) -> "Simulated":
        with progress_bars() as progress:
            source = (
                _log(log, mapping, limit, progress)
                if log is not None
                else _store(tenant, since, until, progress)
            )
            return await run_simulation(packs, source, folder, tickets=tickets, progress=progress)

    with workspace() as folder:
        _show(run(partial(work, folder)), html, as_json=as_json)


def _show(done: "Simulated", html: Path | None, *, as_json: bool) -> None:
    from hub.simulation.page import write_html
    from hub.simulation.table import render_table

    if html is not None:
        write_html(done.report, html)
    if as_json:
        for part in _as_json(done):
            typer.echo(part, nl=False)
        return
    print_renderable(render_table(done.report))
    if html is not None:
        say(f"Report with plots: {html}")


def _refuse_period(since: str | None, until: str | None) -> None:
    """Raise UsageError where a log is to be cut as only the store can be."""
    if since or until:
        raise UsageError(
            "--from and --to choose tickets of the store: leave them out with --log, and use "
            "--limit",
            command="flowhub rules simulate",
        )


def _log(file: Path, mapping: str, limit: int | None, progress: "Progress") -> "Source":
    from hub.simulation.from_log import from_log

    return partial(from_log, file=file, mapping=mapping, limit=limit, progress=progress)


def _store(tenant: str, since: str | None, until: str | None, progress: "Progress") -> "Source":
    from activities.outside.ways import ways_out
    from hub.simulation.feed import Head
    from hub.simulation.from_store import Period, from_store

    period = Period(
        tenant,
        read_instant(since, "UTC") if since else None,
        read_instant(until, "UTC") if until else None,
    )

    async def read(folder: Path) -> Head:
        async with store() as pool:
            return await from_store(folder, pool, period, ways_out(read_settings()), progress)

    return read


def _as_json(done: "Simulated") -> Iterator[str]:
    """Yield the report, then every ticket that differs, one at a time: they may be very many."""
    head = done.report.model_dump_json(exclude={"top"})
    yield head[:-1] + ',"tickets":['
    with done.differing.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            yield f"{',' if number else ''}\n{line.rstrip()}"
    yield "\n]}\n"
