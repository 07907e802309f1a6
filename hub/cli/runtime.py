"""`flowhub up`, `worker`, `hub`, `setup`, `demo` and `doctor`: the processes of the hub."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer
from pydantic import SecretStr
from temporalio.client import Client

import logs
from embedded.discovery import Endpoints, resolve
from embedded.processes import free_port
from embedded.progress import Lines
from embedded.search_attributes import register as register_attributes
from embedded.search_attributes import retain
from hub.cli.output import AsJson, print_json, print_table, say
from hub.cli.session import run, session
from settings import Settings, read_settings
from store.migrate import migrate
from support.model import DEMO_TENANT
from workflows.connection import connect


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up", epilog="Example: `flowhub up --demo`")(up)
    app.command("worker", epilog="Example: `flowhub worker`, or `python worker.py`")(worker)
    app.command("hub", epilog="Example: `flowhub hub --port 8400`")(hub)
    app.command("setup", epilog="Example: `flowhub setup`")(setup)
    app.command("demo", epilog="Example: `flowhub demo`")(demo)
    app.command("doctor", epilog="Example: `flowhub doctor --json`")(doctor)


def up(
    with_demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Feed the tenant `demo` with tickets.")
    ] = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Temporal, worker and hub, until Ctrl-C."""
    from embedded.supervisor import Service
    from embedded.supervisor import run as run_tree

    settings = read_settings()
    services = [
        Service("worker", _flowhub("worker"), grace_s=12.0),
        Service("hub", _flowhub("hub"), ready=_hub_answers),
    ]
    if with_demo:
        services.append(Service("demo", _flowhub("demo")))

    def prepare(endpoints: Endpoints) -> None:
        asyncio.run(_prepare(settings, endpoints))

    def ready(endpoints: Endpoints) -> None:
        _say_where(endpoints, with_demo=with_demo)

    run_tree(settings, services, prepare=prepare, on_ready=ready, progress=Lines(sys.stdout))


def _flowhub(command: str) -> Sequence[str]:
    return [sys.executable, "-m", "hub.cli", command]


def _hub_answers(endpoints: Endpoints) -> bool:
    try:
        with urlopen(f"{endpoints.hub_url}/healthz", timeout=2) as answer:  # noqa: S310  our own
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _say_where(endpoints: Endpoints, *, with_demo: bool) -> None:
    query = f"?tenant={DEMO_TENANT}" if with_demo else ""
    tenant = f" --tenant {DEMO_TENANT}" if with_demo else ""
    say("\n[bold green]The hub is running.[/] Ctrl-C stops all of it.")
    say(f"  Hub          {endpoints.hub_url}/{query}")
    if endpoints.temporal_ui_url:
        say(f"  Temporal UI  {endpoints.temporal_ui_url}")
    say(f"  Try          .venv/bin/flowhub ticket create 'No sound'{tenant}\n")


async def _prepare(settings: Settings, endpoints: Endpoints) -> None:
    await migrate(endpoints.database_url)
    if settings.temporal_address:
        await _register(await connect(settings, endpoints.temporal_address))


async def _register(client: Client) -> None:
    await register_attributes(client)
    await retain(client)


def worker() -> None:
    """Run a worker until SIGINT or SIGTERM; any number may run side by side."""
    import worker as worker_process

    settings = read_settings()
    logs.configure(settings.log_level)
    endpoints = resolve(settings)
    asyncio.run(worker_process.run(_addressed(settings, endpoints)))


def _addressed(settings: Settings, endpoints: Endpoints) -> Settings:
    return settings.model_copy(
        update={
            "database_url": SecretStr(endpoints.database_url),
            "temporal_address": endpoints.temporal_address,
            "temporal_namespace": endpoints.namespace,
        }
    )


def hub(
    host: Annotated[str, typer.Option(help="Address to bind to; there is no sign-in yet.")] = "",
    port: Annotated[int, typer.Option(help="Port; default: FLOWHUB_HUB_PORT.")] = 0,
) -> None:
    """Serve the hub page and the JSON API until SIGINT or SIGTERM."""
    from hub.serve import serve

    settings = read_settings()
    logs.configure(settings.log_level)
    endpoints = resolve(settings)
    wanted = port or settings.hub_port
    free = free_port(wanted, what="the hub", setting="FLOWHUB_HUB_PORT")
    chosen = {"hub_host": host or settings.hub_host, "hub_port": free}
    asyncio.run(serve(_addressed(settings, endpoints).model_copy(update=chosen), endpoints))


def setup() -> None:
    """Apply the migrations, and register search attributes and retention in Temporal."""
    settings = read_settings()
    endpoints = resolve(settings)

    async def work() -> tuple[str, ...]:
        applied = await migrate(endpoints.database_url)
        await _register(await connect(settings, endpoints.temporal_address))
        return applied

    applied = run(work)
    say(f"Ready. Migrations applied now: {', '.join(applied) or 'none, all were there'}")


def demo() -> None:
    """Feed the tenant `demo` with a lifelike stream of tickets until it is stopped."""
    from hub.demo import Feed

    logs.configure(read_settings().log_level)

    async def work() -> None:
        async with session() as hub_session:
            await Feed(hub_session.pool, hub_session.gateway).run()

    run(work)


def doctor(as_json: AsJson = False) -> None:
    """Check that everything the hub needs is there and answers; exit code 1 when not."""
    from hub.cli.doctor import examine

    checks = run(lambda: examine(read_settings()))
    failed = [check for check in checks if not check.ok]
    if as_json:
        print_json({"ok": not failed, "checks": checks})
    else:
        print_table(
            "Checks",
            ("check", "", "found, or what to do"),
            ((check.name, "ok" if check.ok else "FAILED", check.found) for check in checks),
        )
    if failed:
        raise typer.Exit(1)
