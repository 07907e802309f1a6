"""`flowhub roster set|show`: what the roster says of one agent."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import run, store
from hub.roster_changes import MOST_UNITS, ProfileChange, change_profile
from hub.roster_view import AgentView, agent_view
from store.pool import transaction
from store.profiles import Profile
from store.roster import Agent
from support.errors import InputError
from support.model import Presence
from support.roster import Span
from support.routing import WorkKind

AgentId = Annotated[str, typer.Argument(metavar="AGENT", help="Agent id, such as kim.")]


def set_(
    agent_id: AgentId,
    tz: Annotated[str | None, typer.Option(help="Where shifts are meant: an IANA zone.")] = None,
    country: Annotated[
        str | None, typer.Option(help="Whose holidays count: SE, DE-BY; empty: none.")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="Such as sv; repeatable.")] = None,
    level: Annotated[
        list[str] | None, typer.Option(metavar="SKILL=1..5", help="Repeatable; 0 forgets it.")
    ] = None,
    capacity: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=UNITS", help="chat, ticket or callback; empty units: no limit."),
    ] = None,
    limit_new: Annotated[
        int | None, typer.Option(min=0, max=100, help="New assignments at most; 0: no limit.")
    ] = None,
    limit_minutes: Annotated[
        int | None, typer.Option(min=1, max=10_080, help="In any stretch of so many minutes.")
    ] = None,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Change what the roster says of an agent; what is not given stays."""
    change = ProfileChange(
        tz=tz,
        country=country,
        languages=language,
        levels=_levels(level or []),
        kind_capacity=_capacities(capacity or []),
        limit_new=limit_new,
        limit_minutes=limit_minutes,
    )

    async def work() -> Profile:
        about = {"tenant": tenant, "agent_id": agent_id}
        async with store() as pool, transaction(pool) as conn:
            return await change_profile(conn, **about, change=change, now=datetime.now(UTC))

    after = run(work)
    if as_json:
        print_json(after)
    else:
        say(f"The roster knows {agent_id} anew: see `flowhub roster show {agent_id}`")


def _levels(given: list[str]) -> dict[str, int]:
    levels = {}
    for text in given:
        skill, _, level = text.partition("=")
        if level not in ("0", "1", "2", "3", "4", "5"):
            raise InputError(f"--level {text!r} is not understood: write hifi=4, from 1 to 5")
        levels[skill] = int(level)
    return levels


def _capacities(given: list[str]) -> dict[WorkKind, float | None]:
    found: dict[WorkKind, float | None] = {}
    for text in given:
        kind, equals, units = text.partition("=")
        if kind not in tuple(WorkKind) or not equals:
            raise InputError(f"--capacity {text!r} is not understood: write chat=8, or chat=")
        if not units:
            found[WorkKind(kind)] = None
        elif units.replace(".", "", 1).isdecimal() and float(units) <= MOST_UNITS:
            found[WorkKind(kind)] = float(units)
        else:
            raise InputError(
                f"--capacity {text!r}: {units!r} is no number of units up to {MOST_UNITS}"
            )
    return found


def show(agent_id: AgentId, tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Show who an agent is, when they are on shift next, what they carry, and their limits."""

    async def work() -> AgentView:
        async with store() as pool, pool.connection() as conn:
            return await agent_view(conn, tenant=tenant, agent_id=agent_id, now=datetime.now(UTC))

    found = run(work)
    if as_json:
        print_json(found)
        return
    print_table(f"{agent_id} of {tenant}", ("what", "is"), _rows(found))


def _rows(found: AgentView) -> list[tuple[str, Any]]:
    who, told = found.agent, found.profile
    skills = ", ".join(f"{s} {told.levels.get(s, '')}".rstrip() for s in who.skills)
    limit = "none"
    if told.limit_new is not None and told.limit_window is not None:
        minutes = told.limit_window.total_seconds() / 60
        limit = f"{told.limit_new} new in {minutes:g} minutes"
    of_kinds = ", ".join(f"{kind} {Decimal(str(n)):f}" for kind, n in told.kind_capacity.items())
    return [
        ("name", who.name),
        ("team and role", f"{who.team or '-'}, {who.role}"),
        ("skills", skills or "-"),
        ("languages", ", ".join(told.languages) or "-"),
        ("works in", " ".join(filter(None, (told.tz or "-", told.country)))),
        ("presence", _presence_words(who)),
        ("on shift", _shift_words(found.next_shift, told.tz, on_shift=found.on_shift)),
        ("shifts", "; ".join(found.shifts) or "none: always on shift"),
        ("load", f"{who.load_units} of {who.capacity_units} units"),
        ("capacity by kind", of_kinds or "-"),
        ("limit", limit),
    ]


def _presence_words(who: Agent) -> str:
    if who.presence != Presence.ONLINE or who.presence_until is None:
        return who.presence
    return f"{who.presence} until {who.presence_until:%Y-%m-%d %H:%M:%S} UTC"


def _shift_words(span: Span | None, tz: str, *, on_shift: bool) -> str:
    if span is None:
        return "no shift in sight"
    since, until = (f"{at.astimezone(ZoneInfo(tz or 'UTC')):%a %Y-%m-%d %H:%M %Z}" for at in span)
    return f"now, until {until}" if on_shift else f"next {since} until {until}"
