"""What carries wake-ups: a courier for each kind of row, and signals to the tickets' workflows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from store.outbox import OutboxRow
from store.pool import Connection
from support.model import TicketEvent, workflow_id

_SIGNAL_LIMIT = timedelta(seconds=10)


class Courier(Protocol):
    """Delivers rows of one kind and tenant in the transaction that took them.

    What it raises leaves the rows to be delivered again later.
    """

    async def __call__(self, conn: Connection, rows: Sequence[OutboxRow]) -> None:
        """Deliver `rows`, which belong together."""
        ...


class Signals:
    """Brings events to running workflows of tickets."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def send(self, tenant: str, ticket_id: str, event: TicketEvent) -> bool:
        """Signal the ticket; False where it has no workflow any more, as it has been closed."""
        handle = self._client.get_workflow_handle(workflow_id(tenant, ticket_id))
        try:
            await handle.signal("deliver", event, rpc_timeout=_SIGNAL_LIMIT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True
