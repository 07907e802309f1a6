"""`flowhub import` and `flowhub replay`: tickets from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import run, session
from hub.importing import Imported, import_lines

SOURCE_HELP = "JSON lines: ticket_id, event_id, kind, at, and the fields of the API."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import", epilog="Example: `flowhub import events.jsonl --tenant acme`")(import_)


def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=SOURCE_HELP)],
    wait_s: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to wait for the last result.")
    ] = 120,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Stream events of a file to their tickets; a second run of the same file changes nothing."""

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
            f"{done.undecided} not decided yet, {len(done.unusable)} unusable"
        )
        if done.unusable:
            print_table("Unusable lines", ("line", "why"), done.unusable)
        if done.refusals:
            print_table("Refused", ("ticket", "event", "why"), done.refusals)
    if done.unusable:
        raise typer.Exit(2)
