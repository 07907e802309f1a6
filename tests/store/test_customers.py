"""How a customer stands beside one ticket."""

from datetime import UTC, datetime, timedelta

from store import breaches, customers
from store.pool import Connection
from support.needs import CustomerStanding
from tests.store.seeding import add_ticket

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)


async def standing(
    conn: Connection, ticket_id: str = "T-1", tenant: str = "global"
) -> CustomerStanding:
    return await customers.standing(
        conn, tenant=tenant, customer_id="c-9", ticket_id=ticket_id, at=NOW
    )


async def missed(conn: Connection, ticket_id: str, due_at: datetime, seq: int) -> None:
    what = ("first_response", seq, due_at)
    await breaches.write_breach(conn, ("global", ticket_id), what, "time", seq)


async def test_a_customer_without_other_tickets_is_new(conn: Connection) -> None:
    await add_ticket(conn, "T-1", customer_id="c-9", created_at=NOW)

    assert await standing(conn) == CustomerStanding("", 0, 0, 0, None)


async def test_other_tickets_count_by_state_and_age(conn: Connection) -> None:
    await conn.execute(
        "insert into customers (tenant, customer_id, locale) values ('global', 'c-9', 'sv')"
    )
    await add_ticket(conn, "T-1", customer_id="c-9", created_at=NOW)
    await add_ticket(conn, "T-2", customer_id="c-9", created_at=NOW - 2 * DAY)
    await add_ticket(conn, "T-3", customer_id="c-9", created_at=NOW - 40 * DAY, active=False)
    await add_ticket(conn, "T-4", customer_id="c-8", created_at=NOW - DAY)
    await add_ticket(conn, "T-2", tenant="other", customer_id="c-9", created_at=NOW - DAY)

    assert await standing(conn) == CustomerStanding("sv", 1, 1, 0, NOW - 40 * DAY)
    assert await standing(conn, "T-2") == CustomerStanding("sv", 1, 1, 0, NOW - 40 * DAY)


async def test_targets_missed_lately_count_unless_they_were_withdrawn(conn: Connection) -> None:
    await add_ticket(conn, "T-1", customer_id="c-9", created_at=NOW)
    await add_ticket(conn, "T-2", customer_id="c-9", created_at=NOW - 200 * DAY)
    await missed(conn, "T-1", NOW - DAY, 1)
    await missed(conn, "T-2", NOW - 100 * DAY, 1)
    await missed(conn, "T-2", NOW - 3 * DAY, 2)
    await missed(conn, "T-2", NOW - 2 * DAY, 3)
    undone = ("first_response", 3, NOW - 2 * DAY)
    assert (await standing(conn)).breaches_90d == 2
    await conn.execute("update breaches set withdrawn_seq = 9 where cycle = %s", (undone[1],))

    assert (await standing(conn)).breaches_90d == 1
