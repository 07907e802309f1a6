"""Who has left is given nothing, told nothing, and counted nowhere."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from store import candidates, lanes, ledger, offboarding, presences, roster, shifts, waiting
from store.pool import Connection
from support.errors import InputError
from support.model import Presence
from support.needs import FindCandidates, FindPeople
from support.routing import Role
from tests.store.seeding import START, add_agent, add_ticket

KIM: dict[str, Any] = {"tenant": "global", "agent_id": "kim"}


async def seen(conn: Connection) -> dict[str, bool]:
    """Where kim is counted, were they online in spite of it."""
    need = FindCandidates(Role.AGENT, "", (), START)
    on_shift = await shifts.on_shift(conn, tenant="global", start=START, end=START.max)
    signals = await lanes.signals(conn, tenant="global")
    return {
        "candidates": bool(await candidates.find(conn, tenant="global", need=need)),
        "rooms": bool(await waiting.rooms(conn, tenant="global")),
        "waiting": bool(await waiting.tickets(conn, tenant="global")),
        "people": bool(
            await candidates.people(conn, tenant="global", need=FindPeople(Role.AGENT, "", START))
        ),
        "lanes": signals.rostered_units == Fraction(12),
        "coverage": bool(on_shift),
    }


async def test_who_has_left_is_nowhere_and_comes_back_as_they_were(conn: Connection) -> None:
    await add_agent(conn, "kim")
    await add_ticket(conn, "T-1", waits_since=START)
    assert set((await seen(conn)).values()) == {True}
    assert not await offboarding.leave(conn, **KIM)
    assert await offboarding.leave(conn, **KIM)
    (kim,) = await roster.listed(conn, tenant="global")
    assert (kim.presence, kim.left_at is not None) == ("offline", True)
    assert not await presences.set_presence(conn, **KIM, presence=Presence.ONLINE)
    await conn.execute("update agents set presence = 'online'")
    assert set((await seen(conn)).values()) == {False}
    with pytest.raises(InputError, match="flowhub roster rejoin kim"):
        await add_agent(conn, "kim")
    assert await offboarding.rejoin(conn, **KIM)
    assert not await offboarding.rejoin(conn, **KIM)
    (again,) = await roster.listed(conn, tenant="global")
    assert replace(again, presence="offline") == replace(kim, left_at=None)
    assert set((await seen(conn)).values()) == {True}


async def test_no_claim_gives_a_ticket_to_who_has_left_not_even_a_forced_one(
    conn: Connection,
) -> None:
    await add_agent(conn, "kim")
    await offboarding.leave(conn, **KIM)
    await conn.execute("update agents set presence = 'online'")
    claim: dict[str, Any] = {**KIM, "units": Decimal(1), "at": START}
    assert not await roster.claim(conn, **claim, forced=False)
    with pytest.raises(InputError, match="kim has left"):
        await roster.claim(conn, **claim, forced=True)
    assert not await roster.claim(conn, **{**claim, "agent_id": "nobody"}, forced=True)


async def test_an_owner_who_has_left_is_neither_available_nor_on_shift(conn: Connection) -> None:
    await add_agent(conn, "kim")
    await add_ticket(conn, "T-1", owner="kim")
    await conn.execute("update agents set has_shifts = true")
    about: dict[str, Any] = {
        "workflow_id": "w",
        "decision_seq": 1,
        "event_id": "e",
        "at": START,
    }
    found = await ledger.read(conn, tenant="global", ticket_id="T-1", **about)
    assert (found.owner_available, found.owner_on_shift) == (True, True)
    await offboarding.leave(conn, **KIM)
    found = await ledger.read(conn, tenant="global", ticket_id="T-1", **about)
    assert (found.owner_available, found.owner_on_shift) == (False, False)


async def test_a_dry_run_writes_nothing_and_an_unknown_agent_is_refused(conn: Connection) -> None:
    await add_agent(conn, "kim")
    assert not await offboarding.leave(conn, **KIM, dry_run=True)
    (kim,) = await roster.listed(conn, tenant="global")
    assert kim.left_at is None
    for dry_run in (True, False):
        with pytest.raises(InputError, match="there is no agent max"):
            await offboarding.leave(conn, tenant="global", agent_id="max", dry_run=dry_run)
