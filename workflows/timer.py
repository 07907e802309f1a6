"""One timer for a deadline that moves."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow


class DeadlineTimer:
    """Wakes a workflow no later than its deadline.

    It is armed again only when the deadline moves earlier: a later one lets it fire early, which
    costs one event instead of two at every move. `fired` may aim again.
    """

    def __init__(self, fired: Callable[[], None]) -> None:
        self._fired = fired
        self._task: asyncio.Task[None] | None = None
        self._fires_at: datetime | None = None

    def aim(self, at: datetime | None, summary: str) -> None:
        """Make sure that something fires at `at` (workflow time) at the latest."""
        if at is None:
            return
        if self._fires_at is not None:
            if self._fires_at <= at:
                return
            self.stop()
        self._fires_at = at
        self._task = asyncio.create_task(self._sleep_until(at, summary))

    def stop(self) -> None:
        """Cancel what is armed."""
        if self._task is not None:
            self._task.cancel()
        self._task = self._fires_at = None

    async def _sleep_until(self, at: datetime, summary: str) -> None:
        left = (at - workflow.now()).total_seconds()
        if left > 0:
            await workflow.sleep(left, summary=summary)
        self._task = self._fires_at = None
        self._fired()
