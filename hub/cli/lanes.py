"""`flowhub lanes`: how the tenant stands."""

from datetime import UTC, datetime

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import run, store
from rules.policies_file import load_policies
from settings import read_settings
from store import lanes
from support.lanes import LaneStatus, Reading, Signals, read_lanes


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lanes", epilog="Example: `flowhub lanes --json`")(show)


def show(tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Show the command score, the pressure and the seven lanes."""

    async def work() -> Signals:
        async with store() as pool, pool.connection() as conn:
            return await lanes.signals(conn, tenant=tenant)

    book, _ = load_policies(read_settings().policies)
    reading = read_lanes(run(work), open_hours=book.office.is_open(datetime.now(UTC)))
    if as_json:
        print_json(_form(tenant, reading))
        return
    say(f"[bold]Command score {reading.score}%[/], pressure {reading.pressure.word}")
    print_table(
        f"Lanes of {tenant}",
        ("lane", "signal", "status", "off the score"),
        (
            (lane.lane.title, lane.text, lane.status.word, f"{float(lane.contribution):.1f}")
            for lane in reading.lanes
        ),
    )
    for lane in reading.lanes:
        if lane.status is not LaneStatus.STABLE:
            say(f"  {lane.lane.title}: {lane.lane.action}")


def _form(tenant: str, reading: Reading) -> dict[str, object]:
    return {
        "tenant": tenant,
        "score": reading.score,
        "pressure": reading.pressure.word,
        "open_hours": reading.open_hours,
        "lanes": [
            {
                "id": lane.lane.id,
                "signal": lane.signal,
                "text": lane.text,
                "status": lane.status.word,
                "base": float(lane.base),
                "contribution": float(lane.contribution),
                "action": lane.lane.action,
            }
            for lane in reading.lanes
        ],
    }
