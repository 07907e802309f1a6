"""The signed webhook: notifications and replies as JSON that the receiver can verify.

The signature is the hexadecimal HMAC-SHA256 of timestamp, full stop and body. The body of an action
is the same at every attempt, and its key is in `Idempotency-Key`: a receiver that remembers keys
takes each action once.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from activities.outside.errand import Letter, Standing
from activities.outside.failures import hopeless, refused, uncertain
from settings import Settings

WAY = "webhook"
LIMIT_S = 30.0
_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_WORTH_REPEATING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, repr=False)
class Webhook:
    """Where the hub posts, and the key it signs with."""

    url: str
    secret: bytes


def webhook(settings: Settings) -> Webhook | None:
    """Return the webhook of the settings, or None without one.

    Raises DeliveryError, not retryable, if its URL is no HTTP URL or it has no secret.
    """
    url = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
    if not url:
        return None
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    if not secret:
        raise hopeless(WAY, "NoSecret")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        sound = False
    if not sound:
        raise hopeless(WAY, "BadUrl")
    return Webhook(url, secret.encode())


def notification_body(standing: Standing) -> bytes:
    """Return the JSON of a notification: references, and the text of its rule where it has one."""
    text = standing.params.get("text", "")
    return _json(
        {
            **_head(standing),
            "to": list(standing.params.get("to", ())),
            "role": standing.params.get("role", ""),
            "template": standing.params.get("template", ""),
            **({"text": text} if text else {}),
        }
    )


def reply_body(standing: Standing, letter: Letter) -> bytes:
    """Return the JSON of a public reply, with its text and whom it is for."""
    customer = letter.customer
    return _json(
        {
            **_head(standing),
            "channel": standing.channel,
            "message_ref": standing.message_ref,
            "recipient": {
                "customer_id": customer.customer_id if customer else "",
                "name": customer.name if customer else "",
                "email": customer.email if customer else "",
                "locale": customer.locale if customer else "",
            },
            "subject": letter.subject,
            "text": letter.message.body,
        }
    )


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of `X-FlowHub-Signature`; `timestamp` is in Unix seconds."""
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


async def post(hook: Webhook, *, key: str, body: bytes) -> None:
    """Post `body` under its key; the answer's content is not read, redirects are not followed.

    Raises DeliveryError: not retryable for 3xx and 4xx other than 408, 425 and 429.
    """
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "X-FlowHub-Key": key,
        "X-FlowHub-Timestamp": timestamp,
        "X-FlowHub-Signature": signature(hook.secret, timestamp, body),
    }
    try:
        async with asyncio.timeout(LIMIT_S):
            status = await _status(hook.url, headers, body)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError):
        raise refused(WAY, "Unreachable") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
        raise hopeless(WAY, "BadUrl") from None
    except (httpx.HTTPError, TimeoutError):
        raise uncertain(WAY, "ConnectionLost") from None
    if 200 <= status < 300:
        return
    if status >= 500 or status in _WORTH_REPEATING:
        raise refused(WAY, f"HTTP{status}")
    raise hopeless(WAY, f"HTTP{status}")


async def _status(url: str, headers: Mapping[str, str], body: bytes) -> int:
    async with (
        httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
        client.stream("POST", url, headers=headers, content=body) as answer,
    ):
        return answer.status_code


def _head(standing: Standing) -> dict[str, object]:
    return {
        "version": 1,
        "kind": standing.kind,
        "key": standing.action_key,
        "tenant": standing.tenant,
        "ticket_id": standing.ticket_id,
        "created_at": standing.created_at.isoformat(),
    }


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
