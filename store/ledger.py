"""The ledger of tickets: what `decide` reads before it decides, and writes with the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row

from store import duty
from store.availability import ONLINE_NOW
from store.packs import ActivePacks
from store.pool import Connection

_READ = (
    """
select t.state::text as state, t.decision_seq, t.status, t.priority, t.opening_ref,
       t.policy_version, c.agent_id, c.units,
"""  # noqa: S608  constant pieces
    + ONLINE_NOW
    + """ as online, a.has_shifts,
       a.left_at is null and (not a.scheduled or w.at_work) as at_work,
       a.left_at is not null as owner_left,
       e.result as repeated, e.event::text as first_event,
       d.result as decided, d.trigger_id,
       coalesce(s.stopped, false) as automation_stopped,
       exists (select from parkings as p
                where p.tenant = k.tenant and p.ticket_id = k.ticket_id) as parked,
       c.locked_until,
       r.number as pack_number, r.version as pack_version, r.shadow_number, r.shadow_version
  from (select %(tenant)s::text as tenant, %(ticket_id)s::text as ticket_id) as k
  left join (select *, state ->> 'policy_version' as policy_version from tickets) as t
       using (tenant, ticket_id)
  left join claims as c using (tenant, ticket_id)
  left join agents as a on a.tenant = k.tenant and a.agent_id = c.agent_id
  left join (select *, true as at_work from shift_spans) as w on w.tenant = k.tenant
       and w.agent_id = c.agent_id and w.starts_at <= %(at)s and w.ends_at > %(at)s
  left join events as e on e.tenant = k.tenant and e.ticket_id = k.ticket_id
       and e.event_id = %(event_id)s
  left join decisions as d on d.workflow_id = %(workflow_id)s
       and d.decision_seq = %(decision_seq)s
  left join automation as s on s.tenant = k.tenant
  left join active_packs as r on r.tenant = k.tenant
"""
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who owns a ticket in the ledger, and for how many capacity units."""

    agent_id: str
    units: Decimal
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the ledger knows before a decision.

    `repeated` is the first result of the event id, `first_event` the JSON of what then came;
    `packs` is what the tenant decides by.
    """

    state: str | None
    decision_seq: int
    status: str
    opening_ref: str
    policy_version: str
    claim: Claim | None
    owner_available: bool
    owner_on_shift: bool
    owner_left: bool
    repeated: Mapping[str, Any] | None
    first_event: str
    decided: Mapping[str, Any] | None
    trigger_id: str
    automation_stopped: bool
    parked: bool
    packs: ActivePacks


async def read(
    conn: Connection,
    *,
    tenant: str,
    ticket_id: str,
    workflow_id: str,
    decision_seq: int,
    event_id: str,
    at: datetime,
) -> Found:
    """Read ticket, claim, earlier results, and if the owner is at work `at`, in one round trip.

    Who is not on shift may be at work by a rota, which is read as well then.
    """
    cursor = await conn.execute(
        _READ,
        {
            "tenant": tenant,
            "ticket_id": ticket_id,
            "workflow_id": workflow_id,
            "decision_seq": decision_seq,
            "event_id": event_id,
            "at": at,
        },
    )
    row = await cursor.fetchone() or {}
    owner = row.get("agent_id")
    at_work, online = bool(row.get("at_work")), bool(row.get("online"))
    if owner and not at_work and not row["owner_left"]:
        at_work = owner in await duty.all_on_duty(conn, tenant=tenant, at=at)
    return Found(
        state=row.get("state"),
        decision_seq=row.get("decision_seq") or 0,
        status=row.get("status") or "",
        opening_ref=row.get("opening_ref") or "",
        policy_version=row.get("policy_version") or "",
        claim=Claim(owner, row["units"], row["locked_until"]) if owner else None,
        owner_available=at_work and online,
        owner_on_shift=at_work and (online or bool(row.get("has_shifts"))),
        owner_left=bool(row.get("owner_left")),
        repeated=row.get("repeated"),
        first_event=row.get("first_event") or "",
        decided=row.get("decided"),
        trigger_id=row.get("trigger_id") or "",
        automation_stopped=bool(row.get("automation_stopped")),
        parked=bool(row.get("parked")),
        packs=ActivePacks(
            number=row.get("pack_number"),
            version=row.get("pack_version") or "",
            shadow_number=row.get("shadow_number"),
            shadow_version=row.get("shadow_version") or "",
        ),
    )


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as the ledger keeps it: `event`, its message, and `result`, the answer, as JSON.

    `refused_seq` is the number that the decision of a refused event would have had.
    """

    tenant: str
    ticket_id: str
    event_id: str
    kind: str
    outcome: str
    decision_seq: int | None
    actor_kind: str
    actor_id: str
    actor_role: str
    on_behalf_of: str
    source: str
    message_ref: str
    occurred_at: datetime
    received_at: datetime
    nominal_at: datetime
    event: str
    result: str
    refused_seq: int | None = None


_EVENT = """
insert into events (tenant, ticket_id, event_id, kind, outcome, decision_seq, actor_kind, actor_id,
                    actor_role, on_behalf_of, source, message_ref, occurred_at, received_at,
                    nominal_at, event, result, refused_seq)
values (%(tenant)s, %(ticket_id)s, %(event_id)s, %(kind)s, %(outcome)s, %(decision_seq)s,
        %(actor_kind)s, %(actor_id)s, %(actor_role)s, %(on_behalf_of)s, %(source)s,
        %(message_ref)s, %(occurred_at)s, %(received_at)s, %(nominal_at)s, %(event)s, %(result)s,
        %(refused_seq)s)
"""


_NOTE = _EVENT + "on conflict do nothing"


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision with all that explains it: inputs to rounds, and result, are JSON."""

    workflow_id: str
    decision_seq: int
    tenant: str
    ticket_id: str
    run_id: str
    trigger_id: str
    trigger: str
    nominal_at: datetime
    lateness_s: float
    pack_name: str
    pack_version: str
    policy_version: str
    inputs: str
    related: str
    fired: str
    trace: str
    actions: str
    clocks: str
    digest: str
    result: str
    corrections: str = "[]"
    rounds: str = "[]"


_DECISION = """
insert into decisions (workflow_id, decision_seq, tenant, ticket_id, run_id, trigger_id, trigger,
                       nominal_at, lateness_s, pack_name, pack_version, policy_version, inputs,
                       related, fired, trace, actions, clocks, corrections, rounds, digest, result)
values (%(workflow_id)s, %(decision_seq)s, %(tenant)s, %(ticket_id)s, %(run_id)s, %(trigger_id)s,
        %(trigger)s, %(nominal_at)s, %(lateness_s)s, %(pack_name)s, %(pack_version)s,
        %(policy_version)s, %(inputs)s, %(related)s, %(fired)s, %(trace)s, %(actions)s, %(clocks)s,
        %(corrections)s, %(rounds)s, %(digest)s, %(result)s)
"""


@dataclass(frozen=True, slots=True)
class TicketRow:
    """The projection of a ticket that lists and lanes read, with its state snapshot as JSON.

    `waits_since`: it is active without an owner; while it waits, the first instant stays.
    `passed_by`: it was offered, and its rules did not look for an owner. `skills` are those that it
    insists on, `sought_teams` others than its own that were asked for it, `sought_roles` roles
    beside that of agents, `declined_by` whom not to ask.
    """

    tenant: str
    ticket_id: str
    run_id: str
    channel: str
    priority: str
    status: str
    team: str
    customer_id: str
    opening_ref: str
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
    decision_seq: int
    pack_version: str
    state: str
    halted: str = ""
    skills: tuple[str, ...] = ()
    waits_since: datetime | None = None
    passed_by: bool = False
    no_owner: str = ""
    next_shift_at: datetime | None = None
    sought_teams: tuple[str, ...] = ()
    sought_roles: tuple[str, ...] = ()
    declined_by: tuple[str, ...] = ()


_TICKET = """
insert into tickets (tenant, ticket_id, run_id, channel, priority, status, team, customer_id,
                     opening_ref, follow_up_of, created_at, changed_at, resolved_at, closed_at,
                     active, breached, breached_held, escalation_due, sla_state, next_due_at,
                     next_deadline, next_deadline_is, decision_seq, pack_version, state, halted,
                     skills, waits_since, passed_by, no_owner, next_shift_at, sought_teams,
                     sought_roles, declined_by)
values (%(tenant)s, %(ticket_id)s, %(run_id)s, %(channel)s, %(priority)s, %(status)s, %(team)s,
        %(customer_id)s, %(opening_ref)s, %(follow_up_of)s, %(created_at)s, %(changed_at)s,
        %(resolved_at)s, %(closed_at)s, %(active)s, %(breached)s, %(breached_held)s,
        %(escalation_due)s, %(sla_state)s, %(next_due_at)s, %(next_deadline)s,
        %(next_deadline_is)s, %(decision_seq)s, %(pack_version)s, %(state)s, %(halted)s,
        %(skills)s, %(waits_since)s, %(passed_by)s, %(no_owner)s, %(next_shift_at)s,
        %(sought_teams)s, %(sought_roles)s, %(declined_by)s)
on conflict (tenant, ticket_id) do update
   set run_id = excluded.run_id, priority = excluded.priority, status = excluded.status,
       team = excluded.team, changed_at = excluded.changed_at,
       resolved_at = excluded.resolved_at, closed_at = excluded.closed_at,
       active = excluded.active, breached = excluded.breached,
       breached_held = excluded.breached_held, escalation_due = excluded.escalation_due,
       sla_state = excluded.sla_state, next_due_at = excluded.next_due_at,
       next_deadline = excluded.next_deadline, next_deadline_is = excluded.next_deadline_is,
       decision_seq = excluded.decision_seq,
       pack_version = excluded.pack_version, state = excluded.state, halted = excluded.halted,
       skills = excluded.skills, passed_by = excluded.passed_by,
       no_owner = excluded.no_owner, next_shift_at = excluded.next_shift_at,
       sought_teams = excluded.sought_teams, sought_roles = excluded.sought_roles,
       declined_by = excluded.declined_by,
       waits_since = case when excluded.waits_since is not null
                          then coalesce(tickets.waits_since, excluded.waits_since) end
"""


def _params(row: EventRow | DecisionRow | TicketRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


async def write_event(conn: Connection, row: EventRow) -> None:
    """Add an event; psycopg.errors.UniqueViolation if the ticket has it already."""
    await conn.execute(_EVENT, _params(row))


async def note_event(conn: Connection, row: EventRow) -> None:
    """Add an event that another ticket took over; one that is there stays as it is."""
    await conn.execute(_NOTE, _params(row))


async def write_decision(conn: Connection, row: DecisionRow) -> None:
    """Add a decision; psycopg.errors.UniqueViolation if the number is taken."""
    await conn.execute(_DECISION, _params(row))


async def write_ticket(conn: Connection, row: TicketRow) -> None:
    """Add or replace the projection and snapshot of a ticket."""
    await conn.execute(_TICKET, _params(row))


@dataclass(frozen=True, slots=True)
class FirstResult:
    """What came under an event id first, as JSON, and what became of it."""

    event: str
    result: Mapping[str, Any]


async def first_result(
    conn: Connection, *, tenant: str, ticket_id: str, event_id: str
) -> FirstResult | None:
    """Return what became of an event when it was first decided, or None."""
    async with conn.cursor(row_factory=class_row(FirstResult)) as cursor:
        await cursor.execute(
            "select event::text as event, result from events"
            " where tenant = %s and ticket_id = %s and event_id = %s",
            (tenant, ticket_id, event_id),
        )
        return await cursor.fetchone()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a ticket stands for a new run of its workflow."""

    status: str
    decision_seq: int
    run_id: str


async def snapshot(conn: Connection, *, tenant: str, ticket_id: str) -> Snapshot | None:
    """Return where the ticket stands, or None if the tenant has no such ticket."""
    cursor = await conn.execute(
        "select status, decision_seq, run_id from tickets where tenant = %s and ticket_id = %s",
        (tenant, ticket_id),
    )
    row = await cursor.fetchone()
    return Snapshot(row["status"], row["decision_seq"], row["run_id"]) if row else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event id; `event` is the JSON of what first came under it."""

    ticket_id: str
    event_id: str
    event: str
    outcome: str
    why: str


async def outcomes(
    conn: Connection, *, tenant: str, events: Sequence[tuple[str, str]]
) -> tuple[Outcome, ...]:
    """Return what became of those of `events` (ticket, event id) that are decided, each once."""
    distinct = sorted(set(events))
    async with conn.cursor(row_factory=class_row(Outcome)) as cursor:
        await cursor.execute(
            "select ticket_id, event_id, event::text as event, outcome,"
            "       coalesce(result -> 'refusal' ->> 'message', '') as why"
            "  from events join unnest(%s::text[], %s::text[]) as asked (ticket_id, event_id)"
            "       using (ticket_id, event_id)"
            " where tenant = %s",
            ([ticket for ticket, _ in distinct], [event for _, event in distinct], tenant),
        )
        return tuple(await cursor.fetchall())
