"""A whole replay: both engines decide alike, every row and event is accounted for."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from pydantic import SecretStr
from rich.console import Console

from hub.replay.page import write_html
from hub.replay.report import Report
from hub.replay.run import replay
from hub.replay.table import render_table
from settings import Settings
from support.errors import InputError
from tests.replay.exporting import Row, life, quiet, row, write_log


async def run(file: Path, engine: str = "simulate", **more: Any) -> Report:
    options = {"limit": None, "settings": Settings(), "progress": quiet, **more}
    mapping = options.pop("mapping", "servicenow-incidents")
    return await replay(file, mapping, engine=engine, **options)


@pytest.mark.slow
async def test_the_real_workflows_decide_as_the_pure_core(
    tmp_path: Path, postgres_url: str, servers_dir: Path
) -> None:
    file = write_log(tmp_path / "log.csv.gz", life())
    settings = Settings(data_dir=servers_dir, database_url=SecretStr(postgres_url))
    simulated, temporal = [
        (await run(file, engine, settings=settings)).model_dump(exclude={"by"})
        for engine in ("simulate", "temporal")
    ]
    assert simulated == temporal
    assert simulated["decisions"] > simulated["tickets"]
    assert simulated["escalations"]
    assert simulated["breaches"]
    assert simulated["events_refused"]
    with psycopg.connect(postgres_url) as connection:
        left = connection.execute(
            "select count(*) from pg_database where datname like 'flowhub_replay%'"
        ).fetchone()
    assert left == (0,)


@pytest.mark.slow
async def test_a_replay_of_real_workflows_prints_nothing_but_its_json(
    tmp_path: Path, postgres_url: str, servers_dir: Path
) -> None:
    file = write_log(tmp_path / "log.csv.gz", life())
    environment = {
        **os.environ,
        "FLOWHUB_DATABASE_URL": postgres_url,
        "FLOWHUB_DATA_DIR": str(servers_dir),
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "hub.cli", "replay", str(file), "--engine", "temporal", "--json"],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["tickets"]


async def test_a_replay_gives_the_same_report_twice(tmp_path: Path) -> None:
    file = write_log(tmp_path / "log.csv", life())
    first, second = [(await run(file)).model_dump(exclude={"by"}) for _ in range(2)]
    assert first == second


async def test_deadlines_between_the_rows_fall_due(tmp_path: Path) -> None:
    rows = [row(), row(sequence=1, after_h=24 * 10)]
    report = await run(write_log(tmp_path / "log.csv", rows))
    assert report.breaches >= 2
    assert set(report.escalations_by_step) == {"0.75", "1", "1.5"}
    assert report.assignments.made >= 1


async def test_what_is_impossible_is_a_refusal_by_reason(tmp_path: Path) -> None:
    rows = [
        row(incident_state="Resolved"),
        row(sequence=1, after_h=24 * 20, incident_state="Closed"),
        row(sequence=2, after_h=24 * 21, incident_state="Closed"),
    ]
    report = await run(write_log(tmp_path / "log.csv", rows))
    assert report.events_refused == {"close while closed": 1, "note while closed": 1}
    assert report.events == 5


async def test_the_logs_assignments_are_compared_and_not_followed(tmp_path: Path) -> None:
    rows = [
        row("A-1", assigned_to="Kim"),
        row("A-1", sequence=1, after_h=1, assignment_group="Mail", assigned_to="Lou"),
    ]
    report = await run(write_log(tmp_path / "log.csv", rows))
    ours = report.assignments
    assert (ours.made, ours.changed, ours.changed_in_log) == (1, 0, 1)
    assert (ours.rows_compared, ours.same_team, ours.same_team_at_end) == (2, 0.5, 0.0)


async def test_another_export_needs_another_mapping_and_no_code(tmp_path: Path) -> None:
    mapping = tmp_path / "other.yaml"
    mapping.write_text(yaml.safe_dump(OTHER))
    columns = ["When", "Id", "No", "Start", "Via", "Prio", "Step", "Queue", "Who"]
    rows: list[Row] = [
        dict(zip(columns, values, strict=True))
        for values in (
            ("2024-05-06T10:00:00+0200", "7/a", "1", "2024-05-06T10:00:00+0200", "form", "P1",
             "open", "Desk", "Åsa"),
            ("2024-05-06T12:00:00+0200", "7/a", "2", "2024-05-06T10:00:00+0200", "form", "P1",
             "done", "Desk", "Åsa"),
        )
    ]  # fmt: skip
    file = write_log(tmp_path / "other.csv", rows, columns, delimiter=";")
    report = await run(file, mapping=mapping)
    assert (report.tickets, report.events, report.events_refused) == (1, 3, {})
    assert report.early_warning_missing == "the mapping names no outcome, or the log has none"


OTHER = {
    "name": "other",
    "file": {"delimiter": ";"},
    "time": {"zone": "Europe/Stockholm", "formats": ["%Y-%m-%dT%H:%M:%S%z"]},
    "ordering": {"instant": "When", "ticket": "Id", "sequence": "No"},
    "opening": {"instant": "Start"},
    "channel": {"column": "Via", "values": {"form": {"channel": "web"}}},
    "priority": {"column": "Prio", "values": {"P1": "urgent"}},
    "state": {
        "column": "Step",
        "initial": "open",
        "known": ["open", "done"],
        "changes": [{"to": ["done"], "moves": ["reply", "resolve"]}],
    },
    "assignment": {"team": "Queue", "agent": "Who"},
}


async def test_the_report_is_shown_as_table_json_and_page(tmp_path: Path) -> None:
    report = await run(write_log(tmp_path / "log.csv", life(60)))
    assert report.early_warning is not None
    assert json.loads(report.to_json())["tickets"] == 60
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(render_table(report))
    assert "Early warning" in console.export_text()
    page = tmp_path / "report.html"
    write_html(report, page)
    text = page.read_text()
    assert "<svg" in text
    assert re.search(r"(src|href)=|https?:|@import|url\(", text) is None


async def test_a_value_of_the_log_cannot_break_the_page(tmp_path: Path) -> None:
    rows = [row(), row(sequence=1, priority="<script>alert(1)</script>")]
    report = await run(write_log(tmp_path / "log.csv", rows))
    write_html(report, tmp_path / "report.html")
    assert "<script" not in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [({"engine": "steam"}, "simulate, temporal"), ({"limit": 0}, "at least 1")],
)
async def test_bad_options_are_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        await run(write_log(tmp_path / "log.csv", [row()]), **options)


async def test_a_log_without_a_usable_row_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 priority not in the mapping"):
        await run(write_log(tmp_path / "log.csv", [row(priority="odd")]))


def test_a_report_that_loses_rows_or_events_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="rows were lost"):
        Report.model_validate({**_SUMS, "rows_used": 1})
    with pytest.raises(ValueError, match="events were lost"):
        Report.model_validate({**_SUMS, "events_accepted": 1})


_SUMS: dict[str, Any] = {
    "by": {"engine": "simulate", "mapping": "m", "log": "l", "limit": None, "pack": "p",
           "policies": "x", "capacity_units": 12.0, "seconds": 1.0},
    "first_instant": "2016-03-01T00:00:00Z", "last_instant": "2016-03-01T00:00:00Z",
    "tickets": 0, "rows_read": 0, "rows_used": 0, "rows_unused": {}, "events": 0,
    "events_accepted": 0, "events_refused": {}, "decisions": 0, "escalations": 0,
    "escalations_by_step": {}, "breaches": 0, "priorities": [], "early_warning": None,
    "assignments": {"made": 0, "changed": 0, "changed_in_log": 0, "tickets_never_owned": 0,
                    "agents": 0, "teams": 0, "rows_compared": 0, "same_team": None,
                    "same_agent": None, "tickets_compared": 0, "same_team_at_end": None,
                    "rows_without_our_owner": 0, "rows_without_log_team": 0},
}  # fmt: skip
