"""The page in a real browser: what it shows, that it stays fresh, and that text stays text."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright, expect

from hub.pictures import chromium, pictures_of, take
from hub.web.pages import DECISIONS
from store import ledger, parkings
from store.pool import Pool
from tests.store.seeding import START, add_agent, add_history, add_ticket, decision_row

ATTACK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
REFRESH_MS = 5000


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Run the hub on a free port; yield its address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    )
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not running.done()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


@pytest.fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    """Address of the running hub."""
    async with served(app) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless browser."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        yield launched
        await launched.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that fails the test if anything is said on its console, or fails on it."""
    opened = await browser.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    assert said == []


async def seed(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim")
        await add_ticket(
            conn, "T-1", owner="kim", breached=True, escalation_due=True, sla_state="breached"
        )
        await add_ticket(conn, "T-2", priority="urgent")


async def test_the_page_shows_the_counts_of_the_ledger(page: Page, url: str, pool: Pool) -> None:
    await seed(pool)

    await page.goto(url)

    strip = page.locator("#strip")
    await expect(strip.locator('[data-field="score"]')).to_have_text("76")
    await expect(strip.locator('[data-field="pressure"]')).to_have_text("elevated")
    await expect(strip.locator('[data-field="strip.open_tickets"]')).to_have_text("2")
    lane = page.locator('[data-lane-row="sla_breached"]')
    await expect(lane).to_contain_text("1 breached")
    await expect(lane.locator('[data-part="status"]')).to_have_text("watch")
    await expect(page.locator("#ticket-rows tr")).to_have_count(2)
    await expect(page.locator("#next-actions li").first).to_contain_text(
        "Work breached tickets first and run escalation macros."
    )


async def test_the_page_is_complete_without_scripts(browser: Browser, url: str, pool: Pool) -> None:
    await seed(pool)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()

    await page.goto(url)
    await page.get_by_role("link", name="Open SLA breached").click()

    await expect(page.locator("#ticket-rows tr")).to_have_count(1)
    await page.get_by_role("link", name="T-1").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Subject of T-1")


async def test_the_page_follows_the_ledger_without_a_reload(
    page: Page, url: str, pool: Pool
) -> None:
    await seed(pool)
    await page.clock.install()
    await page.goto(url)
    async with pool.connection() as conn:
        await add_ticket(conn, "T-3", priority="urgent", subject=ATTACK)
        await add_agent(conn, "lee")

    await page.clock.run_for(REFRESH_MS)

    await expect(page.locator('#strip [data-field="strip.urgent"]')).to_have_text("2")
    await expect(page.locator('[data-ticket="T-3"] .subject')).to_have_text(ATTACK)
    await expect(page.locator('[data-lane-row="unassigned"]')).to_contain_text(
        "2 active unassigned"
    )
    await expect(page.locator("#next-actions li")).to_have_count(4)
    await expect(page.locator("#live")).to_have_text("Live, as of")
    assert "owned" not in await page.title()


async def test_text_of_a_customer_stays_text(page: Page, url: str, pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_ticket(conn, "T-1", subject=ATTACK)
        await add_history(conn, "T-1")
        await parkings.park(conn, tenant="global", ticket_id="T-1", trigger_id="e", error=ATTACK)

    await page.goto(url)
    await expect(page.locator('[data-ticket="T-1"] .subject')).to_have_text(ATTACK)
    await page.goto(f"{url}/tickets/T-1")

    await expect(page.get_by_role("heading", level=1)).to_have_text(ATTACK)
    assert "owned" not in await page.title()
    assert await page.locator("main img, main script").count() == 0


async def test_a_ticket_page_tells_which_rules_fired_and_why_others_did_not(
    page: Page, url: str, pool: Pool
) -> None:
    async with pool.connection() as conn:
        await add_agent(conn, "kim")
        await add_ticket(conn, "T-1", owner="kim")
        await add_history(conn, "T-1")

    await page.goto(f"{url}/tickets/T-1?tenant=global")

    decision = page.locator('[data-kind="decision"]').first
    await expect(decision).to_contain_text("assign-new")
    await expect(decision).to_contain_text("kim carries 1 of 12 units")
    await decision.get_by_text("Why the others did not fire").click()
    await expect(decision.get_by_text("priority is normal, not urgent")).to_be_visible()
    await decision.get_by_text("Arithmetic of the deadlines").click()
    await expect(decision.get_by_text("in calendar office: 1 min counted")).to_be_visible()
    await expect(page.locator(".entry")).to_have_count(8)
    await expect(page.get_by_role("link", name="Workflow in Temporal")).to_have_attribute(
        "href",
        "http://127.0.0.1:8233/namespaces/default/workflows/ticket%2Fglobal%2FT-1/run-1/history",
    )


async def test_a_moved_deadline_shows_what_it_was_and_every_stretch_of_its_proof(
    page: Page, url: str, pool: Pool
) -> None:
    def stretch(since: int, until: int, why: str, counted_s: int, note: str = "") -> dict[str, Any]:
        ends = {
            name: (START + timedelta(hours=hours)).isoformat()
            for name, hours in (("from", since), ("to", until))
        }
        return {**ends, "why": why, "counted_s": counted_s, "note": note, "calendar": "office"}

    clock = {
        "metric": "resolution",
        "state": "running",
        "derivation": {
            "was_due": START.isoformat(),
            "proof": [stretch(0, 1, "counted", 3600), stretch(1, 3, "paused", 0)],
            "ahead": [stretch(3, 20, "holiday", 0, "Epiphany"), stretch(20, 22, "counted", 7200)],
        },
    }
    async with pool.connection() as conn:
        await add_ticket(conn, "T-1")
        await ledger.write_decision(conn, decision_row("T-1", 1, clocks=json.dumps([clock])))

    await page.goto(f"{url}/tickets/T-1?tenant=global")

    decision = page.locator('[data-kind="decision"]').first
    await decision.get_by_text("Arithmetic of the deadlines").click()
    for text in (
        "Moved from",
        "1 h counted",
        "not counted, paused",
        "will not count, holiday (Epiphany)",
        "2 h will count",
    ):
        await expect(decision.get_by_text(text)).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_a_narrow_screen_needs_no_sideways_scrolling(
    browser: Browser, url: str, pool: Pool, colours: str
) -> None:
    async with pool.connection() as conn:
        await add_ticket(conn, "T-" + "9" * 62, subject="W" * 500)
        await add_history(conn, "T-" + "9" * 62)
    dark = colours == "dark"
    page = await browser.new_page(
        viewport={"width": 360, "height": 740}, color_scheme="dark" if dark else "light"
    )

    for path in ("/", "/tickets/T-" + "9" * 62, "/nothing"):
        await page.goto(url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360, path


async def test_a_refresh_keeps_the_focus_and_says_when_the_hub_is_gone(
    browser: Browser, url: str, pool: Pool
) -> None:
    await seed(pool)
    page = await browser.new_page()
    await page.clock.install()
    await page.goto(url)
    await page.locator('[data-ticket="T-2"] a').focus()
    async with pool.connection() as conn:
        await add_ticket(conn, "T-3")

    await page.clock.run_for(REFRESH_MS)
    await expect(page.locator("#ticket-rows tr")).to_have_count(3)
    await expect(page.locator('[data-ticket="T-2"] a')).to_be_focused()

    await page.route("**/api/**", lambda route: route.abort())
    await page.clock.run_for(REFRESH_MS)
    await expect(page.locator("#live")).to_have_text("Not connected: figures as of")


async def test_failures_are_pages_for_people(http: httpx.AsyncClient) -> None:
    unknown = await http.get("/tickets/T-404")
    wrong = await http.get("/?lane=%3Cscript%3E")

    assert (unknown.status_code, wrong.status_code) == (404, 422)
    assert "there is no ticket T-404 in global" in unknown.text
    assert "<script>" not in wrong.text


async def test_a_long_history_begins_late_until_everything_is_asked_for(
    http: httpx.AsyncClient, pool: Pool
) -> None:
    async with pool.connection() as conn:
        await add_ticket(conn, "T-1", decision_seq=DECISIONS + 1)
        await add_history(conn, "T-1")

    short = await http.get("/tickets/T-1")
    whole = await http.get("/tickets/T-1?everything=true")

    assert ("Decision 1:" in short.text, "Decision 2:" in short.text) == (False, True)
    assert "up to decision 1 as well" in short.text
    assert "Decision 1:" in whole.text


async def test_pictures_are_taken(url: str, pool: Pool, tmp_path: Path) -> None:
    await seed(pool)

    files = await asyncio.to_thread(
        take, pictures_of("global", "T-1", url=url), folder=tmp_path / "pictures"
    )

    assert [file.name for file in files] == [
        "hub.png",
        "hub-dark.png",
        "hub-phone.png",
        "ticket.png",
    ]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
