"""Makes the hub's web application of its parts."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from hub.gateway import TicketGateway
from hub.web import api, failures, roster_api
from hub.web.assignment_api import assignment_routes
from hub.web.desk import Desk
from hub.web.guard import Guard
from hub.web.pages import FOLDER, Pages, page_routes
from hub.web.presence_api import presence_routes
from store.pool import Pool
from support.calendar import BusinessCalendar


def create_app(
    pool: Pool,
    gateway: TicketGateway | None,
    *,
    temporal_ui_url: str,
    namespace: str,
    office: BusinessCalendar,
    now: Callable[[], datetime],
) -> FastAPI:
    """Return the hub on `pool`; without `gateway` it only reads and answers commands with 503.

    It has no sign-in: bind it to 127.0.0.1. `office` says when resting lanes cost nothing, `now`
    is calendar time.
    """
    desk = Desk(pool, gateway, temporal_ui_url, namespace, office, now)
    pages = Pages()
    app = FastAPI(
        title="Flow Support Command Hub",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Guard)
    failures.install(app, pages.failure)
    for router in (
        api.health_routes(desk),
        api.reading_routes(desk),
        api.rules_routes(desk),
        *roster_api.roster_routes(desk),
        presence_routes(desk),
        api.acting_routes(desk),
        assignment_routes(desk),
        page_routes(desk, pages),
    ):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    return app
