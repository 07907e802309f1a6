"""The events of a tenant's own tickets, as the ledger has them, from one snapshot."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from activities.records import event_from_json
from hub.progress import Progress, Ticker
from hub.simulation.feed import Entry, FeedWriter, Head
from store import history, roster
from store.pool import Connection, Pool, snapshot
from support.errors import InputError
from support.model import EventKind
from support.routing import Role
from support.simulate import Member
from support.work import Outside

UNKNOWN = (
    "Who was at work then is not on record: everybody on the roster of today counts as online.",
    "What agents carried before the first event, and of other tickets, is not counted.",
    "Deadlines are decided when they fall due, and the stop switch of automation counts as off.",
    "Every ticket is under the policies of the simulation, whichever it was under then.",
    "Customers and agents act as they did then, whatever the rules do.",
)


@dataclass(frozen=True, slots=True)
class Period:
    """Tickets of a tenant that were created in [since, until); None: without that limit."""

    tenant: str
    since: datetime | None = None
    until: datetime | None = None


async def from_store(
    folder: Path, pool: Pool, period: Period, outside: Outside, progress: Progress
) -> Head:
    """Write the events of the period's tickets to `folder`; references only, no text.

    InputError where there are none, or nobody is on the roster.
    """
    async with snapshot(pool) as conn:
        members = tuple(_members(await roster.listed(conn, tenant=period.tenant)))
        if not members:
            raise InputError(
                f"tenant {period.tenant} has nobody on its roster: see `flowhub roster list`"
            )
        source = f"the history of tenant {period.tenant}"
        head = Head(source, period.tenant, members, outside, UNKNOWN)
        ticker = Ticker(progress, "Reading the history: events")
        with FeedWriter(folder, head) as writer:
            async for entry in _entries(conn, period):
                writer.add(entry)
                ticker.add()
        ticker.end()
        return writer.done()


async def _entries(conn: Connection, period: Period) -> AsyncIterator[Entry]:
    """Yield what happened but for what its own agents make so, who are there all the time.

    It hands out by itself, and nobody leaves.
    """
    async for happened in history.events(
        conn, tenant=period.tenant, since=period.since, until=period.until
    ):
        event = event_from_json(happened.event)
        if event.kind not in (EventKind.OFFER, EventKind.OWNER_LEFT):
            yield Entry(happened.taken_at, happened.ticket_id, event)


def _members(agents: Iterable[roster.Agent]) -> Iterable[Member]:
    for agent in agents:
        yield Member(
            agent.agent_id,
            team=agent.team,
            role=Role(agent.role),
            skills=frozenset(agent.skills),
            capacity_units=agent.capacity_units,
        )
