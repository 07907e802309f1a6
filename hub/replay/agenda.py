"""Which deadline of which workflow is next, so that real workflows decide in one order."""

import asyncio
from datetime import datetime
from heapq import heappop, heappush

from support.errors import RuntimeUnavailableError

_PATIENCE_S = 60.0


class Agenda:
    """The next deadline of each ticket, as its last decision said.

    Timers of many workflows fire at one instant; each waits for its turn: by instant and ticket.
    """

    def __init__(self) -> None:
        self._next: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._changed = asyncio.Condition()

    @property
    def first(self) -> tuple[datetime, str] | None:
        """The earliest deadline and its ticket."""
        while self._heap:
            at, ticket_id = self._heap[0]
            if self._next.get(ticket_id) == at:
                return at, ticket_id
            heappop(self._heap)
        return None

    async def set(self, ticket_id: str, at: datetime | None) -> None:
        """Note the next deadline of a ticket; None: it waits for nothing."""
        async with self._changed:
            if at is None:
                self._next.pop(ticket_id, None)
            elif self._next.get(ticket_id) != at:
                self._next[ticket_id] = at
                heappush(self._heap, (at, ticket_id))
            self._changed.notify_all()

    async def turn(self, ticket_id: str) -> None:
        """Wait until no other ticket has an earlier deadline."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: (first := self.first) is None or first[1] == ticket_id
            )

    async def passed(self, at: datetime) -> None:
        """Wait until every deadline up to `at` has been decided.

        RuntimeUnavailableError names the deadline that stands still for a minute.
        """
        while (waiting := self.first) is not None and waiting[0] <= at:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._other_than(waiting)
            except TimeoutError as error:
                raise RuntimeUnavailableError(
                    f"the deadline of ticket {waiting[1]} at {waiting[0].isoformat()} was not "
                    f"decided within {_PATIENCE_S:g} s: see the log, then replay again"
                ) from error

    async def _other_than(self, waiting: tuple[datetime, str]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.first != waiting)
