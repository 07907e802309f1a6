"""The pages for people: the hub and one ticket, rendered here so that they work without scripts."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment

from hub.templating import templates_in
from hub.web.board import read_board
from hub.web.desk import Desk
from store import chronicle, packs, views
from store.chronicle import DecisionEntry
from support.lanes import LANES
from support.model import DEFAULT_TENANT, checked_id

FOLDER = Path(__file__).resolve().parent.parent
LISTED = 50
"""Tickets of a lane that the hub page shows."""
DECISIONS = 100
"""Last decisions that the page of a ticket shows, unless asked for everything."""
_LANE_TITLES = {lane.id: lane.title for lane in LANES}


def instant(value: datetime | str | None) -> str:
    """Say an instant in UTC to the second; the ledger keeps some as ISO text."""
    if value is None or value == "":
        return "-"
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float | None) -> str:
    """Say a number of seconds as people do: `2 h 5 min`, `45 s`."""
    if seconds is None:
        return "-"
    sign, whole = ("-", -seconds) if seconds < 0 else ("", seconds)
    if whole < 60:
        return f"{sign}{whole:.3g} s"
    hours, minutes = divmod(round(whole / 60), 60)
    parts = ([f"{hours} h"] if hours else []) + ([f"{minutes} min"] if minutes else [])
    return sign + " ".join(parts)


def plain(value: object) -> str:
    """Say a fact or a parameter: text as it is, all else as JSON."""
    if isinstance(value, str):
        return value or '""'
    return json.dumps(value, ensure_ascii=False, default=str)


def told(mapping: Mapping[str, object]) -> dict[str, object]:
    """Keep what says something: neither empty nor false nor none."""
    return {name: value for name, value in mapping.items() if value not in (None, "", False, [])}


def environment() -> Environment:
    """Return the templates; everything put into them is escaped."""
    made = templates_in(FOLDER / "templates")
    made.filters.update(instant=instant, span=span, plain=plain, told=told)
    return made


class Pages:
    """Renders templates."""

    def __init__(self) -> None:
        self._templates = environment()

    def render(self, name: str, *, code: int = 200, **context: object) -> HTMLResponse:
        """Render template `name`, answered with HTTP status `code`."""
        return HTMLResponse(self._templates.get_template(name).render(context), code)

    def failure(self, status: int, title: str, message: str) -> HTMLResponse:
        """Render a failure."""
        return self.render("failure.html", code=status, status=status, title=title, message=message)


def page_routes(desk: Desk, pages: Pages) -> APIRouter:
    """Return the routes of the pages."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def hub(tenant: str = DEFAULT_TENANT, lane: str = "") -> HTMLResponse:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            board = await read_board(conn, tenant=tenant, office=desk.office, now=desk.now())
            tickets = await views.list_tickets(conn, tenant=tenant, lane=lane or None, limit=LISTED)
            tenants = await views.tenants(conn)
            parked = await packs.parked(conn, tenant=tenant)
        return pages.render(
            "hub.html",
            board=board,
            tickets=tickets,
            tenants=sorted({*tenants, tenant}),
            lane=lane,
            lane_title=_LANE_TITLES.get(lane, ""),
            next_lane=board.next_actions[0].lane if board.next_actions else "",
            listed=LISTED,
            parked_packs=parked,
        )

    @router.get("/tickets/{ticket_id}")
    async def ticket(
        ticket_id: str, tenant: str = DEFAULT_TENANT, *, everything: bool = False
    ) -> HTMLResponse:
        checked_id(tenant, "tenant")
        checked_id(ticket_id, "ticket id")
        async with desk.reading() as conn:
            found = await views.ticket(conn, tenant=tenant, ticket_id=ticket_id)
            since = 0 if everything else max(0, found.decision_seq - DECISIONS)
            entries = await chronicle.timeline(
                conn, tenant=tenant, ticket_id=ticket_id, since=since
            )
        decisions = [entry for entry in entries if isinstance(entry, DecisionEntry)]
        return pages.render(
            "ticket.html",
            tenant=tenant,
            ticket=found,
            since=since,
            entries=[asdict(entry) for entry in entries],
            clocks=decisions[-1].clocks if decisions else (),
            workflow_url=desk.workflow_url(tenant, ticket_id, found.run_id),
        )

    return router
