"""What goes wrong around a ticket: dead databases, bad decisions, failing channels, long lives."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHistory
from temporalio.exceptions import ApplicationError

from activities.messages import EventResult
from embedded.temporal_server import RunningTemporal
from hub.drafts import Command, NewTicket, Origin
from store import automation, chronicle, effects, ledger, messages, parkings, views
from support.errors import (
    EventIdReusedError,
    InputError,
    LedgerError,
    RuntimeUnavailableError,
    TicketExistsError,
    TransitionRefusedError,
)
from support.model import Actor, ActorKind, Channel, EventKind, Priority, workflow_id
from support.needs import RuleAction
from support.work import Outside
from tests.fix_desk import CUSTOMER, KIM, RunningDesk, running_desk
from tests.waiting import eventually

ALL_WAYS = Outside(notify=True, reply=frozenset(Channel))
NOTIFY = RuleAction("tell", "notify", {"to": "channel", "template": "step"})


@pytest.fixture
async def open_desk(
    temporal_client: Client, database_url: str, task_queue: str
) -> AsyncIterator[RunningDesk]:
    """A desk with every way out."""
    async with running_desk(temporal_client, database_url, task_queue, outside=ALL_WAYS) as running:
        yield running


async def create(desk: RunningDesk) -> None:
    new = NewTicket(subject="No sound", ticket_id="T-1")
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web", event_id="e-0")


async def do(desk: RunningDesk, kind: EventKind, event_id: str = "", text: str = "") -> object:
    command = Command(kind, text=text)
    return await desk.gateway.command(
        desk.tenant, "T-1", command, actor=KIM, source="cli", event_id=event_id
    )


async def history(desk: RunningDesk) -> WorkflowHistory:
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
    return await handle.fetch_history()


async def ticket(desk: RunningDesk) -> views.TicketView:
    async with desk.pool.connection() as conn:
        return await views.ticket(conn, tenant=desk.tenant, ticket_id="T-1")


async def test_an_event_that_cannot_be_decided_parks_and_stops_nobody(desk: RunningDesk) -> None:
    await create(desk)
    desk.rules.failure = LedgerError("rules say nonsense")
    with pytest.raises(RuntimeUnavailableError, match="LedgerError: rules say nonsense"):
        await do(desk, EventKind.NOTE, "n-1", "first")
    assert (await ticket(desk)).parked == "LedgerError: rules say nonsense"
    desk.rules.failure = None
    await do(desk, EventKind.NOTE, "n-2", "second")
    assert await desk.gateway.retry(desk.tenant, "T-1") == ("n-1",)

    async def decided() -> bool:
        async with desk.pool.connection() as conn:
            found = await ledger.outcomes(conn, tenant=desk.tenant, events=[("T-1", "n-1")])
        return bool(found)

    assert await eventually(decided)


async def test_a_ticket_whose_creation_cannot_be_decided_is_not_lost(desk: RunningDesk) -> None:
    desk.rules.failure = LedgerError("rules say nonsense")
    with pytest.raises(RuntimeUnavailableError):
        await create(desk)
    async with desk.pool.connection() as conn:
        parked = await parkings.parked(conn, tenant=desk.tenant)
    assert [(p.ticket_id, p.trigger_id) for p in parked] == [("T-1", "e-0")]
    desk.rules.failure = None
    assert await desk.gateway.retry(desk.tenant, "T-1") == ("e-0",)

    async def there() -> bool:
        async with desk.pool.connection() as conn:
            found = await ledger.snapshot(conn, tenant=desk.tenant, ticket_id="T-1")
        return found is not None

    await eventually(there)
    async with desk.pool.connection() as conn:
        assert not await parkings.parked(conn, tenant=desk.tenant)


async def test_a_close_does_not_throw_away_what_is_parked(desk: RunningDesk) -> None:
    await create(desk)
    desk.rules.failure = LedgerError("rules say nonsense")
    with pytest.raises(RuntimeUnavailableError):
        await do(desk, EventKind.NOTE, "n-1", "first")
    desk.rules.failure = None
    await do(desk, EventKind.RESOLVE)
    await do(desk, EventKind.CLOSE)
    assert await desk.gateway.retry(desk.tenant, "T-1") == ("n-1",)
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
    assert await handle.result() == "closed"
    async with desk.pool.connection() as conn:
        found = await ledger.outcomes(conn, tenant=desk.tenant, events=[("T-1", "n-1")])
    assert [o.outcome for o in found] == ["refused"]


@pytest.mark.parametrize("state", ["intended", "parked", "failed", "unknown"])
async def test_what_did_not_get_out_is_sent_by_retry(open_desk: RunningDesk, state: str) -> None:
    await create(open_desk)
    key = f"{workflow_id(open_desk.tenant, 'T-1')}/9/0"
    async with open_desk.pool.connection() as conn:
        row = effects.EffectRow(key, open_desk.tenant, "T-1", "notify", {}, datetime.now(UTC))
        await effects.intend(conn, row)
        await effects.settle(conn, action_key=key, state=state, error="HTTP500")
    assert await open_desk.gateway.retry(open_desk.tenant, "T-1") == (key,)

    async def sent() -> bool:
        return open_desk.outside.done == [key]

    await eventually(sent)


async def test_one_event_id_is_one_event(desk: RunningDesk) -> None:
    await create(desk)
    await do(desk, EventKind.ACK, "e-1")
    with pytest.raises(EventIdReusedError, match="was a ack"):
        await do(desk, EventKind.REPLY, "e-1", "this would be lost")
    await do(desk, EventKind.NOTE, "e-2", "one text")
    with pytest.raises(EventIdReusedError):
        await do(desk, EventKind.NOTE, "e-2", "another text")


async def test_one_event_id_is_one_event_also_where_it_has_no_text(desk: RunningDesk) -> None:
    await create(desk)

    async def priority(wanted: Priority) -> EventResult:
        command = Command(EventKind.PRIORITY, priority=wanted)
        return await desk.gateway.command(
            desk.tenant, "T-1", command, actor=KIM, source="cli", event_id="p-1"
        )

    first = await priority(Priority.URGENT)
    assert await priority(Priority.URGENT) == first
    with pytest.raises(EventIdReusedError, match="was a priority"):
        await priority(Priority.LOW)
    other = NewTicket(subject="No sound", ticket_id="T-1", priority=Priority.HIGH)
    with pytest.raises(EventIdReusedError, match="was a created"):
        await desk.gateway.create(desk.tenant, other, actor=CUSTOMER, source="web", event_id="e-0")


async def test_other_content_at_once_under_one_event_id_is_refused(desk: RunningDesk) -> None:
    await create(desk)
    texts = [f"text {number}" for number in range(6)]
    answers = await asyncio.gather(
        *(do(desk, EventKind.NOTE, "n-1", text) for text in texts), return_exceptions=True
    )
    accepted = [answer for answer in answers if isinstance(answer, EventResult)]
    assert len(accepted) == 1
    assert sum(isinstance(answer, EventIdReusedError) for answer in answers) == 5


async def test_a_refused_text_is_not_sent_under_a_used_id(desk: RunningDesk) -> None:
    await create(desk)
    await do(desk, EventKind.RESOLVE)
    await do(desk, EventKind.CLOSE)
    await desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1")).result()
    with pytest.raises(TransitionRefusedError):
        await do(desk, EventKind.REPLY, "r-1", "version one")
    await do(desk, EventKind.REOPEN)
    await do(desk, EventKind.REPLY, "r-1", "version two")
    async with desk.pool.connection() as conn:
        entries = await chronicle.timeline(conn, tenant=desk.tenant, ticket_id="T-1")
    said = [e.text.body for e in entries if isinstance(e, chronicle.EventEntry) and e.text]
    assert said[-1] == "version two"


async def test_a_refused_ticket_changes_nobodys_address(desk: RunningDesk) -> None:
    for email, expected in (("ada@good.example", True), ("eve@evil.example", False)):
        new = NewTicket(subject="No sound", ticket_id="T-1", customer_email=email)
        try:
            await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
        except TicketExistsError:
            assert not expected
    async with desk.pool.connection() as conn:
        customer = await messages.customer_of(conn, tenant=desk.tenant, ticket_id="T-1")
    assert customer is not None
    assert customer.email == "ada@good.example"


async def test_a_repeated_create_makes_one_ticket(desk: RunningDesk) -> None:
    results = [
        await desk.gateway.create(
            desk.tenant, NewTicket(subject="No sound"), actor=CUSTOMER, source="api", event_id="c-1"
        )
        for _ in range(2)
    ]
    assert results[0] == results[1]


async def test_messages_after_close_go_to_one_follow_up_that_knows_the_ticket(
    desk: RunningDesk,
) -> None:
    new = NewTicket(
        subject="No sound", ticket_id="T-1", priority=Priority.URGENT, skills=("hifi",), tier="gold"
    )
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    await do(desk, EventKind.RESOLVE)
    await do(desk, EventKind.CLOSE)
    await desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1")).result()

    async def write(event_id: str) -> EventResult:
        message = Command(EventKind.CUSTOMER_MESSAGE, text="It is back")
        return await desk.gateway.command(
            desk.tenant, "T-1", message, actor=CUSTOMER, source="mail", event_id=event_id
        )

    first = await write("m-1")
    assert (first.priority, (await write("m-2")).ticket_id) == ("urgent", first.ticket_id)
    await do(desk, EventKind.REOPEN)
    assert await write("m-1") == first


@pytest.mark.parametrize("who", ["kim@acme.example", "Kim Andersson", ""])
async def test_actors_are_named_by_reference(desk: RunningDesk, who: str) -> None:
    await create(desk)
    with pytest.raises(InputError, match="actor"):
        await desk.gateway.command(
            desk.tenant,
            "T-1",
            Command(EventKind.ACK),
            actor=Actor(ActorKind.AGENT, who),
            source="x",
        )


@pytest.mark.parametrize("event_id", ["auto.1.0", "failed.r-1"])
async def test_ids_of_the_hub_itself_are_not_taken_from_outside(
    desk: RunningDesk, event_id: str
) -> None:
    with pytest.raises(InputError, match="own"):
        await do(desk, EventKind.NOTE, event_id, "text")


async def test_a_database_that_is_away_only_delays(desk: RunningDesk) -> None:
    await create(desk)
    desk.rules.failure = ConnectionError("away")
    waiting = asyncio.create_task(do(desk, EventKind.NOTE, "n-1", "patience"))

    async def tried() -> bool:
        return len(desk.rules.asked) >= 4

    await eventually(tried)
    desk.rules.failure = None
    await waiting
    assert (await ticket(desk)).decision_seq == 2


async def test_effects_are_performed_once_under_their_keys(open_desk: RunningDesk) -> None:
    open_desk.rules.actions = [NOTIFY]
    await create(open_desk)
    open_desk.rules.actions = []
    await do(open_desk, EventKind.REPLY, "r-1", "Try the other cable")

    async def both() -> bool:
        return len(open_desk.outside.done) == 2

    await eventually(both)
    prefix = workflow_id(open_desk.tenant, "T-1")
    assert sorted(open_desk.outside.done) == [f"{prefix}/1/0", f"{prefix}/2/0"]


async def test_a_failing_channel_never_blocks_the_ticket(open_desk: RunningDesk) -> None:
    open_desk.outside.failure = ConnectionError("the relay is away")
    open_desk.rules.actions = [NOTIFY]
    await create(open_desk)
    open_desk.rules.actions = []
    await do(open_desk, EventKind.RESOLVE)
    assert (await ticket(open_desk)).status == "resolved"


async def test_a_reply_that_cannot_arrive_brings_the_ticket_back(open_desk: RunningDesk) -> None:
    await create(open_desk)
    open_desk.outside.failure = ApplicationError(
        "no such mailbox", type="PermanentDelivery", non_retryable=True
    )
    await do(open_desk, EventKind.REPLY, "r-1", "Try the other cable")

    async def failed() -> bool:
        async with open_desk.pool.connection() as conn:
            found = await ledger.outcomes(
                conn, tenant=open_desk.tenant, events=[("T-1", "failed.r-1")]
            )
        return bool(found)

    assert await eventually(failed)
    assert [f.permanent for f in open_desk.outside.parked] == [True]
    assert open_desk.rules.asked[-1]["unanswered"] is True


async def test_intents_are_in_the_ledger_before_anything_is_sent(open_desk: RunningDesk) -> None:
    open_desk.outside.failure = ConnectionError("the relay is away")
    open_desk.rules.actions = [NOTIFY]
    await create(open_desk)
    key = f"{workflow_id(open_desk.tenant, 'T-1')}/1/0"
    async with open_desk.pool.connection() as conn:
        begun = await effects.begin(conn, action_key=key)
    assert begun is not None
    assert begun.params["template"] == "step"


async def test_nothing_that_people_wrote_is_in_temporal(open_desk: RunningDesk) -> None:
    new = NewTicket(
        subject="Secret subject",
        body="Secret body",
        ticket_id="T-1",
        customer_name="Ylva Secretname",
        customer_email="ylva@secret.example",
    )
    await open_desk.gateway.create(open_desk.tenant, new, actor=CUSTOMER, source="web")
    await do(open_desk, EventKind.REPLY, "r-1", "Secret answer")
    await do(open_desk, EventKind.NOTE, "n-1", "Secret note")
    text = (await history(open_desk)).to_json().lower()
    assert "secret" not in text
    assert "ylva" not in text


async def test_a_plain_ticket_is_short_in_history(desk: RunningDesk) -> None:
    desk.rules.actions = [RuleAction("assign-new", "assign", {})]
    await create(desk)
    desk.rules.actions = []
    await do(desk, EventKind.ACK)
    await do(desk, EventKind.REPLY, text="Try the other cable")
    await do(desk, EventKind.RESOLVE)
    await do(desk, EventKind.CLOSE)
    events = (await history(desk)).events
    assert len(events) <= 60
    assert sum(event.ByteSize() for event in events) <= 32 * 1024


async def test_the_stop_switch_keeps_decisions_on_record_and_does_nothing(
    open_desk: RunningDesk,
) -> None:
    async with open_desk.pool.connection() as conn:
        await automation.move(
            conn, tenant=open_desk.tenant, stopped=True, by="kim", reason="too many mails"
        )
    open_desk.rules.actions = [NOTIFY, RuleAction("assign-new", "assign", {})]
    await create(open_desk)
    async with open_desk.pool.connection() as conn:
        entries = await chronicle.timeline(conn, tenant=open_desk.tenant, ticket_id="T-1")
    decision = next(e for e in entries if isinstance(e, chronicle.DecisionEntry))
    assert [a["detail"] for a in decision.actions] == ["automation is stopped"] * 2
    assert not (await ticket(open_desk)).owner


BAD_TEXTS = ["", "   ", "x" * 501, "x" * 1_000_000, "nul \x00 character", "lone \ud800 surrogate"]


@pytest.mark.parametrize("subject", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
async def test_a_subject_that_cannot_be_kept_is_refused(desk: RunningDesk, subject: str) -> None:
    new = NewTicket(subject=subject, ticket_id="T-1")
    with pytest.raises(InputError) as refused:
        await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("subject", ["🔇 no sound 👩‍💻", "لا يوجد صوت", "\u202eevitcepsorter"])
async def test_emoji_and_right_to_left_text_come_back_as_they_were(
    desk: RunningDesk, subject: str
) -> None:
    new = NewTicket(subject=subject, ticket_id="T-1")
    await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    assert (await ticket(desk)).subject == subject


@pytest.mark.parametrize("year", [1970, 2999])
async def test_an_impossible_time_is_refused_and_on_record(desk: RunningDesk, year: int) -> None:
    await create(desk)
    at = datetime(year, 1, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="occurred_at"):
        await desk.gateway.command_as(
            desk.tenant, "T-1", Command(EventKind.ACK), Origin(KIM, "cli", "a-1", at)
        )
    async with desk.pool.connection() as conn:
        found = await ledger.outcomes(conn, tenant=desk.tenant, events=[("T-1", "a-1")])
    assert [o.outcome for o in found] == ["refused"]


async def test_a_stray_event_is_on_record_and_its_run_ends(desk: RunningDesk) -> None:
    origin = Origin(KIM, "import", "s-1")
    await desk.gateway.stream(desk.tenant, "T-9", Command(EventKind.ACK), origin)
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-9"))
    assert await handle.result() == "unknown"
    async with desk.pool.connection() as conn:
        found = await ledger.outcomes(conn, tenant=desk.tenant, events=[("T-9", "s-1")])
    assert [o.outcome for o in found] == ["refused"]
    new = NewTicket(subject="Now for real", ticket_id="T-9")
    created = await desk.gateway.create(desk.tenant, new, actor=CUSTOMER, source="web")
    assert created.decision_seq == 1


async def test_a_long_life_continues_as_new_and_repeats_still_get_the_first_result(
    short_lived_runs: RunningTemporal, database_url: str, task_queue: str
) -> None:
    server = short_lived_runs
    client = await Client.connect(server.address, namespace=server.namespace)
    async with running_desk(client, database_url, task_queue) as desk:
        await create(desk)
        first = await do(desk, EventKind.NOTE, "n-0", "first")
        handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
        run_id = (await handle.describe()).run_id
        for i in range(1, 25):
            await do(desk, EventKind.NOTE, f"n-{i}", "more")

        async def continued() -> bool:
            return (await handle.describe()).run_id != run_id

        assert await eventually(continued)
        kinds = [e.event_type for e in (await handle.fetch_history()).events]
        assert EventType.EVENT_TYPE_TIMER_STARTED in kinds
        assert await do(desk, EventKind.NOTE, "n-0", "first") == first
        assert (await ticket(desk)).decision_seq == 26


async def test_a_close_waits_for_what_is_still_being_sent(open_desk: RunningDesk) -> None:
    open_desk.outside.failure = ConnectionError("the relay is away")
    open_desk.rules.actions = [NOTIFY]
    await create(open_desk)
    open_desk.rules.actions = []
    await do(open_desk, EventKind.RESOLVE)
    await do(open_desk, EventKind.CLOSE)
    handle = open_desk.client.get_workflow_handle(workflow_id(open_desk.tenant, "T-1"))
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    open_desk.outside.failure = None
    assert await handle.result() == "closed"


async def test_stale_commands_at_once_are_answered_and_wedge_nothing(desk: RunningDesk) -> None:
    await create(desk)
    answers = await asyncio.gather(
        do(desk, EventKind.RESOLVE, "r-1"),
        do(desk, EventKind.REPLY, "r-2", "Try the other cable"),
        do(desk, EventKind.RESOLVE, "r-3"),
        return_exceptions=True,
    )
    refused = [a for a in answers if isinstance(a, BaseException)]
    assert all(isinstance(a, TransitionRefusedError) for a in refused)
    first, _, second = answers
    if isinstance(first, EventResult) and isinstance(second, EventResult):
        # The earlier one came in second: it counts where it belongs, before the other.
        assert second.decision_seq < first.decision_seq
    else:
        assert len(refused) == 1
    assert (await ticket(desk)).status == "resolved"


async def test_the_timer_is_armed_again_only_for_an_earlier_deadline(desk: RunningDesk) -> None:
    async def timers() -> tuple[int, int]:
        kinds = [e.event_type for e in (await history(desk)).events]
        return (
            kinds.count(EventType.EVENT_TYPE_TIMER_STARTED),
            kinds.count(EventType.EVENT_TYPE_TIMER_CANCELED),
        )

    await create(desk)
    assert await timers() == (1, 0)
    await desk.gateway.command(
        desk.tenant,
        "T-1",
        Command(EventKind.PRIORITY, priority=Priority.URGENT),
        actor=KIM,
        source="cli",
    )
    assert await timers() == (2, 1)
    await do(desk, EventKind.REPLY, text="the next deadline is later")
    assert await timers() == (2, 1)


async def test_the_temporal_ui_tells_the_story(desk: RunningDesk) -> None:
    desk.rules.actions = [RuleAction("assign-new", "assign", {})]
    await create(desk)
    handle = desk.client.get_workflow_handle(workflow_id(desk.tenant, "T-1"))
    shown = await handle.describe()
    assert await shown.static_summary() == f"normal web ticket T-1 of {desk.tenant}"
    attributes = {pair.key.name: pair.value for pair in shown.typed_search_attributes}
    assert attributes["Tenant"] == desk.tenant
    assert (attributes["Priority"], attributes["Owner"]) == ("normal", "kim")
    assert (attributes["SlaState"], "NextDeadline" in attributes) == ("running", True)
    details = await handle.query("__temporal_workflow_metadata")
    assert "owner: kim" in str(details)
    assert "first response at 75% of its target" in str(details)
    summaries = [e.user_metadata.summary.data.decode() for e in (await history(desk)).events]
    assert '"first response at 75% of its target"' in summaries
    assert '"decide created"' in summaries
