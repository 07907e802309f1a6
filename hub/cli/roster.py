"""`flowhub roster ...`."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import typer

from hub import roster_changes
from hub.cli import assignment, roster_profile, roster_rota, roster_teams, roster_time
from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import run, store
from store import presences, roster, shifts
from store.pool import transaction
from support.attendance import HEARTBEAT, checked_heartbeat
from support.duration import parse_duration, show_duration
from support.model import Presence, checked_id
from support.routing import Role

app = typer.Typer(no_args_is_help=True)
app.add_typer(roster_time.shift_app, name="shift", help="When agents work.")
app.add_typer(roster_time.leave_app, name="leave", help="When agents are off.")
app.add_typer(roster_rota.app, name="rota", help="Who is on call, in turns.")
app.command("import-shifts", epilog="Example: `flowhub roster import-shifts march.csv`")(
    roster_time.import_shifts
)
app.command("coverage", epilog="Example: `flowhub roster coverage --days 7 --team audio`")(
    roster_teams.show_coverage
)
app.command("teams", epilog="Example: `flowhub roster teams --json`")(roster_teams.show_teams)
app.command("refresh", epilog="Example: `flowhub roster refresh`")(roster_time.refresh)
app.command("set", epilog="Example: `flowhub roster set kim --tz Europe/Stockholm --country SE`")(
    roster_profile.set_
)
app.command(
    "offboard", epilog="Example: `flowhub roster offboard kim --reason 'moves on' --dry-run`"
)(assignment.offboard)
app.command("rejoin", epilog="Example: `flowhub roster rejoin kim`")(assignment.rejoin)
app.command("show", epilog="Example: `flowhub roster show kim`")(roster_profile.show)
AgentId = Annotated[str, typer.Argument(metavar="AGENT", help="Agent id, such as kim.")]


@app.command("list", epilog="Example: `flowhub roster list --json`")
def list_(tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """List the agents with what they carry."""

    async def work() -> tuple[roster.Agent, ...]:
        async with store() as pool, pool.connection() as conn:
            return await roster.listed(conn, tenant=tenant)

    agents = run(work)
    if as_json:
        print_json(agents)
        return
    print_table(
        f"Roster of {tenant}",
        ("agent", "team", "role", "skills", "presence", "units"),
        (
            (a.agent_id, a.team, a.role, a.skills, _there(a), f"{a.load_units}/{a.capacity_units}")
            for a in agents
        ),
    )


def _there(agent: roster.Agent) -> str:
    return agent.presence if agent.left_at is None else "has left"


@app.command(epilog="Example: `flowhub roster add kim --team audio --skill hifi --online`")
def add(
    agent_id: AgentId,
    name: Annotated[str, typer.Option(help="Name, shown in the hub only.")] = "",
    email: Annotated[str, typer.Option(help="Address, kept in the store only.")] = "",
    team: Annotated[str, typer.Option()] = "",
    role: Annotated[Role, typer.Option()] = Role.AGENT,
    skill: Annotated[list[str] | None, typer.Option(help="A skill; repeatable.")] = None,
    capacity: Annotated[float, typer.Option(min=0, max=9999, help="Capacity units.")] = 12,
    online: Annotated[bool, typer.Option("--online", help="Is there now.")] = False,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Add an agent, or change one who is there."""
    agent = roster_changes.new_agent(
        agent_id,
        name=name,
        email=email,
        team=team,
        role=role,
        skills=skill or (),
        capacity_units=Decimal(str(capacity)),
        online=online,
    )

    async def work() -> None:
        async with store() as pool, transaction(pool) as conn:
            await roster.add(conn, tenant=checked_id(tenant, "tenant"), agent=agent)

    run(work)
    if as_json:
        print_json(agent)
    else:
        say(f"{agent_id} is on the roster of {tenant}, {agent.presence}")


@app.command(epilog="Example: `flowhub roster presence kim online`")
def presence(
    agent_id: AgentId,
    is_: Annotated[Presence, typer.Argument(metavar="PRESENCE", help="online, away or offline.")],
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Say who is there, until said otherwise."""

    async def work() -> None:
        about = {"tenant": tenant, "agent_id": agent_id}
        async with store() as pool, transaction(pool) as conn:
            await roster_changes.set_presence(conn, **about, presence=is_)

    run(work)
    if as_json:
        print_json({"agent_id": agent_id, "presence": is_})
    else:
        say(f"{agent_id} is {is_}")


@app.command(epilog="Example: `flowhub roster heartbeat kim --for 90s`")
def heartbeat(
    agent_id: AgentId,
    lasts: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="From 10s to 1h.")
    ] = show_duration(HEARTBEAT),
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Let an agent be online for a while; without another heartbeat they are offline after it."""
    span = checked_heartbeat(parse_duration(lasts))

    async def work() -> datetime | None:
        async with store() as pool, transaction(pool) as conn:
            return await presences.heartbeat(conn, tenant=tenant, agent_id=agent_id, lasts=span)

    until = run(work)
    if until is None:
        raise shifts.unknown_agent(tenant, agent_id)
    if as_json:
        print_json({"agent_id": agent_id, "presence": Presence.ONLINE, "presence_until": until})
    else:
        say(f"{agent_id} is online until {until:%Y-%m-%d %H:%M:%S} UTC")
