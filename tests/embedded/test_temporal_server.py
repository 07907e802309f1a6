import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client

from embedded.processes import LOOPBACK, Identity
from embedded.temporal_binary import GO_MODULE, find_temporal, obtain_temporal
from embedded.temporal_server import start_temporal
from support.errors import RuntimeUnavailableError


@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH without temporal, go, java and mvn, and a download that is unreachable."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("embedded.temporal_binary.download", lambda *_a, **_k: False)
    return tmp_path


def test_restart_continues_the_same_workflow(tmp_path: Path, temporal_executable: Path) -> None:
    async def start(address: str) -> str | None:
        client = await Client.connect(address)
        handle = await client.start_workflow(Waits.run, id="kept", task_queue="nobody")
        return handle.first_execution_run_id

    async def run_of(address: str) -> str | None:
        client = await Client.connect(address)
        return (await client.get_workflow_handle("kept").describe()).run_id

    first = start_temporal(tmp_path, port=0, ui_port=0, executable=temporal_executable)
    try:
        run_id = asyncio.run(start(first.address))
    finally:
        first.stop()
    assert first.process.poll() is not None
    second = start_temporal(tmp_path, port=0, ui_port=0, executable=temporal_executable)
    try:
        assert asyncio.run(run_of(second.address)) == run_id
    finally:
        second.stop()


def test_port_in_use_is_named_with_its_setting(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(
        RuntimeUnavailableError, match=rf"port {taken_port} .* set FLOWHUB_TEMPORAL_PORT"
    ):
        start_temporal(tmp_path, port=taken_port, ui_port=0)


def test_ui_port_in_use_is_named_with_its_setting(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(RuntimeUnavailableError, match="FLOWHUB_TEMPORAL_UI_PORT"):
        start_temporal(tmp_path, port=0, ui_port=taken_port)


def test_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    broken = executable(tmp_path / "temporal", "echo 'disk is full'; exit 3")
    with pytest.raises(RuntimeUnavailableError, match=r"disk is full.*temporal\.log"):
        start_temporal(tmp_path, port=0, ui_port=0, executable=broken)


def test_no_temporal_and_no_go_says_what_to_do(nothing_installed: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"install Go .*FLOWHUB_TEMPORAL_ADDRESS"):
        obtain_temporal(nothing_installed)


def test_temporal_on_path_is_taken_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "servers").mkdir()
    executable(tmp_path / "servers" / "temporal", "exit 0")
    on_path = executable(tmp_path / "temporal", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_temporal(tmp_path) == on_path


def test_kept_server_is_taken_without_asking_the_network(nothing_installed: Path) -> None:
    (nothing_installed / "servers").mkdir()
    kept = executable(nothing_installed / "servers" / "temporal", "exit 0")
    assert obtain_temporal(nothing_installed) == kept


def test_go_builds_into_the_data_directory(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = executable(
        nothing_installed / "go",
        f'test "$2" = {GO_MODULE} && /bin/mkdir -p "$GOBIN" && /bin/cp "$0" "$GOBIN/temporal"',
    )
    monkeypatch.setenv("PATH", str(go.parent))
    data_dir = nothing_installed / "data"
    assert obtain_temporal(data_dir) == data_dir / "servers" / "temporal"


def test_failed_build_shows_its_log_and_keeps_nothing(nothing_installed: Path) -> None:
    executable(nothing_installed / "go", "echo 'no network'; exit 1")
    data_dir = nothing_installed / "data"
    with pytest.raises(RuntimeUnavailableError, match=r"no network.*temporal-build\.log"):
        obtain_temporal(data_dir)
    assert find_temporal(data_dir) is None


def test_identity_is_not_a_later_process_with_the_same_pid(
    tmp_path: Path, temporal_executable: Path
) -> None:
    server = start_temporal(tmp_path, port=0, ui_port=0, executable=temporal_executable)
    identity = server.identity
    assert identity is not None
    assert identity.alive
    assert not Identity(identity.pid, identity.started - 60).alive
    server.stop()
    assert not identity.alive
    assert server.identity is None


def executable(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
