"""Everything that happened to a ticket, entry by entry, and one decision found by time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from store.pool import Connection
from store.views import ticket
from support.errors import InputError


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

    `corrections`: what a late event put right. `related`: rows that the rules were asked with.
    `rounds`: what rules said of what rules had done.
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
    related: Mapping[str, Sequence[Mapping[str, Any]]]
    fired: Sequence[str]
    trace: Sequence[Mapping[str, Any]]
    actions: Sequence[Mapping[str, Any]]
    clocks: Sequence[Mapping[str, Any]]
    corrections: Sequence[Mapping[str, Any]]
    digest: str
    rounds: Sequence[Mapping[str, Any]] = ()
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
    """What the decision `seq` had done in the outside world, and how that stands.

    `changed_at` is when it was dismissed, where a person did that.
    """

    seq: int
    at: datetime
    action_key: str
    name: str
    state: str
    attempts: int
    last_error: str
    params: Mapping[str, Any]
    changed_at: datetime
    dismissed_by: str = ""
    dismissed_reason: str = ""
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
       e.decision_seq is null as undecided,
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
_DECISIONS = """
select decision_seq as seq, nominal_at as at, trigger_id, trigger, decided_at, lateness_s,
       pack_name, pack_version, policy_version, inputs, related, fired, trace, actions, clocks,
       corrections, rounds, digest
  from decisions
 where tenant = %(tenant)s and ticket_id = %(ticket_id)s and decision_seq > %(since)s
"""
_LATEST = (
    _DECISIONS
    + """
   and nominal_at <= coalesce(%(at)s::timestamptz, 'infinity')
 order by nominal_at desc, decision_seq desc
 limit 1
"""
)
_MESSAGES = """
select m.message_ref, m.created_at, m.kind, m.subject, m.body, m.author_kind, m.author_id,
       m.delivery
  from messages as m
 where m.tenant = %(tenant)s and m.ticket_id = %(ticket_id)s
   and m.message_ref like 'auto.%%'
"""
_EFFECTS = """
select action_key, created_at as at, kind as name, state, attempts, last_error, params, changed_at,
       dismissed_by, dismissed_reason
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
    An event without a decision, refused or taken over by a follow-up, stands after the last one
    that counted before it. Read it in one repeatable-read transaction: it takes several queries.
    """
    key = {"tenant": tenant, "ticket_id": ticket_id, "since": since}
    happened = await _rows(conn, _EVENTS, key)
    undecided = {row["event_id"] for row in happened if row.pop("undecided")}
    entries: list[Entry] = [
        *(_event(row) for row in happened),
        *(DecisionEntry(**row) for row in await _rows(conn, _DECISIONS, key)),
        *(_message(row) for row in await _rows(conn, _MESSAGES, key)),
        *(_effect(row) for row in await _rows(conn, _EFFECTS, key)),
        *(BreachEntry(**row) for row in await _rows(conn, _BREACHES, key)),
        *(EscalationEntry(**row) for row in await _rows(conn, _ESCALATIONS, key)),
    ]
    later = (entry for entry in entries if not since or entry.seq > since)

    def place(entry: Entry) -> tuple[int, bool, int, datetime]:
        after = isinstance(entry, EventEntry) and entry.event_id in undecided
        return entry.seq, after, _ORDER.index(entry.kind), entry.at

    return tuple(sorted(later, key=place))


async def decision_at(
    conn: Connection, *, tenant: str, ticket_id: str, at: datetime | None = None
) -> DecisionEntry:
    """Return the last decision that counts at or before `at`, the latest of all without it.

    Raises UnknownTicketError without such a ticket, InputError where nothing was decided by then.
    """
    key = {"tenant": tenant, "ticket_id": ticket_id, "since": 0, "at": at}
    row = await (await conn.execute(_LATEST, key)).fetchone()
    if row is None:
        found = await ticket(conn, tenant=tenant, ticket_id=ticket_id)
        raise InputError(
            f"nothing was decided about ticket {ticket_id} by then: it was created at "
            f"{found.created_at.isoformat()}"
        )
    return DecisionEntry(**row)


async def _rows(
    conn: Connection, query: LiteralString, key: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return await (await conn.execute(query, key)).fetchall()


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
