"""Child processes that outlive no one: start with a log file, stop in time, find leftovers."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from support.errors import RuntimeUnavailableError

LOOPBACK = "127.0.0.1"
LOG_MAX_BYTES = 50_000_000
"""A log larger than this is set aside, once, when its process starts."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Identity of the process `pid`, None when there is none."""
        try:
            return cls(pid=pid, started=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    @property
    def alive(self) -> bool:
        """The very same process runs and is no zombie."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that a server runs under when we are root."""

    uid: int
    gid: int


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, its output appended to `log`.

    A terminal's Ctrl-C therefore reaches the supervisor alone, which stops its children in order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - argv is ours, no shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
        )


def stop(
    process: subprocess.Popen[bytes], *, grace_s: float, first: signal.Signals = signal.SIGTERM
) -> bool:
    """Ask `process` to end with `first`; after `grace_s` kill it. True: it ended by itself.

    What it started and left running is killed too.
    """
    if process.poll() is None:
        process.send_signal(first)
    try:
        process.wait(grace_s)
        ended_itself = True
    except subprocess.TimeoutExpired:
        ended_itself = False
    kill_session(process.pid)
    process.wait()
    return ended_itself


def end_leftover(
    leftover: Identity, *, grace_s: float, first: signal.Signals = signal.SIGTERM
) -> None:
    """End a process that a killed supervisor left behind; nothing happens when it is gone."""
    if not leftover.alive:
        return
    process = psutil.Process(leftover.pid)
    process.send_signal(first)
    try:
        process.wait(grace_s)
    except psutil.TimeoutExpired:
        kill_session(leftover.pid)
        process.wait(grace_s)


def kill_session(pid: int) -> None:
    """Kill what is left of the session that `spawn` made for `pid`: it and what it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port(wanted: int, *, what: str, setting: str) -> int:
    """Return `wanted` if it can be bound on the loopback, any free port for 0.

    RuntimeUnavailableError names the port and the `setting` that changes it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError as error:
            raise RuntimeUnavailableError(
                f"port {wanted} for {what} is in use: stop the program that holds it, "
                f"or set {setting} to another port (0: any free one)",
                port=wanted,
                setting=setting,
            ) from error
        port: int = probe.getsockname()[1]
        return port


def tail(log: Path, lines: int = 5) -> str:
    """Last `lines` of a log file, for an error message."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])
