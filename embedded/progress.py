"""Telling a person that a long step lives, without knowing how it is shown."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from embedded.processes import spawn, stop, tail
from support.errors import RuntimeUnavailableError


class Progress(Protocol):
    """What the embedded runtime tells while it works; the command line draws it."""

    def step(self, text: str) -> None:
        """Say that `text` begins, or what came of it."""

    def waiting(self, text: str, elapsed_s: float) -> None:
        """Say, at least once a second, that `text` still goes on."""


class Silent:
    """Says nothing."""

    def step(self, text: str) -> None:
        """Ignore."""

    def waiting(self, text: str, elapsed_s: float) -> None:
        """Ignore."""


class Lines:
    """Plain lines: a sign of life every 3 s on a terminal, every 15 s elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._every_s = 3.0 if self._stream.isatty() else 15.0
        self._said_at_s = 0.0

    def step(self, text: str) -> None:
        """Print the line."""
        self._said_at_s = 0.0
        print(text, file=self._stream, flush=True)

    def waiting(self, text: str, elapsed_s: float) -> None:
        """Print a line when the last one is long enough ago."""
        if elapsed_s - self._said_at_s >= self._every_s:
            self._said_at_s = elapsed_s
            print(f"  {text}: {elapsed_s:.0f} s ...", file=self._stream, flush=True)


def run_shown(
    argv: Sequence[str],
    *,
    what: str,
    log: Path,
    progress: Progress,
    limit_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run `argv` to its end, telling that it lives; RuntimeUnavailableError when it fails."""
    process = spawn(argv, log=log, env=env, cwd=cwd)
    begun = time.monotonic()
    try:
        while True:
            try:
                code = process.wait(1.0)
                break
            except subprocess.TimeoutExpired:
                elapsed_s = time.monotonic() - begun
                progress.waiting(what, elapsed_s)
                if elapsed_s > limit_s:
                    raise RuntimeUnavailableError(
                        f"{what} took longer than {limit_s:.0f} s and was stopped: see {log}"
                    ) from None
    finally:
        stop(process, grace_s=5.0)
    if code != 0:
        raise RuntimeUnavailableError(f"{what} failed: {tail(log, 3)} (all of it: {log})")
