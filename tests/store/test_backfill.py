"""What the migration of the outbox finds out about tickets that are there already."""

from pathlib import Path

import pytest

from store.pool import Connection
from tests.store.seeding import START, add_agent, add_ticket

MIGRATION = Path(__file__).parents[2] / "store" / "migrations" / "0010_outbox.sql"


@pytest.fixture
async def before(conn: Connection) -> Connection:
    """A ledger as it was before the outbox, with tickets."""
    await add_agent(conn, "kim")
    await add_ticket(conn, "T-waits", state='{"skills": ["hifi", "tv"]}')
    await add_ticket(conn, "T-plain")
    await add_ticket(conn, "T-owned", owner="kim", state='{"skills": ["hifi"]}')
    await add_ticket(conn, "T-over", status="resolved")
    await conn.execute("drop table outbox")
    await conn.execute(
        "alter table tickets drop column waits_since, drop column skills, drop column passed_by"
    )
    return conn


async def test_tickets_without_an_owner_wait_from_their_last_decision_on(
    before: Connection,
) -> None:
    await before.execute(MIGRATION.read_bytes())
    cursor = await before.execute("select ticket_id, waits_since, skills from tickets")
    found = {row.pop("ticket_id"): row for row in await cursor.fetchall()}
    assert found == {
        "T-waits": {"waits_since": START, "skills": ["hifi", "tv"]},
        "T-plain": {"waits_since": START, "skills": []},
        "T-owned": {"waits_since": None, "skills": ["hifi"]},
        "T-over": {"waits_since": None, "skills": []},
    }
