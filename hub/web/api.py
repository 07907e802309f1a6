"""The JSON API under /api/v1, and the health check."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from activities.messages import EventResult
from hub.web.board import Board, read_board
from hub.web.desk import Desk
from hub.web.forms import EventForm, NewTicketForm
from store import chronicle, packs, views
from store.chronicle import Entry
from store.packs import ActivePacks, Publication
from store.views import TicketView
from support.model import TicketStatus, checked_id

SOURCE = "api"
MAX_PUBLICATIONS = 1000


@dataclass(frozen=True, slots=True)
class TicketList:
    """Tickets of a tenant, most pressing first."""

    tickets: tuple[TicketView, ...]


@dataclass(frozen=True, slots=True)
class TicketAnswer:
    """A ticket, its tags, its clocks as its last decision left them, and its workflow."""

    ticket: TicketView
    tags: tuple[str, ...]
    clocks: tuple[dict[str, Any], ...]
    workflow_url: str


@dataclass(frozen=True, slots=True)
class TimelineAnswer:
    """All that happened to a ticket, in the order of decisions."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class RulesAnswer:
    """What a tenant decides by, and its publications, the latest first."""

    active: ActivePacks
    publications: tuple[Publication, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """The hub answers, and so does its database."""

    status: str = "ok"


def health_routes(desk: Desk) -> APIRouter:
    """Return the route that says whether the database answers."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> Health:
        async with desk.reading() as conn:
            await conn.execute("select 1")
        return Health()

    return router


def reading_routes(desk: Desk) -> APIRouter:
    """Return the routes that only look."""
    router = APIRouter(prefix="/api/v1/tenants/{tenant}")

    @router.get("/lanes")
    async def lanes(tenant: str) -> Board:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return await read_board(conn, tenant=tenant, office=desk.office, now=desk.now())

    @router.get("/tickets")
    async def tickets(
        tenant: str,
        lane: str | None = None,
        status: TicketStatus | None = None,
        *,
        halted: bool = False,
        limit: Annotated[int, Query(ge=1, le=views.MAX_LISTED)] = 50,
    ) -> TicketList:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return TicketList(
                await views.list_tickets(
                    conn, tenant=tenant, lane=lane, status=status, limit=limit, halted=halted
                )
            )

    @router.get("/tickets/{ticket_id}")
    async def ticket(tenant: str, ticket_id: str) -> TicketAnswer:
        _checked(tenant, ticket_id)
        async with desk.reading() as conn:
            found = await views.ticket(conn, tenant=tenant, ticket_id=ticket_id)
            tags = await views.tags(conn, tenant=tenant, ticket_id=ticket_id)
            clocks = await views.clocks(conn, tenant=tenant, ticket_id=ticket_id)
        address = desk.workflow_url(tenant, ticket_id, found.run_id)
        return TicketAnswer(found, tags, tuple(dict(clock) for clock in clocks), address)

    @router.get("/tickets/{ticket_id}/timeline")
    async def timeline(
        tenant: str, ticket_id: str, since: Annotated[int, Query(ge=0, lt=2**62)] = 0
    ) -> TimelineAnswer:
        _checked(tenant, ticket_id)
        async with desk.reading() as conn:
            await views.ticket(conn, tenant=tenant, ticket_id=ticket_id)
            return TimelineAnswer(
                await chronicle.timeline(conn, tenant=tenant, ticket_id=ticket_id, since=since)
            )

    return router


def rules_routes(desk: Desk) -> APIRouter:
    """Return the route that says what a tenant decides by."""
    router = APIRouter(prefix="/api/v1/tenants/{tenant}")

    @router.get("/rules")
    async def rules(
        tenant: str, limit: Annotated[int, Query(ge=1, le=MAX_PUBLICATIONS)] = 100
    ) -> RulesAnswer:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return RulesAnswer(
                await packs.active(conn, tenant=tenant),
                await packs.history(conn, tenant=tenant, limit=limit),
            )

    return router


def acting_routes(desk: Desk) -> APIRouter:
    """Return the routes that open a ticket and do something to one."""
    router = APIRouter(prefix="/api/v1/tenants/{tenant}/tickets")

    @router.post("", status_code=201)
    async def create(tenant: str, form: NewTicketForm, response: Response) -> EventResult:
        checked_id(tenant, "tenant")
        result = await desk.way_in().create(
            tenant,
            form.new_ticket(),
            event_id=form.event_id,
            actor=form.who(),
            source=SOURCE,
        )
        response.headers["Location"] = f"/api/v1/tenants/{tenant}/tickets/{result.ticket_id}"
        return result

    @router.post("/{ticket_id}/events")
    async def event(tenant: str, ticket_id: str, form: EventForm) -> EventResult:
        _checked(tenant, ticket_id)
        return await desk.way_in().command(
            tenant,
            ticket_id,
            form.command(),
            event_id=form.event_id,
            actor=form.who(),
            source=SOURCE,
        )

    return router


def _checked(tenant: str, ticket_id: str) -> None:
    checked_id(tenant, "tenant")
    checked_id(ticket_id, "ticket id")
