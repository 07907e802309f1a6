"""The foreground process tree of `flowhub up`.

    run(
        settings,
        [Service("worker", [sys.executable, "-m", "worker"]),
         Service("hub", [sys.executable, "-m", "hub.cli", "serve"], ready=answers)],
        prepare=migrate_and_seed,    # called with the Endpoints, before the services start
        on_ready=print_urls,         # called with the Endpoints, when all services are ready
        progress=rich_progress,
    )                                # returns after Ctrl-C, SIGTERM or SIGHUP; all is stopped

PostgreSQL and Temporal start first, unless settings give their addresses; then the services in
order, each with `FLOWHUB_*` of the addresses in its environment. They stop in the reverse order:
hub, worker, Temporal, PostgreSQL, within 15 s; a second Ctrl-C kills. A service that ends is
started again with backoff; when PostgreSQL or Temporal ends, everything stops with an error.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from embedded.datadir import DataDir, held
from embedded.discovery import Endpoints, Runtime, hub_url
from embedded.postgres import start_postgres
from embedded.processes import Identity, end_leftover, free_port, kill_session, spawn, stop, tail
from embedded.progress import Progress, Silent
from embedded.temporal_server import start_temporal
from settings import Settings
from support.errors import RuntimeUnavailableError

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
STEADY_S = 60.0
"""A service that ran this long starts again without the backoff of earlier crashes."""
READY_LIMIT_S = 90.0
_LOOK_S = 0.2
_TEMPORAL_GRACE_S = 3.0
_POSTGRES_GRACE_S = 3.0


@dataclass(frozen=True, slots=True)
class Service:
    """A child process that is kept running.

    `ready` is asked until it says True at the first start; None: ready when started. `keep` False:
    it may end by itself with code 0 (a feed that is done). `grace_s`: seconds it gets to stop.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[Endpoints], bool] | None = None
    keep: bool = True
    grace_s: float = 4.0


class Server(Protocol):
    """A running PostgreSQL or Temporal."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process."""

    @property
    def log(self) -> Path:
        """Its log file."""


def run(
    settings: Settings,
    services: Sequence[Service],
    *,
    prepare: Callable[[Endpoints], None] | None = None,
    on_ready: Callable[[Endpoints], None] | None = None,
    progress: Progress | None = None,
) -> None:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP; call it from the main thread.

    RuntimeUnavailableError, after all is stopped: another `up` holds the data directory, a port is
    in use, a service does not get ready, or a server ended.
    """
    layout = DataDir(settings.data_dir)
    layout.create()
    refusal = (
        f"`flowhub up` already runs on {layout.lock.parent}: use that one, stop it first, "
        "or set FLOWHUB_DATA_DIR to another folder"
    )
    with held(layout.lock, refusal):
        tree = _Tree(settings, layout, progress or Silent())
        with _Signals(tree):
            try:
                tree.run(services, prepare, on_ready)
            except KeyboardInterrupt:
                tree.progress.step("Stopped")


class _Signals:
    """First signal: KeyboardInterrupt, which unwinds the tree. Second: kill what is left."""

    def __init__(self, tree: "_Tree") -> None:
        self._tree = tree
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        tree = self._tree
        if tree.stopping:
            tree.kill()
            return
        tree.stop_asked = True
        if not tree.starting_child:
            tree.interrupt()


class _Tree:
    """The running processes and the order in which they end."""

    def __init__(self, settings: Settings, layout: DataDir, progress: Progress) -> None:
        self.progress = progress
        self.stopping = False
        self.stop_asked = False
        self.starting_child = False
        self._settings = settings
        self._layout = layout
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._servers: dict[str, Server] = {}
        self._endpoints: Endpoints | None = None

    def run(
        self,
        services: Sequence[Service],
        prepare: Callable[[Endpoints], None] | None,
        on_ready: Callable[[Endpoints], None] | None,
    ) -> None:
        """Start everything, watch it, and unwind in reverse when anything is raised."""
        with ExitStack() as unwind:
            unwind.callback(self._layout.runtime.unlink, missing_ok=True)
            try:
                self._end_leftovers()
                endpoints = self._start_servers(unwind)
                if prepare:
                    prepare(endpoints)
                children = [_Child(service, self, endpoints) for service in services]
                for child in children:
                    unwind.callback(child.stop)
                    child.start()
                    child.wait_ready()
                if on_ready:
                    on_ready(endpoints)
                self._watch(children)
            except BaseException:
                self.stopping = True
                self.progress.step("Stopping (Ctrl-C again to kill)")
                raise

    def _watch(self, children: "Sequence[_Child]") -> NoReturn:
        while True:
            self.check_servers()
            for child in children:
                child.look()
            time.sleep(_LOOK_S)

    def interrupt(self) -> None:
        """Begin to stop; from here on a signal kills."""
        self.stopping = True
        raise KeyboardInterrupt

    def kill(self) -> None:
        """Kill every process; what waits for them goes on at once."""
        for process in self._processes.values():
            if process.poll() is None:
                kill_session(process.pid)

    def record(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Note a started process where `kill`, discovery and a later `up` find it."""
        self._processes[name] = process
        self._write()

    def _write(self) -> None:
        supervisor = Identity.of(os.getpid())
        if self._endpoints is None or supervisor is None:
            return
        found = {name: Identity.of(it.pid) for name, it in self._processes.items()}
        processes = {name: identity for name, identity in found.items() if identity}
        Runtime(supervisor, self._endpoints, processes).write(self._settings.data_dir)

    def _end_leftovers(self) -> None:
        """End what a killed `up` left, newest first; PostgreSQL's start sees to its own."""
        before = Runtime.read(self._settings.data_dir)
        for name, identity in reversed(list(before.processes.items() if before else ())):
            if name != "postgres" and identity.alive:
                self.progress.step(f"Ending {name}, left by a run that was killed")
                end_leftover(identity, grace_s=4.0)

    def _start_servers(self, unwind: ExitStack) -> Endpoints:
        settings, given = self._settings, self._settings.database_url
        port = free_port(settings.hub_port, what="the hub", setting="FLOWHUB_HUB_PORT")
        if given:
            database_url = given.get_secret_value()
        else:
            self.progress.step("Starting PostgreSQL")
            postgres = start_postgres(settings.data_dir, progress=self.progress)
            unwind.callback(postgres.stop, _POSTGRES_GRACE_S)
            self._serve("postgres", postgres)
            database_url = postgres.url
        address, ui_url = settings.temporal_address, ""
        if not address:
            self.progress.step("Starting Temporal")
            temporal = start_temporal(
                settings.data_dir,
                port=settings.temporal_port,
                ui_port=settings.temporal_ui_port,
                namespace=settings.temporal_namespace,
                progress=self.progress,
            )
            unwind.callback(temporal.stop, _TEMPORAL_GRACE_S)
            self._serve("temporal", temporal)
            address, ui_url = temporal.address, temporal.ui_url
        namespace = settings.temporal_namespace
        self._endpoints = Endpoints(
            database_url, address, namespace, hub_url(settings, port), ui_url
        )
        self._write()
        return self._endpoints

    def _serve(self, name: str, server: Server) -> None:
        self._servers[name] = server
        self.record(name, server.process)

    def check_servers(self) -> None:
        """Raise when PostgreSQL or Temporal has ended by itself."""
        for name, server in self._servers.items():
            if server.process.poll() is not None:
                raise RuntimeUnavailableError(
                    f"{name} ended unexpectedly, so everything was stopped; nothing that was "
                    f"acknowledged is lost, start again: {tail(server.log, 2)} (log: {server.log})"
                )

    def child_env(self, endpoints: Endpoints, service: Service) -> dict[str, str]:
        """Return the environment of a service: ours, the addresses, its own."""
        return {
            **os.environ,
            "FLOWHUB_DATA_DIR": str(self._layout.runtime.parent),
            "FLOWHUB_DATABASE_URL": endpoints.database_url,
            "FLOWHUB_TEMPORAL_ADDRESS": endpoints.temporal_address,
            "FLOWHUB_TEMPORAL_NAMESPACE": endpoints.namespace,
            "FLOWHUB_HUB_PORT": endpoints.hub_url.rsplit(":", 1)[1],
            **service.env,
        }

    def log_of(self, service: Service) -> Path:
        """Return the log file of a service."""
        return self._layout.logs / f"{service.name}.log"


class _Child:
    """One service: its process now, and when it may start again after a crash."""

    def __init__(self, service: Service, tree: _Tree, endpoints: Endpoints) -> None:
        self._service = service
        self._tree = tree
        self._endpoints = endpoints
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_s = BACKOFF_FIRST_S
        self._start_at: float | None = None

    def start(self) -> None:
        """Start the process, shielded from Ctrl-C until it is noted for stopping."""
        tree = self._tree
        tree.starting_child = True
        try:
            self._process = spawn(
                self._service.argv,
                log=tree.log_of(self._service),
                env=tree.child_env(self._endpoints, self._service),
            )
            self._started_at = time.monotonic()
            self._start_at = None
            tree.record(self._service.name, self._process)
        finally:
            tree.starting_child = False
        if tree.stop_asked:
            tree.interrupt()

    def wait_ready(self) -> None:
        """Wait until the service says that it is ready, at its first start."""
        service, log = self._service, self._tree.log_of(self._service)
        while service.ready and self._process and not service.ready(self._endpoints):
            elapsed_s = time.monotonic() - self._started_at
            self._tree.progress.waiting(f"starting the {service.name}", elapsed_s)
            self._tree.check_servers()
            if self._process.poll() is not None or elapsed_s > READY_LIMIT_S:
                raise RuntimeUnavailableError(
                    f"the {service.name} did not get ready: {tail(log, 3)} (all of it: {log})"
                )
            time.sleep(_LOOK_S)

    def look(self) -> None:
        """Start again what has ended, when its backoff is over."""
        now = time.monotonic()
        if self._start_at is not None:
            if now >= self._start_at:
                self.start()
            return
        if self._process is None or (code := self._process.poll()) is None:
            return
        kill_session(self._process.pid)
        if code == 0 and not self._service.keep:
            self._process = None
            return
        if now - self._started_at >= STEADY_S:
            self._backoff_s = BACKOFF_FIRST_S
        log = self._tree.log_of(self._service)
        self._tree.progress.step(
            f"The {self._service.name} ended with code {code}; "
            f"starting it again in {self._backoff_s:g} s (log: {log})"
        )
        self._start_at = now + self._backoff_s
        self._backoff_s = min(self._backoff_s * 2, BACKOFF_MAX_S)

    def stop(self) -> None:
        """Ask the process to end and wait for it."""
        if self._process is not None:
            stop(self._process, grace_s=self._service.grace_s)
