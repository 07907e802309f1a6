"""The compose file against the compose specification, the Dockerfile, and our own command line."""

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from embedded.search_attributes import RETENTION
from hub.cli.doctor import Check
from hub.cli.main import app
from settings import Settings

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
ONE_SHOT = {
    name for name, service in SERVICES.items() if service["restart"].startswith("on-failure")
}
EXACT = re.compile(r"[a-z0-9/-]+:\d+\.\d+(\.\d+)?(-[a-z0-9-]+)?")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def text_of(value: object) -> str:
    return json.dumps(value)


def test_the_file_is_valid_by_the_compose_specification() -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*checker, str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_services_are_those_of_the_design() -> None:
    assert {"postgres", "temporal", "temporal-ui", "worker", "hub"} == set(SERVICES) - ONE_SHOT
    assert {"temporal-schema", "temporal-namespace", "setup"} == ONE_SHOT


@each_service
def test_every_image_has_an_exact_version(name: str) -> None:
    assert EXACT.fullmatch(SERVICES[name]["image"])


def test_the_server_and_its_schema_have_one_version() -> None:
    versions = {
        SERVICES[name]["image"].partition(":")[2]
        for name in ("temporal-schema", "temporal-namespace", "temporal")
    }
    assert len(versions) == 1


@each_service
def test_every_lasting_service_has_a_health_check_and_starts_again(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert "healthcheck" not in service
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@each_service
def test_a_service_waits_until_what_it_needs_is_healthy_or_done(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        done = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
        assert how["condition"] == done


def test_the_worker_and_the_hub_start_after_the_set_up() -> None:
    for name in ("worker", "hub"):
        assert list(SERVICES[name]["depends_on"]) == ["setup"]
    assert "temporal-namespace" in SERVICES["setup"]["depends_on"]


def test_only_the_loopback_of_the_host_is_reached() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_has_a_default() -> None:
    used = re.findall(r"\$\{([A-Z_]+)([^}]*)\}", FILE.read_text())
    secret = [(name, rest) for name, rest in used if "PASSWORD" in name or "SECRET" in name]
    assert secret
    assert all(rest.startswith(":?") for _, rest in secret)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|PWD|SECRET|SMTP_URL|WEBHOOK_URL", name):
                assert value in (None, "${POSTGRES_PASSWORD:?set it}"), name


def test_data_is_in_a_named_volume_where_the_image_keeps_it() -> None:
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert "postgres" in COMPOSE["volumes"]


def test_closed_histories_are_kept_as_long_as_the_design_says() -> None:
    hours = int(RETENTION.total_seconds() // 3600)
    assert f"--retention {hours}h" in text_of(SERVICES["temporal-namespace"]["command"])


def test_everybody_uses_the_one_namespace() -> None:
    namespace = SERVICES["worker"]["environment"]["FLOWHUB_TEMPORAL_NAMESPACE"]
    assert SERVICES["hub"]["environment"]["FLOWHUB_TEMPORAL_NAMESPACE"] == namespace
    assert SERVICES["temporal-ui"]["environment"]["TEMPORAL_DEFAULT_NAMESPACE"] == namespace
    assert text_of(SERVICES["temporal-namespace"]["command"]).count(f"--namespace {namespace}") == 2


@pytest.mark.parametrize("name", ["setup", "worker", "hub"])
def test_every_setting_is_one_that_the_hub_knows(name: str) -> None:
    given = {key for key in SERVICES[name]["environment"] if key.startswith("FLOWHUB_")}
    assert given <= {f"FLOWHUB_{field}".upper() for field in Settings.model_fields}


def test_defaults_of_settings_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES["worker"]["environment"].items():
        if value is not None and key.startswith("FLOWHUB_"):
            monkeypatch.setenv(key, re.sub(r"\$\{\w+:-(.*)\}", r"\1", value))
    settings = Settings(_env_file=None)
    assert settings.notify_urls == ()
    assert settings.temporal_address == "temporal:7233"


@pytest.mark.parametrize("name", ["setup", "hub"])
def test_the_commands_are_in_the_command_line(name: str) -> None:
    program, command, *options = SERVICES[name]["command"]
    assert program == "flowhub"
    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]  # a group
    known = {option for parameter in found.params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_the_worker_is_started_as_the_design_says() -> None:
    assert SERVICES["worker"]["command"] == ["python", "worker.py"]
    assert (ROOT / "worker.py").is_file()


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([Check("Temporal", ok=True, found=""), Check("worker", ok=True, found="1")], 0),
        ([Check("parked work", ok=False, found=""), Check("worker", ok=True, found="1")], 0),
        ([Check("Temporal", ok=True, found=""), Check("worker", ok=False, found="none")], 1),
        ([Check("running hub", ok=False, found="no answer")], 1),
    ],
)
def test_the_worker_is_healthy_when_somebody_takes_its_work(checks: list[Check], code: int) -> None:
    line = SERVICES["worker"]["healthcheck"]["test"][1]
    assert line.startswith("flowhub doctor --json | python -c '")
    program = line.partition("python -c '")[2].removesuffix("'")
    answer = json.dumps({"ok": False, "checks": [asdict(check) for check in checks]})
    done = subprocess.run([sys.executable, "-c", program], input=answer, text=True, check=False)
    assert done.returncode == code


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases
    assert all(EXACT.fullmatch(base) and base.startswith("python:3.12.") for base in bases)
    assert re.search(r"uv==\d+\.\d+\.\d+$", DOCKERFILE, re.MULTILINE)
    assert "uv sync --frozen --no-dev" in DOCKERFILE
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] not in {"root", "0"}


def test_the_image_gets_all_that_runs_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = {rule[1:].rstrip("/") for rule in rules if rule.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)

    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = build["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["include"], "pyproject.toml", "uv.lock"} <= kept
    for secret in (".env", ".flowhub", ".git", "tests"):
        assert not any(fnmatch(secret, name) for name in kept)
