"""The JSON API: what it answers, what it refuses, and how."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from temporalio.service import RPCError, RPCStatusCode

from hub.drafts import NOT_BY_HAND
from store.pool import Pool
from support.errors import (
    FlowHubError,
    ImplausibleTimeError,
    InputError,
    LedgerError,
    RuntimeUnavailableError,
    TicketExistsError,
    TransitionRefusedError,
    UnknownTicketError,
)
from support.model import Actor, ActorKind, Channel, EventKind, Priority
from tests.hub.conftest import SUNDAY, Clock, FakeGateway, hub_app
from tests.store.seeding import add_agent, add_history, add_ticket

GLOBAL = "/api/v1/tenants/global"


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "details"}
    return error


async def test_lanes_count_the_ledger(http: httpx.AsyncClient, pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim")
        await add_ticket(conn, "T-1", owner="kim", breached=True, escalation_due=True)

    board = (await http.get(f"{GLOBAL}/lanes")).json()

    assert (board["score"], board["pressure"], board["open_hours"]) == (80, "elevated", True)
    assert board["strip"]["open_tickets"] == 1
    assert [lane["id"] for lane in board["lanes"]] == [
        "sla_breached",
        "escalation_due",
        "unassigned",
        "assignment",
        "callback_sla",
        "overdue_recovery",
        "priority_queue",
    ]
    assert board["lanes"][0]["text"] == "1 breached"
    assert [one["lane"] for one in board["next_actions"]] == ["sla_breached", "escalation_due"]
    assert board["next_actions"][0]["gives_back"] == 15


async def test_resting_lanes_cost_nothing_in_closed_hours(
    http: httpx.AsyncClient, pool: Pool, clock: Clock
) -> None:
    async with pool.connection() as conn:
        for number in range(20):
            await add_ticket(conn, f"T-{number}")
    at_noon = (await http.get(f"{GLOBAL}/lanes")).json()
    clock.at = SUNDAY

    on_sunday = (await http.get(f"{GLOBAL}/lanes")).json()

    assert at_noon["score"] == 85
    assert (on_sunday["score"], on_sunday["open_hours"]) == (100, False)


async def test_tickets_are_filtered_and_limited(http: httpx.AsyncClient, pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_ticket(conn, "T-1", breached=True)
        await add_ticket(conn, "T-2", status="waiting_internal")
        await add_ticket(conn, "T-3", tenant="other")

    async def listed(query: str) -> list[str]:
        answer = await http.get(f"{GLOBAL}/tickets?{query}")
        return [one["ticket_id"] for one in answer.json()["tickets"]]

    assert await listed("") == ["T-1", "T-2"]
    assert await listed("lane=sla_breached") == ["T-1"]
    assert await listed("status=waiting_internal") == ["T-2"]
    assert await listed("limit=1") == ["T-1"]


@pytest.mark.parametrize(
    "path",
    [
        f"{GLOBAL}/tickets?lane=nonsense",
        f"{GLOBAL}/tickets?status=nonsense",
        f"{GLOBAL}/tickets?limit=0",
        f"{GLOBAL}/tickets?limit=1e9",
        "/api/v1/tenants/a%20b/lanes",
        f"{GLOBAL}/tickets/%00",
        f"{GLOBAL}/tickets/{'x' * 65}",
        f"{GLOBAL}/tickets/T-1/timeline?since=-1",
    ],
)
async def test_impossible_queries_are_refused(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert answer.status_code == 422
    assert error_of(answer)["code"] == "InputError"


async def test_a_ticket_and_its_timeline_explain_it(http: httpx.AsyncClient, pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim")
        await add_ticket(conn, "T-1", owner="kim")
        await add_history(conn, "T-1")

    ticket = (await http.get(f"{GLOBAL}/tickets/T-1")).json()
    entries = (await http.get(f"{GLOBAL}/tickets/T-1/timeline")).json()["entries"]

    assert ticket["ticket"]["owner"] == "kim"
    assert ticket["clocks"][0]["metric"] == "first_response"
    assert ticket["workflow_url"] == (
        "http://127.0.0.1:8233/namespaces/default/workflows/ticket%2Fglobal%2FT-1/run-1/history"
    )
    decision = next(one for one in entries if one["kind"] == "decision")
    assert decision["fired"] == ["assign-new"]
    assert decision["trace"][1]["reason"] == "priority is normal, not urgent"
    assert entries[0]["text"]["body"] == "Body of T-1"


@pytest.mark.parametrize("path", ["/tickets/T-404", "/tickets/T-404/timeline"])
async def test_an_unknown_ticket_is_404(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(GLOBAL + path)

    assert answer.status_code == 404
    assert error_of(answer)["code"] == "UnknownTicket"


async def test_an_unknown_path_and_method_answer_in_the_same_form(
    http: httpx.AsyncClient,
) -> None:
    assert error_of(await http.get("/api/v1/nothing"))["code"] == "NotFound"
    assert error_of(await http.delete(f"{GLOBAL}/tickets/T-1"))["code"] == "MethodNotAllowed"


async def test_a_ticket_is_opened_with_all_its_fields(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    answer = await http.post(
        f"{GLOBAL}/tickets",
        json={
            "subject": "Ingen ton 📞",
            "ticket_id": "T-9",
            "channel": "chat",
            "priority": "urgent",
            "customer_id": "c-7",
            "tags": ["vip"],
            "event_id": "e-9",
        },
    )

    assert answer.status_code == 201
    assert answer.headers["location"] == f"{GLOBAL}/tickets/T-9"
    ((tenant, new, event_id, actor, source),) = gateway.created
    assert (tenant, event_id, source) == ("global", "e-9", "api")
    assert (new.subject, new.channel, new.priority) == (
        "Ingen ton 📞",
        Channel.CHAT,
        Priority.URGENT,
    )
    assert new.tags == ("vip",)
    assert actor == Actor(ActorKind.CUSTOMER, "c-7")


async def test_an_event_is_sent_with_its_fields(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    answer = await http.post(
        f"{GLOBAL}/tickets/T-9/events",
        json={
            "kind": "wait",
            "status": "waiting_internal",
            "waiting_on": "vendor",
            "follow_up_at": "2026-03-03T10:00:00+01:00",
            "actor": {"kind": "agent", "id": "kim"},
        },
    )

    assert answer.json()["owner"] == "kim"
    ((_, ticket_id, command, _, actor, _),) = gateway.commanded
    assert (ticket_id, command.kind) == ("T-9", EventKind.WAIT)
    assert command.follow_up_at == datetime(2026, 3, 3, 9, tzinfo=UTC)
    assert actor == Actor(ActorKind.AGENT, "kim")


async def test_tags_are_sent_as_they_are_named(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    form = {"kind": "tag", "tags_added": ["vip"], "tags_removed": ["trial", "new"]}
    assert (await http.post(f"{GLOBAL}/tickets/T-9/events", json=form)).status_code == 200
    ((_, _, command, *_),) = gateway.commanded
    assert (command.kind, command.tags_added) == (EventKind.TAG, ("vip",))
    assert command.tags_removed == ("trial", "new")
    for tags in (["a b"], [""], ["x"] * 51):
        bad = {**form, "tags_added": tags}
        refused = await http.post(f"{GLOBAL}/tickets/T-9/events", json=bad)
        assert (refused.status_code, len(gateway.commanded)) == (422, 1)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"subject": ""},
        {"subject": "   "},
        {"subject": "x" * 501},
        {"subject": "a\r\nBcc: b@example.org"},
        {"subject": "s", "body": "x" * 100_001},
        {"subject": "s", "body": "nul \x00"},
        {"subject": "s", "surprise": 1},
        {"subject": 7},
        {"subject": "s", "priority": "highest"},
        {"subject": "s", "ticket_id": "../etc"},
        {"subject": "s", "tags": ["x"] * 51},
        {"subject": "s", "tags": ["a b"]},
        {"subject": "s", "actor": {"kind": "rule", "id": "r"}},
        [],
        None,
    ],
)
async def test_a_malformed_ticket_is_refused_before_the_gateway(
    http: httpx.AsyncClient, gateway: FakeGateway, form: object
) -> None:
    answer = await http.post(f"{GLOBAL}/tickets", json=form)

    assert answer.status_code == 422
    assert error_of(answer)["code"] == "InputError"
    assert gateway.created == []


@pytest.mark.parametrize(
    "form",
    [
        {"kind": "created"},
        {"kind": "reply_failed"},
        {"kind": "explode"},
        {"kind": "note", "follow_up_at": "2026-03-03T10:00:00"},
        {"kind": "note", "event_id": "a b"},
        {"kind": "note", "assignee": "x" * 65},
    ],
)
async def test_a_malformed_event_is_refused_before_the_gateway(
    http: httpx.AsyncClient, gateway: FakeGateway, form: object
) -> None:
    answer = await http.post(f"{GLOBAL}/tickets/T-1/events", json=form)

    assert answer.status_code == 422
    assert gateway.commanded == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"subject": "\\ud800"}',
        b"[" * 100_000,
        b'{"subject": NaN}',
    ],
)
async def test_what_is_not_json_is_refused(
    http: httpx.AsyncClient, gateway: FakeGateway, body: bytes
) -> None:
    answer = await http.post(
        f"{GLOBAL}/tickets", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert error_of(answer)["code"] == "InputError"
    assert gateway.created == []


async def test_a_refusal_never_repeats_what_was_sent(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{GLOBAL}/tickets", json={"subject": 7, "body": ["my-secret"]})

    assert "my-secret" not in answer.text


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (UnknownTicketError("no such ticket"), 404),
        (TransitionRefusedError("not now", state="closed", allowed=["reopen"]), 409),
        (TicketExistsError("taken"), 409),
        (InputError("no such agent"), 422),
        (ImplausibleTimeError("too early"), 422),
        (RuntimeUnavailableError("no worker answered"), 503),
    ],
)
async def test_errors_of_the_core_have_their_status_and_details(
    http: httpx.AsyncClient, gateway: FakeGateway, failure: FlowHubError, status: int
) -> None:
    gateway.failure = failure

    answer = await http.post(f"{GLOBAL}/tickets/T-1/events", json={"kind": "ack"})

    assert answer.status_code == status
    assert error_of(answer) == {
        "code": failure.code,
        "message": str(failure),
        "details": dict(failure.details),
    }


@pytest.mark.parametrize(
    "failure",
    [
        RPCError("unavailable", RPCStatusCode.UNAVAILABLE, b""),
        ConnectionRefusedError(),
        TimeoutError(),
        psycopg.OperationalError("gone"),
    ],
)
async def test_a_server_that_is_away_is_503(
    http: httpx.AsyncClient, gateway: FakeGateway, failure: Exception
) -> None:
    gateway.failure = failure

    answer = await http.post(f"{GLOBAL}/tickets", json={"subject": "s"})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert error_of(answer)["code"] == "RuntimeUnavailable"


async def test_a_hub_that_only_reads_says_so(pool: Pool, clock: Clock) -> None:
    transport = httpx.ASGITransport(app=hub_app(pool, None, clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post(f"{GLOBAL}/tickets", json={"subject": "s"})

        assert answer.status_code == 503
        assert (await client.get(f"{GLOBAL}/lanes")).status_code == 200


async def test_without_a_database_everything_is_503(http: httpx.AsyncClient, pool: Pool) -> None:
    await pool.close()

    for path in ("/healthz", f"{GLOBAL}/lanes", "/"):
        assert (await http.get(path)).status_code == 503, path


@pytest.mark.parametrize("failure", [LedgerError("contradiction"), ZeroDivisionError("my-secret")])
async def test_a_bug_is_500_in_the_same_form_and_guarded(
    http: httpx.AsyncClient, gateway: FakeGateway, failure: Exception
) -> None:
    gateway.failure = failure

    answer = await http.post(f"{GLOBAL}/tickets", json={"subject": "s"})

    assert answer.status_code == 500
    assert "my-secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"kind": "assign"}, 'assign needs its assignee: name an agent, or send "" to release'),
        (
            {"kind": "assign", "assignee": "kim", "priority": "low"},
            "assign does not take priority: it takes actor, assignee, event_id, kind, lock, text",
        ),
        (
            {"kind": "priority", "priority": "low", "assignee": "kim"},
            "priority does not take assignee: it takes actor, event_id, kind, priority, text",
        ),
        (
            {"kind": "melt"},
            f"must be one of {', '.join(sorted(set(EventKind) - NOT_BY_HAND))}",
        ),
        (
            {"kind": "ack", "actor": {"kind": "rule", "id": "r"}},
            "Input should be 'agent', 'customer' or 'system'",
        ),
        ([], "must be a JSON object"),
        ("{", "is not valid JSON at character 1"),
    ],
)
async def test_a_refused_event_is_told_what_belongs(
    http: httpx.AsyncClient, gateway: FakeGateway, form: object, problem: str
) -> None:
    body = form if isinstance(form, str) else json.dumps(form)
    answer = await http.post(
        f"{GLOBAL}/tickets/T-1/events", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert error_of(answer)["details"]["fields"][0]["problem"] == problem
    assert gateway.commanded == []


async def test_an_empty_assignee_releases_and_fields_that_say_nothing_may_stay(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    nothing: dict[str, object] = {"priority": None, "tags_added": [], "lock": False}
    form = {"kind": "assign", "assignee": "", **nothing}
    assert (await http.post(f"{GLOBAL}/tickets/T-1/events", json=form)).status_code == 200
    ((_, _, command, *_),) = gateway.commanded
    assert (command.kind, command.assignee) == (EventKind.ASSIGN, "")
