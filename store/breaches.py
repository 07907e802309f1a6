"""Breaches and escalation steps of tickets, each recorded by the decision that found it."""

from datetime import datetime

from store.pool import Connection

_BREACH = """
insert into breaches (tenant, ticket_id, metric, cycle, due_at, cause, decision_seq)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (tenant, ticket_id, metric, cycle, due_at) do update
   set withdrawn_seq = null, decision_seq = excluded.decision_seq
 where breaches.withdrawn_seq is not null
"""
_WITHDRAW = """
update breaches set withdrawn_seq = %s
 where tenant = %s and ticket_id = %s and metric = %s and due_at = %s and withdrawn_seq is null
"""
_ESCALATION = """
insert into escalations (tenant, ticket_id, decision_seq, metric, cycle, fraction, due_at,
                         lateness_s, step)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


async def write_breach(
    conn: Connection, key: tuple[str, str], what: tuple[str, int, datetime], cause: str, seq: int
) -> None:
    """Record a breach of (tenant, ticket): `what` is metric, cycle and due."""
    await conn.execute(_BREACH, (*key, *what, cause, seq))


async def withdraw_breach(
    conn: Connection, key: tuple[str, str], what: tuple[str, datetime], seq: int
) -> None:
    """Mark a breach of (tenant, ticket) as disproved by decision `seq`: metric and due."""
    await conn.execute(_WITHDRAW, (seq, *key, *what))


async def write_escalation(
    conn: Connection,
    key: tuple[str, str],
    seq: int,
    step: tuple[str, int, float, datetime],
    lateness_s: float,
    *,
    name: str = "",
) -> None:
    """Record a fired step: metric, cycle, fraction and due, how late it was, and its name."""
    await conn.execute(_ESCALATION, (*key, seq, *step, lateness_s, name))
