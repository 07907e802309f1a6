"""Events of a tenant in the order in which they were taken up."""

import json

from store import history, ledger
from store.pool import Connection
from tests.store.seeding import add_ticket, event_row


async def told(conn: Connection) -> list[str]:
    found = history.events(conn, tenant="global", since=None, until=None)
    return [json.loads(one.event)["event_id"] async for one in found]


async def test_a_refused_event_keeps_its_place_among_those_of_one_instant(conn: Connection) -> None:
    await add_ticket(conn, "T-1")
    for row in (
        event_row("T-1", "a-resolve", 2, kind="resolve"),
        event_row("T-1", "z-refused", None, outcome="refused", refused_seq=2),
        event_row("T-1", "y-refused-later", None, outcome="refused", refused_seq=3),
        event_row("T-1", "m-created", 1),
    ):
        await ledger.write_event(conn, row)

    assert await told(conn) == ["m-created", "z-refused", "a-resolve", "y-refused-later"]
