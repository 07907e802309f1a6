"""Where Temporal's development server comes from.

`find_temporal(data_dir)` looks without changing anything; `obtain_temporal(data_dir)` also
downloads (the SDK's own way) or builds it with Go into `<data_dir>/servers/temporal`, once.
"""

import os
import shutil
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from embedded.datadir import DataDir, held
from embedded.progress import Progress, Silent, run_shown
from embedded.sdk_download import download
from support.errors import RuntimeUnavailableError

GO_MODULE = "github.com/temporalio/cli/cmd/temporal@v1.5.1"
"""The newest version that builds from the module proxy alone."""

_BUILD_LIMIT_S = 1800.0


def find_temporal(data_dir: Path) -> Path | None:
    """Return `temporal` of PATH, else of the data directory, else None."""
    if on_path := shutil.which("temporal"):
        return Path(on_path)
    kept = _kept(data_dir)
    return kept if os.access(kept, os.X_OK) else None


def obtain_temporal(data_dir: Path, progress: Progress | None = None) -> Path:
    """Return the executable, downloaded or built at need (minutes, with `progress`).

    RuntimeUnavailableError says what to do when there is no way to get it.
    """
    shown = progress or Silent()
    if found := find_temporal(data_dir):
        return found
    layout = DataDir(data_dir)
    layout.create()
    kept = _kept(data_dir)
    refusal = f"another process is getting the Temporal server into {kept.parent}: wait for it"
    with held(layout.servers / "temporal.lock", refusal):
        shown.step("Getting the Temporal server: asking for the SDK's download")
        if download(_start_local, kept, what="downloading the Temporal server", progress=shown):
            return kept
        _build(kept, layout.logs / "temporal-build.log", shown)
    return kept


async def _start_local(folder: str) -> WorkflowEnvironment:
    return await WorkflowEnvironment.start_local(download_dest_dir=folder)


def _build(target: Path, log: Path, progress: Progress) -> None:
    go = shutil.which("go")
    if go is None:
        raise RuntimeUnavailableError(
            "no Temporal server is to be had: the download is unreachable and Go is not "
            "installed; install Go or the `temporal` command line, or set "
            "FLOWHUB_TEMPORAL_ADDRESS to a server of yours"
        )
    progress.step(
        "Building the Temporal server from Go source: about 3 minutes on 2 cores, once; "
        f"it is kept in {target.parent}"
    )
    making = target.parent / "building"
    run_shown(
        [go, "install", GO_MODULE],
        what="building the Temporal server",
        log=log,
        progress=progress,
        limit_s=_BUILD_LIMIT_S,
        env={**os.environ, "GOBIN": str(making), "GOFLAGS": "-mod=mod"},
        cwd=target.parent,
    )
    (making / "temporal").replace(target)
    making.rmdir()
    progress.step("Built the Temporal server")


def _kept(data_dir: Path) -> Path:
    return DataDir(data_dir).servers / "temporal"
