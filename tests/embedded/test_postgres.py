import os
import signal
from pathlib import Path

import psycopg
import pytest

from embedded.postgres import start_postgres
from support.errors import RuntimeUnavailableError


def insert(url: str, value: int) -> list[int]:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])
        rows = connection.execute("SELECT value FROM kept ORDER BY value").fetchall()
    return [row[0] for row in rows]


def test_restart_keeps_data(tmp_path: Path) -> None:
    first = start_postgres(tmp_path)
    insert(first.url, 1)
    first.stop()
    second = start_postgres(tmp_path)
    try:
        assert insert(second.url, 2) == [1, 2]
    finally:
        second.stop()


def test_committed_rows_survive_sigkill_of_server_and_parent(tmp_path: Path) -> None:
    first = start_postgres(tmp_path)
    insert(first.url, 1)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    first._held.close()
    assert (tmp_path / "postgres" / "postmaster.pid").exists()
    second = start_postgres(tmp_path)
    try:
        assert insert(second.url, 2) == [1, 2]
    finally:
        second.stop()


def test_server_left_by_a_killed_parent_is_replaced(tmp_path: Path) -> None:
    first = start_postgres(tmp_path)
    insert(first.url, 1)
    first._held.close()  # what the kernel does when the parent is killed
    second = start_postgres(tmp_path)
    try:
        assert first.process.wait(1) == 0
        assert insert(second.url, 2) == [1, 2]
    finally:
        second.stop()


def test_pid_file_that_names_a_stranger_does_not_stop_the_start(tmp_path: Path) -> None:
    first = start_postgres(tmp_path)
    first.stop()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{tmp_path}\n0\n5432\n\n\n0 0\nready\n")
    start_postgres(tmp_path).stop()


def test_second_process_on_the_same_cluster_is_refused(tmp_path: Path) -> None:
    server = start_postgres(tmp_path)
    try:
        with pytest.raises(RuntimeUnavailableError, match="is used by another process"):
            start_postgres(tmp_path)
        assert insert(server.url, 1) == [1]
    finally:
        server.stop()


def test_acknowledged_means_durable_and_no_port_is_open(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
            [["fsync", "synchronous_commit", "full_page_writes", "listen_addresses"]],
        ).fetchall()
    assert dict(rows) == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
    }


def test_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    server = start_postgres(tmp_path / ("long" * 25))
    try:
        assert insert(server.url, 1) == [1]
        assert server.socket_dir.exists()
    finally:
        server.stop()
    assert not server.socket_dir.exists()


def test_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeUnavailableError, match=r"file.* cannot be written .*FLOWHUB_DATA"):
        start_postgres(tmp_path / "file")
