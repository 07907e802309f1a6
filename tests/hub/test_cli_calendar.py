"""`flowhub calendar` as a person or a script would use it; it needs no server."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from support.errors import CalendarError, FlowHubError, InputError

OFFICE = """
tz: Europe/Stockholm
hours: {mon: [["08:00", "17:00"]], fri: [["08:00", "17:00"]], sun: [["00:00", "24:00"]]}
public_holidays: {country: SE}
overrides: {2026-03-30: [["10:00", "12:00"]]}
"""


@pytest.fixture
def office(tmp_path: Path) -> str:
    file = tmp_path / "office.yaml"
    file.write_text(OFFICE)
    return str(file)


def answer(*words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output or repr(result.exception)
    return json.loads(result.stdout)


def refusal(*words: str) -> FlowHubError:
    error = CliRunner().invoke(app, list(words)).exception
    assert isinstance(error, FlowHubError)
    return error


def test_open_time_is_added_from_a_reading_of_the_calendars_clock(office: str) -> None:
    got = answer("calendar", "add", "2026-03-27T16:00", "2h", "--file", office)
    assert got["start"] == "2026-03-27T15:00:00+00:00"
    assert got["end"] == "2026-03-29T00:00:00+00:00"


def test_open_time_between_two_instants_counts_the_short_day_as_it_was(office: str) -> None:
    got = answer(
        "calendar", "between", "2026-03-28T12:00+01:00", "2026-03-30T00:00", "--file", office
    )
    assert got["open_s"] == 23 * 3600


def test_a_week_is_shown_with_what_is_out_of_the_ordinary(office: str) -> None:
    got = answer("calendar", "show", "2026-03-27", "--days", "11", "--file", office)
    notes = {row["date"]: row["notes"] for row in got["days"] if row["notes"]}
    assert notes["Mon 2026-03-30"] == ["override"]
    assert notes["Fri 2026-04-03"] == ["holiday: Good Friday"]
    assert notes["Sun 2026-03-29"] == [
        "clock forward, 2026-03-29 02:00 to 2026-03-29 03:00 skipped"
    ]
    assert got["days"][2]["open_s"] == 23 * 3600
    assert got["days"][3]["open"] == [["2026-03-30T10:00:00+02:00", "2026-03-30T12:00:00+02:00"]]


def test_a_calendar_of_the_policies_is_found_by_its_name() -> None:
    office = answer("calendar", "show", "2026-03-23", "--name", "office")
    assert office["days"][0]["open_s"] == 9 * 3600
    assert answer("calendar", "show", "2026-03-23", "--name", "always")["days"][6]["open_s"]
    assert "always, office" in str(refusal("calendar", "show", "--name", "nowhere"))


def test_people_read_the_hours_in_a_table(office: str) -> None:
    shown = CliRunner().invoke(app, ["calendar", "show", "2026-04-03", "--file", office]).stdout
    assert "Good Friday" in shown
    assert "08:00-17:00" not in shown.split("Mon 2026-04-06")[0]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("add", "today", "2h"), "'today' is no time"),
        (("add", "2026-03-27T16:00", "soon"), "no duration"),
        (("show", "27/3"), "is no date"),
        (("add", "2026-03-27T16:00", "2h", "--file", "missing.yaml"), "missing.yaml"),
        (("add", "0001-01-01T00:00", "1h"), "give a time from 1800 to 2199"),
        (("add", "9999-12-31T23:59-10:00", "1h"), "give a time from 1800 to 2199"),
        (("add", "2026-04-02T15:00", "99999999999999d"), "too long"),
        (("show", "0001-01-01"), "give another date"),
        (("show", "9999-12-30"), "give another date"),
        (("show", "2199-12-30", "--days", "2"), "give another date"),
    ],
)
def test_what_is_wrong_is_said(words: tuple[str, ...], named: str) -> None:
    error = refusal("calendar", *words)
    assert isinstance(error, InputError)
    assert named in str(error)


def test_a_wrong_calendar_is_refused_with_its_file_and_field(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("tz: UTC\nhours: 24/7\ntz: UTC")
    assert f"{file}, line 3: `tz` is here twice" in str(
        refusal("calendar", "show", "-f", str(file))
    )
    file = tmp_path / "c.json"
    file.write_text('{"tz": "UTC", "hours": {"funday": []}}')
    error = refusal("calendar", "show", "--file", str(file))
    assert isinstance(error, CalendarError)
    assert "c.json" in str(error)
    assert "funday" in str(error)
