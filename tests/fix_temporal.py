"""Temporal servers: one development server for the session, a time-skipping one for each test."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from embedded.temporal_binary import obtain_temporal
from embedded.temporal_server import RunningTemporal, start_temporal
from embedded.time_skipping import time_skipping_environment
from workflows.payloads import DATA_CONVERTER

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def servers_dir() -> Path:
    """The data directory whose cache of downloaded and built servers the tests use."""
    return CHECKOUT / os.environ.get("FLOWHUB_DATA_DIR", ".flowhub")


@pytest.fixture(scope="session")
def temporal_executable(servers_dir: Path) -> Path:
    """Temporal's development server, got at need."""
    return obtain_temporal(servers_dir)


@pytest.fixture(scope="session")
def dev_server(
    temporal_executable: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningTemporal]:
    """The session's Temporal on free ports; search attributes registered, retention 90 days."""
    server = start_temporal(
        tmp_path_factory.mktemp("temporal"), port=0, ui_port=0, executable=temporal_executable
    )
    yield server
    server.stop()


@pytest.fixture(scope="session")
def short_lived_runs(
    temporal_executable: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningTemporal]:
    """A server that suggests continue-as-new after 60 events."""
    server = start_temporal(
        tmp_path_factory.mktemp("short"),
        port=0,
        ui_port=0,
        executable=temporal_executable,
        dynamic_config={"limit.historyCount.suggestContinueAsNew": 60},
    )
    yield server
    server.stop()


@pytest.fixture
async def temporal_client(dev_server: RunningTemporal) -> Client:
    """A client of the development server, on this test's event loop."""
    return await Client.connect(
        dev_server.address, namespace=dev_server.namespace, data_converter=DATA_CONVERTER
    )


@pytest.fixture
def task_queue() -> str:
    """A task queue of this test alone, so that tests share the server and nothing else."""
    return f"test-{uuid4().hex}"


@pytest.fixture
async def time_skipping(servers_dir: Path) -> AsyncIterator[WorkflowEnvironment]:
    """A fresh time-skipping server with the search attributes registered."""
    async with time_skipping_environment(servers_dir) as environment:
        yield environment
