"""Waiting for a condition instead of for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(probe: Callable[[], Awaitable[T]], limit_s: float = 30.0) -> T:
    """Return the first truthy value of `probe`; AssertionError after `limit_s`."""
    until = time.monotonic() + limit_s
    while True:
        found = await probe()
        if found:
            return found
        assert time.monotonic() < until, f"{probe} did not come true within {limit_s} s"
        await asyncio.sleep(0.05)
