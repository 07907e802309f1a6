"""One agent as the command line and the API show them."""

from dataclasses import dataclass
from datetime import datetime

from store import profiles, roster, shifts
from store.pool import Connection
from store.profiles import Profile
from support.roster import Span


@dataclass(frozen=True, slots=True)
class AgentView:
    """Who it is, when they work, and what they can take.

    `next_shift` is the rest of the present time on shift, else the next; None: there is none in
    sight. `shifts` are in words.
    """

    agent: roster.Agent
    profile: Profile
    on_shift: bool
    next_shift: Span | None
    shifts: tuple[str, ...]


async def agent_view(conn: Connection, *, tenant: str, agent_id: str, now: datetime) -> AgentView:
    """Return how an agent stands at `now`; InputError for an unknown one."""
    kept = await shifts.kept(conn, tenant=tenant, agent_id=agent_id)
    profile = await profiles.profile(conn, tenant=tenant, agent_id=agent_id)
    (agent,) = [a for a in await roster.listed(conn, tenant=tenant) if a.agent_id == agent_id]
    following = kept.schedule.next_shift(now)
    return AgentView(
        agent,
        profile,
        following is not None and following[0] <= now,
        following,
        tuple(one.shift.words for one in kept.shifts),
    )
