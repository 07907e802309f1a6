"""What people look at: lists of tickets, one ticket, and all that happened to it, in order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from store.pool import Connection
from support.errors import InputError, UnknownTicketError
from support.lanes import LANES
from support.model import TicketStatus

MAX_LISTED = 500


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket as lists and its page show it. `owner` is empty while nobody has claimed it."""

    ticket_id: str
    run_id: str
    channel: str
    priority: str
    status: str
    team: str
    customer_id: str
    subject: str
    owner: str
    locked_until: datetime | None
    follow_up_of: str
    created_at: datetime
    changed_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    active: bool
    breached: bool
    breached_held: bool
    escalation_due: bool
    sla_state: str
    next_due_at: datetime | None
    next_deadline: datetime | None
    next_deadline_is: str
    parked: str
    decision_seq: int
    pack_version: str


_SELECT = """
select t.ticket_id, t.run_id, t.channel, t.priority, t.status, t.team, t.customer_id,
       coalesce(m.subject, '') as subject, coalesce(c.agent_id, '') as owner, c.locked_until,
       t.follow_up_of, t.created_at, t.changed_at, t.resolved_at, t.closed_at, t.active,
       t.breached, t.breached_held, t.escalation_due, t.sla_state, t.next_due_at,
       t.next_deadline, t.next_deadline_is, t.decision_seq, t.pack_version,
       coalesce((select string_agg(p.error, '; ') from parkings as p
                  where p.tenant = t.tenant and p.ticket_id = t.ticket_id), '') as parked
  from tickets as t
  left join claims as c using (tenant, ticket_id)
  left join messages as m on m.tenant = t.tenant and m.ticket_id = t.ticket_id
       and m.message_ref = t.opening_ref
"""

# What is overdue has the earliest dues, so one order serves both: the index tickets_active.
_ACTIVE = (
    _SELECT
    + """
 where t.tenant = %(tenant)s and t.active
   and (%(status)s::text is null or t.status = %(status)s)
   and case coalesce(%(lane)s::text, '')
         when '' then true
         when 'sla_breached' then t.breached
         when 'escalation_due' then t.escalation_due
         when 'unassigned' then c.agent_id is null
         when 'assignment' then t.status = 'waiting_internal'
         when 'priority_queue' then t.priority in ('high', 'urgent')
         else false
       end
 order by t.next_due_at nulls last, t.created_at, t.ticket_id
 limit %(limit)s
"""
)
_FINISHED = (
    _SELECT
    + """
 where t.tenant = %(tenant)s and not t.active and t.status = %(status)s
 order by t.changed_at desc, t.ticket_id
 limit %(limit)s
"""
)


async def list_tickets(
    conn: Connection,
    *,
    tenant: str,
    lane: str | None = None,
    status: TicketStatus | None = None,
    limit: int = 50,
) -> tuple[TicketView, ...]:
    """Return at most `limit` active tickets: overdue first, then by due, then by age.

    `lane` keeps the members of one lane (those of callbacks have no tickets); a resolved or closed
    `status` lists those instead, latest first. InputError for an unknown lane or a limit outside
    1 to 500.
    """
    if lane is not None and lane not in {known.id for known in LANES}:
        raise InputError(
            f"there is no lane {lane[:80]!r}: use one of {', '.join(known.id for known in LANES)}",
            field="lane",
        )
    if not 1 <= limit <= MAX_LISTED:
        raise InputError(f"limit {limit} is out of range: use 1 to {MAX_LISTED}", field="limit")
    finished = status is not None and not status.active
    if finished and lane is not None:
        return ()
    async with conn.cursor(row_factory=class_row(TicketView)) as cursor:
        await cursor.execute(
            _FINISHED if finished else _ACTIVE,
            {
                "tenant": tenant,
                "lane": lane,
                "status": str(status) if status else None,
                "limit": limit,
            },
        )
        return tuple(await cursor.fetchall())


async def ticket(conn: Connection, *, tenant: str, ticket_id: str) -> TicketView:
    """Return the projection of one ticket with its owner; UnknownTicketError without one."""
    async with conn.cursor(row_factory=class_row(TicketView)) as cursor:
        await cursor.execute(
            _SELECT + " where t.tenant = %s and t.ticket_id = %s", (tenant, ticket_id)
        )
        found = await cursor.fetchone()
    if found is None:
        raise UnknownTicketError(f"there is no ticket {ticket_id} in {tenant}")
    return found


async def tags(conn: Connection, *, tenant: str, ticket_id: str) -> tuple[str, ...]:
    """Return the tags that a ticket has."""
    cursor = await conn.execute(
        "select state->'tags' as tags from tickets where tenant = %s and ticket_id = %s",
        (tenant, ticket_id),
    )
    row = await cursor.fetchone()
    return tuple(row["tags"] or ()) if row else ()


async def clocks(conn: Connection, *, tenant: str, ticket_id: str) -> tuple[Mapping[str, Any], ...]:
    """Return the clocks of a ticket as its last decision left them."""
    cursor = await conn.execute(
        "select clocks from decisions where tenant = %s and ticket_id = %s"
        " order by decision_seq desc limit 1",
        (tenant, ticket_id),
    )
    row = await cursor.fetchone()
    return tuple(row["clocks"]) if row else ()


_TENANTS = """
with recursive known (tenant) as (
    (select tenant from tickets order by tenant limit 1)
    union all
    select (select t.tenant from tickets as t where t.tenant > k.tenant order by t.tenant limit 1)
      from known as k where k.tenant is not null
)
select tenant from known where tenant is not null
union
select tenant from agents
"""


async def tenants(conn: Connection) -> tuple[str, ...]:
    """Return every tenant that has an agent or a ticket, sorted.

    It leaps from tenant to tenant in the primary key, however many tickets there are.
    """
    cursor = await conn.execute(_TENANTS)
    return tuple(sorted(row["tenant"] for row in await cursor.fetchall()))


@dataclass(frozen=True, slots=True)
class Text:
    """What a person or a macro wrote. It is shown on the ticket's timeline and nowhere else."""

    message_ref: str
    kind: str
    subject: str
    body: str
    author_kind: str
    author_id: str
    delivery: str


@dataclass(frozen=True, slots=True)
class EventEntry:
    """What happened. `result` is the answer that the sender got, `details` what it carried."""

    seq: int
    at: datetime
    event_id: str
    name: str
    outcome: str
    actor_kind: str
    actor_id: str
    on_behalf_of: str
    source: str
    occurred_at: datetime
    received_at: datetime
    details: Mapping[str, Any]
    result: Mapping[str, Any]
    text: Text | None
    kind: str = "event"


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """What was decided, by which rules, why the others did not fire, and what came of it.

    `corrections`: what a late event put right.
    """

    seq: int
    at: datetime
    trigger_id: str
    trigger: str
    decided_at: datetime
    lateness_s: float
    pack_name: str
    pack_version: str
    policy_version: str
    inputs: Mapping[str, Any]
    fired: Sequence[str]
    trace: Sequence[Mapping[str, Any]]
    actions: Sequence[Mapping[str, Any]]
    clocks: Sequence[Mapping[str, Any]]
    corrections: Sequence[Mapping[str, Any]]
    digest: str
    kind: str = "decision"


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """What automation wrote in the decision `seq`."""

    seq: int
    at: datetime
    text: Text
    kind: str = "message"


@dataclass(frozen=True, slots=True)
class EffectEntry:
    """What the decision `seq` had done in the outside world, and how that stands."""

    seq: int
    at: datetime
    action_key: str
    name: str
    state: str
    attempts: int
    last_error: str
    params: Mapping[str, Any]
    changed_at: datetime
    kind: str = "effect"


@dataclass(frozen=True, slots=True)
class BreachEntry:
    """A target that was missed at `at`; `withdrawn_seq` is the decision that disproved it."""

    seq: int
    at: datetime
    metric: str
    cycle: int
    cause: str
    withdrawn_seq: int | None
    kind: str = "breach"


@dataclass(frozen=True, slots=True)
class EscalationEntry:
    """An escalation step that fired: at `at`, `fraction` of the target was used up.

    `step` names one that is no plain fraction of the target.
    """

    seq: int
    at: datetime
    metric: str
    cycle: int
    fraction: float
    lateness_s: float
    step: str
    kind: str = "escalation"


Entry = EventEntry | DecisionEntry | MessageEntry | EffectEntry | BreachEntry | EscalationEntry

_EVENTS = """
select coalesce(e.decision_seq,
                (select max(d.decision_seq) from decisions as d
                  where d.tenant = e.tenant and d.ticket_id = e.ticket_id
                    and d.nominal_at <= e.nominal_at), 0) as seq,
       e.nominal_at as at, e.event_id, e.kind as name, e.outcome, e.actor_kind, e.actor_id,
       e.on_behalf_of, e.source, e.occurred_at, e.received_at, e.event as details, e.result,
       m.message_ref, m.kind as text_kind, m.subject, m.body, m.author_kind, m.author_id,
       m.delivery
  from events as e
  left join messages as m on m.tenant = e.tenant and m.ticket_id = e.ticket_id
       and m.message_ref = e.message_ref and e.message_ref <> ''
 where e.tenant = %(tenant)s and e.ticket_id = %(ticket_id)s
   and coalesce(e.decision_seq, %(since)s + 1) > %(since)s
 order by e.received_at, e.event_id
"""
DECISIONS = """
select decision_seq as seq, nominal_at as at, trigger_id, trigger, decided_at, lateness_s,
       pack_name, pack_version, policy_version, inputs, fired, trace, actions, clocks, corrections,
       digest
  from decisions
 where tenant = %(tenant)s and ticket_id = %(ticket_id)s and decision_seq > %(since)s
"""
_MESSAGES = """
select m.message_ref, m.created_at, m.kind, m.subject, m.body, m.author_kind, m.author_id,
       m.delivery
  from messages as m
 where m.tenant = %(tenant)s and m.ticket_id = %(ticket_id)s
   and m.message_ref like 'auto.%%'
"""
_EFFECTS = """
select action_key, created_at as at, kind as name, state, attempts, last_error, params, changed_at
  from effects
 where tenant = %(tenant)s and ticket_id = %(ticket_id)s
"""
_BREACHES = """
select decision_seq as seq, due_at as at, metric, cycle, cause, withdrawn_seq
  from breaches
 where tenant = %(tenant)s and ticket_id = %(ticket_id)s and decision_seq > %(since)s
"""
_ESCALATIONS = """
select decision_seq as seq, due_at as at, metric, cycle, fraction, lateness_s, step
  from escalations
 where tenant = %(tenant)s and ticket_id = %(ticket_id)s and decision_seq > %(since)s
"""
_ORDER = ("event", "breach", "escalation", "decision", "message", "effect")
_AUTO_REF = re.compile(r"auto\.(\d{1,18})\.\d+")
_ACTION_KEY = re.compile(r".*/(\d{1,18})/\d+")


async def timeline(
    conn: Connection, *, tenant: str, ticket_id: str, since: int = 0
) -> tuple[Entry, ...]:
    """Return all that happened to a ticket after decision `since`, in the order of decisions.

    Within a decision: the event, breaches and steps, the decision, then what it wrote and had done.
    A refused event, which has no decision, stands after the last one that counted before it. Read
    it in one repeatable-read transaction: it takes several queries.
    """
    key = {"tenant": tenant, "ticket_id": ticket_id, "since": since}
    entries: list[Entry] = [
        *(_event(row) for row in await _rows(conn, _EVENTS, key)),
        *(DecisionEntry(**row) for row in await _rows(conn, DECISIONS, key)),
        *(_message(row) for row in await _rows(conn, _MESSAGES, key)),
        *(_effect(row) for row in await _rows(conn, _EFFECTS, key)),
        *(BreachEntry(**row) for row in await _rows(conn, _BREACHES, key)),
        *(EscalationEntry(**row) for row in await _rows(conn, _ESCALATIONS, key)),
    ]
    later = (entry for entry in entries if not since or entry.seq > since)
    return tuple(sorted(later, key=lambda e: (e.seq, _refused(e), _ORDER.index(e.kind), e.at)))


async def _rows(
    conn: Connection, query: LiteralString, key: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return await (await conn.execute(query, key)).fetchall()


def _refused(entry: Entry) -> bool:
    return isinstance(entry, EventEntry) and entry.outcome == "refused"


def _event(row: dict[str, Any]) -> EventEntry:
    kind = row.pop("text_kind")
    parts = {name: row.pop(name) for name in Text.__slots__ if name != "kind"}
    return EventEntry(**row, text=Text(kind=kind, **parts) if kind else None)


def _message(row: dict[str, Any]) -> MessageEntry:
    at = row.pop("created_at")
    return MessageEntry(_number(_AUTO_REF, row["message_ref"]), at, Text(**row))


def _effect(row: dict[str, Any]) -> EffectEntry:
    return EffectEntry(seq=_number(_ACTION_KEY, row["action_key"]), **row)


def _number(pattern: re.Pattern[str], name: str) -> int:
    """Return the decision that a reference names, 0 if it names none."""
    match = pattern.fullmatch(name)
    return int(match.group(1)) if match else 0
