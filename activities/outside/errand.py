"""What an outside action needs from the store, and where it stands: one transaction each way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from activities.outside.failures import UNKNOWN, hopeless
from store import effects, messages
from store.messages import Customer, Message
from store.pool import Connection
from support.work import EffectKind

_STANDING = """
select e.action_key, e.tenant, e.ticket_id, e.kind, e.params, e.state, e.last_error, e.created_at,
       coalesce(t.channel, '') as channel, coalesce(t.opening_ref, '') as opening_ref
  from effects as e left join tickets as t using (tenant, ticket_id)
 where e.action_key = %s
   for update of e
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """An outside action as the store has it, with its ticket's channel and opening message."""

    action_key: str
    tenant: str
    ticket_id: str
    kind: str
    params: Mapping[str, Any]
    state: str
    last_error: str
    created_at: datetime
    channel: str
    opening_ref: str

    @property
    def unsure(self) -> bool:
        """Whether an attempt may have arrived without anyone knowing."""
        return self.last_error.startswith(UNKNOWN)

    @property
    def message_ref(self) -> str:
        """Reference of the text to send; empty for a notification."""
        return str(self.params.get("message_ref", "")) if self.kind == EffectKind.REPLY else ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A public reply to send: its text, the subject it answers, and whom it is for."""

    message: Message
    subject: str
    customer: Customer | None


async def find(conn: Connection, key: str) -> Standing | None:
    """Return the action, locked until the transaction ends, or None for an unknown key."""
    async with conn.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(_STANDING, (key,))
        return await cursor.fetchone()


async def take(conn: Connection, key: str) -> Standing | None:
    """Mark the action as being sent and return how it stood before; None for an unknown key.

    Its outcome counts as unknown until `record` says otherwise, so that a worker that dies while
    sending leaves the truth behind. A sent action stays sent, a dismissed one dismissed.
    """
    before = await find(conn, key)
    if before is None or before.state in effects.DONE:
        return before
    await effects.begin(conn, action_key=key)
    await effects.settle(conn, action_key=key, state="sending", error=UNKNOWN)
    return before


async def record(
    conn: Connection, key: str, *, state: str, error: str = "", delivery: str = ""
) -> None:
    """Write how the action stands, and with `delivery` how far its message has come.

    What another attempt has sent meanwhile stays sent, and what is dismissed is not failed again.
    """
    standing = await find(conn, key)
    if standing is None or (standing.state in effects.DONE and state != "sent"):
        return
    await effects.settle(conn, action_key=key, state=state, error=error)
    if delivery and standing.message_ref:
        await messages.set_delivery(
            conn,
            tenant=standing.tenant,
            ticket_id=standing.ticket_id,
            message_ref=standing.message_ref,
            delivery=delivery,
        )


async def letter(conn: Connection, standing: Standing) -> Letter:
    """Return the reply that the action sends.

    Raises DeliveryError, not retryable, if its text is not in the store.
    """
    about = {"tenant": standing.tenant, "ticket_id": standing.ticket_id}
    message = await messages.get(conn, message_ref=standing.message_ref, **about)
    if message is None:
        raise hopeless("reply", "NoMessage")
    opening = await messages.get(conn, message_ref=standing.opening_ref, **about)
    return Letter(
        message=message,
        subject=opening.subject if opening else message.subject,
        customer=await messages.customer_of(conn, **about),
    )
