"""`flowhub assignment ...` and `flowhub roster offboard`: many tickets changing hands at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import typer

from hub import assignment
from hub.assignment import USUAL_REASON, ChangeView, Planned, Request
from hub.cli.output import (
    TENANT,
    AsJson,
    Tenant,
    counted,
    of_tenant,
    print_json,
    print_table,
    progress_bars,
    quoted,
    say,
)
from hub.cli.session import operator, store
from hub.cli.session import run as run_async
from hub.cli.tickets import As
from store import bulk_changes, offboarding
from store.bulk_changes import BulkChange
from store.pool import Pool, transaction
from support.balancing import COOL_DOWN, MOST_MOVES, TOLERANCE, Plan, Terms
from support.model import checked_id

WORKER_WITHIN_S = 10.0
"""How long a change may stand still until the command says what it waits for."""
_LOOK_EVERY_S = 0.2

app = typer.Typer(no_args_is_help=True)
audit_app = typer.Typer(
    no_args_is_help=True, epilog="Example: `flowhub assignment audit list --open`"
)
app.add_typer(audit_app, name="audit", help="What bulk changes did; undo and review them.")

ChangeId = Annotated[str, typer.Argument(metavar="CHANGE", help="Id of a bulk change.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, kept with the change.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Ask = Callable[[Pool], Awaitable[Planned]]


@app.command("run", epilog="Example: `flowhub assignment run --team audio --dry-run`")
def run_(
    team: Annotated[str, typer.Option(help="Only the agents of this team.")] = "",
    dry_run: DryRun = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST_MOVES, help="Moves at most.")] = MOST_MOVES,
    cool_down: Annotated[
        int, typer.Option(min=0, max=10_080, metavar="MIN", help="Minutes between two moves.")
    ] = int(COOL_DOWN.total_seconds() // 60),
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Difference of load shares that is left alone.")
    ] = float(TOLERANCE),
    reason: Reason = USUAL_REASON,
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Balance the work: move as few tickets as needed, as one change that can be undone."""
    asked = Request(tenant, operator(actor), reason, dry_run)
    terms = Terms(timedelta(minutes=cool_down), Decimal(str(tolerance)), limit)
    _carry_out(asked, lambda pool: assignment.run(pool, asked, team=team, terms=terms), as_json)


@audit_app.command("list", epilog="Example: `flowhub assignment audit list --open`")
def list_(
    to_review: Annotated[bool, typer.Option("--open", help="Only what nobody reviewed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """List the bulk changes, the latest first."""

    async def work() -> tuple[BulkChange, ...]:
        async with store() as pool, pool.connection() as conn:
            return await bulk_changes.listed(conn, tenant=tenant, to_review=to_review, limit=limit)

    changes = run_async(work)
    if as_json:
        print_json(changes)
        return
    print_table(
        f"Bulk changes of {tenant}",
        ("change", "kind", "by", "at", "state", "moved", "skipped", "failed", "reviewed", "reason"),
        (
            (
                c.change_id,
                c.kind,
                c.actor,
                c.created_at,
                c.state,
                f"{c.moved}/{c.moves}",
                c.skipped,
                c.failed,
                c.reviewed_by or "open",
                c.reason,
            )
            for c in changes
        ),
    )


@audit_app.command(epilog="Example: `flowhub assignment audit show bulk.3f2a9c01d4e5`")
def show(change_id: ChangeId, tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Show a change: each ticket before and after, who asked and why, and what was kept."""
    found = run_async(lambda: _looked_up(tenant, change_id))
    if as_json:
        print_json(found)
        return
    change = found.change
    about = f"{change.kind} by {change.actor}, {change.created_at:%Y-%m-%d %H:%M}Z, {change.state}"
    say(f"{change.change_id}: {about}. Reason: {quoted(change.reason)}")
    if change.undoes:
        say(f"Undoes {change.undoes}")
    print_table(
        "Moves",
        ("ticket", "before", "after", "outcome", "why", "said"),
        (
            (m.ticket_id, m.before_owner or "-", m.after_owner or "-", m.outcome, m.why, m.said)
            for m in found.moves.moves
        ),
    )
    _print_kept((k.ticket_id, k.owner, k.why) for k in found.moves.kept)
    _print_figures(change)
    if change.reviewed_at is None:
        how = f"flowhub assignment audit review {change.change_id}{of_tenant(tenant)} --note ..."
        say(f"Not reviewed: `{how}`")
    else:
        say(f"Reviewed by {change.reviewed_by}: {quoted(change.note)}")


@audit_app.command(
    epilog="Example: `flowhub assignment audit undo bulk.3f2a9c01d4e5 --reason 'too early'`"
)
def undo(
    change_id: ChangeId,
    reason: Reason,
    dry_run: DryRun = False,
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Give tickets back to who had them, where nobody changed that since; list the others."""
    asked = Request(tenant, operator(actor), reason, dry_run)
    _carry_out(asked, lambda pool: assignment.undo(pool, asked, change_id), as_json)


@audit_app.command(
    epilog="Example: `flowhub assignment audit review bulk.3f2a9c01d4e5 --note 'looks right'`"
)
def review(
    change_id: ChangeId,
    note: Annotated[str, typer.Option("--note", help="What came of it, kept with the change.")],
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Close the review that each bulk change opens."""
    by = operator(actor).id

    async def work() -> BulkChange:
        async with store() as pool:
            return await assignment.review(pool, tenant, change_id, by=by, note=note)

    change = run_async(work)
    if as_json:
        print_json(change)
    else:
        say(f"{change_id} is reviewed by {by}")


def offboard(
    agent_id: Annotated[str, typer.Argument(metavar="AGENT", help="Agent id, such as kim.")],
    reason: Reason,
    dry_run: DryRun = False,
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Let an agent leave for good: all their tickets go to others, or wait for an owner."""
    checked_id(agent_id, "agent")
    asked = Request(tenant, operator(actor), reason, dry_run)
    _carry_out(asked, lambda pool: assignment.offboard(pool, asked, agent_id), as_json)
    if not dry_run and not as_json:
        say(f"{agent_id} has left the roster of {tenant}")


def rejoin(
    agent_id: Annotated[str, typer.Argument(metavar="AGENT", help="Agent id, such as kim.")],
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Take back an agent who had left: offline, with team, skills and shifts as they were."""
    about = {"tenant": checked_id(tenant, "tenant"), "agent_id": checked_id(agent_id, "agent")}

    async def work() -> bool:
        async with store() as pool, transaction(pool) as conn:
            return await offboarding.rejoin(conn, **about)

    had_left = run_async(work)
    if as_json:
        print_json({"agent_id": agent_id, "had_left": had_left})
    elif had_left:
        say(f"{agent_id} is on the roster of {tenant} again, offline")
    else:
        say(f"{agent_id} had not left: nothing has changed")


def _carry_out(asked: Request, ask: Ask, as_json: bool) -> None:
    """Plan, say what, and follow until all is decided or nothing moves."""

    async def work() -> tuple[Planned, ChangeView | None]:
        async with store() as pool:
            planned = await ask(pool)
            if not as_json:
                _print_plan(asked, planned.plan)
            if not planned.change_id:
                return planned, None
            await _followed(pool, asked.tenant, planned.change_id)
            async with pool.connection() as conn:
                return planned, await assignment.shown(conn, asked.tenant, planned.change_id)

    planned, view = run_async(work)
    if as_json:
        change = view.change if view else None
        moves = view.moves.moves if view else ()
        print_json({"planned": planned, "change": change, "moves": moves})
    elif view is not None:
        _print_result(view, asked.tenant)


async def _followed(pool: Pool, tenant: str, change_id: str) -> None:
    """Show progress until the change is done, or stands still for too long."""
    still_since, before = time.monotonic(), -1
    with progress_bars() as show_progress:
        while time.monotonic() - still_since < WORKER_WITHIN_S:
            async with pool.connection() as conn:
                change = await bulk_changes.change(conn, tenant=tenant, change_id=change_id)
            decided = change.moves - change.pending
            show_progress("tickets decided", decided, change.moves)
            if change.state == "done":
                return
            if decided != before:
                still_since, before = time.monotonic(), decided
            await asyncio.sleep(_LOOK_EVERY_S)


async def _looked_up(tenant: str, change_id: str) -> ChangeView:
    async with store() as pool, pool.connection() as conn:
        return await assignment.shown(conn, tenant, change_id)


def _print_plan(asked: Request, plan: Plan) -> None:
    if plan.moves:
        title = "Would move" if asked.dry_run else "Moves"
        rows = ((m.ticket_id, m.owner or "-", m.to or "-", m.why) for m in plan.moves)
        print_table(title, ("ticket", "from", "to", "why"), rows)
    else:
        say("There is nothing to move.")
    _print_kept((k.ticket_id, k.owner, k.why) for k in plan.kept)
    before, after = plan.before, plan.after
    if after is not None and plan.moves:
        print_table(
            f"Load of {counted(before.agents, 'agent')} at work",
            ("", "before", "planned"),
            (
                ("Jain index", f"{before.jain:.2f}", f"{after.jain:.2f}"),
                ("most loaded", f"{before.most_loaded:.0%}", f"{after.most_loaded:.0%}"),
            ),
        )


def _print_kept(rows: Iterable[tuple[str, str, str]]) -> None:
    kept = list(rows)
    if kept:
        print_table("Stay where they are", ("ticket", "owner", "why"), kept)


def _print_result(view: ChangeView, tenant: str) -> None:
    change = view.change
    look = f"flowhub assignment audit show {change.change_id}{of_tenant(tenant)}"
    if change.pending or change.state != "done":
        say(
            f"{change.change_id} waits for a worker: {change.pending} of "
            f"{counted(change.moves, 'ticket')} are not decided. Nothing is lost: see `{look}`, "
            "and whether `flowhub worker` runs"
        )
        return
    for move in view.moves.moves:
        if move.outcome != "moved":
            say(f"{move.ticket_id} {move.outcome}: {quoted(move.said)}")
    _print_figures(change)
    say(
        f"{change.change_id}: {change.moved} moved, {change.skipped} skipped, {change.failed} "
        f"failed. It is to be reviewed: `{look}`"
    )


def _print_figures(change: BulkChange) -> None:
    after = "not known yet"
    if change.jain_after is not None and change.most_loaded_after is not None:
        after = f"{change.jain_after:.2f}, {change.most_loaded_after:.0%}"
    before = f"{change.jain_before:.2f}, {change.most_loaded_before:.0%}"
    say(f"Jain index and most loaded: before {before}; after {after}")
