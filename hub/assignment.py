"""Bulk changes as commands and the API ask for them: run, undo, offboard, review.

A plan is made of one snapshot and written in the same transaction, so that it fits the ledger that
it was made of. A dry run writes nothing.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from psycopg.errors import SerializationFailure

from hub.drafts import MAX_SUBJECT, checked_line
from store import bulk_changes, offboarding, workload
from store.bulk_changes import BulkChange, ChangeKind, ChangeMoves, NewChange
from store.pool import Connection, Pool, snapshot
from support.balancing import Plan, Terms, balanced, cleared
from support.errors import ChangeRunningError, InputError, RuntimeUnavailableError
from support.model import BULK_PREFIX, Actor, checked_id
from support.restoring import restored
from support.workload import figures

USUAL_REASON = "balance of the work"
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for a change of a tenant, and why. A `dry_run` only says what would be done."""

    tenant: str
    actor: Actor
    reason: str
    dry_run: bool = False

    def __post_init__(self) -> None:
        checked_id(self.tenant, "tenant")
        checked_id(self.actor.id, "actor")
        if not self.reason.strip():
            raise InputError("say why: give the reason", field="reason")
        checked_line(self.reason, "reason", MAX_SUBJECT)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the change that carries it out; empty where nothing was written."""

    change_id: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change with its moves and what was kept out of it."""

    change: BulkChange
    moves: ChangeMoves


async def run(pool: Pool, asked: Request, *, team: str = "", terms: Terms | None = None) -> Planned:
    """Balance the work of a tenant, or of one team; ChangeRunningError while that goes on."""
    if team:
        checked_id(team, "team")

    async def planned(conn: Connection) -> Planned:
        now = datetime.now(UTC)
        about = {"tenant": asked.tenant, "team": team}
        plan = balanced(
            await workload.carriers(conn, **about, at=now),
            await workload.owned_tickets(conn, **about, at=now),
            now,
            terms,
        )
        if asked.dry_run or not plan.moves:
            return Planned("", plan)
        return await _begun(conn, asked, ChangeKind.BALANCE, plan, team=team)

    return await _planning(pool, asked, planned)


async def offboard(pool: Pool, asked: Request, agent_id: str) -> Planned:
    """Let an agent leave for good: no more work from now on, and all of theirs goes to others.

    Tickets for which nobody has room wait without an owner. InputError for an unknown agent.
    """
    checked_id(agent_id, "agent")

    async def planned(conn: Connection) -> Planned:
        now = datetime.now(UTC)
        tenant = asked.tenant
        # First, so that no claim for the agent can come between the snapshot and the commit.
        about = {"tenant": tenant, "agent_id": agent_id}
        had_left = await offboarding.leave(conn, **about, dry_run=asked.dry_run)
        carriers = [
            replace(one, left=True, at_work=False, there=False) if one.agent_id == agent_id else one
            for one in await workload.carriers(conn, tenant=tenant, at=now)
        ]
        owned = await workload.owned_tickets(conn, tenant=tenant, at=now, owner=agent_id)
        plan = cleared(carriers, owned, now)
        if asked.dry_run or (had_left and not plan.moves):
            return Planned("", plan)
        return await _begun(conn, asked, ChangeKind.OFFBOARD, plan, agent=agent_id)

    return await _planning(pool, asked, planned)


async def undo(pool: Pool, asked: Request, change_id: str) -> Planned:
    """Give tickets back to who had them before a change, where nobody changed that since.

    UnknownChangeError, or ChangeRunningError while the change goes on.
    """
    checked_id(change_id, "change id")

    async def planned(conn: Connection) -> Planned:
        now = datetime.now(UTC)
        about = {"tenant": asked.tenant, "change_id": change_id}
        change = await bulk_changes.change(conn, **about)
        if change.state != "done":
            raise ChangeRunningError(
                f"{change_id} still goes on: undo it once it is done, see "
                f"`flowhub assignment audit show {change_id}`",
                change_id=change_id,
                actor=change.actor,
            )
        moves, kept = restored(await bulk_changes.moved(conn, **about), now)
        shared = figures(await workload.carriers(conn, tenant=asked.tenant, at=now))
        plan = Plan(moves, kept, shared)
        if asked.dry_run or not moves:
            return Planned("", plan)
        return await _begun(conn, asked, ChangeKind.UNDO, plan, undoes=change_id)

    return await _planning(pool, asked, planned)


async def review(pool: Pool, tenant: str, change_id: str, *, by: str, note: str) -> BulkChange:
    """Close the review of a change with a note; InputError where somebody has."""
    checked_id(tenant, "tenant")
    checked_id(change_id, "change id")
    if not checked_line(note, "note", MAX_SUBJECT).strip():
        raise InputError("a review needs a note: say what you found", field="note")
    about = {"tenant": tenant, "change_id": change_id}
    async with pool.connection() as conn:
        await bulk_changes.review(conn, **about, by=checked_id(by, "actor"), note=note)
        return await bulk_changes.change(conn, **about)


async def shown(conn: Connection, tenant: str, change_id: str) -> ChangeView:
    """Return a change with all its moves; UnknownChangeError."""
    about = {"tenant": tenant, "change_id": checked_id(change_id, "change id")}
    found = await bulk_changes.change(conn, **about)
    return ChangeView(found, await bulk_changes.moves(conn, **about))


async def _begun(
    conn: Connection, asked: Request, kind: ChangeKind, plan: Plan, **about: str
) -> Planned:
    change_id = f"{BULK_PREFIX}{uuid.uuid4().hex[:12]}"
    change = NewChange(asked.tenant, change_id, kind, asked.actor, asked.reason, **about)
    await bulk_changes.begin(conn, change=change, plan=plan)
    return Planned(change_id, plan)


async def _planning(
    pool: Pool, asked: Request, planned: Callable[[Connection], Awaitable[Planned]]
) -> Planned:
    """Plan on one snapshot, and again where something that matters changed meanwhile."""
    if asked.dry_run:
        async with snapshot(pool) as conn:
            return await planned(conn)
    for _ in range(_TRIES):
        try:
            async with pool.connection() as conn, conn.transaction():
                await conn.execute("set transaction isolation level repeatable read")
                return await planned(conn)
        except SerializationFailure:
            continue
    raise RuntimeUnavailableError("the roster changes all the time: try again in a moment")
