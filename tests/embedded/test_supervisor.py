"""The tree runs in a process of its own, as `flowhub up` does, and is told to stop by signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from embedded.discovery import Runtime
from embedded.processes import Identity

CHECKOUT = Path(__file__).parents[2]

DRIVER = """
import sys
from pathlib import Path
from embedded.progress import Lines
from embedded.supervisor import Service, run
from settings import Settings
from support.errors import RuntimeUnavailableError

folder, names = Path(sys.argv[1]), sys.argv[2:]
services = [
    Service(
        name,
        [sys.executable, str(folder / "service.py"), name, str(folder)],
        ready=lambda _, name=name: (folder / f"{name}.ready").exists(),
        keep=name != "feed",
    )
    for name in names
]
try:
    run(
        Settings(data_dir=folder / "data", hub_port=0, temporal_port=0, temporal_ui_port=0),
        services,
        prepare=lambda found: (folder / "prepared").write_text(found.database_url),
        on_ready=lambda _: (folder / "all.ready").touch(),
        progress=Lines(sys.stdout),
    )
except RuntimeUnavailableError as error:
    print(error)
    sys.exit(2)
"""

SERVICE = """
import os, signal, sys, time
from pathlib import Path
import psycopg, socket

name, folder = sys.argv[1], Path(sys.argv[2])

def reachable():
    psycopg.connect(os.environ["FLOWHUB_DATABASE_URL"]).close()
    host, port = os.environ["FLOWHUB_TEMPORAL_ADDRESS"].split(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    return "servers up"

def stop(*_):
    with (folder / "stopped").open("a") as out:
        out.write(f"{name}: {reachable()}\\n")
    sys.exit(0)

if name == "broken":
    sys.exit("this service cannot start")
if name == "feed":
    (folder / f"{name}.ready").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "deaf" else stop)
signal.signal(signal.SIGINT, signal.SIG_IGN)
with (folder / f"{name}.starts").open("a") as out:
    out.write(f"{os.getpid()}\\n")
(folder / f"{name}.ready").touch()
while True:
    time.sleep(60)
"""


@dataclass
class Tree:
    process: subprocess.Popen[str]
    folder: Path

    def until(self, condition: Callable[[], bool], limit_s: float = 60.0) -> None:
        give_up = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < give_up, "the condition did not come true in time"
            time.sleep(0.05)

    def until_ready(self) -> None:
        self.until(lambda: (self.folder / "all.ready").exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output()

    def runtime(self) -> Runtime:
        found = Runtime.read(self.folder / "data")
        assert found is not None
        return found

    def end(self, *signals: signal.Signals) -> float:
        """Send each signal when the one before was seen; return the seconds until all is over."""
        begun = time.monotonic()
        for number in signals:
            self.process.send_signal(number)
            self.until(lambda: "Stopping" in self.output())
        self.process.wait(30)
        return time.monotonic() - begun

    def output(self) -> str:
        return (self.folder / "out").read_text()

    def starts(self, name: str) -> list[int]:
        text = (self.folder / f"{name}.starts").read_text()
        return [int(line) for line in text.split()]


Start = Callable[..., Tree]


@pytest.fixture
def start(tmp_path: Path, temporal_executable: Path) -> Iterator[Start]:
    trees: list[Tree] = []
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "service.py").write_text(SERVICE)
    servers = tmp_path / "data" / "servers"
    servers.mkdir(parents=True)
    (servers / "temporal").symlink_to(temporal_executable.resolve())
    env = {name: it for name, it in os.environ.items() if not name.startswith("FLOWHUB_")}
    env["PYTHONPATH"] = str(CHECKOUT)

    def run(*names: str) -> Tree:
        (tmp_path / "all.ready").unlink(missing_ok=True)
        with (tmp_path / "out").open("w") as out:
            process = subprocess.Popen(
                [sys.executable, str(tmp_path / "driver.py"), str(tmp_path), *names],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                env=env,
                cwd=tmp_path,
            )
        trees.append(Tree(process, tmp_path))
        return trees[-1]

    yield run
    for tree in trees:
        runtime = Runtime.read(tmp_path / "data")
        for identity in runtime.processes.values() if runtime else ():
            if identity.alive:
                psutil.Process(identity.pid).kill()
        if tree.process.poll() is None:
            tree.process.kill()
            tree.process.wait()


def alive(identities: dict[str, Identity]) -> list[str]:
    return [name for name, identity in identities.items() if identity.alive]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_hub_worker_and_servers_in_order(start: Start, number: signal.Signals) -> None:
    tree = start("worker", "hub")
    tree.until_ready()
    processes = dict(tree.runtime().processes)
    assert list(processes) == ["postgres", "temporal", "worker", "hub"]
    assert alive(processes) == list(processes)
    assert (tree.folder / "prepared").read_text() == tree.runtime().endpoints.database_url
    took_s = tree.end(number)
    assert tree.process.returncode == 0, tree.output()
    assert (tree.folder / "stopped").read_text() == "hub: servers up\nworker: servers up\n"
    assert alive(processes) == []
    assert not (tree.folder / "data" / "runtime.json").exists()
    assert took_s < 15


def test_crashed_service_is_started_again(start: Start) -> None:
    tree = start("worker")
    tree.until_ready()
    os.kill(tree.starts("worker")[0], signal.SIGKILL)
    tree.until(lambda: len(tree.starts("worker")) == 2)
    tree.until(lambda: tree.runtime().processes["worker"].pid == tree.starts("worker")[1])
    assert "The worker ended with code -9; starting it again in 0.5 s" in tree.output()
    tree.end(signal.SIGINT)
    assert tree.process.returncode == 0


def test_feed_that_is_done_is_left_alone(start: Start) -> None:
    tree = start("feed", "worker")
    tree.until_ready()
    tree.end(signal.SIGINT)
    assert "feed ended" not in tree.output()


def test_second_ctrl_c_kills_a_service_that_does_not_stop(start: Start) -> None:
    tree = start("deaf")
    tree.until_ready()
    processes = dict(tree.runtime().processes)
    took_s = tree.end(signal.SIGINT, signal.SIGINT)
    assert took_s < 4
    assert alive(processes) == []


def test_service_that_does_not_stop_is_killed_in_time(start: Start) -> None:
    tree = start("deaf")
    tree.until_ready()
    processes = dict(tree.runtime().processes)
    assert tree.end(signal.SIGINT) < 15
    assert alive(processes) == []
    assert tree.process.returncode == 0


def test_service_that_cannot_start_stops_everything_and_shows_its_log(start: Start) -> None:
    tree = start("worker", "broken")
    tree.process.wait(60)
    assert tree.process.returncode == 2
    assert "the broken did not get ready: this service cannot start" in tree.output()
    assert (tree.folder / "stopped").read_text() == "worker: servers up\n"


def test_dead_temporal_stops_everything_and_names_the_log(start: Start) -> None:
    tree = start("worker")
    tree.until_ready()
    processes = dict(tree.runtime().processes)
    os.kill(processes["temporal"].pid, signal.SIGKILL)
    tree.process.wait(30)
    assert tree.process.returncode == 2
    assert "temporal ended unexpectedly" in tree.output()
    assert alive(processes) == []


def test_second_up_on_the_same_data_is_refused(start: Start) -> None:
    first = start("worker")
    first.until_ready()
    processes = dict(first.runtime().processes)
    second = start("worker")
    second.process.wait(30)
    assert second.process.returncode == 2
    assert "already runs on" in second.output()
    assert alive(processes) == list(processes)
    first.end(signal.SIGINT)


def test_up_after_a_killed_up_clears_what_it_left(start: Start) -> None:
    first = start("worker")
    first.until_ready()
    left = dict(first.runtime().processes)
    first.process.kill()
    first.process.wait()
    assert alive(left) == list(left)
    second = start("worker")
    second.until_ready()
    assert alive(left) == []
    assert "Ending worker, left by a run that was killed" in second.output()
    second.end(signal.SIGINT)
    assert second.process.returncode == 0


def test_addresses_are_readable_json(start: Start) -> None:
    tree = start()
    tree.until_ready()
    stored = json.loads((tree.folder / "data" / "runtime.json").read_text())
    assert set(stored) == {"supervisor", "endpoints", "processes"}
    assert stored["supervisor"]["pid"] == tree.process.pid
    tree.end(signal.SIGINT)
