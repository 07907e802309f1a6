"""The time-skipping server, on which days of deadlines pass in seconds.

    async with time_skipping_environment(data_dir) as environment: ...   # a WorkflowEnvironment

The server comes from the SDK's own download, else from Maven with Java; either is kept in
`<data_dir>/servers`. `obtain_test_server(data_dir)` gets it ahead of time.
"""

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shlex import quote

from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment

from embedded.datadir import DataDir, held
from embedded.progress import Progress, Silent, run_shown
from embedded.sdk_download import download
from embedded.search_attributes import register
from support.errors import RuntimeUnavailableError

VERSION = "1.38.0"
_MAIN_CLASS = "io.temporal.testserver.TestServer"
_MAVEN_LIMIT_S = 900.0
_PROJECT = f"""<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>flowhub</groupId>
  <artifactId>time-skipping-server</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


@asynccontextmanager
async def time_skipping_environment(
    data_dir: Path, *, data_converter: DataConverter = DataConverter.default
) -> AsyncIterator[WorkflowEnvironment]:
    """Run a fresh time-skipping server with the hub's search attributes registered.

    Its client uses `data_converter`; each environment is a server process of its own.
    """
    executable = await asyncio.to_thread(obtain_test_server, data_dir)
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(executable), data_converter=data_converter
    )
    async with environment:
        await register(environment.client)
        yield environment


def obtain_test_server(data_dir: Path, progress: Progress | None = None) -> Path:
    """Return the server's executable, downloaded at need.

    RuntimeUnavailableError says what to install when there is no way to get it.
    """
    shown = progress or Silent()
    layout = DataDir(data_dir)
    layout.create()
    target = layout.servers / "temporal-test-server"
    if os.access(target, os.X_OK):
        return target
    refusal = f"another process is getting the test server into {target.parent}: wait for it"
    with held(layout.servers / "temporal-test-server.lock", refusal):
        shown.step("Getting the time-skipping server: asking for the SDK's download")
        if download(_start, target, what="downloading the time-skipping server", progress=shown):
            return target
        _from_maven(target, layout.logs / "maven.log", shown)
    return target


async def _start(folder: str) -> WorkflowEnvironment:
    return await WorkflowEnvironment.start_time_skipping(download_dest_dir=folder)


def _from_maven(target: Path, log: Path, progress: Progress) -> None:
    """Fetch the server's jars and put a small executable before them."""
    maven, java = shutil.which("mvn"), shutil.which("java")
    if maven is None or java is None:
        raise RuntimeUnavailableError(
            "no time-skipping server is to be had: the SDK's download is unreachable and "
            f"{'Maven' if java else 'Java'} is not installed; install Java 17 and Maven"
        )
    progress.step("Getting the time-skipping server from Maven (38 MB)")
    project = target.with_name(f"temporal-test-server-{VERSION}")
    jars = project / "jars"
    project.mkdir(exist_ok=True)
    (project / "pom.xml").write_text(_PROJECT)
    run_shown(
        [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
        what="getting the time-skipping server",
        log=log,
        progress=progress,
        limit_s=_MAVEN_LIMIT_S,
        cwd=project,
    )
    making = target.with_name("temporal-test-server.new")
    making.write_text(f'#!/bin/sh\nexec {quote(java)} -Xmx512m -cp "{jars}/*" {_MAIN_CLASS} "$@"\n')
    making.chmod(making.stat().st_mode | stat.S_IXUSR)
    making.replace(target)
