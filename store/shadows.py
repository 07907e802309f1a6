"""What a shadow would have done at each decision, beside what the active pack did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Comparison:
    """One decision that a shadow was asked about; `active` and `shadow` only where they differ.

    `rules` are those that fired in one of the two only, or asked for other actions.
    """

    shadow_number: int
    workflow_id: str
    decision_seq: int
    ticket_id: str
    trigger: str
    active_version: str
    rules: tuple[str, ...] = ()
    active: Mapping[str, Any] | None = None
    shadow: Mapping[str, Any] | None = None


_ADD = """
insert into shadow_comparisons (tenant, shadow_number, workflow_id, decision_seq, ticket_id,
                                trigger, active_version, differs, rules, active, shadow)
values (%(tenant)s, %(shadow_number)s, %(workflow_id)s, %(decision_seq)s, %(ticket_id)s,
        %(trigger)s, %(active_version)s, %(differs)s, %(rules)s, %(active)s, %(shadow)s)
on conflict do nothing
"""


async def add(conn: Connection, one: Comparison, *, tenant: str) -> None:
    """Add a comparison; one that is there stays as it is."""
    await conn.execute(
        _ADD,
        {
            "tenant": tenant,
            "shadow_number": one.shadow_number,
            "workflow_id": one.workflow_id,
            "decision_seq": one.decision_seq,
            "ticket_id": one.ticket_id,
            "trigger": one.trigger,
            "active_version": one.active_version,
            "differs": one.active is not None,
            "rules": list(one.rules),
            "active": Jsonb(one.active) if one.active is not None else None,
            "shadow": Jsonb(one.shadow) if one.shadow is not None else None,
        },
    )


@dataclass(frozen=True, slots=True)
class RuleCount:
    """In how many decisions a rule made the difference."""

    rule_id: str
    decisions: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision that the shadow would have taken otherwise."""

    ticket_id: str
    decision_seq: int
    trigger: str
    compared_at: datetime
    rules: Sequence[str]
    active: Mapping[str, Any]
    shadow: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a shadow showed: decisions compared, those that differ, by rule, the latest of them."""

    compared: int
    differing: int
    by_rule: tuple[RuleCount, ...]
    examples: tuple[Difference, ...]


async def summary(conn: Connection, *, tenant: str, number: int, examples: int = 10) -> Summary:
    """Return what the shadow of this publication showed, as far back as it is kept.

    Served by the primary key and shadow_differences.
    """
    key = {"tenant": tenant, "number": number, "limit": examples}
    cursor = await conn.execute(
        "select count(*) as compared, count(*) filter (where differs) as differing"
        " from shadow_comparisons where tenant = %(tenant)s and shadow_number = %(number)s",
        key,
    )
    counts = await cursor.fetchone() or {"compared": 0, "differing": 0}
    async with conn.cursor(row_factory=class_row(RuleCount)) as by_rule:
        await by_rule.execute(
            "select rule_id, count(*) as decisions"
            " from shadow_comparisons cross join lateral unnest(rules) as r (rule_id)"
            " where tenant = %(tenant)s and shadow_number = %(number)s and differs"
            " group by rule_id order by decisions desc, rule_id",
            key,
        )
        rules = tuple(await by_rule.fetchall())
    async with conn.cursor(row_factory=class_row(Difference)) as latest:
        await latest.execute(
            "select ticket_id, decision_seq, trigger, compared_at, rules, active, shadow"
            " from shadow_comparisons"
            " where tenant = %(tenant)s and shadow_number = %(number)s and differs"
            " order by compared_at desc, ticket_id, decision_seq desc limit %(limit)s",
            key,
        )
        return Summary(
            counts["compared"], counts["differing"], rules, tuple(await latest.fetchall())
        )


_DROP = """
delete from shadow_comparisons
 where ctid = any (array(select ctid from shadow_comparisons
                          where compared_at < clock_timestamp() - %(older_than)s::interval
                          order by compared_at limit %(most)s for update skip locked))
"""


async def drop_old(conn: Connection, *, older_than: timedelta, most: int) -> int:
    """Drop at most so many old comparisons, whosever they are, and return how many went.

    Served by the index shadow_comparisons_age.
    """
    cursor = await conn.execute(_DROP, {"older_than": older_than, "most": most})
    return cursor.rowcount
