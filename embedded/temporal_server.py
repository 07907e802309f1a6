"""The embedded Temporal: its development server as a child process, with the Web UI and a file.

    server = start_temporal(data_dir, port=0, ui_port=0)    # blocking; 0: any free port
    server.address, server.ui_url, server.namespace
    server.stop()                                           # the next start continues the file

The namespace gets the hub's search attributes and a retention of 90 days. Call from a plain thread;
from a coroutine through `asyncio.to_thread`.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from embedded.datadir import DataDir
from embedded.processes import LOOPBACK, Identity, free_port, spawn, stop, tail
from embedded.progress import Progress, Silent
from embedded.search_attributes import register, retain
from embedded.temporal_binary import obtain_temporal
from support.errors import RuntimeUnavailableError

SQLITE_PRAGMAS = ("journal_mode=wal", "synchronous=normal")
"""Measured: 1.5 to 2 times the throughput. A crash of the machine, not of the server, may lose the
last moments of Temporal's file; the ledger keeps what was decided."""

_READY_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class RunningTemporal:
    """A Temporal development server that runs as our child."""

    process: subprocess.Popen[bytes]
    address: str
    ui_url: str
    namespace: str
    log: Path

    @property
    def identity(self) -> Identity | None:
        """The server's process; None when it has died."""
        return Identity.of(self.process.pid) if self.process.poll() is None else None

    def stop(self, grace_s: float = 5.0) -> None:
        """End the server; its file keeps every workflow."""
        stop(self.process, grace_s=grace_s)


def start_temporal(
    data_dir: Path,
    *,
    port: int = 7233,
    ui_port: int = 8233,
    namespace: str = "default",
    executable: Path | None = None,
    dynamic_config: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> RunningTemporal:
    """Start the server on the data directory's file and wait until it serves `namespace`.

    `executable` is what `obtain_temporal` gives when None; `dynamic_config` overrides the server's.
    RuntimeUnavailableError names the port and the setting that changes it, or the log of a server
    that does not come up.
    """
    shown = progress or Silent()
    layout = DataDir(data_dir)
    layout.create()
    port = free_port(port, what="Temporal", setting="FLOWHUB_TEMPORAL_PORT")
    ui_port = free_port(ui_port, what="Temporal's Web UI", setting="FLOWHUB_TEMPORAL_UI_PORT")
    executable = executable or obtain_temporal(data_dir, shown)
    log = layout.logs / "temporal.log"
    argv = _argv(executable, layout.temporal, port, ui_port, namespace)
    for key, value in (dynamic_config or {}).items():
        argv += ["--dynamic-config-value", f"{key}={value}"]
    process = spawn(argv, log=log, env=_env())
    server = RunningTemporal(
        process, f"{LOOPBACK}:{port}", f"http://{LOOPBACK}:{ui_port}", namespace, log
    )
    try:
        asyncio.run(_until_ready(server, shown))
    except BaseException:
        server.stop()
        raise
    return server


def _argv(executable: Path, database: Path, port: int, ui_port: int, namespace: str) -> list[str]:
    argv = [str(executable), "server", "start-dev", "--ip", LOOPBACK, "--port", str(port)]
    argv += ["--ui-port", str(ui_port), "--db-filename", str(database)]
    argv += ["--namespace", namespace, "--log-format", "json"]
    for pragma in SQLITE_PRAGMAS:
        argv += ["--sqlite-pragma", pragma]
    return argv


def _env() -> dict[str, str]:
    """Our environment without what would point the command line at another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}


async def _until_ready(server: RunningTemporal, progress: Progress) -> None:
    begun = time.monotonic()
    while server.process.poll() is None:
        elapsed_s = time.monotonic() - begun
        progress.waiting("starting Temporal", elapsed_s)
        try:
            client = await Client.connect(server.address, namespace=server.namespace)
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=server.namespace)
            )
            await register(client)
            await retain(client)
        except (RPCError, RuntimeError):
            if elapsed_s > _READY_LIMIT_S:
                raise
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeUnavailableError(
        f"Temporal ended while it started: {tail(server.log, 2)} (all of it: {server.log})"
    )
