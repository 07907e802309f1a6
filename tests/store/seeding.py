"""Rows of a ledger for tests of what reads it: tickets, their owners, and what happened to them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from store import breaches, effects, ledger, messages, roster
from store.ledger import DecisionRow, EventRow, TicketRow
from store.pool import Connection

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""A Monday, 09:00 in Stockholm."""


def ticket_row(ticket_id: str, *, tenant: str = "global", **changes: Any) -> TicketRow:
    """An open ticket of normal priority with nothing wrong, changed as told."""
    row = TicketRow(
        tenant=tenant,
        ticket_id=ticket_id,
        run_id="run-1",
        channel="web",
        priority="normal",
        status="open",
        team="",
        customer_id="c-1",
        opening_ref="m-1",
        follow_up_of="",
        created_at=START,
        changed_at=START,
        resolved_at=None,
        closed_at=None,
        active=changes.get("status", "open") not in ("resolved", "closed"),
        breached=False,
        breached_held=False,
        escalation_due=False,
        sla_state="running",
        next_due_at=START + timedelta(hours=8),
        next_deadline=START + timedelta(hours=6),
        next_deadline_is="first_response at 0.75",
        decision_seq=1,
        pack_version="default@1",
        state="{}",
    )
    return replace(row, **changes)


async def add_ticket(
    conn: Connection,
    ticket_id: str,
    *,
    tenant: str = "global",
    subject: str = "",
    owner: str = "",
    **changes: Any,
) -> None:
    """Write a ticket with its opening text, and its owner's claim if it has one."""
    row = ticket_row(ticket_id, tenant=tenant, **changes)
    await ledger.write_ticket(conn, row)
    await messages.add(
        conn,
        messages.Message(
            tenant=tenant,
            ticket_id=ticket_id,
            message_ref="m-1",
            kind="opening",
            author_kind="customer",
            author_id="c-1",
            created_at=row.created_at,
            subject=subject or f"Subject of {ticket_id}",
            body=f"Body of {ticket_id}",
        ),
    )
    if owner:
        await conn.execute(
            "insert into claims (tenant, ticket_id, agent_id, units, claimed_at, decision_seq)"
            " values (%s, %s, %s, 1, %s, 1)",
            (tenant, ticket_id, owner, START),
        )


async def add_agent(
    conn: Connection, agent_id: str, *, tenant: str = "global", **more: Any
) -> None:
    """Add an agent of 12 units who is online."""
    await roster.add(conn, tenant=tenant, agent=roster.Agent(agent_id, presence="online", **more))


def event_row(ticket_id: str, event_id: str, seq: int | None, **changes: Any) -> EventRow:
    """An accepted event of the customer, changed as told."""
    row = EventRow(
        tenant="global",
        ticket_id=ticket_id,
        event_id=event_id,
        kind="created",
        outcome="accepted",
        decision_seq=seq,
        actor_kind="customer",
        actor_id="c-1",
        actor_role="",
        on_behalf_of="",
        source="api",
        message_ref="",
        occurred_at=START,
        received_at=START,
        nominal_at=START,
        event=json.dumps({"event_id": event_id}),
        result=json.dumps({"status": "open"}),
    )
    return replace(row, **changes)


def decision_row(ticket_id: str, seq: int, **changes: Any) -> DecisionRow:
    """A decision in which one rule fired and one did not, changed as told."""
    row = DecisionRow(
        workflow_id=f"ticket/global/{ticket_id}",
        decision_seq=seq,
        tenant="global",
        ticket_id=ticket_id,
        run_id="run-1",
        trigger_id=f"e-{seq}",
        trigger="created",
        nominal_at=START + timedelta(minutes=seq),
        lateness_s=0.2,
        pack_name="default",
        pack_version="default@1",
        policy_version="policies@1",
        inputs=json.dumps({"priority": "normal", "owner_set": False}),
        related="{}",
        fired=json.dumps(["assign-new"]),
        trace=json.dumps(
            [
                {"rule_id": "assign-new", "fired": True, "reason": "on is created"},
                {
                    "rule_id": "lock-urgent",
                    "fired": False,
                    "reason": "priority is normal, not urgent",
                },
            ]
        ),
        actions=json.dumps(
            [
                {
                    "index": 0,
                    "rule_id": "assign-new",
                    "kind": "assign",
                    "params": {"strategy": "least_loaded"},
                    "outcome": "done",
                    "detail": "kim carries 1 of 12 units",
                    "effect_key": "",
                    "ranked": [],
                }
            ]
        ),
        clocks=json.dumps(
            [
                {
                    "metric": "first_response",
                    "cycle": 0,
                    "state": "running",
                    "target_s": 28800.0,
                    "consumed_s": 60.0 * seq,
                    "started_at": START.isoformat(),
                    "stopped_at": None,
                    "due": (START + timedelta(hours=8)).isoformat(),
                    "breached": False,
                    "segments": [
                        {
                            "from": START.isoformat(),
                            "to": None,
                            "calendar": "office",
                            "counted_s": 60.0 * seq,
                        }
                    ],
                }
            ]
        ),
        digest="d" * 16,
        result=json.dumps({"status": "open"}),
    )
    return replace(row, **changes)


async def add_history(conn: Connection, ticket_id: str) -> None:
    """Give a ticket two decisions, a refused event between, a breach, a step, a note and a mail."""
    key = ("global", ticket_id)
    later = START + timedelta(minutes=2)
    await ledger.write_event(conn, event_row(ticket_id, "e-1", 1, message_ref="m-1"))
    await ledger.write_decision(conn, decision_row(ticket_id, 1))
    await ledger.write_event(
        conn,
        event_row(
            ticket_id,
            "e-no",
            None,
            kind="resume",
            outcome="refused",
            nominal_at=START + timedelta(seconds=90),
            received_at=START + timedelta(seconds=90),
        ),
    )
    await ledger.write_decision(conn, decision_row(ticket_id, 2, trigger="deadline"))
    await breaches.write_breach(conn, key, ("first_response", 0, later), "time", 2)
    await breaches.write_escalation(conn, key, 2, ("first_response", 0, 1.0, later), 0.3)
    await messages.add(
        conn,
        messages.Message(
            *key, "auto.2.0", "reply", "rule", "default", later, body="We are late, sorry."
        ),
    )
    await effects.intend(
        conn,
        effects.EffectRow(
            action_key=f"ticket/global/{ticket_id}/2/1",
            tenant="global",
            ticket_id=ticket_id,
            kind="notify",
            params={"to": "kim"},
            created_at=later,
        ),
    )
