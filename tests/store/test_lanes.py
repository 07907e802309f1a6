"""Signals of the lanes: exact counts, of one tenant, over what is active."""

from decimal import Decimal
from fractions import Fraction

from store import lanes
from store.pool import Connection
from support.lanes import Signals, read_lanes
from tests.store.seeding import add_agent, add_ticket


async def test_a_tenant_without_rows_counts_nothing_and_scores_100(conn: Connection) -> None:
    signals = await lanes.signals(conn, tenant="global")

    assert signals == Signals()
    assert read_lanes(signals).score == 100


async def test_each_flag_is_counted_once_for_each_active_ticket(conn: Connection) -> None:
    await add_agent(conn, "kim")
    await add_ticket(conn, "T-1", owner="kim", breached=True, escalation_due=True)
    await add_ticket(conn, "T-2", priority="urgent")
    await add_ticket(conn, "T-3", priority="high", status="waiting_internal")
    await add_ticket(conn, "T-4", breached_held=True, status="waiting_customer", owner="kim")
    await add_ticket(conn, "T-5", breached=True, breached_held=True)

    assert await lanes.signals(conn, tenant="global") == Signals(
        open_tickets=5,
        urgent=1,
        breached=2,
        breached_held=1,
        escalation_due=1,
        unassigned=3,
        waiting_internal=1,
        high_urgent=2,
        rostered_units=Fraction(12),
    )


async def test_finished_tickets_and_other_tenants_are_not_counted(conn: Connection) -> None:
    await add_ticket(conn, "T-1", status="resolved", breached=True, priority="urgent")
    await add_ticket(conn, "T-2", status="closed", escalation_due=True)
    await add_ticket(conn, "T-1", tenant="other", breached=True)
    await add_agent(conn, "kim", tenant="other")

    assert await lanes.signals(conn, tenant="global") == Signals()
    assert (await lanes.signals(conn, tenant="other")).breached == 1


async def test_the_owner_of_a_namesake_in_another_tenant_owns_nothing_here(
    conn: Connection,
) -> None:
    await add_agent(conn, "kim", tenant="other")
    await add_ticket(conn, "T-1", tenant="other", owner="kim")
    await add_ticket(conn, "T-1")

    assert (await lanes.signals(conn, tenant="global")).unassigned == 1


async def test_rostered_units_are_those_of_agents_exactly_online_or_not(conn: Connection) -> None:
    await add_agent(conn, "kim", capacity_units=Decimal("7.1"))
    await add_agent(conn, "lee", capacity_units=Decimal("0.2"))
    await add_agent(conn, "boss", role="lead")

    signals = await lanes.signals(conn, tenant="global")

    assert signals.rostered_units == Fraction("7.3")
