"""The hub on a real database, with a gateway that answers as the test says."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from temporalio.client import Client

from activities.messages import EventResult
from hub.drafts import Command, NewTicket
from hub.web.app import create_app
from store.pool import Pool, open_pool
from support.calendar import BusinessCalendar
from support.model import Actor
from tests.fix_desk import RunningDesk, running_desk

OFFICE = BusinessCalendar.from_dict(
    {
        "tz": "Europe/Stockholm",
        "hours": {day: [["08:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    }
)
MONDAY_NOON = datetime(2026, 3, 2, 11, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 1, 11, tzinfo=UTC)


@dataclass
class FakeGateway:
    """Remembers what it was asked, and raises `failure` if it is set."""

    failure: Exception | None = None
    created: list[tuple[str, NewTicket, str, Actor, str]] = field(default_factory=list)
    commanded: list[tuple[str, str, Command, str, Actor, str]] = field(default_factory=list)

    async def create(
        self, tenant: str, new: NewTicket, *, event_id: str = "", actor: Actor, source: str
    ) -> EventResult:
        if self.failure:
            raise self.failure
        self.created.append((tenant, new, event_id, actor, source))
        return EventResult(new.ticket_id or "T-new", event_id or "made-up", 1, "new", "normal", "")

    async def command(
        self,
        tenant: str,
        ticket_id: str,
        command: Command,
        *,
        event_id: str = "",
        actor: Actor,
        source: str,
    ) -> EventResult:
        if self.failure:
            raise self.failure
        self.commanded.append((tenant, ticket_id, command, event_id, actor, source))
        return EventResult(ticket_id, event_id or "made-up", 2, "open", "normal", "kim")


@dataclass
class Clock:
    """What the hub takes for now."""

    at: datetime = MONDAY_NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    """Monday at noon, until the test sets another time."""
    return Clock()


@pytest.fixture
def gateway() -> FakeGateway:
    """A gateway in which everything succeeds."""
    return FakeGateway()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on a fresh ledger."""
    async with open_pool(database_url, max_size=4) as opened:
        yield opened


def hub_app(pool: Pool, gateway: FakeGateway | None, clock: Clock) -> FastAPI:
    """The hub as tests use it."""
    return create_app(
        pool,
        gateway,
        temporal_ui_url="http://127.0.0.1:8233",
        namespace="default",
        office=OFFICE,
        now=clock,
    )


@pytest.fixture
def app(pool: Pool, gateway: FakeGateway, clock: Clock) -> FastAPI:
    """The hub with its gateway."""
    return hub_app(pool, gateway, clock)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that speaks to the hub without a network."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8400") as client:
        yield client


@pytest.fixture
def hub_of(clock: Clock) -> Callable[[RunningDesk], httpx.AsyncClient]:
    """Makes a client of the hub on a desk's ledger, without its way in."""

    def made(desk: RunningDesk) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=hub_app(desk.pool, None, clock))
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8400")

    return made


@pytest.fixture
async def at_work(
    temporal_client: Client,
    database_url: str,
    task_queue: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> AsyncIterator[RunningDesk]:
    """A desk that the command line finds by its settings."""
    config = temporal_client.service_client.config
    async with running_desk(temporal_client, database_url, task_queue) as running:
        for name, value in {
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL": database_url,
            "TEMPORAL_ADDRESS": config.target_host,
            "TASK_QUEUE": task_queue,
            "TENANT": running.tenant,
        }.items():
            monkeypatch.setenv(f"FLOWHUB_{name}", value)
        yield running
