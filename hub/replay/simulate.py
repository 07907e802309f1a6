"""The replay by simulation: the pure core under a virtual clock, without any server."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from hub.replay.engine import Ended, Owners, Taken, reason
from hub.replay.events import Happening
from support.decision import Decision
from support.errors import InputError
from support.model import TicketEvent
from support.needs import RuleAction
from support.policy import PolicyBook
from support.simulate import Evaluate, Member, Simulation, Team

TENANT = "replay"

Watch = Callable[[TicketEvent | None, Decision], None]
"""Told of every decision, with its event; None: a deadline fell due."""


class SimulatedEngine:
    """Decides in this process. `since` is the instant from which everybody is idle."""

    def __init__(
        self,
        book: PolicyBook,
        macros: Mapping[str, tuple[RuleAction, ...]],
        evaluate: Evaluate,
        roster: Iterable[Member],
        since: datetime,
        *,
        watch: Watch | None = None,
    ) -> None:
        self._simulation = Simulation(TENANT, book, Team(roster, since), evaluate, macros)
        self._owners = Owners()
        self._watch = watch

    async def pass_before(self, at: datetime, coming: int) -> None:  # noqa: ARG002
        """Let what comes by itself before `at` come: deadlines, and what is handed out."""
        for passed in self._simulation.pass_before(at):
            self._note(passed.event, passed.decision)
        await asyncio.sleep(0)

    async def submit(self, happening: Happening) -> Taken:
        """Take one event."""
        try:
            decision = self._simulation.submit(happening.ticket_id, happening.event)
        except InputError as error:
            owner = self._owners.of.get(happening.ticket_id, "")
            return Taken(owner, reason(happening.event, error))
        self._note(happening.event, decision)
        return Taken(decision.state.owner)

    async def end(self) -> Ended:
        """Return how every ticket stands."""
        simulation = self._simulation
        return Ended(simulation.states, simulation.decisions, self._owners.assignments)

    def _note(self, event: TicketEvent | None, decision: Decision) -> None:
        self._owners.now(decision.state.ticket_id, decision.state.owner)
        if self._watch is not None:
            self._watch(event, decision)
