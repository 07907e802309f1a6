"""Where the embedded servers keep what: one folder, one place that knows its layout.

`DataDir(root)` has `.postgres` (the cluster), `.temporal` (Temporal's database file), `.servers`
(downloaded and built servers), `.logs` (one file a process) and `.runtime` (`runtime.json`: the
addresses and pids of what runs now).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.errors import RuntimeUnavailableError


@dataclass(frozen=True, slots=True)
class DataDir:
    """The data directory's layout; `root` may be relative, every property is absolute."""

    root: Path

    @property
    def postgres(self) -> Path:
        """The PostgreSQL cluster."""
        return self._absolute / "postgres"

    @property
    def temporal(self) -> Path:
        """The database file of Temporal's development server."""
        return self._absolute / "temporal.db"

    @property
    def servers(self) -> Path:
        """Executables and jars that were downloaded or built; safe to delete."""
        return self._absolute / "servers"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self._absolute / "logs"

    @property
    def runtime(self) -> Path:
        """Addresses and pids of what runs now."""
        return self._absolute / "runtime.json"

    @property
    def lock(self) -> Path:
        """Held by the one `flowhub up` of this directory."""
        return self._absolute / "up.lock"

    @property
    def _absolute(self) -> Path:
        return self.root.expanduser().absolute()

    def create(self) -> None:
        """Make the folders, readable by their owner only in what is new."""
        try:
            for folder in (self._absolute, self.servers, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RuntimeUnavailableError(
                f"the data directory {self._absolute} cannot be written ({error.strerror}): "
                "set FLOWHUB_DATA_DIR to a folder of yours"
            ) from error


@contextmanager
def held(lock: Path, refusal: str) -> Iterator[None]:
    """Hold `lock` for the length of the block; RuntimeUnavailableError(`refusal`) when taken.

    The kernel frees the lock with the process, so a killed holder leaves nothing behind.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeUnavailableError(refusal, lock=str(lock)) from error
        yield
    finally:
        os.close(handle)
