"""The parent's side of the engine's child process: start it, ask it, kill it."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from rules.program import Program

START_LIMIT_S = 30.0
"""Starting registers every ruleset; a pack of 2,000 rules takes a few seconds."""
_SCRIPT = Path(__file__).parent / "engine_process.py"
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20)}
"""For glibc: the engine's state of a decision is freed and made anew, and giving its pages back to
the system each time takes longer than the decision."""


class ChildLostError(Exception):
    """The child crashed, hung or reported an error: it must be replaced."""


class ChildUnstartedError(ChildLostError):
    """The machine starts no process: not the fault of any pack."""


class ChildSilentError(ChildLostError):
    """The child did not answer in time."""


def _spawn() -> subprocess.Popen[bytes]:
    try:
        # -I keeps the working directory and PYTHON* out, the environment keeps secrets out.
        return subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, "-I", "-W", "ignore", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ} | _ALLOCATOR,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise ChildUnstartedError(f"the engine's process cannot be started: {error}") from error


class Child:
    """One child process with the rulesets of one pack. Not thread-safe."""

    def __init__(self, program: Program, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._sids = count(1)
        self._rest = b""
        self._process = _spawn()
        try:
            self._ask(
                {
                    "limit_s": 2 * timeout_s + 1,
                    "shards": [shard.form for shard in program.shards],
                },
                max(START_LIMIT_S, timeout_s),
            )
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def match(self, message: Mapping[str, object], related: Mapping[str, object]) -> list[str]:
        """Return the engine's rules that match a ticket with the rows that are related to it.

        ChildLostError when the child must be replaced.
        """
        request = {"sid": f"s{next(self._sids)}", "message": message, "related": related}
        return self._ask(request, self._timeout_s)

    def _ask(self, request: Mapping[str, object], limit_s: float) -> list[str]:
        until = time.monotonic() + limit_s
        self._write(json.dumps(request).encode() + b"\n", until)
        try:
            answer = json.loads(self._line(until))
        except ValueError as error:
            raise ChildLostError("the engine's process answered nonsense") from error
        if "error" in answer:
            raise ChildLostError(f"engine error: {answer['error']}")
        fired: list[str] = answer["fired"]
        return fired

    def _write(self, data: bytes, until: float) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise ChildLostError("the child has no input")
        view = memoryview(data)
        try:
            while view:
                self._wait(stdin.fileno(), select.POLLOUT, until)
                # At most what a ready pipe takes at once, so that a hung child cannot block us.
                view = view[os.write(stdin.fileno(), view[: select.PIPE_BUF]) :]
        except OSError as error:
            raise ChildLostError(self._ended()) from error

    def _line(self, until: float) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise ChildLostError("the child has no output")
        while b"\n" not in self._rest:
            self._wait(stdout.fileno(), select.POLLIN, until)
            data = os.read(stdout.fileno(), 65_536)
            if not data:
                raise ChildLostError(self._ended())
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _wait(self, fd: int, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(fd, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise ChildSilentError("the engine did not answer in time")

    def _ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        return f"the engine's process ended with code {self._process.returncode}"

    def close(self) -> None:
        """Let the process end by itself, within a second, else kill it."""
        if self._process.stdin:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self.kill()

    def kill(self) -> None:
        """End the process at once and free what it held."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
