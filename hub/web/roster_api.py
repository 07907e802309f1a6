"""The JSON API of the roster: agents, when they work, rotas and teams.

A change is one transaction with the wake-up of what can be handed out by it, and is checked by the
same code as the command line's.
"""

import io
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from hub import roster_changes
from hub.roster_view import AgentView, agent_view
from hub.rota_view import AHEAD, MOST_TURNS, RotaView, rota_view, rota_views
from hub.shift_file import shifts_of
from hub.team_view import MOST_DAYS, CoverageView, TeamView, coverage_view, team_views
from hub.web.desk import Desk
from hub.web.roster_forms import (
    AgentForm,
    PresenceForm,
    ProfileForm,
    RotaForm,
    ShiftForm,
    SpanForm,
    SwapForm,
)
from store import roster, rotas, shifts
from store.pool import Connection
from store.shifts import Kept
from support.errors import InputError
from support.model import checked_id
from support.rota import Swap
from support.shifts import Leave

_PREFIX = "/api/v1/tenants/{tenant}/roster"
_CSV = "text/csv"
_CSV_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {_CSV: {"schema": {"type": "string"}}}}
}
Number = Annotated[int, Path(ge=1, lt=2**63)]


@dataclass(frozen=True, slots=True)
class RosterAnswer:
    """The agents of a tenant, by team and id."""

    agents: tuple[roster.Agent, ...]


@dataclass(frozen=True, slots=True)
class TeamsAnswer:
    """The teams of a tenant, by name."""

    teams: tuple[TeamView, ...]


@dataclass(frozen=True, slots=True)
class RotasAnswer:
    """The rotas of a tenant, by team and id."""

    rotas: tuple[RotaView, ...]


@dataclass(frozen=True, slots=True)
class ShiftsAnswer:
    """How many shifts were sent, of how many agents, and how many of them were new."""

    lines: int
    agents: int
    added: int
    kept: int


@dataclass(frozen=True, slots=True)
class LeaveAnswer:
    """A leave that was given, with the number it is ended by."""

    agent_id: str
    leave_id: int
    leave: Leave


@dataclass(frozen=True, slots=True)
class EndedAnswer:
    """The leave that was ended, by number."""

    agent_id: str
    ended: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SwapAnswer:
    """A swap that was made, with the number it is taken back by."""

    rota_id: str
    swap_id: int
    swap: Swap


@dataclass(frozen=True, slots=True)
class RemovedAnswer:
    """What was removed, by its id or number."""

    removed: str | int


def roster_routes(desk: Desk) -> tuple[APIRouter, ...]:
    """Return all routes of the roster; those with words of their own before those of agents."""
    return _plan(desk), _rotas(desk), _swaps(desk), _agents(desk), _shifts(desk), _leave(desk)


def _about(tenant: str, agent_id: str) -> dict[str, str]:
    return {"tenant": checked_id(tenant, "tenant"), "agent_id": checked_id(agent_id, "agent")}


def _about_rota(tenant: str, rota_id: str) -> dict[str, str]:
    return {"tenant": checked_id(tenant, "tenant"), "rota_id": checked_id(rota_id, "rota")}


def _plan(desk: Desk) -> APIRouter:
    """Return the routes about many agents at once."""
    router = APIRouter(prefix=_PREFIX)

    @router.get("")
    async def agents(tenant: str) -> RosterAnswer:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return RosterAnswer(await roster.listed(conn, tenant=tenant))

    @router.get("/teams")
    async def teams(tenant: str) -> TeamsAnswer:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return TeamsAnswer(await team_views(conn, tenant=tenant, now=desk.now()))

    @router.get("/coverage")
    async def coverage(
        tenant: str,
        team: Annotated[str, Query(max_length=64)] = "",
        days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 7,
    ) -> CoverageView:
        about = {"tenant": checked_id(tenant, "tenant"), "team": team}
        if team:
            checked_id(team, "team")
        async with desk.reading() as conn:
            return await coverage_view(conn, office=desk.office, now=desk.now(), days=days, **about)

    @router.post("/shifts", status_code=201, openapi_extra=_CSV_BODY)
    async def import_shifts(tenant: str, request: Request) -> ShiftsAnswer:
        checked_id(tenant, "tenant")
        found = shifts_of(await _csv_lines(request), "the body")
        async with desk.changing() as conn:
            added = await shifts.add_shifts(conn, tenant=tenant, shifts=found, now=desk.now())
        lines = sum(len(of_agent) for of_agent in found.values())
        return ShiftsAnswer(lines, len(found), added, lines - added)

    return router


async def _csv_lines(request: Request) -> io.StringIO:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _CSV:
        raise InputError(f"send the shifts as CSV, with the header Content-Type: {_CSV}")
    try:
        return io.StringIO((await request.body()).decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise InputError(f"the body: is no CSV in UTF-8: {error.reason}") from error


def _rotas(desk: Desk) -> APIRouter:
    """Return the routes of rotas."""
    router = APIRouter(prefix=f"{_PREFIX}/rotas")

    @router.get("")
    async def listed(tenant: str) -> RotasAnswer:
        checked_id(tenant, "tenant")
        async with desk.reading() as conn:
            return RotasAnswer(await rota_views(conn, tenant=tenant, now=desk.now()))

    @router.get("/{rota_id}")
    async def rota(
        tenant: str, rota_id: str, turns: Annotated[int, Query(ge=1, le=MOST_TURNS)] = AHEAD
    ) -> RotaView:
        about = _about_rota(tenant, rota_id)
        async with desk.reading() as conn:
            return await rota_view(conn, now=desk.now(), ahead=turns, **about)

    @router.put("/{rota_id}")
    async def put(tenant: str, rota_id: str, form: RotaForm) -> RotaView:
        about = _about_rota(tenant, rota_id)
        async with desk.changing() as conn:
            await rotas.put(conn, rota=form.rota(), **about)
            return await rota_view(conn, now=desk.now(), ahead=AHEAD, **about)

    @router.delete("/{rota_id}")
    async def remove(tenant: str, rota_id: str) -> RemovedAnswer:
        async with desk.changing() as conn:
            await rotas.remove(conn, **_about_rota(tenant, rota_id))
        return RemovedAnswer(rota_id)

    return router


def _swaps(desk: Desk) -> APIRouter:
    """Return the routes of the swaps of a rota."""
    router = APIRouter(prefix=f"{_PREFIX}/rotas/{{rota_id}}/swaps")

    @router.post("", status_code=201)
    async def add(tenant: str, rota_id: str, form: SwapForm) -> SwapAnswer:
        about = _about_rota(tenant, rota_id)
        async with desk.changing() as conn:
            number, swap = await roster_changes.swap_turn(
                conn, now=desk.now(), **about, **form.model_dump()
            )
        return SwapAnswer(rota_id, number, swap)

    @router.delete("/{swap_id}")
    async def remove(tenant: str, rota_id: str, swap_id: Number) -> RemovedAnswer:
        async with desk.changing() as conn:
            await rotas.remove_swap(conn, swap_id=swap_id, **_about_rota(tenant, rota_id))
        return RemovedAnswer(swap_id)

    return router


def _agents(desk: Desk) -> APIRouter:
    """Return the routes of one agent: who it is, whether they are there, and what they take."""
    router = APIRouter(prefix=f"{_PREFIX}/{{agent_id}}")

    async def seen(conn: Connection, about: dict[str, str]) -> AgentView:
        return await agent_view(conn, now=desk.now(), **about)

    @router.get("")
    async def agent(tenant: str, agent_id: str) -> AgentView:
        about = _about(tenant, agent_id)
        async with desk.reading() as conn:
            return await seen(conn, about)

    @router.put("")
    async def put(tenant: str, agent_id: str, form: AgentForm) -> AgentView:
        about = _about(tenant, agent_id)
        async with desk.changing() as conn:
            await roster.add(conn, tenant=tenant, agent=form.agent(agent_id))
            return await seen(conn, about)

    @router.put("/presence")
    async def presence(tenant: str, agent_id: str, form: PresenceForm) -> AgentView:
        about = _about(tenant, agent_id)
        async with desk.changing() as conn:
            await roster_changes.set_presence(conn, presence=form.presence, **about)
            return await seen(conn, about)

    @router.patch("/profile")
    async def profile(tenant: str, agent_id: str, form: ProfileForm) -> AgentView:
        about = _about(tenant, agent_id)
        async with desk.changing() as conn:
            change = form.change()
            await roster_changes.change_profile(conn, change=change, now=desk.now(), **about)
            return await seen(conn, about)

    return router


def _shifts(desk: Desk) -> APIRouter:
    """Return the routes of the shifts of an agent."""
    router = APIRouter(prefix=f"{_PREFIX}/{{agent_id}}/shifts")

    @router.get("")
    async def kept(tenant: str, agent_id: str) -> Kept:
        about = _about(tenant, agent_id)
        async with desk.reading() as conn:
            return await shifts.kept(conn, **about)

    @router.post("", status_code=201)
    async def add(tenant: str, agent_id: str, form: ShiftForm) -> ShiftsAnswer:
        about = _about(tenant, agent_id)
        found = {agent_id: [form.shift()]}
        async with desk.changing() as conn:
            added = await shifts.add_shifts(
                conn, tenant=about["tenant"], shifts=found, now=desk.now()
            )
        return ShiftsAnswer(1, 1, added, 1 - added)

    @router.delete("/{shift_id}")
    async def remove(tenant: str, agent_id: str, shift_id: Number) -> RemovedAnswer:
        about = _about(tenant, agent_id)
        async with desk.changing() as conn:
            await shifts.remove_shift(conn, shift_id=shift_id, now=desk.now(), **about)
        return RemovedAnswer(shift_id)

    return router


def _leave(desk: Desk) -> APIRouter:
    """Return the routes of the leave of an agent."""
    router = APIRouter(prefix=f"{_PREFIX}/{{agent_id}}/leave")

    @router.post("", status_code=201)
    async def give(tenant: str, agent_id: str, form: SpanForm) -> LeaveAnswer:
        about = _about(tenant, agent_id)
        async with desk.changing() as conn:
            number, leave = await roster_changes.give_leave(
                conn, now=desk.now(), **about, **form.model_dump()
            )
        return LeaveAnswer(agent_id, number, leave)

    @router.delete("")
    async def end(tenant: str, agent_id: str) -> EndedAnswer:
        about = _about(tenant, agent_id)
        async with desk.changing() as conn:
            ended = await shifts.end_leave(conn, leave_id=None, now=desk.now(), **about)
        return EndedAnswer(agent_id, ended)

    @router.delete("/{leave_id}")
    async def end_one(tenant: str, agent_id: str, leave_id: Number) -> EndedAnswer:
        about = _about(tenant, agent_id)
        async with desk.changing() as conn:
            ended = await shifts.end_leave(conn, leave_id=leave_id, now=desk.now(), **about)
        return EndedAnswer(agent_id, ended)

    return router
