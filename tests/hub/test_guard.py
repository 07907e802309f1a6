"""What every request must pass: this machine's name, the hub's own pages, a bounded body."""

import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from hub.web.guard import MAX_REQUEST
from tests.hub.conftest import FakeGateway
from tests.hub.test_api import GLOBAL, error_of


def _parts(size: int) -> Iterator[bytes]:
    yield b'{"subject": "'
    for _ in range(size // 1024):
        yield b"x" * 1024
    yield b'"}'


async def _stream(size: int) -> AsyncIterator[bytes]:
    for part in _parts(size):
        yield part


@pytest.mark.parametrize("length", [None, "10"])
async def test_a_large_body_is_refused_whatever_its_length_says(
    http: httpx.AsyncClient, gateway: FakeGateway, length: str | None
) -> None:
    headers = {"Content-Type": "application/json"}
    if length:
        headers["Content-Length"] = length

    answer = await http.post(
        f"{GLOBAL}/tickets", content=_stream(MAX_REQUEST + 2048), headers=headers
    )

    assert answer.status_code == 413
    assert error_of(answer)["code"] == "TooLarge"
    assert gateway.created == []


async def test_a_body_whose_length_is_too_large_is_refused_unread(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(f"{GLOBAL}/tickets", content=b"x" * (MAX_REQUEST + 1))

    assert answer.status_code == 413


async def test_a_body_of_just_the_limit_is_read(http: httpx.AsyncClient) -> None:
    form = {"subject": "s", "body": "é" * 100_000}
    body = json.dumps(form, ensure_ascii=False).encode().ljust(MAX_REQUEST)

    answer = await http.post(
        f"{GLOBAL}/tickets", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 201


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.", "", "a b"]
)
async def test_another_host_name_is_refused(http: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/healthz", f"{GLOBAL}/lanes", "/static/hub.js"):
        answer = await http.get(path, headers={"Host": host})

        assert answer.status_code == 403, path
        assert error_of(answer)["code"] == "HostRefused"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8400", "127.0.0.1:1", "[::1]:8400"])
async def test_this_machine_by_any_of_its_names_is_served(
    http: httpx.AsyncClient, host: str
) -> None:
    assert (await http.get("/healthz", headers={"Host": host})).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://localhost:8400"},
        {"Origin": "null"},
        {"Origin": "file://127.0.0.1:8400"},
        {"Origin": "http://[oops"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_command_from_a_foreign_page_is_refused(
    http: httpx.AsyncClient, gateway: FakeGateway, headers: dict[str, str]
) -> None:
    answer = await http.post(f"{GLOBAL}/tickets", json={"subject": "s"}, headers=headers)

    assert answer.status_code == 403
    assert error_of(answer)["code"] == "OriginRefused"
    assert gateway.created == []


async def test_a_command_from_the_hubs_own_page_is_taken(http: httpx.AsyncClient) -> None:
    headers = {"Origin": "http://127.0.0.1:8400", "Sec-Fetch-Site": "same-origin"}

    answer = await http.post(f"{GLOBAL}/tickets", json={"subject": "s"}, headers=headers)

    assert answer.status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_a_foreign_form_could_send_is_refused(
    http: httpx.AsyncClient, gateway: FakeGateway, content_type: str
) -> None:
    answer = await http.post(
        f"{GLOBAL}/tickets",
        content=b'{"subject": "s"}',
        headers={"Content-Type": content_type},
    )

    assert answer.status_code == 422
    assert gateway.created == []


async def test_every_answer_forbids_what_is_not_its_own(http: httpx.AsyncClient) -> None:
    for path in ("/", "/healthz", f"{GLOBAL}/lanes", "/static/hub.css", "/nothing"):
        headers = (await http.get(path)).headers

        assert headers["content-security-policy"].startswith("default-src 'self';"), path
        assert headers["x-content-type-options"] == "nosniff"
