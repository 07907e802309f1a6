"""Bulk changes: many tickets change hands for one reason, on record and to be undone.

Planned in one transaction, and decided ticket by ticket: `decide` writes the outcome of a move with
its decision, so each is recorded exactly once. A move is sent again until it is decided.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import LiteralString

from psycopg.rows import class_row

from store import outbox, workload
from store.pool import Connection
from support.balancing import Kept, Move, Plan
from support.errors import ChangeRunningError, InputError, UnknownChangeError
from support.model import Actor
from support.restoring import Moved
from support.workload import figures


class ChangeKind(StrEnum):
    """What a bulk change is for."""

    BALANCE = "balance"
    UNDO = "undo"
    OFFBOARD = "offboard"


@dataclass(frozen=True, slots=True)
class NewChange:
    """A bulk change to begin. `reason` is a person's text, and stays in the store."""

    tenant: str
    change_id: str
    kind: ChangeKind
    actor: Actor
    reason: str
    team: str = ""
    agent: str = ""
    undoes: str = ""


_BEGIN = """
insert into bulk_changes (tenant, change_id, kind, team, agent, actor_kind, actor, reason, undoes,
                          kept, jain_before, most_loaded_before)
values (%(tenant)s, %(change_id)s, %(kind)s, %(team)s, %(agent)s, %(actor_kind)s, %(actor)s,
        %(reason)s, %(undoes)s, %(kept)s, %(jain)s, %(most_loaded)s)
on conflict (tenant) where kind = 'balance' and state = 'running' do nothing
returning change_id
"""

_MOVES = """
insert into bulk_moves (tenant, change_id, ticket_id, before_owner, after_owner, expected_since,
                        owner_left, why)
select %(tenant)s, %(change_id)s, ticket_id, owner, after_owner, since, owner_left, why
  from unnest(%(tickets)s::text[], %(owners)s::text[], %(after)s::text[],
              %(since)s::timestamptz[], %(left)s::boolean[], %(why)s::text[])
       as planned (ticket_id, owner, after_owner, since, owner_left, why)
"""


async def begin(conn: Connection, *, change: NewChange, plan: Plan) -> None:
    """Write a change with its moves and their first wake-up, in the caller's transaction.

    ChangeRunningError where another one balances the tenant: then nothing may be kept.
    """
    about = {"tenant": change.tenant, "change_id": change.change_id}
    cursor = await conn.execute(
        _BEGIN,
        {
            **about,
            "kind": str(change.kind),
            "team": change.team,
            "agent": change.agent,
            "actor_kind": str(change.actor.kind),
            "actor": change.actor.id,
            "reason": change.reason,
            "undoes": change.undoes,
            "kept": json.dumps([asdict(one) for one in plan.kept]),
            "jain": plan.before.jain,
            "most_loaded": plan.before.most_loaded,
        },
    )
    if await cursor.fetchone() is None:
        raise await _running(conn, change.tenant)
    await conn.execute(_MOVES, {**about, **_columns(plan.moves)})
    await outbox.add(
        conn, tenant=change.tenant, kind=outbox.BULK_CHANGE, about={"change_id": change.change_id}
    )


def _columns(moves: Sequence[Move]) -> dict[str, list[object]]:
    return {
        "tickets": [move.ticket_id for move in moves],
        "owners": [move.owner for move in moves],
        "after": [move.to for move in moves],
        "since": [move.since for move in moves],
        "left": [move.owner_left for move in moves],
        "why": [move.why for move in moves],
    }


async def _running(conn: Connection, tenant: str) -> ChangeRunningError:
    cursor = await conn.execute(
        "select change_id, actor, created_at from bulk_changes"
        " where tenant = %s and kind = 'balance' and state = 'running'",
        (tenant,),
    )
    row = await cursor.fetchone() or {"change_id": "", "actor": "somebody", "created_at": None}
    since = row["created_at"].isoformat(timespec="seconds") if row["created_at"] else "just now"
    return ChangeRunningError(
        f"{row['actor']} has balanced {tenant} since {since}, and that is not done: see `flowhub "
        f"assignment audit show {row['change_id']}`",
        change_id=row["change_id"],
        actor=row["actor"],
    )


@dataclass(frozen=True, slots=True)
class PendingMove:
    """A move that is not decided, as its event asks for it; `actor` asked for the change."""

    ticket_id: str
    before_owner: str
    after_owner: str
    expected_since: datetime | None
    owner_left: bool
    kind: str
    actor_kind: str
    actor: str


async def pending(
    conn: Connection, *, tenant: str, change_id: str, after: str, most: int
) -> tuple[PendingMove, ...]:
    """Return the moves behind the ticket `after` that are not decided. By bulk_moves_pending."""
    async with conn.cursor(row_factory=class_row(PendingMove)) as cursor:
        await cursor.execute(
            "select m.ticket_id, m.before_owner, m.after_owner, m.expected_since, m.owner_left,"
            "       c.kind, c.actor_kind, c.actor"
            "  from bulk_moves as m join bulk_changes as c using (tenant, change_id)"
            " where m.tenant = %s and m.change_id = %s and m.outcome = 'pending'"
            "   and m.ticket_id > %s order by m.ticket_id limit %s",
            (tenant, change_id, after, most),
        )
        return tuple(await cursor.fetchall())


# Whoever decides one of the last moves asks whether that was all. Those that overlap see each
# other's as pending, so more of them ask than work at once, and the courier looks again in any
# case. To lock the change instead could deadlock with the locks on agents.
_DECIDED: LiteralString = """
with decided as (
    update bulk_moves
       set outcome = %(outcome)s, decision_seq = %(seq)s, decided_since = %(since)s,
           decided_at = clock_timestamp(),
           after_owner = coalesce(%(owner)s, after_owner),
           said = case when %(owner)s::text <> after_owner
                       then 'was planned for ' || coalesce(nullif(after_owner, ''), 'nobody')
                       else %(said)s end
     where tenant = %(tenant)s and change_id = %(change_id)s and ticket_id = %(ticket_id)s
       and outcome in ('pending', 'failed')
    returning tenant, change_id, ticket_id
)
insert into outbox (tenant, kind, about)
select d.tenant, 'bulk_change', jsonb_build_object('settles', d.change_id)
  from decided as d
 where (select count(*) from (select from bulk_moves as m
                               where m.tenant = d.tenant and m.change_id = d.change_id
                                 and m.outcome = 'pending' and m.ticket_id <> d.ticket_id
                               limit 64) as others) < 64
returning pg_notify('outbox', '')
"""


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a move. `owner` has the ticket after it, `since` when; None: as before."""

    outcome: str
    said: str = ""
    seq: int | None = None
    owner: str | None = None
    since: datetime | None = None


async def record(
    conn: Connection, *, tenant: str, change_id: str, ticket_id: str, decided: Decided
) -> None:
    """Write what became of a move, in the transaction that decides it; one of no change is none."""
    await conn.execute(
        _DECIDED,
        {
            "tenant": tenant,
            "change_id": change_id,
            "ticket_id": ticket_id,
            "outcome": decided.outcome,
            "said": decided.said,
            "seq": decided.seq,
            "owner": decided.owner,
            "since": decided.since,
        },
    )


_FINISH = """
update bulk_changes
   set state = 'done', done_at = clock_timestamp(), jain_after = %(jain)s,
       most_loaded_after = %(most_loaded)s
 where tenant = %(tenant)s and change_id = %(change_id)s
returning exists (select from bulk_moves as m
                   where m.tenant = %(tenant)s and m.change_id = %(change_id)s
                     and m.outcome = 'moved' and m.after_owner = '') as released
"""


async def finish(conn: Connection, *, tenant: str, change_id: str, at: datetime) -> bool:
    """End the change if all is decided, with the figures of then; return whether it has ended.

    What it released is handed out once more, should room have come up meanwhile.
    """
    cursor = await conn.execute(
        "select team, state from bulk_changes where tenant = %s and change_id = %s for update",
        (tenant, change_id),
    )
    change = await cursor.fetchone()
    if change is None or change["state"] == "done":
        return True
    if await pending(conn, tenant=tenant, change_id=change_id, after="", most=1):
        return False
    shared = figures(await workload.carriers(conn, tenant=tenant, at=at, team=change["team"]))
    told = {"jain": shared.jain, "most_loaded": shared.most_loaded}
    cursor = await conn.execute(_FINISH, {"tenant": tenant, "change_id": change_id, **told})
    row = await cursor.fetchone()
    if row is not None and row["released"]:
        about = {"change": change_id}
        await outbox.add(conn, tenant=tenant, kind=outbox.HAND_OUT, about=about)
    return True


@dataclass(frozen=True, slots=True)
class BulkChange:
    """A change as the audit shows it, with its moves counted by outcome.

    Figures are of the agents at work: `jain` 1 is even, `most_loaded` the largest part of a
    capacity. They are None after it until all is decided.
    """

    change_id: str
    kind: str
    team: str
    agent: str
    actor_kind: str
    actor: str
    reason: str
    undoes: str
    state: str
    created_at: datetime
    done_at: datetime | None
    jain_before: float
    most_loaded_before: float
    jain_after: float | None
    most_loaded_after: float | None
    reviewed_at: datetime | None
    reviewed_by: str
    note: str
    moves: int
    pending: int
    moved: int
    skipped: int
    failed: int


_CHANGES = """
select c.change_id, c.kind, c.team, c.agent, c.actor_kind, c.actor, c.reason, c.undoes, c.state,
       c.created_at, c.done_at, c.jain_before, c.most_loaded_before, c.jain_after,
       c.most_loaded_after, c.reviewed_at, c.reviewed_by, c.note, m.*
  from bulk_changes as c
 cross join lateral (
       select count(*) as moves, count(*) filter (where outcome = 'pending') as pending,
              count(*) filter (where outcome = 'moved') as moved,
              count(*) filter (where outcome = 'skipped') as skipped,
              count(*) filter (where outcome = 'failed') as failed
         from bulk_moves where tenant = c.tenant and change_id = c.change_id) as m
 where c.tenant = %(tenant)s and (%(change_id)s::text = '' or c.change_id = %(change_id)s)
   and (c.reviewed_at is null or not %(to_review)s)
 order by c.created_at desc, c.change_id
 limit %(limit)s
"""


async def listed(
    conn: Connection, *, tenant: str, to_review: bool = False, limit: int = 100
) -> tuple[BulkChange, ...]:
    """Return the changes of the tenant, the latest first. Served by bulk_changes_latest."""
    return await _changes(conn, tenant=tenant, to_review=to_review, limit=limit)


async def change(conn: Connection, *, tenant: str, change_id: str) -> BulkChange:
    """Return one change; UnknownChangeError where the tenant has none of that id."""
    found = await _changes(conn, tenant=tenant, change_id=change_id) if change_id else ()
    if not found:
        raise UnknownChangeError(
            f"there is no bulk change {change_id} in {tenant}: see `flowhub assignment audit list`"
        )
    return found[0]


async def _changes(
    conn: Connection, *, tenant: str, change_id: str = "", to_review: bool = False, limit: int = 1
) -> tuple[BulkChange, ...]:
    about = {"tenant": tenant, "change_id": change_id, "to_review": to_review, "limit": limit}
    async with conn.cursor(row_factory=class_row(BulkChange)) as cursor:
        await cursor.execute(_CHANGES, about)
        return tuple(await cursor.fetchall())


@dataclass(frozen=True, slots=True)
class BulkMove:
    """One move as the audit shows it: `after_owner` is planned until decided, then as it came."""

    ticket_id: str
    before_owner: str
    after_owner: str
    why: str
    outcome: str
    said: str
    decision_seq: int | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChangeMoves:
    """The moves of a change in the order of their tickets, and what was kept out of it."""

    moves: tuple[BulkMove, ...]
    kept: tuple[Kept, ...] = field(default=())


async def moves(conn: Connection, *, tenant: str, change_id: str) -> ChangeMoves:
    """Return what became of each ticket of a change."""
    async with conn.cursor(row_factory=class_row(BulkMove)) as cursor:
        await cursor.execute(
            "select ticket_id, before_owner, after_owner, why, outcome, said, decision_seq,"
            "       decided_at from bulk_moves where tenant = %s and change_id = %s"
            " order by ticket_id",
            (tenant, change_id),
        )
        found = tuple(await cursor.fetchall())
    kept = await conn.execute(
        "select kept from bulk_changes where tenant = %s and change_id = %s", (tenant, change_id)
    )
    row = await kept.fetchone()
    return ChangeMoves(found, tuple(Kept(**one) for one in row["kept"]) if row else ())


_MOVED = """
select m.ticket_id, m.before_owner, m.after_owner, m.decided_since, t.active,
       coalesce(c.agent_id, '') as owner, c.locked_until,
       (t.state #>> '{ownership,since}')::timestamptz as since,
       a.left_at is not null as before_left
  from bulk_moves as m
  join tickets as t using (tenant, ticket_id)
  left join claims as c using (tenant, ticket_id)
  left join agents as a on a.tenant = m.tenant and a.agent_id = m.before_owner
 where m.tenant = %s and m.change_id = %s and m.outcome = 'moved'
 order by m.ticket_id
"""


async def moved(conn: Connection, *, tenant: str, change_id: str) -> tuple[Moved, ...]:
    """Return what a change has moved, and where those tickets stand now."""
    async with conn.cursor(row_factory=class_row(Moved)) as cursor:
        await cursor.execute(_MOVED, (tenant, change_id))
        return tuple(await cursor.fetchall())


async def review(conn: Connection, *, tenant: str, change_id: str, by: str, note: str) -> None:
    """Close the review of a change.

    InputError where that was done; ChangeRunningError while moves of it are not decided.
    """
    cursor = await conn.execute(
        "update bulk_changes set reviewed_at = now(), reviewed_by = %s, note = %s"
        " where tenant = %s and change_id = %s and reviewed_at is null and state = 'done'"
        " returning change_id",
        (by, note, tenant, change_id),
    )
    if await cursor.fetchone() is None:
        known = await change(conn, tenant=tenant, change_id=change_id)
        if known.state != "done":
            raise ChangeRunningError(f"{change_id} still goes on: review it when all is decided")
        at = known.reviewed_at.isoformat(timespec="seconds") if known.reviewed_at else ""
        raise InputError(f"{change_id} has been reviewed by {known.reviewed_by} at {at}")
