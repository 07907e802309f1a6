"""The rules engines of published packs: started at need, kept while they are used, closed after.

Each has a process of its own. At most so many are kept; what no decision uses for longest goes
first. A version that several tenants decide by has one engine.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass

import logs
from rules.bundle import Bundle
from rules.engine import Engine
from rules.load import parse_pack
from rules.macros import MacroBook
from rules.pack import Pack
from support.errors import FlowHubError, PackError, RulesEngineError

ReadBody = Callable[[str], Awaitable[str]]
_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A pack that can be asked."""

    engine: Engine
    macros: MacroBook


class Engines:
    """Keeps the engines of at most `most` versions, and beyond that only what is being used."""

    def __init__(self, *, most: int, timeout_s: float) -> None:
        self.most = most
        self._timeout_s = timeout_s
        self._starting: dict[str, asyncio.Task[Running]] = {}
        self._users: Counter[str] = Counter()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions that are kept, the one that was not used for longest first."""
        return tuple(self._starting)

    @asynccontextmanager
    async def using(self, version: str, read: ReadBody) -> AsyncIterator[Running]:
        """Yield the engine of a version, which stays as long as it is used.

        `read` gets the stored pack where the engine is not there yet. PackError kinds and
        RulesEngineError say why it cannot be started; the next use tries again.
        """
        self._users[version] += 1
        try:
            yield await self._running(version, read)
        finally:
            self._users[version] -= 1
            if not self._users[version]:
                del self._users[version]
            self._shed()

    async def _running(self, version: str, read: ReadBody) -> Running:
        starting = self._starting.get(version)
        if starting is None:
            body = await read(version)
            # Another decision may have begun to start it while this one read.
            starting = self._starting.get(version) or asyncio.create_task(
                asyncio.to_thread(_start, version, body, self._timeout_s)
            )
        self._starting.pop(version, None)
        self._starting[version] = starting
        try:
            # A decision that is given up does not take the engine from those that wait for it too.
            return await asyncio.shield(starting)
        except Exception:
            if self._starting.get(version) is starting:
                del self._starting[version]
            raise

    def _shed(self) -> None:
        for version, starting in list(self._starting.items()):
            if len(self._starting) <= self.most:
                return
            if not self._users[version] and starting.done():
                del self._starting[version]
                self._in_background(_end(starting))

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End every engine; nothing may use them any more."""
        for starting in self._starting.values():
            self._in_background(_end(starting))
        self._starting.clear()
        while self._closing:
            await asyncio.gather(*self._closing)


def _start(version: str, body: str, timeout_s: float) -> Running:
    pack = _read(version, body)
    engine = Engine(pack, timeout_s=timeout_s)
    try:
        engine.__enter__()
    except RulesEngineError:
        engine.__enter__()
    _log.info("rules engine started", pack=pack.name, version=version)
    return Running(engine, pack.macros)


def _read(version: str, body: str) -> Pack:
    try:
        return parse_pack(Bundle.from_json(body, version))
    except (FlowHubError, MemoryError):
        raise
    except Exception as error:
        # A stored pack may be of a newer worker, and trip this one over in any way.
        what = f"pack {version} cannot be read: {type(error).__name__}: {error}"
        raise PackError(what) from error


async def _end(starting: asyncio.Task[Running]) -> None:
    try:
        running = await starting
    except Exception:  # noqa: BLE001  it never started, which whoever wanted it was told
        return
    await asyncio.to_thread(running.engine.close)
