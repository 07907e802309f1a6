"""`flowhub parked`, `flowhub ticket retry` and `dismiss`: what waits for a person."""

from typing import Annotated

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, say
from hub.cli.session import operator, run, session, store
from hub.cli.tickets import As, TicketId
from hub.drafts import MAX_SUBJECT, checked_line
from store import effects, ledger, parkings
from support.errors import InputError, UnknownTicketError
from support.model import checked_id

DISMISS_EXAMPLE = 'flowhub ticket dismiss T-1042 --reason "the customer called back"'
Reason = Annotated[str, typer.Option("--reason", help="Why, kept with what is dismissed.")]


def register(app: typer.Typer, ticket_app: typer.Typer) -> None:
    """Add the commands."""
    app.command("parked", epilog="Example: `flowhub parked`")(parked)
    ticket_app.command(epilog="Example: `flowhub ticket retry T-1042`")(retry)
    ticket_app.command(epilog=f"Example: `{DISMISS_EXAMPLE}`")(dismiss)


def parked(tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """List what waits for a person: what cannot be decided, or did not get out."""

    async def work() -> tuple[tuple[parkings.Parked, ...], tuple[effects.EffectRow, ...]]:
        async with store() as pool, pool.connection() as conn:
            return (
                await parkings.parked(conn, tenant=tenant),
                await effects.stuck(conn, tenant=tenant),
            )

    triggers, stuck = run(work)
    if as_json:
        print_json({"triggers": triggers, "effects": stuck})
        return
    if not triggers and not stuck:
        say(f"Nothing of {tenant} waits for a person.")
    if triggers:
        print_table(
            "Cannot be decided: mend the cause, then `flowhub ticket retry`",
            ("ticket", "trigger", "why"),
            ((p.ticket_id, p.trigger_id, p.error) for p in triggers),
        )
    if stuck:
        print_table(
            "Did not get out: mend the way and `flowhub ticket retry`, or `flowhub ticket dismiss`",
            ("ticket", "kind", "state", "attempts", "why"),
            ((e.ticket_id, e.kind, e.state, e.attempts, e.last_error) for e in stuck),
        )


def retry(ticket_id: TicketId, tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Try again what is parked, failed or unknown, after its cause is mended."""

    async def work() -> tuple[str, ...]:
        async with session() as hub:
            return await hub.gateway.retry(tenant, ticket_id)

    again = run(work)
    if as_json:
        print_json({"ticket_id": ticket_id, "again": again})
    else:
        say(f"Trying again: {', '.join(again)}" if again else "Nothing waits to be tried again.")


def dismiss(
    ticket_id: TicketId,
    reason: Reason,
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Give up sending what is parked, failed or unknown; it stays on record, with who and why."""
    if not reason.strip():
        raise InputError("say why it is dismissed", field="reason")
    checked_line(reason, "reason", MAX_SUBJECT)
    by = checked_id(operator(actor).id, "agent")

    async def work() -> tuple[str, ...]:
        async with store() as pool, pool.connection() as conn:
            if await ledger.snapshot(conn, tenant=tenant, ticket_id=ticket_id) is None:
                raise UnknownTicketError(f"there is no ticket {ticket_id} in {tenant}")
            return await effects.dismiss(
                conn, tenant=tenant, ticket_id=ticket_id, by=by, reason=reason
            )

    gone = run(work)
    if as_json:
        print_json({"ticket_id": ticket_id, "dismissed": gone})
    else:
        say(f"Dismissed: {', '.join(gone)}" if gone else "Nothing waits to be dismissed.")
