"""Teams, and who covers which hour, as the command line and the API show them."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from store import candidates, shifts, teams
from store.pool import Connection
from store.teams import Team
from support.calendar import BusinessCalendar, instant_of_reading
from support.coverage import CoveredHour, coverage
from support.needs import FindPeople
from support.routing import Role

MOST_DAYS = 56
"""Dates of coverage that can be asked for: so far ahead shifts are written out."""


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team, and whom a step for the on-call rota reaches now."""

    standing: Team
    on_call: tuple[str, ...]


async def team_views(conn: Connection, *, tenant: str, now: datetime) -> tuple[TeamView, ...]:
    """Return how the teams stand now, by name."""
    found = []
    for team in await teams.standing(conn, tenant=tenant, at=now):
        need = FindPeople(Role.ON_CALL, team.team, now)
        found.append(TeamView(team, await candidates.people(conn, tenant=tenant, need=need)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class CoverageView:
    """How many agents are on shift in each open hour of the office, whose zone is `tz`."""

    tz: str
    hours: tuple[CoveredHour, ...]


async def coverage_view(
    conn: Connection, *, tenant: str, team: str, office: BusinessCalendar, now: datetime, days: int
) -> CoverageView:
    """Return the coverage of so many dates from today on; with `team` of that team alone."""
    tz = office.rules.tz
    today = now.astimezone(ZoneInfo(tz)).date()
    start, end = (
        instant_of_reading(datetime.combine(day, time()), tz)
        for day in (today, today + timedelta(days=days))
    )
    agents = await shifts.on_shift(conn, tenant=tenant, start=start, end=end, team=team)
    return CoverageView(tz, coverage(agents.values(), office, start, end))
