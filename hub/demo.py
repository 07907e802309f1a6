"""A lifelike stream of tickets for the tenant `demo`, until it is stopped.

Its policies (rules/policies/default.yaml) never sleep and count in minutes, so that a visitor sees
clocks run, steps fire and tickets move. Random, but the same at every first run.
"""

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from decimal import Decimal

from hub.drafts import Command, NewTicket
from hub.intake import Gateway
from logs import get
from store import presences, roster, views
from store.pool import Pool, transaction
from support.errors import FlowHubError, InputError
from support.model import (
    DEMO_TENANT,
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Presence,
    Priority,
    TicketStatus,
)
from support.routing import Role

_FIRST_TICKETS = 24
_PACE_S = (0.5, 2.0)
_OPEN_AT_MOST = 36
_PREFIX = "D-"
"""Begins the ids of its tickets; those of a visitor are left to the visitor."""
_CAPACITY = Decimal(24)
_TEAMS = ("audio", "billing", "web")
_AGENTS = (
    ("kim", "audio"),
    ("lou", "audio"),
    ("ali", "billing"),
    ("eva", "billing"),
    ("noa", "web"),
    ("max", "web"),
)
_LEADERS = (("ines", Role.LEAD), ("olof", Role.MANAGER), ("petra", Role.ON_CALL))
_SUBJECTS = {
    "audio": ("No sound after the update", "Ljudet hackar", "Headset is not found"),
    "billing": ("Invoice counted twice", "Fakturan stämmer inte", "Change of address"),
    "web": ("Page stays white", "Kan inte logga in", "Form loses what I wrote"),
}
_log = get(__name__)


@dataclass
class Feed:
    """One run of the stream."""

    pool: Pool
    gateway: Gateway
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  a demo

    async def run(self) -> None:
        """Seed the roster, open a first batch, then let something happen every few seconds."""
        await self._seed()
        async with self.pool.connection() as conn:
            known = await views.list_tickets(conn, tenant=DEMO_TENANT, limit=1)
        for _ in range(0 if known else _FIRST_TICKETS):
            await self._open()
        while True:
            await asyncio.sleep(self.chance.uniform(*_PACE_S))
            await self._something()

    async def _seed(self) -> None:
        async with transaction(self.pool) as conn:
            known = {agent.agent_id for agent in await roster.listed(conn, tenant=DEMO_TENANT)}
            people = [(name, team, Role.AGENT) for name, team in _AGENTS]
            people += [(name, "", role) for name, role in _LEADERS]
            for name, team, role in people:
                if name not in known:
                    agent = roster.Agent(
                        name,
                        team=team,
                        role=str(role),
                        presence="online",
                        capacity_units=_CAPACITY,
                    )
                    await roster.add(conn, tenant=DEMO_TENANT, agent=agent)

    async def _open(self) -> None:
        team = self.chance.choice(_TEAMS)
        new = NewTicket(
            subject=self.chance.choice(_SUBJECTS[team]),
            body="Hello, can you help me with this?",
            ticket_id=f"{_PREFIX}{uuid.uuid4().hex[:6]}",
            channel=self.chance.choice((Channel.EMAIL, Channel.WEB, Channel.WEB, Channel.CHAT)),
            priority=self.chance.choices(list(Priority), weights=(2, 5, 2, 1))[0],
            team=team,
            customer_id=f"c-{self.chance.randrange(200)}",
        )
        await self.gateway.create(
            DEMO_TENANT, new, actor=Actor(ActorKind.CUSTOMER, new.customer_id), source="demo"
        )

    async def _something(self) -> None:
        """Open a ticket, or let someone do the next thing to one that is open."""
        async with self.pool.connection() as conn:
            tickets = await views.list_tickets(conn, tenant=DEMO_TENANT, limit=500)
        open_now = [ticket for ticket in tickets if ticket.ticket_id.startswith(_PREFIX)]
        try:
            if self.chance.random() < 0.05:
                await self._presence()
            elif not open_now or (len(open_now) < _OPEN_AT_MOST and self.chance.random() < 0.35):
                await self._open()
            else:
                near = open_now[: 12 if self.chance.random() < 0.7 else None]
                await self._move(self.chance.choice(near))
        except InputError as refusal:
            _log.info("demo event refused", code=refusal.code)
        except FlowHubError as error:
            _log.warning("demo event failed", code=error.code)

    async def _presence(self) -> None:
        agent_id, _ = self.chance.choice(_AGENTS[::2])  # one of each team, the other stays
        presence = self.chance.choice((Presence.ONLINE, Presence.ONLINE, Presence.AWAY))
        async with transaction(self.pool) as conn:
            await presences.set_presence(
                conn, tenant=DEMO_TENANT, agent_id=agent_id, presence=presence
            )

    async def _move(self, ticket: views.TicketView) -> None:
        agent = Actor(ActorKind.AGENT, ticket.owner or "kim")
        customer = Actor(ActorKind.CUSTOMER, ticket.customer_id or "unknown")
        waiting = ticket.status in (TicketStatus.WAITING_CUSTOMER, TicketStatus.WAITING_INTERNAL)
        reply = (agent, Command(EventKind.REPLY, text="Please try this and tell us how it went."))
        actor, command = self.chance.choice(
            (
                reply,
                reply,
                reply,
                (agent, Command(EventKind.NOTE, text="Looked into it.")),
                (agent, Command(EventKind.ACK)),
                (customer, Command(EventKind.CUSTOMER_MESSAGE, text="It is still there.")),
                (agent, Command(EventKind.RESUME) if waiting else _WAIT),
                (agent, Command(EventKind.RESOLVE)),
            )
        )
        await self.gateway.command(
            DEMO_TENANT, ticket.ticket_id, command, actor=actor, source="demo"
        )


_WAIT = Command(EventKind.WAIT, status=TicketStatus.WAITING_CUSTOMER)
