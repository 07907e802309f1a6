"""`flowhub automation ...`: the stop switch."""

from typing import Annotated

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, quoted, say
from hub.cli.session import operator, run, session, store
from store import automation, effects
from store.pool import transaction
from support.errors import UnknownTicketError
from support.model import checked_id

app = typer.Typer(no_args_is_help=True)
Reason = Annotated[str, typer.Option("--reason", help="Why, shown to everybody.")]
As = Annotated[str, typer.Option("--as", metavar="AGENT", help="Who does it; default: you.")]


@app.command(epilog='Example: `flowhub automation stop --reason "rules misbehave"`')
def stop(reason: Reason, actor: As = "", tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Stop automation: rules go on deciding, on record, but nothing is done or sent."""
    _move(tenant, actor, reason, stopped=True)
    status(tenant, as_json=as_json)


@app.command(epilog="Example: `flowhub automation start`")
def start(
    reason: Reason = "", actor: As = "", tenant: Tenant = TENANT, as_json: AsJson = False
) -> None:
    """Let automation run again, from the next decision on."""
    _move(tenant, actor, reason, stopped=False)
    run(lambda: _release(tenant))
    status(tenant, as_json=as_json)


@app.command(epilog="Example: `flowhub automation status --json`")
def status(tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Say whether automation runs, and who moved the switch."""

    async def work() -> automation.Switch | None:
        async with store() as pool, pool.connection() as conn:
            return await automation.read(conn, tenant=tenant)

    switch = run(work)
    if as_json:
        print_json({"tenant": tenant, "running": not (switch and switch.stopped), "last": switch})
        return
    word = "stopped" if switch and switch.stopped else "running"
    by = (
        f" since {switch.changed_at:%Y-%m-%d %H:%M:%S} UTC by {switch.changed_by}" if switch else ""
    )
    why = f": {quoted(switch.reason)}" if switch and switch.reason else ""
    say(f"Automation of {tenant} is [bold]{word}[/]{by}{why}")


async def _release(tenant: str) -> None:
    """Send what the switch held back, also on tickets that are closed by now."""
    # What sends takes its time to load, which every command would spend.
    from activities.outside.perform import STOPPED

    async with session() as hub:
        async with hub.pool.connection() as conn:
            held = await effects.held_back(conn, tenant=tenant, error=STOPPED)
        for ticket_id in held:
            try:
                await hub.gateway.retry(tenant, ticket_id, only=STOPPED)
            except UnknownTicketError:
                say(f"{ticket_id} is not there: what was held back for it stays parked")


def _move(tenant: str, actor: str, reason: str, *, stopped: bool) -> None:
    by = checked_id(operator(actor).id, "agent")

    async def work() -> None:
        async with store() as pool, transaction(pool) as conn:
            await automation.move(conn, tenant=tenant, stopped=stopped, by=by, reason=reason)

    run(work)
