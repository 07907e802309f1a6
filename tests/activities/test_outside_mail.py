import asyncio
import email
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd import smtp
from pydantic import SecretStr

from store.pool import Pool, open_pool
from tests.activities.test_outside import (
    EMAIL,
    TEXT,
    Receiver,
    hooked,
    intend_reply,
    park,
    perform,
    receiver,
    refusal,
    settings,
    standing,
)

__all__ = ["receiver"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@dataclass
class Mailbox:
    """An SMTP server's handler that answers DATA with `answers` in turn, then accepts."""

    answers: list[str] = field(default_factory=list)
    envelopes: list[smtp.Envelope] = field(default_factory=list)

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, server: smtp.SMTP, _session: smtp.Session, envelope: smtp.Envelope
    ) -> str:
        self.envelopes.append(envelope)
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer == "hang up" and server.transport is not None:
            server.transport.close()
        return answer

    def mails(self) -> list[EmailMessage]:
        """Return what has arrived, read as a mail program would."""
        contents = (envelope.original_content or b"" for envelope in self.envelopes)
        return [email.message_from_bytes(content, policy=default) for content in contents]


@asynccontextmanager
async def smtp_server(mailbox: Mailbox, **options: Any) -> AsyncIterator[str]:
    """Yield host and port of a real SMTP server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: smtp.SMTP(mailbox, loop=loop, hostname="test", **options), "127.0.0.1", 0
    )
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, max_size=2) as opened:
        yield opened


async def test_reply_by_mail_has_the_answered_subject_and_a_stable_message_id(pool: Pool) -> None:
    mailbox = Mailbox(answers=["451 later"])
    await intend_reply(pool)
    async with smtp_server(mailbox) as address:
        chosen = settings(smtp_url=f"smtp://{address}", mail_from="Hub <hub@shop.example>")
        error = await refusal(pool, chosen)
        assert (error.type, error.non_retryable) == ("DeliveryError", False)
        assert await standing(pool) == ("sending", "SMTP451", "queued")
        await perform(pool, chosen)
    first, second = (envelope.content for envelope in mailbox.envelopes)
    assert first == second
    assert mailbox.envelopes[1].rcpt_tos == [EMAIL]
    assert mailbox.envelopes[1].mail_from == "hub@shop.example"
    mail = mailbox.mails()[1]
    assert mail["Subject"] == "Re: Where is it?"
    assert mail["From"] == "Hub <hub@shop.example>"
    assert mail["Message-ID"].endswith("@shop.example>")
    assert mail.get_content().strip() == TEXT
    assert await standing(pool) == ("sent", "", "sent")


async def test_mail_refused_for_good_is_permanent(pool: Pool) -> None:
    mailbox = Mailbox(answers=[f"550 no such user {EMAIL}"])
    await intend_reply(pool)
    async with smtp_server(mailbox) as address:
        error = await refusal(pool, settings(smtp_url=f"smtp://{address}"))
    assert (error.type, error.non_retryable) == ("PermanentDelivery", True)
    assert EMAIL not in str(error)
    await park(pool, permanent=True)
    assert await standing(pool) == ("failed", "SMTP550", "failed")


async def test_mail_server_that_hangs_up_after_the_text_leaves_the_outcome_unknown(
    pool: Pool,
) -> None:
    mailbox = Mailbox(answers=["hang up"])
    await intend_reply(pool)
    async with smtp_server(mailbox) as address:
        error = await refusal(pool, settings(smtp_url=f"smtp://{address}"))
    assert error.type == "OutcomeUnknown"
    assert await standing(pool) == ("unknown", "OutcomeUnknown.ConnectionLost", "queued")


async def test_mail_server_that_is_down_is_retried(pool: Pool) -> None:
    await intend_reply(pool)
    error = await refusal(pool, settings(smtp_url="smtp://127.0.0.1:9"))
    assert (error.type, error.non_retryable) == ("DeliveryError", False)


@pytest.mark.parametrize("email", ["", "ida@x.example\r\nBcc: all@x.example", "a@b, c@d"])
async def test_customer_without_one_usable_address_gets_no_mail(pool: Pool, email: str) -> None:
    mailbox = Mailbox()
    await intend_reply(pool, email=email)
    async with smtp_server(mailbox) as address:
        error = await refusal(pool, settings(smtp_url=f"smtp://{address}"))
    assert error.type == "PermanentDelivery"
    assert mailbox.envelopes == []


async def test_chat_reply_leaves_by_the_webhook_though_mail_is_set_up(
    pool: Pool, receiver: Receiver
) -> None:
    await intend_reply(pool, channel="chat")
    chosen = hooked(receiver).model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:9")})
    await perform(pool, chosen)
    assert len(receiver.bodies) == 1


async def test_mail_and_channels_log_no_secret_and_no_address(
    pool: Pool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    await intend_reply(pool)
    await refusal(pool, settings(smtp_url="smtp://ida:pw-31@127.0.0.1:9"))
    async with pool.connection() as conn:
        await conn.execute("update effects set kind = 'notify'")
    await refusal(pool, settings(notify_urls=("json://u:pw-31@127.0.0.1:9/tok-77",)))
    said = caplog.text + "".join(capfd.readouterr())
    assert not [word for word in ("pw-31", "tok-77", EMAIL, TEXT) if word in said]


async def test_emoji_and_right_to_left_text_arrive_intact(pool: Pool) -> None:
    body = "مرحبا، طلبك جاهز 👩‍👩‍👧\n.en punkt först\n" + "å" * 3000
    mailbox = Mailbox()
    await intend_reply(pool, body=body, subject="أين طلبي؟ 👩‍👩‍👧", author="agent")
    async with smtp_server(mailbox) as address:
        await perform(pool, settings(smtp_url=f"smtp://{address}"))
    (mail,) = mailbox.mails()
    assert mail["Subject"] == "Re: أين طلبي؟ 👩‍👩‍👧"
    assert mail.get_content().splitlines() == body.splitlines()
    assert mail["Auto-Submitted"] is None


async def test_line_breaks_in_a_subject_make_no_header(pool: Pool) -> None:
    mailbox = Mailbox()
    subject = "Hi\r\nBcc: all@x.example\r\n\r\nBody\x0b\x85\u2028X-Evil: 1"
    await intend_reply(pool, subject=subject)
    async with smtp_server(mailbox) as address:
        await perform(pool, settings(smtp_url=f"smtp://{address}"))
    (mail,) = mailbox.mails()
    assert mail["Subject"] == "Re: Hi Bcc: all@x.example Body X-Evil: 1"
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mailbox.envelopes[0].rcpt_tos == [EMAIL]


async def test_address_beyond_ascii_is_used_where_the_server_can(pool: Pool) -> None:
    mailbox = Mailbox()
    await intend_reply(pool, email="åsa@räksmörgås.example")
    async with smtp_server(mailbox) as address:
        error = await refusal(pool, settings(smtp_url=f"smtp://{address}"))
        assert (error.type, mailbox.envelopes) == ("PermanentDelivery", [])
    async with smtp_server(mailbox, enable_SMTPUTF8=True) as address:
        await perform(pool, settings(smtp_url=f"smtp://{address}"))
    assert mailbox.envelopes[0].rcpt_tos == ["åsa@xn--rksmrgs-5wao1o.example"]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate of its own for 127.0.0.1."""
    key, made = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
        check=True,
        capture_output=True,
    )
    return key, made


async def test_text_and_password_leave_by_starttls_only_to_a_server_that_is_trusted(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, made = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    mailbox, logins = Mailbox(), []

    def log_in(_server: smtp.SMTP, session: smtp.Session, *rest: Any) -> smtp.AuthResult:
        logins.append((session.ssl is not None, rest[-1].login, rest[-1].password))
        return smtp.AuthResult(success=True)

    await intend_reply(pool)
    options = {"tls_context": context, "require_starttls": True, "authenticator": log_in}
    async with smtp_server(mailbox, **options) as address:
        chosen = settings(smtp_url=f"smtp://ida:p%40ss@{address}")
        error = await refusal(pool, chosen)
        assert (str(error), logins) == ("DeliveryError: smtp: TlsFailed", [])
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        await perform(pool, chosen)
    assert logins == [(True, b"ida", b"p@ss")]
    assert len(mailbox.envelopes) == 1
