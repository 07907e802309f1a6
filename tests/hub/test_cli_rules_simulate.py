"""`flowhub rules simulate`: what a reader sees of a rule change, and what is said when it fails."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hub.cli.main import app
from support.errors import FlowHubError, InputError, UsageError
from tests.replay.exporting import row, write_log
from tests.simulation.trying import AFTER, BEFORE, dozen


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWHUB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FLOWHUB_ENGINE_TIMEOUT_S", "30")
    (tmp_path / "before.yaml").write_text(BEFORE)
    (tmp_path / "after.yaml").write_text(AFTER)
    write_log(tmp_path / "log.csv", dozen())


def flowhub(*words: object) -> Result:
    return CliRunner().invoke(app, ["rules", "simulate", *map(str, words)])


def failure(result: Result) -> FlowHubError:
    assert isinstance(result.exception, FlowHubError)
    return result.exception


def test_json_has_every_ticket_and_all_totals() -> None:
    told = flowhub(
        "after.yaml", "--against", "before.yaml", "--log", "log.csv", "--tickets", 1, "--json"
    )
    form = json.loads(told.stdout)
    assert [ticket["ticket_id"] for ticket in form["tickets"]] == [
        "INC-06", "INC-08", "INC-10", "INC-12",
    ]  # fmt: skip
    assert form["counts"]["differ"] == 4
    assert form["before"]["totals"]["escalations"] == 12
    assert form["before"]["file"] == "before.yaml"
    assert form["unknown"]


def test_a_reader_sees_totals_tickets_and_the_page(tmp_path: Path) -> None:
    told = flowhub(
        "after.yaml", "--against", "before.yaml", "--log", "log.csv", "--html", "page.html"
    )
    assert told.exit_code == 0
    assert "4 of 12 tickets differ" in told.stdout
    assert "INC-06" in told.stdout
    assert re.search(r"<svg", (tmp_path / "page.html").read_text())


def test_the_pack_of_the_settings_is_what_it_is_compared_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWHUB_PACK", "before.yaml")
    told = flowhub("before.yaml", "--log", "log.csv", "--limit", 2)
    assert "No difference: both packs decide all 2 tickets alike." in told.stdout


def test_a_pack_that_is_not_there_is_named() -> None:
    result = flowhub("nowhere.yaml", "--log", "log.csv")
    assert result.exit_code == 2
    assert "there is no file 'nowhere.yaml'" in " ".join(result.output.replace("│", "").split())


def test_a_log_without_a_usable_row_says_why(tmp_path: Path) -> None:
    write_log(tmp_path / "odd.csv", [row(priority="odd")])
    error = failure(flowhub("after.yaml", "--log", "odd.csv"))
    assert isinstance(error, InputError)
    assert "priority not in the mapping" in str(error)


def test_a_period_is_not_for_a_log() -> None:
    error = failure(flowhub("after.yaml", "--log", "log.csv", "--from", "2026-01-01"))
    assert isinstance(error, UsageError)
    assert "--limit" in str(error)
