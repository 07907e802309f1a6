"""Bulk changes on real servers: run, undo, offboard, and what happens in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from typer.testing import CliRunner, Result

from activities.couriers import Signals
from activities.relay import Relay
from hub import assignment
from hub.assignment import ChangeView, Planned, Request
from hub.cli.main import app
from hub.drafts import Command, NewTicket
from store import bulk_changes, offboarding, presences, roster
from store.pool import transaction
from support.errors import ChangeRunningError, InputError, PackError
from support.model import (
    Channel,
    EventKind,
    Presence,
    TicketEvent,
    TicketStatus,
    WaitingOn,
    workflow_id,
)
from tests.fix_desk import CUSTOMER, KIM, RunningDesk
from tests.waiting import eventually


@dataclass
class Bulk:
    """A desk with agents kim and lou, each of 12 units, and a relay that a test lets work."""

    desk: RunningDesk
    relay: Relay

    async def owned(self, owner: str, *names: str, channel: Channel = Channel.WEB) -> None:
        desk = self.desk
        for name in names:
            new = NewTicket(subject="No sound", ticket_id=name, channel=channel)
            await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
            await self.does(name, EventKind.ASSIGN, assignee=owner)

    async def does(self, ticket_id: str, kind: EventKind, **more: Any) -> None:
        command = Command(kind, **more)
        await self.desk.gateway.command(
            self.desk.tenant, ticket_id, command, actor=KIM, source="cli"
        )

    def request(self, reason: str = "Monday", *, dry_run: bool = False) -> Request:
        return Request(self.desk.tenant, KIM, reason, dry_run)

    async def run(self, **more: Any) -> Planned:
        return await assignment.run(self.desk.pool, self.request(), **more)

    async def view(self, change_id: str) -> ChangeView:
        async with self.desk.pool.connection() as conn:
            return await assignment.shown(conn, self.desk.tenant, change_id)

    async def done(self, change_id: str) -> ChangeView:
        """The change, once relays have worked it off."""

        async def probe() -> bool:
            await self.relay.deliver()
            return (await self.view(change_id)).change.state == "done"

        await eventually(probe)
        return await self.view(change_id)

    async def owners(self) -> dict[str, str]:
        return {row["ticket_id"]: row["agent_id"] for row in await self.rows("claims")}

    async def rows(self, table: str) -> list[dict[str, Any]]:
        async with self.desk.pool.connection() as conn:
            cursor = await conn.execute(
                f"select * from {table} where tenant = %s",  # noqa: S608
                (self.desk.tenant,),
            )
            return await cursor.fetchall()

    async def waiting(self) -> list[str]:
        rows = await self.rows("tickets")
        return sorted(row["ticket_id"] for row in rows if row["waits_since"] is not None)

    async def loads(self) -> dict[str, Decimal]:
        return {row["agent_id"]: row["load_units"] for row in await self.rows("agents")}

    async def decisions(self) -> list[str]:
        rows = await self.rows("decisions")
        return sorted(row["ticket_id"] for row in rows if row["trigger"] == "reassign")


@pytest.fixture
def bulk(at_work: RunningDesk, temporal_client: Client, database_url: str) -> Bulk:
    return Bulk(at_work, Relay(at_work.pool, database_url, temporal_client))


@asynccontextmanager
async def relaying(bulk: Bulk) -> AsyncIterator[None]:
    running = asyncio.create_task(bulk.relay.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def flowhub(*words: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(words)))


async def answer(*words: str) -> Any:
    result = await flowhub(*words, "--json")
    assert result.exit_code == 0, result.output or repr(result.exception)
    return json.loads(result.stdout)


EIGHT = [f"T-{number}" for number in range(8)]


async def test_a_run_moves_as_few_as_needed_and_is_one_change_on_record(bulk: Bulk) -> None:
    await bulk.owned("kim", *EIGHT)
    planned = await bulk.run()
    assert len(planned.plan.moves) == 3
    view = await bulk.done(planned.change_id)
    change = view.change
    assert (change.kind, change.actor, change.reason) == ("balance", "kim", "Monday")
    assert (change.moves, change.moved, change.reviewed_at) == (3, 3, None)
    assert change.jain_after is not None
    assert change.jain_before < change.jain_after
    assert change.most_loaded_after == pytest.approx(5 / 12, abs=1e-3)
    moved = {move.ticket_id for move in view.moves.moves}
    owners = await bulk.owners()
    assert {name for name, owner in owners.items() if owner == "lou"} == moved
    assert await bulk.loads() == {"kim": Decimal(5), "lou": Decimal(3)}
    events = [row for row in await bulk.rows("events") if row["kind"] == "reassign"]
    assert {(e["event_id"], e["actor_id"], e["source"]) for e in events} == {
        (planned.change_id, "kim", "bulk")
    }
    again = await bulk.run()
    assert (again.change_id, again.plan.moves) == ("", ())


async def test_undo_restores_what_nobody_changed_since_and_lists_the_others(bulk: Bulk) -> None:
    await bulk.owned("kim", *EIGHT)
    first = await bulk.done((await bulk.run()).change_id)
    by_hand, resolved, restored = sorted(move.ticket_id for move in first.moves.moves)
    await bulk.does(by_hand, EventKind.ASSIGN, assignee="kim")
    await bulk.does(by_hand, EventKind.ASSIGN, assignee="lou")
    await bulk.does(resolved, EventKind.RESOLVE)
    pool, change_id = bulk.desk.pool, first.change.change_id
    undone = await assignment.undo(pool, bulk.request("too early"), change_id)
    assert [(m.ticket_id, m.to) for m in undone.plan.moves] == [(restored, "kim")]
    why = {one.ticket_id: one.why for one in undone.plan.kept}
    assert "has changed hands" in why[by_hand]
    assert why[resolved] == "resolved or closed since"
    view = await bulk.done(undone.change_id)
    assert (view.change.kind, view.change.undoes) == ("undo", change_id)
    assert view.moves.kept == undone.plan.kept
    assert (await bulk.owners())[restored] == "kim"
    again = await assignment.undo(pool, bulk.request("no, it was right"), undone.change_id)
    await bulk.done(again.change_id)
    assert (await bulk.owners())[restored] == "lou"


async def test_a_ticket_that_changed_hands_before_its_turn_is_skipped_with_why(bulk: Bulk) -> None:
    await bulk.owned("kim", *EIGHT)
    planned = await bulk.run()
    first, second, third = (move.ticket_id for move in planned.plan.moves)
    await bulk.does(first, EventKind.ASSIGN, assignee="lou")
    await bulk.does(second, EventKind.ASSIGN, assignee="kim", lock=True)
    handle = bulk.desk.client.get_workflow_handle(workflow_id(bulk.desk.tenant, third))
    await handle.terminate()
    view = await bulk.done(planned.change_id)
    said = {move.ticket_id: (move.outcome, move.said) for move in view.moves.moves}
    assert said[first][0] == said[second][0] == said[third][0] == "skipped"
    assert said[first][1].startswith("OwnerChanged: ")
    assert said[second][1].startswith("OwnerLocked: ")
    assert said[third][1].startswith("closed since")
    assert (view.change.moved, view.change.skipped) == (0, 3)


async def test_a_second_run_is_refused_while_the_first_goes_on(bulk: Bulk) -> None:
    await bulk.owned("kim", *EIGHT)
    first = await bulk.run()
    with pytest.raises(ChangeRunningError, match=r"kim has balanced t-.* since 20"):
        await bulk.run()
    with pytest.raises(ChangeRunningError, match="still goes on"):
        await assignment.undo(bulk.desk.pool, bulk.request(), first.change_id)
    await bulk.done(first.change_id)
    assert len(await bulk.rows("bulk_changes")) == 1
    await bulk.run()


async def test_a_dry_run_writes_nothing(bulk: Bulk) -> None:
    await bulk.owned("kim", *EIGHT)
    pool, asked = bulk.desk.pool, bulk.request(dry_run=True)
    assert len((await assignment.run(pool, asked)).plan.moves) == 3
    assert len((await assignment.offboard(pool, asked, "kim")).plan.moves) == 8
    assert await bulk.rows("bulk_changes") == await bulk.rows("bulk_moves") == []
    assert {row["left_at"] for row in await bulk.rows("agents")} == {None}


async def test_a_row_that_is_delivered_again_moves_nothing_twice(bulk: Bulk) -> None:
    await bulk.owned("kim", *EIGHT)
    planned = await bulk.run()
    moved = sorted(move.ticket_id for move in planned.plan.moves)
    for _ in range(2):
        await bulk.relay.deliver()
        async with bulk.desk.pool.connection() as conn:
            await conn.execute("update outbox set delivered_at = null, due_at = now()")
    view = await bulk.done(planned.change_id)
    assert view.change.moved == 3
    assert await bulk.decisions() == moved
    assert await bulk.loads() == {"kim": Decimal(5), "lou": Decimal(3)}


async def test_a_relay_that_dies_in_between_leaves_the_rest_to_the_next(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bulk.owned("kim", *EIGHT)
    planned = await bulk.run()
    sent: list[str] = []
    send = Signals.send

    async def dying(self: Signals, tenant: str, ticket_id: str, event: TicketEvent) -> bool:
        if len(sent) == 1:
            raise RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")
        sent.append(ticket_id)
        return await send(self, tenant, ticket_id, event)

    with monkeypatch.context() as patched:
        patched.setattr(Signals, "send", dying)
        await bulk.relay.deliver()
    assert len(sent) == 1
    async with bulk.desk.pool.connection() as conn:
        await conn.execute("update outbox set due_at = now() where delivered_at is null")
    view = await bulk.done(planned.change_id)
    assert view.change.moved == 3
    assert len(await bulk.decisions()) == 3


async def test_more_than_one_delivery_takes_goes_on_behind_it(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.bulk_moves.MOST_SENT", 2)
    await bulk.owned("kim", *EIGHT)
    planned = await assignment.offboard(bulk.desk.pool, bulk.request("moves on"), "kim")
    view = await bulk.done(planned.change_id)
    assert view.change.moved == 8
    assert await bulk.loads() == {"kim": Decimal(0), "lou": Decimal(8)}


async def test_offboarding_leaves_no_ticket_behind_whatever_its_state(bulk: Bulk) -> None:
    desk = bulk.desk
    async with transaction(desk.pool) as conn:
        lou = roster.Agent("lou", capacity_units=Decimal(3))
        await roster.add(conn, tenant=desk.tenant, agent=lou)
    await bulk.owned("kim", "T-open", "T-locked", "T-waits", "T-resolved")
    await bulk.owned("kim", "T-chat", channel=Channel.CHAT)
    await bulk.does("T-locked", EventKind.ASSIGN, assignee="kim", lock=True)
    status, vendor = TicketStatus.WAITING_INTERNAL, WaitingOn.VENDOR
    await bulk.does("T-waits", EventKind.WAIT, status=status, waiting_on=vendor)
    await bulk.does("T-resolved", EventKind.RESOLVE)
    planned = await assignment.offboard(desk.pool, bulk.request("moves on"), "kim")
    view = await bulk.done(planned.change_id)
    assert (view.change.kind, view.change.agent, view.change.moved) == ("offboard", "kim", 4)
    assert await bulk.owners() == {
        "T-open": "lou",
        "T-locked": "lou",
        "T-waits": "lou",
        "T-resolved": "kim",
    }
    assert await bulk.loads() == {"kim": Decimal(0), "lou": Decimal("2.5")}
    assert await bulk.waiting() == ["T-chat"]
    await bulk.does("T-resolved", EventKind.REOPEN)
    assert await bulk.waiting() == ["T-chat", "T-resolved"]
    with pytest.raises(InputError, match="kim has left"):
        await bulk.does("T-chat", EventKind.ASSIGN, assignee="kim")
    async with transaction(desk.pool) as conn:
        assert not await presences.set_presence(
            conn, tenant=desk.tenant, agent_id="kim", presence=Presence.ONLINE
        )
    assert (await assignment.offboard(desk.pool, bulk.request(), "kim")).change_id == ""
    undone = await assignment.undo(desk.pool, bulk.request("stays"), planned.change_id)
    assert undone.plan.moves == ()
    assert {one.why for one in undone.plan.kept} == {"kim has left"}
    async with transaction(desk.pool) as conn:
        assert await offboarding.rejoin(conn, tenant=desk.tenant, agent_id="kim")
    undone = await assignment.undo(desk.pool, bulk.request("stays"), planned.change_id)
    await bulk.done(undone.change_id)
    assert set((await bulk.owners()).values()) == {"kim"}


async def test_who_has_no_room_any_more_is_passed_over_and_the_ticket_waits(bulk: Bulk) -> None:
    await bulk.owned("kim", "T-1")
    planned = await assignment.offboard(bulk.desk.pool, bulk.request("moves on"), "kim")
    async with transaction(bulk.desk.pool) as conn:
        await presences.set_presence(
            conn, tenant=bulk.desk.tenant, agent_id="lou", presence=Presence.OFFLINE
        )
    view = await bulk.done(planned.change_id)
    (move,) = view.moves.moves
    assert (move.outcome, move.after_owner, move.said) == ("moved", "", "was planned for lou")
    assert await bulk.owners() == {}
    handed_out = [row for row in await bulk.rows("outbox") if row["about"].get("change")]
    assert [row["kind"] for row in handed_out] == ["hand_out"]


async def test_what_cannot_be_decided_is_a_failed_move_until_it_can(bulk: Bulk) -> None:
    await bulk.owned("kim", "T-1")
    bulk.desk.rules.failure = PackError("the rules are broken")
    planned = await assignment.offboard(bulk.desk.pool, bulk.request("moves on"), "kim")
    view = await bulk.done(planned.change_id)
    (move,) = view.moves.moves
    assert (move.outcome, move.said) == ("failed", "PackError: the rules are broken")
    bulk.desk.rules.failure = None
    await bulk.desk.gateway.retry(bulk.desk.tenant, "T-1")

    async def moved() -> bool:
        return (await bulk.view(planned.change_id)).change.moved == 1

    await eventually(moved)
    assert await bulk.owners() == {"T-1": "lou"}


async def test_the_work_is_balanced_undone_and_reviewed_from_the_command_line(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bulk.owned("kim", *EIGHT)
    planned = await flowhub("assignment", "run", "--dry-run")
    assert "Would move" in planned.stdout
    assert "Jain index" in planned.stdout
    monkeypatch.setattr("hub.cli.assignment.WORKER_WITHIN_S", 0.3)
    waits = await flowhub("assignment", "run", "--reason", "Monday", "--as", "ines")
    assert "waits for a worker: 3 of 3 tickets" in waits.stdout
    (change,) = await answer("assignment", "audit", "list", "--open")
    first = change["change_id"]
    await bulk.done(first)
    monkeypatch.setattr("hub.cli.assignment.WORKER_WITHIN_S", 10.0)
    async with relaying(bulk):
        undone = await answer("assignment", "audit", "undo", first, "--reason", "too early")
        assert undone["change"]["moved"] == 3
        left = await flowhub("roster", "offboard", "lou", "--reason", "moves on")
        assert "lou has left the roster" in left.stdout
        assert "There is nothing to move" in left.stdout
    shown = await flowhub("assignment", "audit", "show", first)
    assert "balance by ines" in shown.stdout
    assert "Not reviewed" in shown.stdout
    await answer("assignment", "audit", "review", first, "--note", "fine", "--as", "ines")
    assert "Reviewed by ines: fine" in (await flowhub("assignment", "audit", "show", first)).stdout
    again = await flowhub("assignment", "audit", "review", first, "--note", "fine")
    assert "has been reviewed by ines" in str(again.exception)
    still_open = await answer("assignment", "audit", "list", "--open")
    assert [one["kind"] for one in still_open] == ["offboard", "undo"]
    listed = await flowhub("assignment", "audit", "list")
    assert "balance" in listed.stdout
    assert "has left" in (await flowhub("roster", "list")).stdout
    unknown = await flowhub("assignment", "audit", "show", "bulk.none")
    assert "there is no bulk change bulk.none" in str(unknown.exception)


async def test_the_api_does_the_same(
    bulk: Bulk, hub_of: Callable[[RunningDesk], httpx.AsyncClient]
) -> None:
    await bulk.owned("kim", *EIGHT)
    path = f"/api/v1/tenants/{bulk.desk.tenant}/assignment"
    async with hub_of(bulk.desk) as http:
        tried = await http.post(f"{path}/runs", json={"dry_run": True})
        assert (tried.status_code, tried.json()["change_id"]) == (200, "")
        actor = {"kind": "agent", "id": "ines"}
        begun = await http.post(f"{path}/runs", json={"actor": actor, "limit": 2})
        assert begun.status_code == 202
        first = begun.json()["change_id"]
        assert len(begun.json()["plan"]["moves"]) == 2
        assert (await http.post(f"{path}/runs", json={})).status_code == 409
        await bulk.done(first)
        shown = (await http.get(begun.headers["Location"])).json()
        assert (shown["change"]["actor"], shown["change"]["moved"]) == ("ines", 2)
        undo = await http.post(f"{path}/changes/{first}/undo", json={"reason": "too early"})
        assert (await bulk.done(undo.json()["change_id"])).change.moved == 2
        reviewed = await http.post(f"{path}/changes/{first}/review", json={"note": "fine"})
        assert reviewed.json()["reviewed_by"] == "api"
        listed = (await http.get(f"{path}/changes", params={"open": True})).json()["changes"]
        assert [one["kind"] for one in listed] == ["undo"]
        for address, form, status in (
            ("changes/bulk.none/undo", {"reason": "why"}, 404),
            (f"changes/{first}/undo", {"reason": " "}, 422),
            (f"changes/{first}/review", {"note": "again"}, 422),
            ("runs", {"limit": 0}, 422),
            ("runs", {"actor": {"kind": "customer", "id": "c-1"}}, 422),
        ):
            assert (await http.post(f"{path}/{address}", json=form)).status_code == status
        assert (await http.get(f"{path}/changes/bulk.none")).status_code == 404
    other = await bulk_changes_of(bulk, "other")
    assert other == ()


async def bulk_changes_of(bulk: Bulk, tenant: str) -> tuple[bulk_changes.BulkChange, ...]:
    async with bulk.desk.pool.connection() as conn:
        return await bulk_changes.listed(conn, tenant=tenant)
