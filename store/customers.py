"""What the ledger knows of a customer beside one ticket: what rules may ask."""

from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection
from support.needs import CustomerStanding

_STANDING = """
with others as (
    select t.ticket_id, t.active, t.created_at
      from tickets as t
     where t.tenant = %(tenant)s and t.customer_id = %(customer_id)s
       and t.ticket_id <> %(ticket_id)s
)
select coalesce((select c.locale from customers as c
                  where c.tenant = %(tenant)s and c.customer_id = %(customer_id)s),
                '') as language,
       (select count(*) from others as o where o.active) as active_tickets,
       (select count(*) from others as o
         where o.created_at > %(at)s::timestamptz - interval '30 days') as tickets_30d,
       (select count(*) from others as o
          join breaches as b on b.tenant = %(tenant)s and b.ticket_id = o.ticket_id
         where b.withdrawn_seq is null
           and b.due_at > %(at)s::timestamptz - interval '90 days') as breaches_90d,
       (select min(o.created_at) from others as o) as first_at
"""


async def standing(
    conn: Connection, *, tenant: str, customer_id: str, ticket_id: str, at: datetime
) -> CustomerStanding:
    """Return how the customer stands at `at`, that ticket left out.

    Served by the index tickets_of_customer and the primary key of breaches.
    """
    async with conn.cursor(row_factory=class_row(CustomerStanding)) as cursor:
        await cursor.execute(
            _STANDING,
            {"tenant": tenant, "customer_id": customer_id, "ticket_id": ticket_id, "at": at},
        )
        found = await cursor.fetchone()
    return found or CustomerStanding("", 0, 0, 0, None)
