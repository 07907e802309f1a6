"""What the web modules share: the application's parts, and one consistent look at the ledger."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from hub.gateway import TicketGateway
from store.pool import Connection, Pool, snapshot, transaction
from support.calendar import BusinessCalendar
from support.errors import RuntimeUnavailableError
from support.model import workflow_id

CONNECT_WITHIN_S = 5.0
"""Seconds that a request waits for a connection before it answers 503."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts that the hub was made of. `now` is calendar time."""

    pool: Pool
    gateway: TicketGateway | None
    temporal_ui_url: str
    namespace: str
    office: BusinessCalendar
    now: Callable[[], datetime]

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Yield a connection on one read-only snapshot, so that several queries agree."""
        async with snapshot(self.pool, wait_s=CONNECT_WITHIN_S) as conn:
            yield conn

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Connection]:
        """Yield a connection whose statements are one transaction, committed at the end."""
        async with transaction(self.pool, wait_s=CONNECT_WITHIN_S) as conn:
            yield conn

    def way_in(self) -> TicketGateway:
        """Return the gateway; RuntimeUnavailableError in a hub that only reads."""
        if self.gateway is None:
            raise RuntimeUnavailableError(
                "this hub only reads: start it with Temporal to take tickets and commands"
            )
        return self.gateway

    def workflow_url(self, tenant: str, ticket_id: str, run_id: str) -> str:
        """Address of a ticket's workflow in the Temporal UI."""
        namespace, workflow = quote(self.namespace, safe=""), workflow_id(tenant, ticket_id)
        base = f"{self.temporal_ui_url.rstrip('/')}/namespaces/{namespace}/workflows"
        path = f"{base}/{quote(workflow, safe='')}"
        return f"{path}/{quote(run_id, safe='')}/history" if run_id else path
