"""The SDK's own download of its servers, given up soon where it cannot be reached."""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from temporalio.testing import WorkflowEnvironment

from embedded.progress import Progress

Start = Callable[[str], Coroutine[Any, Any, WorkflowEnvironment]]
"""Starts the server with downloads into the named folder."""

FIRST_BYTE_LIMIT_S = 15.0
STALL_LIMIT_S = 30.0


def download(start: Start, target: Path, *, what: str, progress: Progress) -> bool:
    """Let the SDK download a server and keep its executable as `target`; False: not to be had.

    The SDK downloads only by starting the server, so it is started and stopped once.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="sdk-") as name:
        folder = Path(name)
        if not asyncio.run(_start_once(start, folder, what, progress)):
            return False
        found = [path for path in folder.iterdir() if os.access(path, os.X_OK)]
        if not found:
            return False
        max(found, key=lambda path: path.stat().st_size).replace(target)
    return True


async def _start_once(start: Start, folder: Path, what: str, progress: Progress) -> bool:
    """Start and stop the server, giving up when nothing arrives; True: it ran."""
    task = asyncio.create_task(start(str(folder)))
    begun = changed = time.monotonic()
    size = 0
    while not task.done():
        await asyncio.wait({task}, timeout=1.0)
        now = time.monotonic()
        progress.waiting(what, now - begun)
        arrived = _size_of(folder)
        if arrived != size:
            size, changed = arrived, now
        if now - changed > (STALL_LIMIT_S if size else FIRST_BYTE_LIMIT_S):
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
            return False
    if task.cancelled() or task.exception() is not None:
        return False
    await task.result().shutdown()
    return True


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
