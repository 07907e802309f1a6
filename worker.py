"""The worker process: connect, register, run; nothing else.

python worker.py            # with FLOWHUB_* settings, or beside a running `flowhub up`
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

import logs
from activities.decide import DecideActivities, Rulebook
from activities.engines import Engines
from activities.outside import OutsideActivities, ways_out
from activities.relay import Relay
from activities.shift_spans import keep_ahead
from activities.tidying import keep_tidy
from rules.engine import Engine
from rules.load import load_pack
from rules.policies_file import load_policies
from settings import Settings, read_settings
from store import packs, policy_books
from store.migrate import migrate
from store.pool import Pool, open_pool
from support.errors import FlowHubError, RuntimeUnavailableError
from workflows.connection import connect
from workflows.runner import TicketSandbox
from workflows.ticket import TicketWorkflow

WORKFLOWS = [TicketWorkflow]


@asynccontextmanager
async def ticket_worker(client: Client, pool: Pool, settings: Settings) -> AsyncIterator[Worker]:
    """Yield a worker that is ready to run, with its rules engine started."""
    pack = load_pack(settings.pack)
    policies, form = load_policies(settings.policies)
    async with pool.connection() as conn:
        await packs.remember(conn, version=pack.version, name=pack.name, body=pack.text)
        await policy_books.remember(conn, version=policies.version, body=form)
    async with AsyncExitStack() as stack:
        engine = stack.enter_context(Engine(pack, timeout_s=settings.engine_timeout_s))
        engines = Engines(most=settings.engines_max, timeout_s=settings.engine_timeout_s)
        stack.push_async_callback(engines.close)
        rulebook = Rulebook(engine, pack.macros, policies, ways_out(settings))
        decide = DecideActivities(pool, rulebook, engines)
        stack.push_async_callback(decide.published.settle)
        await stack.enter_async_context(_beside(decide.published.keep_fresh()))
        await stack.enter_async_context(_beside(keep_tidy(pool)))
        await stack.enter_async_context(_beside(keep_ahead(pool)))
        outside = OutsideActivities(pool, settings)
        yield Worker(
            client,
            task_queue=settings.task_queue,
            workflows=WORKFLOWS,
            workflow_runner=TicketSandbox(),
            activities=[decide.decide, decide.park, outside.perform, outside.park],
            graceful_shutdown_timeout=timedelta(seconds=10),
        )


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def run(settings: Settings) -> None:
    """Run the worker until SIGINT or SIGTERM, then finish what has begun."""
    address, url = settings.temporal_address, settings.database_url
    if not address or url is None:
        raise RuntimeUnavailableError(
            "the worker needs FLOWHUB_TEMPORAL_ADDRESS and FLOWHUB_DATABASE_URL: set them, "
            "or use `flowhub worker` beside a running `make run`"
        )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await migrate(url.get_secret_value())
    client = await connect(settings, address)
    async with (
        open_pool(url.get_secret_value(), max_size=settings.db_pool_max) as pool,
        ticket_worker(client, pool, settings) as worker,
        worker,
        _beside(Relay(pool, url.get_secret_value(), client).run()),
    ):
        logs.get(__name__).info("worker is running", task_queue=settings.task_queue)
        await stop.wait()


def main() -> None:
    """Run the worker; exit code 2 with one sentence when it cannot start."""
    try:
        settings = read_settings()
        logs.configure(settings.log_level)
        asyncio.run(run(settings))
    except FlowHubError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
