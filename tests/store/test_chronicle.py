"""A ticket's decision at a time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from store import ledger
from store.chronicle import EventEntry, decision_at, timeline
from store.pool import Connection
from support.errors import InputError, UnknownTicketError
from tests.store.seeding import START, add_history, add_ticket, decision_row, event_row

MINUTE = timedelta(minutes=1)


async def test_the_last_decision_that_counts_at_or_before_a_time_is_found(conn: Connection) -> None:
    await add_ticket(conn, "T-1")
    await add_history(conn, "T-1")  # decisions 1 and 2, after one minute and after two
    late = replace(decision_row("T-1", 3), nominal_at=START + 1.5 * MINUTE)
    await ledger.write_decision(conn, late)
    found = [
        (await decision_at(conn, tenant="global", ticket_id="T-1", at=START + after)).seq
        for after in (MINUTE, 1.4 * MINUTE, 1.5 * MINUTE, 2 * MINUTE, 60 * MINUTE)
    ]
    assert found == [1, 1, 3, 2, 2]
    latest = await decision_at(conn, tenant="global", ticket_id="T-1")
    assert (latest.seq, latest.trigger, latest.fired) == (2, "deadline", ["assign-new"])


async def test_before_the_first_decision_there_is_none(conn: Connection) -> None:
    await add_ticket(conn, "T-1")
    await add_history(conn, "T-1")
    with pytest.raises(InputError, match="nothing was decided about ticket T-1 by then"):
        await decision_at(conn, tenant="global", ticket_id="T-1", at=START)
    with pytest.raises(UnknownTicketError):
        await decision_at(conn, tenant="other", ticket_id="T-1")


async def test_a_message_after_close_stands_below_the_closing_decision(conn: Connection) -> None:
    await add_ticket(conn, "T-1", status="closed")
    await add_history(conn, "T-1")  # decision 2 after two minutes
    after = START + 3 * MINUTE
    taken_over = event_row(
        "T-1", "m-9", None, kind="customer_message", nominal_at=after, received_at=after
    )
    await ledger.write_event(conn, taken_over)
    entries = await timeline(conn, tenant="global", ticket_id="T-1")
    last = entries[-1]
    assert isinstance(last, EventEntry)
    assert last.event_id == "m-9"
    kinds = [entry.kind for entry in entries if entry.seq == 2]
    assert kinds.index("decision") < len(kinds) - 1
