"""The store's own history: simulated with the pack it was decided with, it comes out the same."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from activities.decide import DecideActivities, Rulebook
from activities.messages import DeadlineRef, DecideInput, Verdict
from hub.simulation.compare import Trail
from hub.simulation.from_store import Period, from_store
from hub.simulation.run import Packs, Simulated, simulate
from hub.simulation.trail import Step
from rules.engine import Engine
from rules.load import load_pack
from rules.policies_file import load_policies
from store import policy_books, roster
from store.pool import Pool, open_pool
from support.errors import InputError
from support.model import (
    Actor,
    Channel,
    EventKind,
    Opening,
    TicketEvent,
    TicketStatus,
    WaitingOn,
    workflow_id,
)
from support.work import Outside
from tests.deciding import decided
from tests.fix_desk import CUSTOMER, KIM
from tests.replay.both_engines import as_lines, recorded
from tests.replay.exporting import quiet
from tests.simulation.trying import BEFORE, packs

TENANT = "acme"
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
OUTSIDE = Outside(notify=True, reply=frozenset({Channel.EMAIL}))


class Past:
    """A tenant's past, made by real decisions: each deadline in its turn, then the event."""

    def __init__(self, decide: DecideActivities) -> None:
        self._decide = decide
        self._seq: dict[str, int] = {}
        self._due: dict[str, DeadlineRef] = {}

    async def happens(self, ticket_id: str, event: TicketEvent) -> Verdict:
        """Let what is due before pass, then decide the event when it was received."""
        while self._due:
            at, other = min((due.at, ticket) for ticket, due in self._due.items())
            if at >= event.received_at:
                break
            await self._take(other, at, deadline=self._due.pop(other))
        return await self._take(ticket_id, event.received_at, event=event)

    async def _take(
        self,
        ticket_id: str,
        now: datetime,
        *,
        event: TicketEvent | None = None,
        deadline: DeadlineRef | None = None,
    ) -> Verdict:
        seq = self._seq.get(ticket_id, 0) + 1
        asked = DecideInput(
            TENANT,
            ticket_id,
            workflow_id(TENANT, ticket_id),
            "run-1",
            seq,
            now,
            event=event,
            deadline=deadline,
        )
        verdict = await decided(self._decide, asked)
        if verdict.result is None or verdict.result.refusal is None:
            self._seq[ticket_id] = seq
        closed = verdict.glance is None or verdict.glance.status is TicketStatus.CLOSED
        if verdict.deadline is not None and not closed:
            self._due[ticket_id] = verdict.deadline
        else:
            self._due.pop(ticket_id, None)
        return verdict


def happening(
    event_id: str,
    kind: EventKind,
    after: timedelta,
    *,
    told_after: timedelta | None = None,
    actor: Actor = KIM,
) -> TicketEvent:
    received = MONDAY + (after if told_after is None else told_after)
    return TicketEvent(event_id, kind, MONDAY + after, received, actor)


def created(after: timedelta, channel: Channel = Channel.EMAIL) -> TicketEvent:
    opening = Opening(channel=channel)
    return replace(happening("e-0", EventKind.CREATED, after, actor=CUSTOMER), opening=opening)


def life() -> Sequence[tuple[str, TicketEvent]]:
    """A few tickets with waits, a late reply, a refusal, and time in which deadlines pass."""
    waits = replace(
        happening("e-1", EventKind.WAIT, 5 * HOUR),
        status=TicketStatus.WAITING_INTERNAL,
        waiting_on=WaitingOn.TEAM,
    )
    told = [
        ("T-1", created(0 * HOUR)),
        ("T-2", created(1 * HOUR, Channel.WEB)),
        ("T-3", created(2 * HOUR)),
        ("T-4", created(3 * HOUR, Channel.PHONE)),
        ("T-1", replace(happening("e-1", EventKind.REPLY, 2 * HOUR), message_ref="m-1")),
        ("T-2", waits),
        ("T-3", happening("e-1", EventKind.REPLY, 4 * HOUR, told_after=30 * HOUR)),
        ("T-1", happening("e-2", EventKind.RESOLVE, 31 * HOUR)),
        ("T-1", happening("e-3", EventKind.ACK, 32 * HOUR)),
        ("T-4", happening("e-1", EventKind.NOTE, 24 * 9 * HOUR)),
        ("T-1", happening("e-4", EventKind.REOPEN, 24 * 9 * HOUR, actor=CUSTOMER)),
    ]
    return sorted(told, key=lambda pair: (pair[1].received_at, pair[0]))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url) as opened:
        yield opened


async def seeded(pool: Pool, events: Iterable[tuple[str, TicketEvent]]) -> None:
    policies, text = load_policies(None)
    pack = load_pack(None)
    async with pool.connection() as conn:
        await policy_books.remember(conn, version=policies.version, body=text)
        for name in ("kim", "lou"):
            agent = roster.Agent(name, email=f"{name}@example.org", presence="online")
            await roster.add(conn, tenant=TENANT, agent=agent)
        await conn.execute("update agents set idle_since = %s", (MONDAY,))
    with Engine(pack, timeout_s=30) as engine:
        past = Past(DecideActivities(pool, Rulebook(engine, pack.macros, policies, OUTSIDE)))
        for ticket_id, event in events:
            await past.happens(ticket_id, event)


async def simulated(pool: Pool, folder: Path, tried: Packs, **period: datetime) -> Simulated:
    await asyncio.to_thread(folder.mkdir)
    source = partial(
        from_store,
        pool=pool,
        period=Period(TENANT, **period),
        outside=OUTSIDE,
        progress=quiet,
    )
    return await simulate(tried, source, folder, tickets=10, progress=quiet)


def shipped() -> Packs:
    pack = load_pack(None)
    return Packs(pack, pack, load_policies(None)[1], engine_timeout_s=30)


def steps_of(folder: Path) -> dict[str, list[Step]]:
    with Trail(folder) as trail:
        return {
            line.ticket_id: [
                step for n in range(len(line.steps)) if (step := trail.step(line, n)) is not None
            ]
            for line in trail.tickets()
        }


async def test_the_pack_that_decided_decides_the_same_again(pool: Pool, tmp_path: Path) -> None:
    await seeded(pool, life())
    done = await simulated(pool, tmp_path / "space", shipped())
    past = await recorded(pool, TENANT)
    assert as_lines(steps_of(tmp_path / "space" / "before")) == as_lines(past)
    triggers = {step.trigger for steps in past.values() for step in steps}
    assert {"created", "reply", "reopen", "first response breaches"} <= triggers
    assert done.report.counts.differ == 0
    assert done.report.before.totals.events_refused == {"ack while resolved": 1}
    assert any("online" in what for what in done.report.unknown)


async def test_a_changed_pack_is_compared_on_the_tenants_own_tickets(
    pool: Pool, tmp_path: Path
) -> None:
    await seeded(pool, life())
    changed = BEFORE.replace("{owner_set: false}", "{owner_set: false, channel: email}")
    done = await simulated(pool, tmp_path / "space", packs(tmp_path, BEFORE, changed))
    assert {ticket.ticket_id for ticket in done.report.top} >= {"T-2", "T-4"}
    assert done.report.after.totals.never_owned == 2


async def test_only_tickets_created_in_the_period_are_read(pool: Pool, tmp_path: Path) -> None:
    await seeded(pool, life())
    period = {"since": MONDAY + 1 * HOUR, "until": MONDAY + 3 * HOUR}
    done = await simulated(pool, tmp_path / "space", shipped(), **period)
    assert set(steps_of(tmp_path / "space" / "before")) == {"T-2", "T-3"}
    assert done.report.counts.tickets == 2


async def test_nothing_personal_is_written_down(pool: Pool, tmp_path: Path) -> None:
    await seeded(pool, life()[:3])
    await simulated(pool, tmp_path / "space", shipped())
    written = b"".join(f.read_bytes() for f in (tmp_path / "space").rglob("*") if f.is_file())
    assert b"example.org" not in written
    assert b"T-1" in written


async def test_a_tenant_without_history_or_roster_is_told(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody on its roster"):
        await simulated(pool, tmp_path / "one", shipped())
    await seeded(pool, ())
    with pytest.raises(InputError, match="no event to simulate: choose another log or period"):
        await simulated(pool, tmp_path / "two", shipped())
