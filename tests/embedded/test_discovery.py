import os
from pathlib import Path

import pytest

from embedded.discovery import Endpoints, Runtime, resolve, resolve_database
from embedded.processes import Identity
from settings import Settings
from support.errors import RuntimeUnavailableError

RUNNING = Endpoints(
    database_url="postgresql://postgres@/flowhub?host=%2Ftmp",
    temporal_address="127.0.0.1:7300",
    namespace="default",
    hub_url="http://127.0.0.1:8500",
    temporal_ui_url="http://127.0.0.1:8300",
)


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FLOWHUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, *, alive: bool = True) -> None:
    supervisor = Identity.of(os.getpid())
    assert supervisor is not None
    if not alive:
        supervisor = Identity(supervisor.pid, supervisor.started - 60)
    Runtime(supervisor, RUNNING, {"worker": supervisor}).write(tmp_path)


def test_running_hub_is_found_without_settings(tmp_path: Path) -> None:
    written(tmp_path)
    assert resolve(Settings(data_dir=tmp_path)) == RUNNING


def test_settings_come_before_the_running_hub(tmp_path: Path) -> None:
    written(tmp_path)
    found = resolve(
        Settings(data_dir=tmp_path, temporal_address="far:7233", temporal_namespace="support")
    )
    assert (found.temporal_address, found.namespace) == ("far:7233", "support")
    assert found.temporal_ui_url == ""
    assert found.database_url == RUNNING.database_url


def test_settings_alone_are_enough(tmp_path: Path) -> None:
    found = resolve(
        Settings.model_validate(
            {
                "data_dir": tmp_path,
                "temporal_address": "far:7233",
                "database_url": "postgresql://far/flowhub",
            }
        )
    )
    assert found.database_url == "postgresql://far/flowhub"
    assert found.hub_url == "http://127.0.0.1:8400"


def test_nothing_running_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        RuntimeUnavailableError,
        match=r"not running.*make run.*FLOWHUB_DATABASE_URL and FLOWHUB_TEMPORAL_ADDRESS",
    ):
        resolve(Settings(data_dir=tmp_path))


def test_only_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"or set FLOWHUB_DATABASE_URL$"):
        resolve(Settings(data_dir=tmp_path, temporal_address="far:7233"))


def test_addresses_of_a_killed_run_are_not_used(tmp_path: Path) -> None:
    written(tmp_path, alive=False)
    with pytest.raises(RuntimeUnavailableError, match=r"not running"):
        resolve(Settings(data_dir=tmp_path))


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"supervisor": 1}'])
def test_damaged_runtime_file_counts_as_nothing_running(tmp_path: Path, text: str) -> None:
    (tmp_path / "runtime.json").write_text(text)
    assert Runtime.read(tmp_path) is None


def test_only_the_owner_can_read_the_addresses(tmp_path: Path) -> None:
    written(tmp_path)
    assert (tmp_path / "runtime.json").stat().st_mode & 0o077 == 0


def test_the_database_alone_is_found_without_an_address_of_temporal(tmp_path: Path) -> None:
    alone = Settings.model_validate({"data_dir": tmp_path, "database_url": "postgresql://far/x"})
    assert resolve_database(alone) == "postgresql://far/x"
    with pytest.raises(RuntimeUnavailableError, match=r"set FLOWHUB_DATABASE_URL$"):
        resolve_database(Settings(data_dir=tmp_path))
    written(tmp_path)
    assert resolve_database(Settings(data_dir=tmp_path)) == RUNNING.database_url
