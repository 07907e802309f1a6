"""`flowhub roster rota ...`: who is on call, in turns."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import run, store
from hub.roster_changes import swap_turn
from hub.rota_view import AHEAD, MOST_TURNS, RotaView, rota_view, rota_views
from store import rotas
from store.pool import transaction
from support.model import checked_id
from support.rota import MOST_DAYS, WEEK_DAYS, Swap, Turn, read_rota

_ADD = "flowhub roster rota add nights --team audio --member kim --member lou"
_ADD_EXAMPLE = f"Example: `{_ADD} --tz Europe/Stockholm --first 2026-03-02T08:00`"
_SWAP_EXAMPLE = "Example: `flowhub roster rota swap nights lou --until 2026-03-05T08:00`"
app = typer.Typer(no_args_is_help=True, epilog=_ADD_EXAMPLE)
RotaId = Annotated[str, typer.Argument(metavar="ROTA", help="Id of the rota, such as nights.")]


@app.command(epilog=_ADD_EXAMPLE)
def add(
    rota_id: RotaId,
    member: Annotated[list[str], typer.Option(help="An agent, in the order of turns; repeatable.")],
    first: Annotated[str, typer.Option(help="When the first turn begins, by the clock in --tz.")],
    tz: Annotated[str, typer.Option(help="An IANA zone, such as Europe/Stockholm.")],
    team: Annotated[str, typer.Option(help="Default: for the whole tenant.")] = "",
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Length of a turn.")] = WEEK_DAYS,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Add a rota, or change one that is there; its swaps stay."""
    rota = read_rota(tz=tz, members=member, first_handover=first, days=days, team=team)

    async def work() -> RotaView:
        about = {"tenant": checked_id(tenant, "tenant"), "rota_id": checked_id(rota_id, "rota")}
        async with store() as pool, transaction(pool) as conn:
            await rotas.put(conn, **about, rota=rota)
            return await rota_view(conn, now=datetime.now(UTC), ahead=AHEAD, **about)

    found = run(work)
    if as_json:
        print_json(found)
    else:
        say(f"{found.on_duty or 'Nobody'} is on call now by {rota_id}")


@app.command("list", epilog="Example: `flowhub roster rota list --json`")
def list_(tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """List the rotas with who is on call now and next."""

    async def work() -> tuple[RotaView, ...]:
        async with store() as pool, pool.connection() as conn:
            return await rota_views(conn, tenant=tenant, now=datetime.now(UTC))

    found = run(work)
    if as_json:
        print_json(found)
        return
    print_table(
        f"Rotas of {tenant}",
        ("rota", "team", "members", "on call", "next"),
        (
            (one.rota_id, one.team or "all", one.members, one.on_duty or "nobody", _next(one))
            for one in found
        ),
    )


@app.command(epilog="Example: `flowhub roster rota show nights --turns 12`")
def show(
    rota_id: RotaId,
    ahead: Annotated[
        int, typer.Option("--turns", min=1, max=MOST_TURNS, help="How many handovers ahead.")
    ] = AHEAD,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Show who is on call when, by the clock of the rota; leave and swaps are in it."""

    async def work() -> RotaView:
        about = {"tenant": tenant, "rota_id": rota_id}
        async with store() as pool, pool.connection() as conn:
            return await rota_view(conn, **about, now=datetime.now(UTC), ahead=ahead)

    found = run(work)
    if as_json:
        print_json(found)
        return
    print_table(
        f"{rota_id}, {found.team or tenant}, every {found.days} days, {found.tz}",
        ("on call", "from", "until"),
        ((turn.agent_id or "nobody", *_span(turn, found.tz)) for turn in found.turns),
    )
    if found.swaps:
        print_table(
            "Swaps",
            ("swap", "agent", "from", "until"),
            ((o.swap_id, o.swap.agent_id, *_span(o.swap, found.tz)) for o in found.swaps),
        )


@app.command(epilog=_SWAP_EXAMPLE)
def swap(
    rota_id: RotaId,
    agent_id: Annotated[str, typer.Argument(metavar="AGENT", help="Who takes over.")],
    until: Annotated[str, typer.Option("--until", help="By the clock of the rota.")],
    since: Annotated[str, typer.Option("--from", help="Default: now.")] = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Let an agent take over for a time, whoever's turn it is; the last swap counts."""

    async def work() -> tuple[int, Swap]:
        about = {"tenant": tenant, "rota_id": rota_id, "agent_id": agent_id}
        async with store() as pool, transaction(pool) as conn:
            return await swap_turn(conn, **about, since=since, until=until, now=datetime.now(UTC))

    number, made = run(work)
    if as_json:
        print_json({"rota_id": rota_id, "swap_id": number, "swap": made})
    else:
        begins, ends = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (made.starts_at, made.ends_at))
        say(f"{agent_id} is on call by {rota_id} from {begins} until {ends} (number {number})")


@app.command(epilog="Example: `flowhub roster rota remove nights --swap 3`")
def remove(
    rota_id: RotaId,
    swap_id: Annotated[
        int | None, typer.Option("--swap", help="Only take back this swap of `rota show`.")
    ] = None,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Take a rota off the roster, or one of its swaps."""

    async def work() -> None:
        about = {"tenant": tenant, "rota_id": rota_id}
        async with store() as pool, transaction(pool) as conn:
            if swap_id is None:
                await rotas.remove(conn, **about)
            else:
                await rotas.remove_swap(conn, **about, swap_id=swap_id)

    run(work)
    what = f"Rota {rota_id}" if swap_id is None else f"Swap {swap_id} of {rota_id}"
    if as_json:
        print_json({"rota_id": rota_id, "removed": rota_id if swap_id is None else swap_id})
    else:
        say(f"{what} is removed")


def _span(what: Turn | Swap, tz: str) -> tuple[str, str]:
    zone = ZoneInfo(tz)
    begins, ends = (
        f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}" for at in (what.starts_at, what.ends_at)
    )
    return begins, ends


def _next(found: RotaView) -> str:
    if len(found.turns) < 2:
        return ""
    turn = found.turns[1]
    return f"{turn.agent_id or 'nobody'} from {_span(turn, found.tz)[0]}"
