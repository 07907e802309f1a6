"""Which pack decides: the tenant's publication, an earlier one where it fails, or the worker's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Protocol, TypeVar

import psycopg
from psycopg.errors import UniqueViolation

import logs
from activities.attempt import Attempt, Judging, Macros, PackFailedError, PackFault, take_faults
from activities.engines import Engines
from activities.messages import DecideInput
from activities.shadowing import Shadows
from activities.surroundings import Evaluator
from store import engine_faults, packs, publishing
from store.packs import ActivePacks
from store.pool import Connection, Pool, transaction
from support.errors import LedgerError, PackError, RulesEngineError

T = TypeVar("T")
REFRESH_S = 2.0
"""How often a worker looks for versions to start an engine for, before a decision needs it."""
_log = logs.get(__name__)


class Own(Protocol):
    """The pack of the worker's settings."""

    @property
    def engine(self) -> Evaluator:
        """Its rules."""
        ...

    @property
    def macros(self) -> Macros:
        """Its macros."""
        ...


class Published:
    """Chooses the pack of each decision, and parks a publication that cannot decide.

    Without `engines` every tenant is decided by the worker's own pack.
    """

    def __init__(self, pool: Pool, own: Own, engines: Engines | None = None) -> None:
        self._pool = pool
        self._own = own
        self._engines = engines
        self._shadows = Shadows(pool, engines, self.report) if engines else None
        self._known: frozenset[str] = frozenset()
        self._behind: set[asyncio.Task[None]] = set()

    async def attend(self, asked: DecideInput, work: Callable[[Attempt], Awaitable[T]]) -> T:
        """Return what `work` returns, by the first pack that can decide.

        Where two decide the same at once, the later one is asked again, and finds it decided.
        """
        collided = False
        while True:
            attempt = Attempt(asked, self._own.engine, self._own.macros, self._given_up)
            try:
                result = await work(attempt)
            except UniqueViolation:
                if collided:
                    raise
                collided = True
            except PackFailedError as failed:
                await self._park(asked.tenant, failed)
            else:
                if self._shadows is not None:
                    self._shadows.compare(attempt)
                return result
            finally:
                await self.report(asked.tenant, attempt.faults)

    @asynccontextmanager
    async def by(
        self, conn: Connection, attempt: Attempt, active: ActivePacks
    ) -> AsyncIterator[Attempt]:
        """Yield the attempt with the pack that `active` names; it stays until the end."""
        attempt.active = active
        if self._engines is None or active.number is None or not active.version:
            yield attempt
            return
        attempt.number = active.number
        async with AsyncExitStack() as stack:
            using = self._engines.using(active.version, partial(packs.body_for_worker, conn))
            try:
                running = await stack.enter_async_context(using)
            except RulesEngineError as error:
                raise attempt.failed(error) from error
            except (PackError, LedgerError) as error:
                raise PackFailedError(active.number, error) from error
            attempt.engine, attempt.macros = running.engine, running.macros
            yield attempt

    async def _park(self, tenant: str, failed: PackFailedError) -> None:
        async with transaction(self._pool) as conn:
            now = await publishing.park(
                conn, tenant=tenant, number=failed.number, error=str(failed)
            )
        _log.error(
            "rule pack parked",
            tenant=tenant,
            publication=failed.number,
            error=str(failed),
            goes_on_by=now.version or publishing.OWN,
        )

    def _given_up(self, attempt: Attempt, judging: Judging) -> None:
        self._later(self._heard(attempt, judging))

    async def _heard(self, attempt: Attempt, judging: Judging) -> None:
        """Park the pack also where its engine needed longer than the decision was given."""
        try:
            await judging
        except RulesEngineError as error:
            failed = attempt.failed(error)
            if isinstance(failed, PackFailedError):
                await self._park(attempt.asked.tenant, failed)
        await self.report(attempt.asked.tenant, take_faults(attempt.engine))

    async def report(self, tenant: str, faults: Sequence[PackFault]) -> None:
        """Write that engines were replaced; a decision never fails because of that."""
        if not faults:
            return
        try:
            async with self._pool.connection() as conn:
                for seen in faults:
                    await engine_faults.add(
                        conn,
                        tenant=tenant,
                        version=seen.version,
                        name=seen.name,
                        kind=seen.fault.kind,
                        reason=seen.fault.reason,
                    )
        except psycopg.Error as error:
            _log.warning("engine faults are not on record", error=type(error).__name__)

    async def refresh(self) -> None:
        """Start the engines of versions that came into use, before a decision has to wait."""
        if self._engines is None:
            return
        async with self._pool.connection() as conn:
            versions = await packs.newest_in_use(conn, limit=self._engines.most)
        fresh = [version for version in reversed(versions) if version not in self._known]
        self._known = frozenset(versions)
        for version in fresh:
            try:
                async with self._engines.using(version, self._read):
                    pass
            except Exception as error:  # noqa: BLE001  the decision that needs it says the same
                _log.error("rule pack does not start", version=version, error=str(error))

    async def keep_fresh(self) -> None:
        """Refresh until cancelled."""
        while True:
            try:
                await self.refresh()
            except psycopg.Error as error:
                _log.warning("publications cannot be read", error=type(error).__name__)
            await asyncio.sleep(REFRESH_S)

    async def _read(self, version: str) -> str:
        async with self._pool.connection() as conn:
            return await packs.body_for_worker(conn, version)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def settle(self) -> None:
        """Wait for what decisions left behind: comparisons, and engines that were too slow."""
        if self._shadows is not None:
            await self._shadows.settle()
        while self._behind:
            await asyncio.gather(*self._behind, return_exceptions=True)
