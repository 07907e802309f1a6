"""How a command finds the running servers: settings first, else what `flowhub up` wrote down.

    endpoints = resolve(Settings())     # RuntimeUnavailableError: nothing runs, with what to do

`runtime.json` counts only while the `flowhub up` that wrote it lives. It may hold a password of
the database URL, so only its owner can read it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from embedded.datadir import DataDir
from embedded.processes import Identity
from settings import Settings
from support.errors import RuntimeUnavailableError


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of what a command may need; `temporal_ui_url` is empty where nobody knows it."""

    database_url: str
    temporal_address: str
    namespace: str
    hub_url: str
    temporal_ui_url: str = ""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What one `flowhub up` runs: its own process, its children by name, the addresses."""

    supervisor: Identity
    endpoints: Endpoints
    processes: Mapping[str, Identity] = field(default_factory=dict)

    def write(self, data_dir: Path) -> None:
        """Replace `runtime.json` in one step."""
        target = DataDir(data_dir).runtime
        making = target.with_name(f"{target.name}.new")
        making.unlink(missing_ok=True)
        handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            json.dump(asdict(self), out, indent=2)
        making.replace(target)

    @classmethod
    def read(cls, data_dir: Path) -> "Runtime | None":
        """Return what was written last, also by a run that was killed; None when there is none."""
        try:
            stored = json.loads(DataDir(data_dir).runtime.read_text())
            return cls(
                supervisor=Identity(**stored["supervisor"]),
                endpoints=Endpoints(**stored["endpoints"]),
                processes={name: Identity(**it) for name, it in stored["processes"].items()},
            )
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None


def resolve(settings: Settings) -> Endpoints:
    """Return the addresses to use: each from its setting, else from the running `flowhub up`."""
    running = _running(settings)
    database_url = settings.database_url.get_secret_value() if settings.database_url else None
    if running is None:
        _refuse_missing(
            settings,
            FLOWHUB_DATABASE_URL=database_url,
            FLOWHUB_TEMPORAL_ADDRESS=settings.temporal_address,
        )
    own = running or Endpoints("", "", settings.temporal_namespace, hub_url(settings))
    embedded = not settings.temporal_address or settings.temporal_address == own.temporal_address
    return Endpoints(
        database_url=database_url or own.database_url,
        temporal_address=settings.temporal_address or own.temporal_address,
        namespace=own.namespace if embedded else settings.temporal_namespace,
        hub_url=own.hub_url,
        temporal_ui_url=own.temporal_ui_url if embedded else "",
    )


def resolve_database(settings: Settings) -> str:
    """Return the URL of the database alone, for what needs nothing else."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    running = _running(settings)
    if running is None:
        _refuse_missing(settings, FLOWHUB_DATABASE_URL=None)
    return running.database_url if running else ""


def _running(settings: Settings) -> Endpoints | None:
    runtime = Runtime.read(settings.data_dir)
    return runtime.endpoints if runtime and runtime.supervisor.alive else None


def _refuse_missing(settings: Settings, **values: str | None) -> None:
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise RuntimeUnavailableError(
            f"the hub is not running on {DataDir(settings.data_dir).runtime.parent}: start it with "
            "`make run`, run this in the folder where it was started (or set FLOWHUB_DATA_DIR), or "
            f"set {' and '.join(missing)}"
        )


def hub_url(settings: Settings, port: int | None = None) -> str:
    """URL of the hub as its settings say, on `port` when that was chosen at start."""
    host = f"[{settings.hub_host}]" if ":" in settings.hub_host else settings.hub_host
    return f"http://{host}:{settings.hub_port if port is None else port}"
