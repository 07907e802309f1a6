"""The hub as a process: the web page and the JSON API on the ledger."""

from datetime import UTC, datetime

import uvicorn

from embedded.discovery import Endpoints
from hub.intake import Gateway
from hub.web.app import create_app
from rules.policies_file import load_policies
from settings import Settings
from store.migrate import migrate
from store.pool import open_pool
from workflows.connection import connect


async def serve(settings: Settings, endpoints: Endpoints) -> None:
    """Serve until SIGINT or SIGTERM. It has no sign-in, so keep it on the loopback."""
    await migrate(endpoints.database_url)
    policies, _ = load_policies(settings.policies)
    client = await connect(settings, endpoints.temporal_address)
    async with open_pool(endpoints.database_url, max_size=settings.db_pool_max) as pool:
        app = create_app(
            pool,
            Gateway(pool, client, settings.task_queue),
            temporal_ui_url=endpoints.temporal_ui_url,
            namespace=endpoints.namespace,
            office=policies.office,
            now=lambda: datetime.now(UTC),
        )
        config = uvicorn.Config(
            app,
            host=settings.hub_host,
            port=settings.hub_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
        )
        await uvicorn.Server(config).serve()
