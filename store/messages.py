"""Everything that people wrote: stored before the workflow hears of it, named by a reference."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Message:
    """One text of a ticket: opening, customer_message, reply, note, or the reason of a command."""

    tenant: str
    ticket_id: str
    message_ref: str
    kind: str
    author_kind: str
    author_id: str
    created_at: datetime
    subject: str = ""
    body: str = ""
    delivery: str = "none"


_ADD = """
insert into messages (tenant, ticket_id, message_ref, kind, author_kind, author_id, created_at,
                      subject, body, delivery)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict do nothing
"""


async def add(conn: Connection, message: Message) -> None:
    """Store a text; one that is there under the same reference stays as it is."""
    await conn.execute(
        _ADD,
        (
            message.tenant,
            message.ticket_id,
            message.message_ref,
            message.kind,
            message.author_kind,
            message.author_id,
            message.created_at,
            message.subject,
            message.body,
            message.delivery,
        ),
    )


async def set_delivery(
    conn: Connection, *, tenant: str, ticket_id: str, message_ref: str, delivery: str
) -> None:
    """Record how far a message has come: none, queued, sent, failed, unknown or parked."""
    await conn.execute(
        "update messages set delivery = %s"
        " where tenant = %s and ticket_id = %s and message_ref = %s",
        (delivery, tenant, ticket_id, message_ref),
    )


async def get(conn: Connection, *, tenant: str, ticket_id: str, message_ref: str) -> Message | None:
    """Return one text, or None."""
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(
            "select * from messages where tenant = %s and ticket_id = %s and message_ref = %s",
            (tenant, ticket_id, message_ref),
        )
        return await cursor.fetchone()


@dataclass(frozen=True, slots=True)
class Customer:
    """One person; `customer_id` is the reference used everywhere else."""

    tenant: str
    customer_id: str
    name: str = ""
    email: str = ""
    locale: str = "en"


_CUSTOMER = """
insert into customers (tenant, customer_id, name, email, locale)
values (%s, %s, %s, %s, %s)
on conflict (tenant, customer_id) do update
   set name = coalesce(nullif(customers.name, ''), excluded.name),
       email = coalesce(nullif(customers.email, ''), excluded.email)
"""


async def add_customer(conn: Connection, customer: Customer) -> None:
    """Add a customer, or fill in what was not known; a ticket never changes an address."""
    await conn.execute(
        _CUSTOMER,
        (
            customer.tenant,
            customer.customer_id,
            customer.name,
            customer.email,
            customer.locale,
        ),
    )


async def customer_of(conn: Connection, *, tenant: str, ticket_id: str) -> Customer | None:
    """Return the customer of a ticket, or None if it has none on record."""
    async with conn.cursor(row_factory=class_row(Customer)) as cursor:
        await cursor.execute(
            "select c.tenant, c.customer_id, c.name, c.email, c.locale"
            "  from tickets as t join customers as c using (tenant, customer_id)"
            " where t.tenant = %s and t.ticket_id = %s",
            (tenant, ticket_id),
        )
        return await cursor.fetchone()


async def locale_of(conn: Connection, *, tenant: str, customer_id: str) -> str | None:
    """Return the language that a customer reads, or None for an unknown customer."""
    cursor = await conn.execute(
        "select locale from customers where tenant = %s and customer_id = %s",
        (tenant, customer_id),
    )
    row = await cursor.fetchone()
    return str(row["locale"]) if row else None


@dataclass(frozen=True, slots=True)
class Opened:
    """How a ticket was opened and stands, for one that follows it up."""

    subject: str
    channel: str
    priority: str
    team: str
    customer_id: str
    tier: str
    skills: list[str]
    follow_up: str


async def opening_of(conn: Connection, *, tenant: str, ticket_id: str) -> Opened | None:
    """Return how a ticket was opened, or None if the tenant has no such ticket.

    `follow_up` is the active ticket that follows it up already, if there is one.
    """
    async with conn.cursor(row_factory=class_row(Opened)) as cursor:
        await cursor.execute(
            "select coalesce(m.subject, '') as subject, t.channel, t.priority, t.team,"
            "       t.customer_id, coalesce(t.state ->> 'tier', '') as tier,"
            "       array(select jsonb_array_elements_text(t.state -> 'skills')) as skills,"
            "       coalesce((select f.ticket_id from tickets as f where f.tenant = t.tenant"
            "                    and f.follow_up_of = t.ticket_id and f.active"
            "                  order by f.created_at desc limit 1), '') as follow_up"
            "  from tickets as t left join messages as m on m.tenant = t.tenant"
            "       and m.ticket_id = t.ticket_id and m.message_ref = t.opening_ref"
            " where t.tenant = %s and t.ticket_id = %s",
            (tenant, ticket_id),
        )
        return await cursor.fetchone()
