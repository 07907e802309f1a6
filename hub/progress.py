"""Telling that something long lives."""

import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what goes on, how much is done, and of how much (0: nobody knows)."""

_EVERY_S = 0.5


class Ticker:
    """Passes on progress at most twice a second, so that telling costs nothing."""

    def __init__(self, progress: Progress, text: str, total: int = 0) -> None:
        self._progress = progress
        self._text = text
        self.total = total
        self._next_s = 0.0
        self.done = 0
        progress(text, 0, total)

    def add(self, count: int = 1) -> None:
        """Count what is done."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """Note how much is done."""
        self.done = done
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _EVERY_S
            self._progress(self._text, self.done, self.total)

    def end(self) -> None:
        """Tell the last count."""
        self._progress(self._text, self.done, self.total)


class Shown:
    """Shows what the embedded runtime tells by the same way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def step(self, text: str) -> None:
        """Pass on that `text` begins."""
        self._progress(text, 0, 0)

    def waiting(self, text: str, elapsed_s: float) -> None:
        """Pass on that `text` still goes on, with the seconds so far."""
        self._progress(f"{text}: {elapsed_s:.0f} s", 0, 0)
