"""What a command works with: the store and the way in, found by settings or the running hub."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from psycopg_pool import PoolTimeout

from embedded.discovery import Endpoints, resolve, resolve_database
from hub.intake import Gateway
from settings import Settings, read_settings
from store.pool import Pool, open_pool
from support.errors import RuntimeUnavailableError
from support.model import Actor, ActorKind
from workflows.connection import connect

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """The hub as a command sees it."""

    settings: Settings
    endpoints: Endpoints
    pool: Pool
    gateway: Gateway


@asynccontextmanager
async def session() -> AsyncIterator[Session]:
    """Open the store and Temporal; RuntimeUnavailableError says what does not answer."""
    settings = read_settings()
    endpoints = resolve(settings)
    client = await connect(settings, endpoints.temporal_address)
    async with _opened(endpoints.database_url, connections=4) as pool:
        gateway = Gateway(pool, client, settings.task_queue)
        yield Session(settings, endpoints, pool, gateway)


@asynccontextmanager
async def store() -> AsyncIterator[Pool]:
    """Open the store alone, for commands that need nothing of Temporal."""
    async with _opened(resolve_database(read_settings()), connections=2) as pool:
        yield pool


@asynccontextmanager
async def _opened(database_url: str, *, connections: int) -> AsyncIterator[Pool]:
    try:
        async with open_pool(database_url, max_size=connections) as pool:
            yield pool
    except PoolTimeout as error:
        raise RuntimeUnavailableError(
            "PostgreSQL does not answer: start it with `make run`, or see FLOWHUB_DATABASE_URL"
        ) from error


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run the asynchronous part of a command."""

    async def main() -> T:
        return await work()

    return asyncio.run(main())


def operator(name: str) -> Actor:
    """Return who types: `name`, else the user of the system."""
    user = name or re.sub(r"[^A-Za-z0-9._-]", "-", os.environ.get("USER", ""))[:64] or "operator"
    return Actor(ActorKind.AGENT, user)
