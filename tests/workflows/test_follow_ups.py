"""Messages after close: one ticket follows up, whoever writes at once, however late, and again."""

import asyncio

import pytest

from activities.messages import EventResult
from hub.drafts import Command, NewTicket, Origin
from store import chronicle, ledger
from support.errors import InputError
from support.model import EventKind, workflow_id
from tests.fix_desk import CUSTOMER, KIM, RunningDesk
from tests.waiting import eventually

BACK = Command(EventKind.CUSTOMER_MESSAGE, text="It is back")


async def do(desk: RunningDesk, ticket_id: str, kind: EventKind) -> None:
    await desk.gateway.command(desk.tenant, ticket_id, Command(kind), actor=KIM, source="cli")


async def close(desk: RunningDesk, ticket_id: str = "T-1") -> None:
    await do(desk, ticket_id, EventKind.RESOLVE)
    await do(desk, ticket_id, EventKind.CLOSE)
    await desk.client.get_workflow_handle(workflow_id(desk.tenant, ticket_id)).result()


async def closed_ticket(desk: RunningDesk) -> None:
    new = NewTicket(subject="No sound", ticket_id="T-1")
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    await close(desk)


async def write(desk: RunningDesk, event_id: str) -> EventResult:
    return await desk.gateway.command(
        desk.tenant, "T-1", BACK, actor=CUSTOMER, source="mail", event_id=event_id
    )


async def follow_ups(desk: RunningDesk) -> set[str]:
    async with desk.pool.connection() as conn:
        rows = await conn.execute(
            "select ticket_id from tickets where tenant = %s and follow_up_of <> ''",
            (desk.tenant,),
        )
        return {str(row["ticket_id"]) for row in await rows.fetchall()}


async def messages_of(desk: RunningDesk, ticket_id: str) -> list[str]:
    """Event ids of what the customer wrote to a ticket, each with its text."""
    async with desk.pool.connection() as conn:
        entries = await chronicle.timeline(conn, tenant=desk.tenant, ticket_id=ticket_id)
    events = [e for e in entries if isinstance(e, chronicle.EventEntry)]
    wrote = [e for e in events if e.name == "customer_message" and e.outcome == "accepted"]
    assert {e.text.body for e in wrote if e.text} <= {BACK.text}
    return sorted(e.event_id for e in wrote)


async def test_messages_at_once_open_one_follow_up_that_has_them_all(desk: RunningDesk) -> None:
    await closed_ticket(desk)
    ids = [f"m-{number}" for number in range(8)]
    first = await asyncio.gather(*(write(desk, event_id) for event_id in ids))
    assert await follow_ups(desk) == {result.ticket_id for result in first}
    (followed_by,) = await follow_ups(desk)
    assert await messages_of(desk, followed_by) == ids
    assert [await write(desk, event_id) for event_id in ids] == first
    assert await messages_of(desk, followed_by) == ids


async def test_one_message_sent_twice_at_once_is_there_once(desk: RunningDesk) -> None:
    await closed_ticket(desk)
    one, other = await asyncio.gather(write(desk, "m-1"), write(desk, "m-1"))
    assert one == other
    assert await messages_of(desk, one.ticket_id) == ["m-1"]


async def test_each_close_has_its_own_follow_up(desk: RunningDesk) -> None:
    await closed_ticket(desk)
    first = await write(desk, "m-1")
    await close(desk, first.ticket_id)
    await do(desk, "T-1", EventKind.REOPEN)
    await close(desk)
    second = await write(desk, "m-2")
    assert second.ticket_id not in {"T-1", first.ticket_id}
    assert await messages_of(desk, second.ticket_id) == ["m-2"]
    assert await write(desk, "m-1") == first


async def test_where_the_follow_up_is_closed_it_goes_on_from_there(desk: RunningDesk) -> None:
    await closed_ticket(desk)
    first = await write(desk, "m-1")
    await close(desk, first.ticket_id)
    results = await asyncio.gather(write(desk, "m-2"), write(desk, "m-3"))
    (second,) = await follow_ups(desk) - {first.ticket_id}
    assert {result.ticket_id for result in results} == {second}
    assert await messages_of(desk, second) == ["m-2", "m-3"]
    assert await write(desk, "m-2") == results[0]


async def forget_run(desk: RunningDesk) -> None:
    """Make the closed ticket T-1 one that Temporal knows nothing of, as after the retention: T-0.

    Deleting a run takes the server up to a minute.
    """
    async with desk.pool.connection() as conn:
        for table in ("messages", "events", "decisions", "tickets"):
            await conn.execute(
                f"update {table} set ticket_id = 'T-0' where tenant = %s and ticket_id = 'T-1'",  # noqa: S608
                (desk.tenant,),
            )


async def stream(desk: RunningDesk, what: Command, event_id: str, ticket_id: str = "T-1") -> str:
    """Stream an event; returns what became of it."""
    origin = Origin(CUSTOMER, "import", event_id)
    await desk.gateway.stream(desk.tenant, ticket_id, what, origin)

    async def decided() -> tuple[ledger.Outcome, ...]:
        async with desk.pool.connection() as conn:
            return await ledger.outcomes(conn, tenant=desk.tenant, events=[(ticket_id, event_id)])

    return (await eventually(decided))[0].outcome


async def test_a_streamed_message_is_followed_up_also_after_the_retention(
    desk: RunningDesk,
) -> None:
    await closed_ticket(desk)
    await forget_run(desk)
    for event_id in ("m-1", "m-2", "m-1"):
        assert await stream(desk, BACK, event_id, "T-0") == "accepted"
    (followed_by,) = await follow_ups(desk)
    assert await messages_of(desk, followed_by) == ["m-1", "m-2"]


async def test_a_message_streamed_behind_a_reopen_stays_with_its_ticket(
    desk: RunningDesk,
) -> None:
    await closed_ticket(desk)
    reopen = Origin(KIM, "import", "r-1")
    await desk.gateway.stream(desk.tenant, "T-1", Command(EventKind.REOPEN), reopen)
    assert await stream(desk, BACK, "m-1") == "accepted"
    assert await messages_of(desk, "T-1") == ["m-1"]
    assert not await follow_ups(desk)


async def test_a_new_ticket_follows_up_only_one_that_is_there(desk: RunningDesk) -> None:
    new = NewTicket(subject="Again", ticket_id="T-2", follow_up_of="T-404")
    with pytest.raises(InputError, match="no ticket T-404 in"):
        await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
