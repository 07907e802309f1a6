"""Changes of the roster, as the command line and the API make them in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hub.drafts import MAX_NAME, checked_line
from hub.instants import read_instant
from store import presences, profiles, roster, rotas, shifts
from store.pool import Connection
from store.profiles import Profile
from support.errors import InputError
from support.model import Presence, checked_id
from support.rota import Swap, read_swap
from support.routing import Role, WorkKind
from support.shifts import Leave

TAKEN = frozenset({"coverage", "rotas", "shifts", "teams"})
"""What stands in the API where else the id of an agent does."""
MOST_UNITS = 9999


def new_agent(
    agent_id: str,
    *,
    name: str = "",
    email: str = "",
    team: str = "",
    role: Role = Role.AGENT,
    skills: Sequence[str] = (),
    capacity_units: Decimal = Decimal(12),
    online: bool = False,
) -> roster.Agent:
    """Return an agent as people write one; InputError says what is wrong."""
    if agent_id in TAKEN:
        raise InputError(f"an agent cannot be called {agent_id}: the API needs the word")
    return roster.Agent(
        agent_id=checked_id(agent_id, "agent"),
        name=checked_line(name, "name", MAX_NAME),
        email=checked_line(email, "email", MAX_NAME),
        team=checked_id(team, "team") if team else "",
        role=str(role),
        skills=tuple(checked_id(skill, "skill") for skill in skills),
        presence=str(Presence.ONLINE if online else Presence.OFFLINE),
        capacity_units=capacity_units,
    )


async def set_presence(conn: Connection, *, tenant: str, agent_id: str, presence: Presence) -> None:
    """Say whether an agent is there; InputError for an unknown one."""
    if not await presences.set_presence(conn, tenant=tenant, agent_id=agent_id, presence=presence):
        raise shifts.unknown_agent(tenant, agent_id)


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What is to be changed of a profile; None, and what is not in a mapping, stays.

    A level of 0 forgets it; units of None are no limit, and so is a `limit_new` of 0.
    """

    tz: str | None = None
    country: str | None = None
    languages: Sequence[str] | None = None
    levels: Mapping[str, int] = field(default_factory=dict)
    kind_capacity: Mapping[WorkKind, float | None] = field(default_factory=dict)
    limit_new: int | None = None
    limit_minutes: int | None = None

    def of(self, before: Profile) -> Profile:
        """Return the profile changed; InputError for what it cannot become."""
        after = replace(
            self._with_limit(before),
            tz=before.tz if self.tz is None else self.tz,
            country=before.country if self.country is None else self.country,
            languages=before.languages if self.languages is None else _languages(self.languages),
            levels=self._levels(before),
            kind_capacity=self._capacities(before),
        )
        if before.tz and not after.tz:
            raise InputError("the time zone is empty: name an IANA zone such as Europe/Stockholm")
        return after

    def _with_limit(self, before: Profile) -> Profile:
        if self.limit_new == 0:
            return replace(before, limit_new=None, limit_window=None)
        new = before.limit_new if self.limit_new is None else self.limit_new
        minutes = self.limit_minutes
        window = before.limit_window if minutes is None else timedelta(minutes=minutes)
        if (new is None) != (window is None):
            raise InputError("a limit needs both: --limit-new 5 --limit-minutes 30")
        return replace(before, limit_new=new, limit_window=window)

    def _levels(self, before: Profile) -> dict[str, int]:
        told = {checked_id(skill, "skill"): level for skill, level in self.levels.items()}
        return {skill: level for skill, level in {**before.levels, **told}.items() if level}

    def _capacities(self, before: Profile) -> dict[str, float]:
        told = {str(kind): units for kind, units in self.kind_capacity.items()}
        both = {**before.kind_capacity, **told}
        return {kind: units for kind, units in both.items() if units is not None}


def _languages(given: Sequence[str]) -> tuple[str, ...]:
    words = dict.fromkeys(word.lower() for word in given if word)
    wrong = [word for word in words if not (word.isascii() and word.isalpha() and len(word) < 4)]
    if wrong:
        raise InputError(f"language {wrong[0]!r} is no code of two or three letters, such as sv")
    return tuple(words)


async def change_profile(
    conn: Connection, *, tenant: str, agent_id: str, change: ProfileChange, now: datetime
) -> Profile:
    """Change what the roster says of an agent and return it; InputError for what cannot be."""
    await shifts.hold(conn, tenant=tenant, agent_id=agent_id)
    before = await profiles.profile(conn, tenant=tenant, agent_id=agent_id)
    after = change.of(before)
    await profiles.set_profile(conn, tenant=tenant, agent_id=agent_id, profile=after, now=now)
    return after


async def give_leave(
    conn: Connection, *, tenant: str, agent_id: str, since: str, until: str, now: datetime
) -> tuple[int, Leave]:
    """Give leave by the agent's clock; an empty `since` is now, an empty `until` has no end.

    Return the leave with its number.
    """
    tz = await shifts.hold(conn, tenant=tenant, agent_id=agent_id) or "UTC"
    leave = Leave(
        read_instant(since, tz) if since else now, read_instant(until, tz) if until else None
    )
    number = await shifts.add_leave(conn, tenant=tenant, agent_id=agent_id, leave=leave, now=now)
    return number, leave


async def swap_turn(
    conn: Connection,
    *,
    tenant: str,
    rota_id: str,
    agent_id: str,
    since: str,
    until: str,
    now: datetime,
) -> tuple[int, Swap]:
    """Let an agent take over by the rota's clock; an empty `since` is now.

    Return the swap with its number.
    """
    kept = await rotas.one(conn, tenant=tenant, rota_id=rota_id, since=now)
    tz = kept.rota.tz
    begins = read_instant(since, tz) if since else now
    swap = read_swap(agent_id, begins, read_instant(until, tz))
    return await rotas.add_swap(conn, tenant=tenant, rota_id=rota_id, swap=swap), swap
