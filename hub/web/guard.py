"""What every request must pass before the hub looks at it.

There is no sign-in yet, so the hub serves one machine: a page of another site must neither read it
(DNS rebinding: its name would be in the Host header) nor command it (Origin).
"""

import asyncio
import re
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_REQUEST = 256 * 1024
"""Bytes of a request's body."""
BODY_WITHIN_S = 30.0
"""Seconds in which a body must have arrived."""
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})


class RefusedError(Exception):
    """A request that the hub does not look at: HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def error_body(code: str, message: str, details: object = None) -> dict[str, object]:
    """Return the one form of an error in the API."""
    return {"error": {"code": code, "message": message, "details": details or {}}}


class Guard:
    """ASGI middleware: refuses foreign hosts and origins and large bodies, and sets headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it with the reason why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            check_sender(scope)
            body = await read_body(scope, receive)
        except RefusedError as refused:
            answer = JSONResponse(
                error_body(refused.code, str(refused)),
                refused.status,
                {**SECURITY_HEADERS, "Connection": "close"},
            )
            await answer(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), _with_headers(scope, send))


def check_sender(scope: Scope) -> None:
    """Raise RefusedError for a foreign Host, and for a command from a page of another site."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _LOCAL.fullmatch(hosts[0]):
        raise RefusedError(
            403, "HostRefused", "this hub answers on this machine only: use localhost"
        )
    if scope["method"] in _SAFE:
        return
    origin = headers.get("origin")
    foreign = origin is not None and not _same_site(origin, hosts[0])
    if foreign or headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        raise RefusedError(403, "OriginRefused", "a page of another site may not command this hub")


def _same_site(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


async def read_body(scope: Scope, receive: Receive) -> bytes | None:
    """Return the whole body, None if the sender went away; RefusedError beyond `MAX_REQUEST`.

    It counts what arrives, so that a missing or lying Content-Length changes nothing.
    """
    too_large = RefusedError(413, "TooLarge", f"the body is larger than {MAX_REQUEST} bytes")
    told = Headers(scope=scope).get("content-length", "")
    if told.isdecimal() and int(told[:20]) > MAX_REQUEST:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                size += len(part)
                if size > MAX_REQUEST:
                    raise too_large
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RefusedError(
            408, "TooSlow", f"the body did not arrive within {BODY_WITHIN_S:.0f} seconds"
        ) from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            if not scope["path"].startswith("/static/"):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sending
