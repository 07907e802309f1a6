"""`flowhub roster shift|leave|import-shifts|refresh`: when agents work."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from activities.shift_spans import extend_all
from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import run, store
from hub.roster_changes import give_leave
from hub.shift_file import read_shifts
from store import shifts
from store.pool import transaction
from store.shifts import Kept
from support.errors import InputError
from support.model import checked_id
from support.shifts import Leave, Shift, dated, recurring

shift_app = typer.Typer(
    no_args_is_help=True,
    epilog="Example: `flowhub roster shift add kim 09:00-17:00 --on mon-fri`",
)
leave_app = typer.Typer(no_args_is_help=True, epilog="Example: `flowhub roster leave add kim`")
AgentId = Annotated[str, typer.Argument(metavar="AGENT", help="Agent id, such as kim.")]


@shift_app.command("add", epilog="Example: `flowhub roster shift add kim 09:00-17:00 --on mon-fri`")
def add_shift(
    agent_id: AgentId,
    hours: Annotated[str, typer.Argument(help="By the agent's clock: 09:00-17:00, 22:00-06:00.")],
    on: Annotated[str, typer.Option("--on", help="Weekdays, such as mon-fri or sat,sun.")] = "",
    date: Annotated[str, typer.Option(help="Or one date, such as 2026-12-24.")] = "",
    first: Annotated[str, typer.Option("--from", help="First date.")] = "",
    last: Annotated[str, typer.Option("--until", help="Last date.")] = "",
    holidays: Annotated[bool, typer.Option("--holidays", help="Also on public holidays.")] = False,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Add a shift that comes every week, or one of a date."""
    if bool(on) == bool(date):
        raise InputError("say --on with weekdays, or --date")
    if date and (first or last or holidays):
        raise InputError("--from, --until and --holidays are for --on, not for --date")
    shift = (
        dated(date, hours)
        if date
        else recurring(on, hours, first=first, last=last, on_holidays=holidays)
    )
    added = run(lambda: _add(tenant, {agent_id: [shift]}))
    if as_json:
        print_json({"agent_id": agent_id, "shift": shift.words, "added": added})
    else:
        say(f"{agent_id} works {shift.words}" + ("" if added else ", as before"))


async def _add(tenant: str, found: Mapping[str, Sequence[Shift]]) -> int:
    async with store() as pool, transaction(pool) as conn:
        return await shifts.add_shifts(conn, tenant=tenant, shifts=found, now=datetime.now(UTC))


@shift_app.command("list", epilog="Example: `flowhub roster shift list kim --json`")
def list_shifts(agent_id: AgentId, tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """List the shifts of an agent, with the numbers they are removed by."""
    kept = run(lambda: _kept(tenant, agent_id))
    rows = [(one.shift_id, one.shift.words) for one in kept.shifts]
    if as_json:
        print_json([{"shift_id": number, "shift": words} for number, words in rows])
        return
    print_table(f"Shifts of {agent_id}, {kept.tz or 'no time zone'}", ("shift", "when"), rows)


async def _kept(tenant: str, agent_id: str) -> Kept:
    async with store() as pool, pool.connection() as conn:
        return await shifts.kept(conn, tenant=tenant, agent_id=agent_id)


@shift_app.command("remove", epilog="Example: `flowhub roster shift remove kim 3`")
def remove_shift(
    agent_id: AgentId,
    shift_id: Annotated[int, typer.Argument(metavar="SHIFT", help="Number of `shift list`.")],
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Take a shift off the roster."""

    async def work() -> None:
        async with store() as pool, transaction(pool) as conn:
            about = datetime.now(UTC)
            await shifts.remove_shift(
                conn, tenant=tenant, agent_id=agent_id, shift_id=shift_id, now=about
            )

    run(work)
    if as_json:
        print_json({"agent_id": agent_id, "removed": shift_id})
    else:
        say(f"Shift {shift_id} of {agent_id} is removed")


@leave_app.command("add", epilog="Example: `flowhub roster leave add kim --until 2026-08-03T09:00`")
def add_leave(
    agent_id: AgentId,
    since: Annotated[str, typer.Option("--from", help="By the agent's clock; default: now.")] = "",
    until: Annotated[str, typer.Option("--until", help="Default: until it is ended.")] = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Give an agent leave; why is not kept."""

    async def work() -> tuple[int, Leave]:
        about = {"tenant": tenant, "agent_id": agent_id}
        async with store() as pool, transaction(pool) as conn:
            return await give_leave(conn, **about, since=since, until=until, now=datetime.now(UTC))

    number, leave = run(work)
    if as_json:
        print_json({"agent_id": agent_id, "leave_id": number, "leave": leave})
    else:
        say(f"{agent_id} is on leave {_leave_words(leave)} (number {number})")


@leave_app.command("list", epilog="Example: `flowhub roster leave list kim --json`")
def list_leaves(agent_id: AgentId, tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """List the leave of an agent."""
    kept = run(lambda: _kept(tenant, agent_id))
    if as_json:
        print_json(kept.leaves)
        return
    rows = [(one.leave_id, _leave_words(one.leave)) for one in kept.leaves]
    print_table(f"Leave of {agent_id}", ("leave", "when"), rows)


@leave_app.command("end", epilog="Example: `flowhub roster leave end kim`")
def end_leave(
    agent_id: AgentId,
    leave_id: Annotated[
        int | None,
        typer.Option("--number", help="Only that one of `leave list`; also a coming one."),
    ] = None,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """End the leave that an agent is on; from now on they are asked again."""

    async def work() -> tuple[int, ...]:
        async with store() as pool, transaction(pool) as conn:
            return await shifts.end_leave(
                conn, tenant=tenant, agent_id=agent_id, now=datetime.now(UTC), leave_id=leave_id
            )

    ended = run(work)
    if as_json:
        print_json({"agent_id": agent_id, "ended": ended})
    else:
        say(f"{agent_id} is back")


def _leave_words(leave: Leave) -> str:
    until = f"until {leave.ends_at:%Y-%m-%d %H:%M} UTC" if leave.ends_at else "until it is ended"
    return f"from {leave.starts_at:%Y-%m-%d %H:%M} UTC {until}"


def import_shifts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV; see docs/run-the-roster.md.")],
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Add the shifts of a CSV file, all or none; those that are there stay as they are."""
    found = read_shifts(file)
    for agent_id in found:
        checked_id(agent_id, "agent")
    added = run(lambda: _add(tenant, found))
    lines = sum(len(of_agent) for of_agent in found.values())
    if as_json:
        print_json({"lines": lines, "agents": len(found), "added": added, "kept": lines - added})
    else:
        say(f"{added} shifts of {len(found)} agents are added, {lines - added} were there")


def refresh(tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Write the shifts out for the next eight weeks; a running worker does so by itself."""

    async def work() -> int:
        async with store() as pool:
            return await extend_all(pool, now=datetime.now(UTC), tenant=tenant)

    written = run(work)
    if as_json:
        print_json({"agents": written})
    else:
        say(f"Shifts of {written} agents are written out")
