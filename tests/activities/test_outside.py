import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.messages import EffectFailure
from activities.outside import OutsideActivities, ways_out
from settings import Settings
from store import automation, effects, messages
from store.effects import EffectRow
from store.messages import Customer, Message
from store.pool import Pool, open_pool
from support.errors import InputError
from support.model import Channel

# Apprise imports every plugin at first use, and one of them what Python 3.13 has removed.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = "ticket/global/T-1/3/0"
SECRET = "wh-secret-9f2"
TEXT = "Your parcel is at 12 Elm Street."
EMAIL = "ida@customer.example"


@dataclass
class Receiver:
    """An HTTP server that answers with `statuses` in turn, 200 after them; 0 hangs up instead."""

    statuses: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in fields}
        self.bodies.append(await reader.readexactly(int(headers["content-length"])))
        self.headers.append(headers)
        status = self.statuses.pop(0) if self.statuses else 200
        if status:
            where = f"Location: {self.url}/elsewhere\r\n" if status == 302 else ""
            answer = f"HTTP/1.1 {status} X\r\n{where}Content-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(answer.encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?token=tok-77"
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, max_size=2) as opened:
        yield opened


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def hooked(receiver: Receiver) -> Settings:
    return settings(webhook_url=receiver.url, webhook_secret=SECRET)


async def intend_notify(pool: Pool, **more: str) -> None:
    params = {"to": ["kim"], "role": "lead", "template": "breach-internal", **more}
    async with pool.connection() as conn:
        await effects.intend(conn, EffectRow(KEY, "global", "T-1", "notify", params, AT))


async def intend_reply(
    pool: Pool,
    *,
    body: str = TEXT,
    subject: str = "Where is it?",
    email: str = EMAIL,
    channel: str = "email",
    author: str = "rule",
) -> None:
    async with pool.connection() as conn:
        await messages.add_customer(conn, Customer("global", "C-1", "Ida", email, "sv"))
        await conn.execute(
            "insert into tickets (tenant, ticket_id, run_id, channel, priority, status, team,"
            " customer_id, opening_ref, created_at, changed_at, active, breached, breached_held,"
            " escalation_due, sla_state, decision_seq, state)"
            " values ('global', 'T-1', 'r', %s, 'normal', 'open', '', 'C-1', 'm.0', %s, %s,"
            " true, false, false, false, 'ok', 3, '{}')",
            (channel, AT, AT),
        )
        opening = Message("global", "T-1", "m.0", "opening", "customer", "C-1", AT, subject)
        reply = Message("global", "T-1", "m.1", "reply", author, "r", AT, "", body, "queued")
        await messages.add(conn, opening)
        await messages.add(conn, reply)
        row = EffectRow(KEY, "global", "T-1", "reply", {"message_ref": "m.1"}, AT)
        await effects.intend(conn, row)


async def perform(pool: Pool, chosen: Settings, *reached: str) -> list[tuple[Any, ...]]:
    """Perform the action as Temporal would, and return the heartbeats."""
    environment = ActivityEnvironment()
    beats: list[tuple[Any, ...]] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    environment.info = environment.info.__class__(
        **{**environment.info.__dict__, "heartbeat_details": reached}
    )
    await environment.run(OutsideActivities(pool, chosen).perform, KEY)
    return beats


async def refusal(pool: Pool, chosen: Settings) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await perform(pool, chosen)
    assert caught.value.__cause__ is None
    return caught.value


async def park(pool: Pool, *, permanent: bool = False) -> None:
    failure = EffectFailure(KEY, "DeliveryError", permanent)
    await ActivityEnvironment().run(OutsideActivities(pool, settings()).park, failure)


async def standing(pool: Pool) -> tuple[str, str, str]:
    """Return the action's state, its last error, and its message's delivery."""
    async with pool.connection() as conn:
        cursor = await conn.execute(
            "select e.state, e.last_error, coalesce(m.delivery, '') as delivery from effects as e"
            " left join messages as m on m.tenant = e.tenant and m.ticket_id = e.ticket_id"
            " and m.message_ref = 'm.1' where e.action_key = %s",
            (KEY,),
        )
        row = await cursor.fetchone()
    assert row is not None
    return row["state"], row["last_error"], row["delivery"]


async def test_notification_is_signed_and_carries_references_only(
    pool: Pool, receiver: Receiver
) -> None:
    await intend_notify(pool)
    await perform(pool, hooked(receiver))
    headers, body = receiver.headers[0], receiver.bodies[0]
    signed = headers["x-flowhub-timestamp"].encode() + b"." + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-flowhub-signature"] == f"v1={expected}"
    assert json.loads(body) == {
        "version": 1,
        "kind": "notify",
        "key": KEY,
        "tenant": "global",
        "ticket_id": "T-1",
        "created_at": "2026-03-02T09:00:00+00:00",
        "to": ["kim"],
        "role": "lead",
        "template": "breach-internal",
    }
    assert await standing(pool) == ("sent", "", "")


async def test_server_error_is_retried_with_the_same_key_and_body(
    pool: Pool, receiver: Receiver
) -> None:
    receiver.statuses = [500, 429]
    await intend_notify(pool)
    for status in (500, 429):
        error = await refusal(pool, hooked(receiver))
        assert (error.type, error.non_retryable) == ("DeliveryError", False)
        assert await standing(pool) == ("sending", f"HTTP{status}", "")
    await perform(pool, hooked(receiver))
    assert {headers["x-flowhub-key"] for headers in receiver.headers} == {KEY}
    assert [headers["idempotency-key"] for headers in receiver.headers] == [KEY] * 3
    assert len(set(receiver.bodies)) == 1
    assert (await standing(pool))[0] == "sent"


@pytest.mark.parametrize("status", [400, 404, 410, 302])
async def test_refusal_for_good_and_redirect_are_permanent(
    pool: Pool, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    await intend_reply(pool, channel="chat")
    error = await refusal(pool, hooked(receiver))
    assert (error.type, error.non_retryable) == ("PermanentDelivery", True)
    assert await standing(pool) == ("failed", f"HTTP{status}", "failed")
    assert len(receiver.bodies) == 1


async def test_sent_action_is_not_sent_again(pool: Pool, receiver: Receiver) -> None:
    await intend_reply(pool, channel="chat")
    await perform(pool, hooked(receiver))
    await perform(pool, hooked(receiver))
    await park(pool)
    assert len(receiver.bodies) == 1
    assert await standing(pool) == ("sent", "", "sent")


async def test_connection_lost_after_sending_is_unknown_until_it_is_sent(
    pool: Pool, receiver: Receiver
) -> None:
    receiver.statuses = [0, 503]
    await intend_reply(pool, channel="chat")
    error = await refusal(pool, hooked(receiver))
    assert (error.type, error.non_retryable) == ("OutcomeUnknown", False)
    assert await standing(pool) == ("unknown", "OutcomeUnknown.ConnectionLost", "queued")
    assert (await refusal(pool, hooked(receiver))).type == "OutcomeUnknown"
    await park(pool)
    assert await standing(pool) == ("unknown", "OutcomeUnknown.HTTP503", "unknown")
    await perform(pool, hooked(receiver))
    assert await standing(pool) == ("sent", "", "sent")


async def test_worker_that_dies_while_sending_leaves_an_unknown_outcome(
    pool: Pool, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await intend_reply(pool, channel="chat")
    release = asyncio.Event()

    async def hold(*_: object, **__: object) -> None:
        release.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("activities.outside.webhook.post", hold)
    activities = OutsideActivities(pool, hooked(receiver))
    attempt = asyncio.create_task(ActivityEnvironment().run(activities.perform, KEY))
    await release.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert (await standing(pool))[0] == "sending"
    await park(pool)
    assert await standing(pool) == ("unknown", "OutcomeUnknown", "unknown")


async def test_unreachable_receiver_is_retried_and_then_parked(pool: Pool) -> None:
    await intend_reply(pool, channel="phone")
    chosen = settings(webhook_url="http://127.0.0.1:9/hook", webhook_secret=SECRET)
    error = await refusal(pool, chosen)
    assert (error.type, error.non_retryable) == ("DeliveryError", False)
    assert await standing(pool) == ("sending", "Unreachable", "queued")
    await park(pool)
    assert await standing(pool) == ("parked", "Unreachable", "parked")


async def test_reply_that_failed_for_good_arrives_once_its_way_is_mended(
    pool: Pool, receiver: Receiver
) -> None:
    await intend_reply(pool, channel="chat")
    receiver.statuses = [404]
    await refusal(pool, hooked(receiver))
    assert await standing(pool) == ("failed", "HTTP404", "failed")
    await perform(pool, hooked(receiver))
    assert await standing(pool) == ("sent", "", "sent")


async def test_action_that_no_worker_took_is_parked_with_the_kind_of_its_failure(
    pool: Pool,
) -> None:
    await intend_reply(pool)
    await park(pool)
    assert await standing(pool) == ("parked", "DeliveryError", "parked")


async def test_reply_by_webhook_carries_text_and_recipient(pool: Pool, receiver: Receiver) -> None:
    text = "مرحبا 👩‍👩‍👧\nرد"
    await intend_reply(pool, channel="chat", body=text)
    await perform(pool, hooked(receiver))
    body = json.loads(receiver.bodies[0])
    assert body["text"] == text
    assert body["subject"] == "Where is it?"
    assert body["recipient"] == {
        "customer_id": "C-1",
        "name": "Ida",
        "email": EMAIL,
        "locale": "sv",
    }


async def test_the_text_of_a_rule_is_shown_with_a_notification(
    pool: Pool, receiver: Receiver
) -> None:
    await intend_notify(pool, text="T-1, urgent: late")
    channel = receiver.url.replace("http://", "json://")
    chosen = settings(webhook_url=receiver.url, webhook_secret=SECRET, notify_urls=(channel,))
    await perform(pool, chosen)
    hook, told = (json.loads(body) for body in receiver.bodies)
    assert hook["text"] == "T-1, urgent: late"
    assert told["message"] == ("T-1, urgent: late\nbreach-internal: ticket T-1 of global, for lead")


async def test_channels_are_told_ids_and_reached_ones_are_left_out_of_a_retry(
    pool: Pool, receiver: Receiver
) -> None:
    channel = receiver.url.replace("http://", "json://")
    dead = "json://127.0.0.1:9/"
    await intend_notify(pool)
    beats: list[tuple[Any, ...]] = []
    with pytest.raises(ApplicationError):
        beats = await perform(pool, settings(notify_urls=(channel, dead)))
    assert await standing(pool) == ("sending", "NotTaken", "")
    assert beats == []
    told = json.loads(receiver.bodies[0])["message"]
    assert told == "breach-internal: ticket T-1 of global, for lead"
    beats = await perform(pool, settings(notify_urls=(channel, channel)), "channel.0")
    assert beats == [("channel.0", "channel.1")]
    assert len(receiver.bodies) == 2
    assert (await standing(pool))[0] == "sent"


@pytest.mark.parametrize("statuses", [[], [500], [0], [400]])
async def test_neither_logs_nor_errors_hold_a_secret_an_address_or_a_text(
    pool: Pool, receiver: Receiver, statuses: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.statuses = statuses
    await intend_reply(pool, channel="chat", subject="Private subject")
    said = ""
    try:
        await perform(pool, hooked(receiver))
    except ApplicationError as error:
        said = f"{error!r} {error} {error.details}"
    for hidden in (SECRET, "tok-77", TEXT, EMAIL, "Ida", "Private subject"):
        assert hidden not in said
        assert hidden not in caplog.text


async def test_unexpected_error_is_named_by_its_class_alone(
    pool: Pool, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError(EMAIL)

    monkeypatch.setattr("activities.outside.webhook.reply_body", fail)
    await intend_reply(pool, channel="chat")
    error = await refusal(pool, hooked(receiver))
    assert (str(error), error.non_retryable) == ("OutcomeUnknown: RuntimeError", False)


async def test_store_that_fails_is_retried_without_its_words(
    pool: Pool, receiver: Receiver
) -> None:
    await intend_reply(pool, channel="chat")
    async with pool.connection() as conn:
        await conn.execute("alter table effects rename to gone")
    error = await refusal(pool, hooked(receiver))
    assert (error.type, error.non_retryable) == ("StoreUnavailable", False)
    assert "effects" not in str(error)


async def test_unknown_key_is_permanent(pool: Pool) -> None:
    error = await refusal(pool, settings())
    assert (error.type, error.non_retryable) == ("LedgerError", True)


def test_ways_out_follow_the_settings() -> None:
    written = {Channel.EMAIL, Channel.WEB, Channel.API}
    assert ways_out(settings()).reply == frozenset()
    assert not ways_out(settings(smtp_url="smtp://mail.example")).notify
    assert ways_out(settings(smtp_url="smtp://mail.example")).reply == written
    hook = ways_out(settings(webhook_url="https://x.example/", webhook_secret="s"))
    assert hook.notify
    assert hook.reply == set(Channel)
    assert ways_out(settings(notify_urls=("json://x.example",))).notify


@pytest.mark.parametrize(
    "values",
    [
        {"webhook_url": "https://tok-77.example/"},
        {"webhook_url": "ftp://tok-77.example/", "webhook_secret": "s"},
        {"webhook_url": "https://tok-77.example:port/", "webhook_secret": "s"},
        {"smtp_url": "imap://tok-77.example"},
        {"smtp_url": "smtp://tok-77.example:port"},
        {"smtp_url": "smtp://mail.example", "mail_from": "tok-77"},
        {"notify_urls": ("nonsense-tok-77",)},
    ],
)
def test_settings_that_cannot_send_are_refused_without_being_quoted(values: Any) -> None:
    with pytest.raises(InputError, match="cannot be used") as caught:
        ways_out(settings(**values))
    assert "tok-77" not in str(caught.value)


async def test_the_stop_switch_is_read_again_when_an_effect_executes(
    pool: Pool, receiver: Receiver
) -> None:
    params = {"to": ["kim"], "role": "lead", "template": "step-75", "automatic": True}
    async with pool.connection() as conn:
        await effects.intend(conn, EffectRow(KEY, "global", "T-1", "notify", params, AT))
        await automation.move(conn, tenant="global", stopped=True, by="kim", reason="enough")
    await perform(pool, hooked(receiver))
    assert not receiver.bodies
    assert (await standing(pool))[:2] == ("parked", "AutomationStopped")
