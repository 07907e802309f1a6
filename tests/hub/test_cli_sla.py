"""`flowhub sla explain`: the proof of a deadline, for people, programs and browsers."""

import json
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from support.errors import FlowHubError, InputError
from support.proof import Why

CASE = """
calendar:
  tz: Europe/Stockholm
  hours: {fri: [["08:00", "17:00"]], mon: [["08:00", "17:00"]], sun: [["00:00", "06:00"]]}
  overrides: {2026-03-30: [["10:00", "12:00"]]}
targets: {first_response_s: 3600, next_response_s: 7200, resolution_s: 36000}
events:
  - {at: 2026-03-27T16:00:00+01:00, type: created}
  - {at: 2026-03-29T01:00:00+01:00, type: paused}
  - {at: 2026-03-29T05:00:00+02:00, type: resumed}
at: 2026-03-30T11:00:00+02:00
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    file = tmp_path / "<case>.yaml"
    file.write_text(CASE)
    return file


def explained(file: Path, *words: str) -> Any:
    result = CliRunner().invoke(app, ["sla", "explain", str(file), "--json", *words])
    assert result.exit_code == 0, result.output or repr(result.exception)
    return json.loads(result.stdout)


def test_the_stretches_say_why_and_add_up(case: Path) -> None:
    resolution = explained(case)["resolution"]
    line = [(part["why"], part["counted_s"], part["note"]) for part in resolution["segments"]]
    change = "clock forward, 2026-03-29 02:00 to 2026-03-29 03:00 skipped"
    assert line == [
        ("counted", 3600, ""),
        ("closed", 0, ""),
        ("counted", 3600, ""),
        ("paused", 0, ""),
        ("dst", 0, change),
        ("paused", 0, ""),
        ("counted", 3600, ""),
        ("closed", 0, ""),
        ("override", 0, "2026-03-30"),
        ("counted", 3600, "override 2026-03-30"),
    ]
    assert resolution["elapsed_s"] == 4 * 3600
    assert resolution["remaining_s"] == 6 * 3600


def test_it_can_be_asked_at_another_time(case: Path) -> None:
    before = explained(case, "--at", "2026-03-27T16:30")
    assert before["first_response"]["state"] == "running"
    assert not before["first_response"]["breached"]
    assert explained(case)["first_response"]["breached"]


def test_the_page_needs_nothing_else_and_draws_every_stretch(case: Path, tmp_path: Path) -> None:
    page = tmp_path / "proof.html"
    got = explained(case, "--html", str(page))
    text = page.read_text()
    assert "&lt;case&gt;" in text
    for outside in ("http", "src=", "<link", "<script", "url("):
        assert outside not in text
    bars = [ET.fromstring(part.split("</svg>")[0] + "</svg>") for part in _svgs(text)]  # noqa: S314
    drawn = [len([r for r in bar.iter("rect") if r.get("class")]) for bar in bars]
    assert drawn == [len(got[m]["segments"]) for m in ("first_response", "resolution")]


def _svgs(text: str) -> list[str]:
    return ["<svg" + part for part in text.split("<svg")[1:]]


def test_people_read_it_as_text(case: Path) -> None:
    shown = CliRunner().invoke(app, ["sla", "explain", str(case)]).stdout
    assert "first_response: breached" in shown
    assert "next_response: idle" in shown


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("type: paused", "type: slept", "events[1].type"),
        ("at: 2026-03-29T01:00:00+01:00", "at: 2026-03-29T01:00:00", "events[1].at"),
        ("first_response_s: 3600", "first_response: 3600", "targets.first_response"),
        ("first_response_s: 3600", "first_response_s: -1", "targets.first_response_s"),
        ("type: created", "type: resumed", "created"),
        ("tz: Europe/Stockholm", "tz: Mars/Olympus", "Mars/Olympus"),
        ("at: 2026-03-30T11:00:00+02:00\n", "", "as_of"),
        ("calendar:", "calender:", "calendar"),
        ("at: 2026-03-30T11:00:00+02:00\n", "pause_on: [sleep]\nat: 2026-03-30\n", "as_of"),
        ("targets:", "pause_on: [sleep]\ntargets:", "pause_on"),
        ("targets:", "pause_on: [{}]\ntargets:", "pause_on"),
        ("targets:", "pauses_on: []\ntargets:", "`pauses_on` is unknown: did you mean `pause_on`?"),
        ("targets:", "colour: red\ntargets:", "`colour` is unknown: use calendar, targets"),
        ("type: paused", "typ: paused", "`events[1].typ` is unknown: did you mean `type`?"),
        ("type: paused", "type: paused, automatic: true", "`events[1].automatic` is unknown"),
        ("first_response_s: 3600", "first_response_s: 9000000000", "case>.yaml: calendars reckon"),
        ("type: paused", "type: [created]", "events[1].type"),
        ("type: paused", "type: {}", "events[1].type"),
        ("at: 2026-03-29T01:00:00+01:00", "at: 2026-02-30T01:00:00+01:00", "events[1].at"),
        ("at: 2026-03-29T01:00:00+01:00", "at: 2026-03-29T25:00:00+01:00", "events[1].at"),
        ("at: 2026-03-29T01:00:00+01:00", "at: 0000-03-29T01:00:00+01:00", "events[1].at"),
        ("at: 2026-03-29T01:00:00+01:00", "at: 2026-03-29T01:00:00+99:00", "events[1].at"),
        ("at: 2026-03-29T01:00:00+01:00", "at: 0001-01-01T00:00:00+02:00", "events[1].at"),
        ("at: 2026-03-30T11:00:00+02:00", "at: 9999-12-31T23:59:59-05:00", "`as_of`"),
        ("at: 2026-03-30T11:00:00+02:00", "at: 0001-01-01T00:00:00Z", "1800 to 2199"),
        ("2026-03-30: [[", "2026-02-30: [[", "'2026-02-30' for a date"),
        ("first_response_s: 3600", "first_response_s: " + "9" * 5000, "line 6: "),
        ("targets: {", "targets: {resolution_s: 1, ", "line 6: `resolution_s` is here twice"),
        ("at: 2026-03-30T11:00:00+02:00", "at: " + "[" * 5000, "nested too deeply"),
        ("targets: {", "targets: &t {a: *t, ", "line 6: this is not YAML: aliases"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(case: Path, old: str, new: str, named: str) -> None:
    case.write_text(CASE.replace(old, new))
    error = CliRunner().invoke(app, ["sla", "explain", str(case)]).exception
    assert isinstance(error, FlowHubError)
    assert str(case) in str(error)
    assert named in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 400


def test_a_time_to_look_that_calendars_do_not_reach_is_refused(case: Path) -> None:
    for at in ("0001-01-01T00:00", "9999-12-31T23:59-10:00"):
        error = CliRunner().invoke(app, ["sla", "explain", str(case), "--at", at]).exception
        assert isinstance(error, InputError)
        assert "give a time from 1800 to 2199" in str(error)


def test_what_a_case_is_to_give_and_where_it_is_from_may_stand_in_it(case: Path) -> None:
    about = "id: one\ntags: [dst]\nnote: x\nsource: y\nwhy: z\nexpect: {}\nsource_expect: {}\n"
    case.write_text(about + CASE.replace("type: paused", "type: paused, note: lunch"))
    assert explained(case)["resolution"]["elapsed_s"] == 4 * 3600


def test_the_page_never_takes_the_place_of_the_case(case: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(case)
    for page in (case, link):
        words = ["sla", "explain", str(case), "--html", str(page)]
        error = CliRunner().invoke(app, words).exception
        assert isinstance(error, InputError)
        assert "name another" in str(error)
        assert case.read_text() == CASE


def test_a_proof_over_centuries_takes_seconds_and_people_are_shown_its_ends(case: Path) -> None:
    case.write_text(CASE.replace("at: 2026-03-30T11", "at: 2199-12-30T11"))
    began = time.process_time()
    shown = CliRunner().invoke(app, ["sla", "explain", str(case)]).stdout
    whole = explained(case)["resolution"]["segments"]
    assert time.process_time() - began < 10
    assert len(whole) > 30_000
    assert f"{len(whole) - 400} stretches in the middle are not shown" in shown
    assert "as of Mon 2199-12-30 10:00" in shown


def test_the_page_has_a_colour_for_every_reason(case: Path, tmp_path: Path) -> None:
    page = tmp_path / "proof.html"
    explained(case, "--html", str(page))
    assert [why for why in Why if f"--{why}: #" not in page.read_text()] == []
