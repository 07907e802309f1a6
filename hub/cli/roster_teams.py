"""`flowhub roster teams|coverage`: how teams stand, and who covers which hour."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import run, store
from hub.team_view import MOST_DAYS, CoverageView, TeamView, coverage_view, team_views
from rules.policies_file import load_policies
from settings import read_settings
from support.coverage import CoveredHour


def show_teams(tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Show each team: who is there, what they carry, what waits for them, and who is on call."""

    async def work() -> tuple[TeamView, ...]:
        async with store() as pool, pool.connection() as conn:
            return await team_views(conn, tenant=tenant, now=datetime.now(UTC))

    found = run(work)
    if as_json:
        print_json(found)
        return
    print_table(
        f"Teams of {tenant}",
        ("team", "agents", "online", "on shift", "units", "waiting", "on call"),
        (
            (
                team.team or "-",
                team.agents,
                team.online,
                team.on_shift,
                f"{team.load_units}/{team.capacity_units}",
                team.waiting,
                one.on_call or "-",
            )
            for one in found
            for team in (one.standing,)
        ),
    )


def show_coverage(
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How many dates.")] = 7,
    team: Annotated[str, typer.Option(help="Only this team.")] = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Show how many agents are on shift in each open hour of the office."""
    book, _ = load_policies(read_settings().policies)

    async def work() -> CoverageView:
        about = {"tenant": tenant, "team": team}
        async with store() as pool, pool.connection() as conn:
            return await coverage_view(
                conn, **about, office=book.office, now=datetime.now(UTC), days=days
            )

    found = run(work)
    hours, tz = found.hours, found.tz
    if as_json:
        print_json(found)
        return
    _print_heat(hours, tz, f"Agents on shift, {team or tenant}, {tz}")
    thin = sum(hour.agents < 2 for hour in hours)
    say(f"{thin} of {len(hours)} open hours have fewer than 2 agents")


def _print_heat(hours: Sequence[CoveredHour], tz: str, title: str) -> None:
    """Print dates across and hours down; an hour that the clock repeats shows its lower count."""
    cells: dict[tuple[int, str], int] = {}
    for hour in hours:
        local = hour.starts_at.astimezone(ZoneInfo(tz))
        key = (local.hour, f"{local:%a %d}")
        cells[key] = min(hour.agents, cells.get(key, hour.agents))
    dates = list(dict.fromkeys(date for _, date in cells))
    rows = (
        (f"{number:02}:00", *(_heat(cells.get((number, date))) for date in dates))
        for number in sorted({number for number, _ in cells})
    )
    print_table(title, ("hour", *dates), rows)


def _heat(agents: int | None) -> str:
    if agents is None:
        return ""
    return f"{agents} " + ("!" if agents < 2 else "▂▄▆█"[min((agents - 2) // 2, 3)])
