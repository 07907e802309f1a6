"""Fairness beside round robin and the log: on a small log whose figures are reckoned by hand."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hub.cli.main import app
from hub.replay.fairness import Fairness, Way
from hub.replay.page import write_html
from hub.replay.report import Report
from hub.replay.run import replay
from hub.replay.table import render_table
from settings import Settings
from support.errors import InputError
from tests.replay.exporting import Row, life, quiet, row, write_log
from tests.replay.test_real_log import LOG, beside_the_checkout


def ticket(
    number: str, opened_h: float, resolved_h: float, *agents: tuple[float, str]
) -> list[Row]:
    """An incident with a row whenever its agent changes, and one at its end."""
    name = agents[-1][1]
    opened = {"opened_at": row(after_h=opened_h)["sys_updated_at"]}
    moves = [
        row(number, i, after_h, assigned_to=agent, **opened)
        for i, (after_h, agent) in enumerate(agents)
    ]
    end = {"incident_state": "Resolved", "assigned_to": name, **opened}
    return [*moves, row(number, len(agents), resolved_h, **end)]


SMALL = [
    # Two agents. In the log Kim has the long ones, of which one waits an hour and is Lou's first.
    *ticket("A-0", 0, 0.25, (0, "Kim")),
    *ticket("A-1", 0.5, 10, (0.5, "Kim")),
    *ticket("A-2", 1, 1.5, (1, "Lou")),
    *ticket("A-3", 2, 10, (2, "?"), (3, "Lou"), (4, "Kim")),
]


async def measured(tmp_path: Path, rows: list[Row], **more: Any) -> tuple[Report, Fairness]:
    options = {"limit": None, "engine": "simulate", "settings": Settings(), "progress": quiet}
    file = write_log(tmp_path / "log.csv", rows)
    report = await replay(file, "servicenow-incidents", fairness=True, **{**options, **more})
    assert report.fairness is not None
    return report, report.fairness


def ways_of(fairness: Fairness) -> tuple[Way, Way, Way]:
    ours, round_robin, log = fairness.ways
    assert [way.name for way in fairness.ways] == ["ours", "round robin", "the log"]
    return ours, round_robin, log


def of_two(one: float, other: float) -> Any:
    """Jain's index of two shares."""
    return pytest.approx((one + other) ** 2 / (2 * (one**2 + other**2)))


async def test_load_is_the_units_that_an_agent_carries_by_the_hour(tmp_path: Path) -> None:
    _, fairness = await measured(tmp_path, SMALL)
    ours, round_robin, log = ways_of(fairness)
    # The least loaded takes the last; by round robin the longest idle does, loaded or not.
    assert ours.load.jain == of_two(0.25 + 9.5, 0.5 + 8)
    assert round_robin.load.jain == of_two(0.25 + 9.5 + 8, 0.5)
    assert log.load.jain == of_two(0.25 + 9.5 + 6, 0.5 + 1)
    assert ours.load.gini == pytest.approx((9.75 - 8.5) / (2 * 18.25))
    assert log.load.gini == pytest.approx((15.75 - 1.5) / (2 * 17.25))
    assert log.load.largest == pytest.approx(15.75 / 17.25)
    assert ours.load.jain_in_teams == ours.load.jain


async def test_a_ticket_is_given_once_to_each_who_ever_owned_it(tmp_path: Path) -> None:
    ours, round_robin, log = ways_of((await measured(tmp_path, SMALL))[1])
    assert ours.tickets.jain == of_two(2, 2)
    assert ours.tickets.gini == pytest.approx(0)
    assert round_robin.tickets.jain == of_two(3, 1)
    assert log.tickets.jain == of_two(3, 2)


async def test_every_ticket_weighs_the_same_in_each_way(tmp_path: Path) -> None:
    ours, round_robin, log = ways_of((await measured(tmp_path, SMALL))[1])
    assert ours.unit_hours == round_robin.unit_hours == log.unit_hours == pytest.approx(18.25)
    assert ours.unowned_hours == 0
    assert log.unowned_hours == pytest.approx(1)
    assert (ours.peak_units, round_robin.peak_units, log.peak_units) == (1, 2, 2)


async def test_the_wait_ends_with_the_first_owner(tmp_path: Path) -> None:
    _, fairness = await measured(tmp_path, SMALL)
    ours, _, log = ways_of(fairness)
    assert (ours.wait.at_once, ours.wait.max_s, ours.wait.never) == (1, 0, 0)
    assert log.wait.at_once == 0.75
    assert (log.wait.p50_s, log.wait.p90_s, log.wait.max_s) == (0, 3600, 3600)
    assert fairness.log.on_first_row == 0.75


async def test_a_reassignment_is_a_change_from_one_agent_to_another(tmp_path: Path) -> None:
    rows = [
        *SMALL,
        # Given back and taken again by the same agent: no change.
        *ticket("A-4", 5, 9, (5, "Kim"), (6, "?"), (7, "Kim")),
    ]
    ours, _, log = ways_of((await measured(tmp_path, rows))[1])
    assert (ours.reassignments.total, ours.reassignments.max) == (0, 0)
    assert (log.reassignments.total, log.reassignments.mean) == (1, 0.2)
    assert (log.reassignments.p90, log.reassignments.max) == (1, 1)


async def test_two_changes_in_one_minute_are_two(tmp_path: Path) -> None:
    rows = ticket("A-1", 0, 2, (0, "Kim"), (1, "Lou"), (1, "Kim"))
    _, _, log = ways_of((await measured(tmp_path, rows))[1])
    assert log.reassignments.total == 2
    assert log.peak_units == 1


async def test_capacity_that_binds_makes_tickets_wait_and_is_told(tmp_path: Path) -> None:
    rows = [
        *ticket("A-1", 0, 10, (0, "Kim")),
        *ticket("A-2", 0.5, 1, (0.5, "Lou")),
        *ticket("A-3", 0.75, 2, (0.75, "Kim")),
    ]
    report, fairness = await measured(tmp_path, rows, capacity_units=1)
    ours, _, log = ways_of(fairness)
    assert report.by.capacity_units == fairness.capacity_units == 1
    assert (ours.found_full, ours.wait.max_s, ours.peak_units) == (1, 15 * 60, 1)
    # Nobody held the log to it: 1.25 of its 11.75 unit hours are more than Kim has room for.
    assert log.beyond_capacity == pytest.approx(1.25 / 11.75)
    assert "a capacity of 1 units binds" in shown(report)
    report, fairness = await measured(tmp_path, rows)
    assert ways_of(fairness)[0].found_full == 0
    assert "ours: a capacity of 12 units never binds" in shown(report)


async def test_who_is_alone_in_a_team_shares_with_nobody(tmp_path: Path) -> None:
    rows = [*SMALL, row("B-1", assignment_group="Mail", assigned_to="Max")]
    _, fairness = await measured(tmp_path, rows)
    assert (fairness.agents, fairness.teams, fairness.lone_agents) == (3, 2, 1)
    assert ways_of(fairness)[0].load.jain_in_teams == of_two(9.75, 8.5)


async def test_a_ticket_of_a_team_without_agents_is_told_apart(tmp_path: Path) -> None:
    rows = [*SMALL, row("B-1", assignment_group="Mail", assigned_to="?")]
    ours, _, log = ways_of((await measured(tmp_path, rows))[1])
    assert (ours.found_nobody, ours.wait.never, log.wait.never) == (1, 1, 1)


async def test_the_logs_own_counters_are_shown_beside(tmp_path: Path) -> None:
    rows = [
        row("A-1", reassignment_count="0"),
        row("A-1", 1, 1, assignment_group="Mail", reassignment_count="1"),
        row("A-2", reassignment_count="0"),
    ]
    log = (await measured(tmp_path, rows))[1].log
    assert (log.group_changes.total, log.group_changes.max) == (1, 1)
    assert log.counter is not None
    assert (log.counter.total, log.counter.mean) == (1, 0.5)


def shown(report: Report) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render_table(report))
    return console.export_text()


async def test_table_json_and_page_show_it_with_its_assumptions(tmp_path: Path) -> None:
    report, fairness = await measured(tmp_path, life(12))
    assert fairness.assumptions
    assert json.loads(report.to_json())["fairness"]["ways"][2]["name"] == "the log"
    page = tmp_path / "report.html"
    write_html(report, page)
    html = page.read_text()
    assert html.count('role="img" aria-label="Load') == 3
    assert re.search(r"(src|href)=|https?:|@import|url\(", html) is None
    for text in (shown(report), html):
        assert "round robin" in text
        assert "Leads are invented" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [({"engine": "temporal"}, "--engine simulate"), ({"capacity_units": 0}, "--capacity")],
)
async def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        await measured(tmp_path, SMALL, **options)


def test_the_command_compares_where_it_is_asked_to(tmp_path: Path) -> None:
    file = str(write_log(tmp_path / "log.csv", SMALL))
    said = CliRunner().invoke(app, ["replay", file, "--fairness", "--capacity", "3", "--json"])
    assert json.loads(said.stdout)["fairness"]["capacity_units"] == 3
    said = CliRunner().invoke(app, ["replay", file, "--json"])
    assert json.loads(said.stdout)["fairness"] is None


@beside_the_checkout
async def test_on_the_real_log_load_is_more_even_than_it_was() -> None:
    report = await replay(
        LOG,
        "servicenow-incidents",
        limit=300,
        engine="simulate",
        settings=Settings(),
        progress=quiet,
        fairness=True,
    )
    assert report.fairness is not None
    ours, round_robin, log = ways_of(report.fairness)
    for way in (ours, round_robin):
        assert way.load.jain is not None
        assert log.load.jain is not None
        assert way.load.jain >= log.load.jain
        assert way.wait.p90_s is not None
        assert log.wait.p90_s is not None
        assert way.wait.p90_s <= log.wait.p90_s
        assert way.reassignments.mean <= log.reassignments.mean
        assert way.unit_hours == pytest.approx(log.unit_hours)
        assert way.wait.owned + way.wait.never == report.tickets
