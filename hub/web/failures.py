"""Every failure as an answer: JSON for the API, a page for people, never a customer's text."""

from collections.abc import Callable
from http import HTTPStatus

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from temporalio.service import RPCError, RPCStatusCode

from hub.web.guard import SECURITY_HEADERS, error_body
from hub.web.problems import problem_of
from support import errors

Page = Callable[[int, str, str], Response]
"""Renders a failure for people: HTTP status, title, message."""

_log = structlog.get_logger()
_STATUS: tuple[tuple[type[errors.FlowHubError], int], ...] = (
    (errors.UnknownTicketError, 404),
    (errors.UnknownChangeError, 404),
    (errors.ChangeRunningError, 409),
    (errors.TransitionRefusedError, 409),
    (errors.TicketExistsError, 409),
    (errors.OwnerChangedError, 409),
    (errors.OwnerLockedError, 409),
    (errors.NoRoomError, 409),
    (errors.InputError, 422),
    (errors.RuntimeUnavailableError, 503),
    (errors.RulesEngineError, 503),
)
_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.CANCELLED,
    }
)


def install(app: FastAPI, page: Page) -> None:
    """Answer every failure of `app`."""
    failures = _Failures(page)
    app.add_exception_handler(errors.FlowHubError, failures.on_purpose)
    app.add_exception_handler(RequestValidationError, failures.malformed)
    app.add_exception_handler(HTTPException, failures.http)
    for kind in (psycopg.OperationalError, psycopg.InterfaceError, ConnectionError, TimeoutError):
        app.add_exception_handler(kind, failures.away)
    app.add_exception_handler(RPCError, failures.from_temporal)
    app.add_exception_handler(Exception, failures.unexpected)


class _Failures:
    """One handler for each kind; what it is registered for is what it gets."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def _answer(
        self, request: Request, status: int, code: str, message: str, details: object = None
    ) -> Response:
        headers = {"Retry-After": "5"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        if request.url.path.startswith("/api/") or request.url.path == "/healthz":
            body = jsonable_encoder(error_body(code, message, details))
            return JSONResponse(body, status, headers)
        response = self._page(status, HTTPStatus(status).phrase, message)
        response.headers.update(headers)
        return response

    async def on_purpose(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.FlowHubError)  # noqa: S101  as registered
        status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
        return self._answer(request, status, error.code, str(error), dict(error.details))

    async def malformed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  as registered
        problems = (problem_of(one) for one in error.errors())
        fields = [{"field": field, "problem": problem} for field, problem in problems]
        first = f"{fields[0]['field']}: {fields[0]['problem']}" if fields else "malformed"
        return self._answer(request, 422, errors.InputError.code, first, {"fields": fields})

    async def http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  as registered
        if error.status_code == HTTPStatus.BAD_REQUEST:
            return self._answer(request, 422, errors.InputError.code, "the body is not valid JSON")
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.title().replace(" ", "")
        return self._answer(request, error.status_code, code, phrase)

    async def away(self, request: Request, error: Exception) -> Response:
        _log.warning("hub.away", kind=type(error).__name__)
        what = "Temporal" if isinstance(error, RPCError) else "the database or Temporal"
        message = f"{what} does not answer: try again in a moment"
        return self._answer(request, 503, errors.RuntimeUnavailableError.code, message)

    async def from_temporal(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RPCError)  # noqa: S101  as registered
        if error.status in _AWAY:
            return await self.away(request, error)
        return await self.unexpected(request, error)

    async def unexpected(self, request: Request, error: Exception) -> Response:
        _log.error("hub.failed", kind=type(error).__name__)
        message = "the hub failed: its log names the error"
        response = self._answer(request, 500, "Unexpected", message)
        response.headers.update(SECURITY_HEADERS)
        return response
