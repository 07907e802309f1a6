"""Outside actions: the intent written with its decision, then how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from store.pool import Connection

TRY_AGAIN = ("intended", "parked", "failed", "unknown")
"""The states from which a person may have an action tried again: its key tells a repeat."""

DONE = frozenset({"sent", "dismissed"})
"""The states in which nothing is to be done any more."""


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One outside action.

    `state`: intended, sending, sent, failed, unknown, parked or dismissed.
    """

    action_key: str
    tenant: str
    ticket_id: str
    kind: str
    params: Mapping[str, Any]
    created_at: datetime
    state: str = "intended"
    attempts: int = 0
    last_error: str = ""


async def intend(conn: Connection, row: EffectRow) -> None:
    """Record the intent, in the transaction of its decision."""
    await conn.execute(
        "insert into effects (action_key, tenant, ticket_id, kind, params, created_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        (row.action_key, row.tenant, row.ticket_id, row.kind, Jsonb(row.params), row.created_at),
    )


async def begin(conn: Connection, *, action_key: str) -> EffectRow | None:
    """Mark the action as being sent and return it; None if the key is unknown."""
    async with conn.cursor(row_factory=class_row(EffectRow)) as cursor:
        await cursor.execute(
            "update effects set attempts = attempts + 1, changed_at = now(),"
            "       state = case when state = 'sent' then state else 'sending' end"
            " where action_key = %s"
            " returning action_key, tenant, ticket_id, kind, params, created_at, state,"
            "           attempts, last_error",
            (action_key,),
        )
        return await cursor.fetchone()


async def settle(conn: Connection, *, action_key: str, state: str, error: str = "") -> None:
    """Record how the action stands: sent, failed, unknown or parked, and the last error's kind."""
    await conn.execute(
        "update effects set state = %s, last_error = %s, changed_at = now() where action_key = %s",
        (state, error, action_key),
    )


async def waiting(
    conn: Connection, *, tenant: str, ticket_id: str, states: Sequence[str]
) -> tuple[EffectRow, ...]:
    """Return the actions of a ticket in one of `states`, oldest first."""
    async with conn.cursor(row_factory=class_row(EffectRow)) as cursor:
        await cursor.execute(
            "select action_key, tenant, ticket_id, kind, params, created_at, state, attempts,"
            "       last_error from effects"
            " where tenant = %s and ticket_id = %s and state = any(%s) order by created_at",
            (tenant, ticket_id, list(states)),
        )
        return tuple(await cursor.fetchall())


async def dismiss(
    conn: Connection, *, tenant: str, ticket_id: str, by: str, reason: str
) -> tuple[str, ...]:
    """Give up what of a ticket waits for a person, and return its keys; it is never sent then."""
    cursor = await conn.execute(
        "update effects set state = 'dismissed', dismissed_by = %s, dismissed_reason = %s,"
        "       dismissed_at = now(), changed_at = now()"
        " where tenant = %s and ticket_id = %s and state in ('parked', 'failed', 'unknown')"
        " returning action_key",
        (by, reason, tenant, ticket_id),
    )
    return tuple(sorted(row["action_key"] for row in await cursor.fetchall()))


async def held_back(conn: Connection, *, tenant: str, error: str) -> tuple[str, ...]:
    """Return the tickets with actions that are parked for `error`."""
    cursor = await conn.execute(
        "select distinct ticket_id from effects"
        " where tenant = %s and state = 'parked' and last_error = %s order by ticket_id",
        (tenant, error),
    )
    return tuple(row["ticket_id"] for row in await cursor.fetchall())


async def stuck(conn: Connection, *, tenant: str, limit: int = 100) -> tuple[EffectRow, ...]:
    """Return what an operator must look at, oldest first. Served by effects_parked."""
    async with conn.cursor(row_factory=class_row(EffectRow)) as cursor:
        await cursor.execute(
            "select action_key, tenant, ticket_id, kind, params, created_at, state, attempts,"
            "       last_error from effects"
            " where tenant = %s and state in ('parked', 'failed', 'unknown')"
            " order by changed_at limit %s",
            (tenant, limit),
        )
        return tuple(await cursor.fetchall())
