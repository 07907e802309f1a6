"""The JSON API by which a desktop says that its agent is there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from hub.web.desk import Desk
from hub.web.forms import Form
from store import presences, shifts
from support.attendance import HEARTBEAT, LONGEST_HEARTBEAT, SHORTEST_HEARTBEAT
from support.model import Presence, checked_id


class HeartbeatForm(Form):
    """How long the agent is online unless another heartbeat comes."""

    for_s: Annotated[
        int,
        Field(
            ge=int(SHORTEST_HEARTBEAT.total_seconds()), le=int(LONGEST_HEARTBEAT.total_seconds())
        ),
    ] = int(HEARTBEAT.total_seconds())


USUAL = HeartbeatForm()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The agent is online until then."""

    agent_id: str
    presence: Presence
    presence_until: datetime


def presence_routes(desk: Desk) -> APIRouter:
    """Return the route that takes heartbeats."""
    router = APIRouter(prefix="/api/v1/tenants/{tenant}/roster")

    @router.post("/{agent_id}/heartbeat")
    async def heartbeat(tenant: str, agent_id: str, form: HeartbeatForm = USUAL) -> Heartbeat:
        checked_id(tenant, "tenant")
        checked_id(agent_id, "agent")
        lasts = timedelta(seconds=form.for_s)
        async with desk.changing() as conn:
            until = await presences.heartbeat(conn, tenant=tenant, agent_id=agent_id, lasts=lasts)
        if until is None:
            raise shifts.unknown_agent(tenant, agent_id)
        return Heartbeat(agent_id, Presence.ONLINE, until)

    return router
